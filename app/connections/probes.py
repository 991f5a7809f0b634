"""Recognises probes before they are parsed."""

import re

from app.api.admission import PROBES

LOOKED_AT = 2048
"""The bytes of a request that are looked at: heads of probes are shorter."""
_PROBE = re.compile(rb"(?:GET|HEAD) \S*(?:%s)[ ?].*?\n\r?\n" % "|".join(sorted(PROBES)).encode(), re.DOTALL)


def is_probe(data: bytes) -> bool:
    """Whether the data begins with the whole head of a request for a probe."""
    return _PROBE.match(data, 0, LOOKED_AT) is not None
