import random
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from app.decoding import decode, read_header
from app.decoding.damage import reporting_damage
from app.errors import DamagedImage, InsufficientMemory, InvalidImage, TooManyPixels, UnsupportedImage

LIMIT = 100_000


def outcome(data: bytes) -> type[Exception] | None:
    """The class of the refusal by `read_header` or `decode`, or None if both succeed. Other errors are not caught."""
    try:
        read_header(data, max_pixels=LIMIT)
        decode(data, max_pixels=LIMIT)
    except (InvalidImage, TooManyPixels) as refusal:
        return type(refusal)
    return None


def mutations(data: bytes, seed: int) -> Iterator[bytes]:
    """Damaged copies: flipped bits, other bytes in the header, and removed, repeated or replaced ranges of bytes."""
    chance = random.Random(seed)  # noqa: S311 - not secret: the same damage in every run
    for _ in range(40):
        flipped, header, cut = bytearray(data), bytearray(data), bytearray(data)
        for _ in range(chance.choice([1, 2, 8])):
            flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        for _ in range(chance.choice([1, 2, 4])):
            header[chance.randrange(min(300, len(data)))] = chance.choice([0, 127, 128, 255, chance.randrange(256)])
        start, length = chance.randrange(len(data)), chance.choice([1, 2, 16])
        cut[start : start + length] = chance.choice([b"", data[start : start + length] * 2, chance.randbytes(length)])
        yield from (bytes(flipped), bytes(header), bytes(cut))


def test_damaged_bytes_give_pixels_or_a_refusal_and_nothing_else(samples: dict[str, bytes]) -> None:
    for number, (name, data) in enumerate(samples.items()):
        for mutated in mutations(data, seed=number):
            assert outcome(mutated) in (None, UnsupportedImage, DamagedImage, TooManyPixels), name


def test_a_file_cut_anywhere_is_refused_or_complete(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        whole = decode(data, max_pixels=LIMIT)
        for length in range(0, len(data), max(1, len(data) // 60)):
            if outcome(data[:length]) is None:
                assert decode(data[:length], max_pixels=LIMIT).equal(whole), name


def test_a_file_cut_in_half_is_damaged(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        # In the first half of a file of several pages, the first page may be complete.
        cut = data[: len(data) // (4 if name.endswith("pages") else 2)]
        with pytest.raises(DamagedImage, match="truncated"):
            decode(cut, max_pixels=LIMIT)


def test_a_file_of_only_the_signature_is_damaged(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        assert outcome(data[: 16 if name.startswith(("webp", "avif")) else 8]) is DamagedImage, name


def test_a_wrong_checksum_before_the_pixels_is_damage(samples: dict[str, bytes]) -> None:
    data = bytearray(samples["png palette"])
    data[data.index(b"PLTE") + 6] ^= 1
    with pytest.raises(DamagedImage, match="PLTE"):
        decode(bytes(data), max_pixels=LIMIT)


def test_a_variant_that_is_not_supported_is_reported_as_unsupported(
    photo: Image.Image, save: Callable[..., bytes], samples: dict[str, bytes]
) -> None:
    jpeg = bytearray(samples["jpeg grey"])
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12  # bits per sample
    tiff = samples["tiff tiff_lzw"].replace(
        b"\x03\x01\x03\0\x01\0\0\0\x05\0", b"\x03\x01\x03\0\x01\0\0\0\x98\x87"
    )  # JPEG 2000
    bmp = bytearray(samples["bmp"])
    bmp[30] = 4  # compression: JPEG
    for data in (bytes(jpeg), tiff, bytes(bmp)):
        with pytest.raises(UnsupportedImage, match="variant"):
            decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize(
    "error", [OSError("x"), SyntaxError("x"), IndexError(), OverflowError("x"), RecursionError(), UserWarning("x")]
)
def test_every_error_of_a_decoder_is_reported_as_damage(error: Exception) -> None:
    with pytest.raises(DamagedImage, match="PNG") as report, reporting_damage("PNG"):
        raise error
    assert report.value.__cause__ is error


def test_a_lack_of_memory_is_not_reported_as_damage() -> None:
    with pytest.raises(InsufficientMemory), reporting_damage("PNG"):
        raise MemoryError


def test_refusals_of_our_own_pass_unchanged() -> None:
    refusal = TooManyPixels("too many")
    with pytest.raises(TooManyPixels) as caught, reporting_damage("PNG"):
        raise refusal
    assert caught.value is refusal
