import pytest

from app.decoding import decode
from app.decoding.png import chunks, verify
from app.errors import DamagedImage


def test_chunks_are_listed_from_header_to_end(samples: dict[str, bytes]) -> None:
    found = list(chunks(samples["png animated"]))
    assert [found[0][0], found[-1][0]] == [b"IHDR", b"IEND"]
    assert {b"acTL", b"IDAT", b"fdAT"} <= {kind for kind, _, _ in found}


def test_bytes_after_the_end_are_ignored(samples: dict[str, bytes]) -> None:
    verify(samples["png"] + b"anything")
    assert decode(samples["png"] + b"anything", max_pixels=10_000).equal(decode(samples["png"], max_pixels=10_000))


def test_a_flipped_bit_anywhere_is_detected(samples: dict[str, bytes]) -> None:
    data = samples["png palette"]
    for position in range(8, len(data), 5):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        with pytest.raises(DamagedImage):
            decode(bytes(flipped), max_pixels=10_000)


def test_a_missing_byte_at_the_end_is_detected(samples: dict[str, bytes]) -> None:
    with pytest.raises(DamagedImage, match="truncated"):
        decode(samples["png"][:-1], max_pixels=10_000)


def test_a_wrong_checksum_is_reported_with_chunk_and_place(samples: dict[str, bytes]) -> None:
    data = bytearray(samples["png"])
    start = data.index(b"IDAT") + 4
    data[start + 20] ^= 1
    with pytest.raises(DamagedImage, match=rf"IDAT .*{start}"):
        decode(bytes(data), max_pixels=10_000)
