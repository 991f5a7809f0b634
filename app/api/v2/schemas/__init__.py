"""The protocol's bodies."""
