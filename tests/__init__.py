"""What authapp promises, as tests."""
