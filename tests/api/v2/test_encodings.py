import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.v2.encodings import compressed, response_encoding

UNPACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate"]))
def test_unpacking_inverts_packing(data: bytes, encoding: str) -> None:
    assert UNPACK[encoding](compressed([data[:7], data[7:]], encoding)) == data


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=0.2, deflate;q=0.9", "deflate"),
        ("gzip;q=0", None),
        ("gzip;q=0, deflate", "deflate"),
        ("gzip;q=much", None),
        (",;=,", None),
    ],
)
def test_the_accepted_encoding_of_highest_weight_is_chosen(accepted: str, encoding: str | None) -> None:
    assert response_encoding(accepted) == encoding
