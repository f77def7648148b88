"""The options, the layers they come from, and the effective config."""
