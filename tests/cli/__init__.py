"""The command line, run in this process unless a test is about processes."""
