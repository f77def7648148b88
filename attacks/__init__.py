"""Attacks on an authapp of one's own, on this machine: `make attack`."""
