"""Character sets that clients name in a `Content-Type`."""

from encodings.aliases import aliases

from python_multipart.multipart import parse_options_header

_NO_TEXT = frozenset({"mbcs", "rot_13", "tactis"})
KNOWN = {"binary"} | frozenset(
    name
    for alias, codec in aliases.items()
    if codec not in _NO_TEXT and not codec.endswith("_codec")
    for name in (alias, codec)
)
"""The names of character sets, as Python's codecs write them.

`binary` is what `file --mime` calls bytes. The name is looked up here first, because Python keeps every name that it
was asked for, and has codecs that are no character sets: `undefined` and `punycode` raise errors of their own.
"""


def unknown_charset(content_type: str | bytes) -> str | None:
    """The `charset` of this `Content-Type` if it is not known; None if it is known or absent."""
    _, parameters = parse_options_header(content_type)
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    return None if charset.lower().replace("-", "_") in KNOWN else charset
