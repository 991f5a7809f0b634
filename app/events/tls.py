"""TLS of sinks."""

import ssl

from app.errors import InvalidSink


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """Verifies the receiver's certificate and name, by the system's authorities, or by those in `ca_file` (PEM).

    Raises InvalidSink if the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        raise InvalidSink(f"ca_file {ca_file} holds no certificates in PEM: {error}") from error
