"""The bodies of the protocol's requests and responses."""
