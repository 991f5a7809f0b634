"""Attacks on running servers: `make torture`."""
