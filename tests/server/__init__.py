"""Tests of real processes, started as a user starts them."""
