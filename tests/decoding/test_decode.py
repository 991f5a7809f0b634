import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.decoding import decode

Deep = np.ndarray[tuple[int, int], np.dtype[np.uint16]]
LIMIT = 8192 * 8192
LOSSLESS: list[tuple[str, dict[str, object]]] = [
    ("BMP", {}),
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


def plane(image: Image.Image) -> Tensor:
    """The pixels as Pillow stores them, [C,H,W]."""
    pixels = np.array(image)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_lossless_formats_preserve_the_pixels(
    format: str, options: dict[str, object], photo: Image.Image, save: Callable[..., bytes]
) -> None:
    pixels = decode(save(photo, format, **options), max_pixels=LIMIT)
    assert pixels.equal(plane(photo))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF"])
def test_grey_keeps_one_channel(format: str, photo: Image.Image, save: Callable[..., bytes]) -> None:
    data = save(photo.convert("L"), format)
    pixels = decode(data, max_pixels=LIMIT)
    assert pixels.shape == (1, 37, 53)
    assert pixels.equal(plane(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("mode", "format"),
    [("1", "PNG"), ("1", "BMP"), ("1", "TIFF"), ("P", "PNG"), ("P", "BMP"), ("P", "TIFF"), ("CMYK", "JPEG")]
    + [(mode, "TIFF") for mode in ("CMYK", "YCbCr", "LAB", "RGBX")]
    + [("RGB", "JPEG"), ("RGB", "WEBP")],
)
def test_other_modes_are_converted_as_by_pillow(
    mode: str, format: str, photo: Image.Image, save: Callable[..., bytes]
) -> None:
    stored = photo.convert("RGB").convert(mode) if mode != "P" else photo.quantize(50)
    data = save(stored, format)
    expected = Image.open(io.BytesIO(data)).convert("L" if mode == "1" else "RGB")
    assert decode(data, max_pixels=LIMIT).equal(plane(expected))


def test_inverted_cmyk_of_adobe_keeps_its_colours(save: Callable[..., bytes]) -> None:
    data = save(Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK"), "JPEG", quality=100)
    red, green, blue = decode(data, max_pixels=LIMIT)[:, 8, 8].tolist()
    assert abs(red - 200) < 4 and abs(green - 30) < 4 and abs(blue - 60) < 4


def over_white(colours: Tensor, alpha: Tensor) -> Tensor:
    a = alpha.double() / 255
    return torch.round(colours.double() * a + 255 * (1 - a)).to(torch.uint8)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_composited_over_white(format: str, photo: Image.Image, save: Callable[..., bytes]) -> None:
    alpha = Image.linear_gradient("L").resize(photo.size)
    translucent = photo.copy()
    translucent.putalpha(alpha)
    data = save(translucent, format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    assert decode(data, max_pixels=LIMIT).equal(over_white(plane(photo), plane(alpha)))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_with_alpha_stays_grey(format: str, photo: Image.Image, save: Callable[..., bytes]) -> None:
    grey, alpha = photo.convert("L"), Image.linear_gradient("L").resize(photo.size)
    data = save(Image.merge("LA", (grey, alpha)), format)
    assert decode(data, max_pixels=LIMIT).equal(over_white(plane(grey), plane(alpha)))


def test_a_palette_with_an_alpha_channel_is_composited(photo: Image.Image, save: Callable[..., bytes]) -> None:
    palette, alpha = photo.quantize(50), Image.linear_gradient("L").resize(photo.size)
    both = Image.merge("PA", (palette, alpha))
    both.putpalette(palette.getpalette() or [])
    expected = over_white(plane(palette.convert("RGB")), plane(alpha))
    assert decode(save(both, "TIFF"), max_pixels=LIMIT).equal(expected)


def test_a_transparent_palette_is_composited(photo: Image.Image, save: Callable[..., bytes]) -> None:
    palette = photo.quantize(50)
    index, colours = plane(palette), plane(palette.convert("RGB"))
    one = decode(save(palette, "PNG", transparency=7), max_pixels=LIMIT)
    assert one.equal(torch.where(index == 7, 255, colours))
    alphas = bytes(range(0, 250, 5))
    many = decode(save(palette, "PNG", transparency=alphas), max_pixels=LIMIT)
    assert many.equal(over_white(colours, torch.tensor(list(alphas))[index.long()]))


def test_a_transparent_colour_becomes_white(photo: Image.Image, deep: Deep, save: Callable[..., bytes]) -> None:
    grey = photo.convert("L")
    for image, key in ((photo, photo.getpixel((5, 5))), (grey, grey.getpixel((5, 5))), (Image.fromarray(deep), 0)):
        pixels, stored = decode(save(image, "PNG", transparency=key), max_pixels=LIMIT), plane(image)
        is_key = (stored.int() == torch.tensor(key).view(-1, 1, 1)).all(dim=0, keepdim=True)
        assert is_key.any()
        assert pixels.int().equal(torch.where(is_key, torch.iinfo(pixels.dtype).max, stored.int()))


@pytest.mark.parametrize(("format", "big_endian"), [("PNG", False), ("TIFF", False), ("TIFF", True)])
def test_grey_of_16_bits_keeps_its_full_range(
    format: str, big_endian: bool, deep: Deep, save: Callable[..., bytes]
) -> None:
    image = (
        Image.frombytes("I;16B", deep.shape[::-1], deep.astype(">u2").tobytes())
        if big_endian
        else Image.fromarray(deep)
    )
    pixels = decode(save(image, format), max_pixels=LIMIT)
    assert pixels.dtype == torch.uint16
    np.testing.assert_array_equal(pixels[0].numpy(), deep)


def test_rgb_of_16_bits_keeps_the_upper_8_bits(make_png: Callable[..., bytes]) -> None:
    values = [0x1234, 0xABCD, 0xFFFF]
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    key = struct.pack(">3H", 0x0012, 0x00AB, 0x01FF)  # Pillow would compare its low bytes with high bytes
    rows = zlib.compress(b"\0" + struct.pack(">3H", *values))
    data = make_png(header, (b"tRNS", key), (b"IDAT", rows))
    assert decode(data, max_pixels=LIMIT).flatten().tolist() == [0x12, 0xAB, 0xFF]


def test_integers_of_32_bits_become_16_bits_if_they_fit(deep: Deep, save: Callable[..., bytes]) -> None:
    pixels = decode(save(Image.fromarray(deep.astype(np.int32)), "TIFF"), max_pixels=LIMIT)
    assert pixels.dtype == torch.uint16
    np.testing.assert_array_equal(pixels[0].numpy(), deep)


def test_floats_from_0_to_1_are_rounded_to_16_bits(deep: Deep, save: Callable[..., bytes]) -> None:
    pixels = decode(save(Image.fromarray((deep / 65535).astype(np.float32)), "TIFF"), max_pixels=LIMIT)
    assert pixels.dtype == torch.uint16
    np.testing.assert_array_equal(pixels[0].numpy(), deep)


def test_every_file_gives_contiguous_writable_memory_on_the_cpu(samples: dict[str, bytes]) -> None:
    for name, data in samples.items():
        pixels = decode(data, max_pixels=LIMIT)
        assert pixels.is_contiguous() and pixels.device.type == "cpu", name
        assert pixels.dtype in (torch.uint8, torch.uint16) and pixels.shape[0] in (1, 3), name
        pixels[0, 0, 0] = 7
        assert pixels[0, 0, 0].item() == 7


def test_the_first_page_or_frame_is_decoded(photo: Image.Image, samples: dict[str, bytes]) -> None:
    for name in ("png animated", "tiff pages"):
        assert decode(samples[name], max_pixels=LIMIT).equal(plane(photo)), name
    for name in ("webp animated", "jpeg pages"):
        lossy = decode(samples[name], max_pixels=LIMIT)
        assert (lossy.float() - plane(photo).float()).abs().mean() < 10, name


def test_run_length_bmp_is_unpacked(samples: dict[str, bytes]) -> None:
    pixels = decode(samples["bmp run-length"], max_pixels=LIMIT)
    assert pixels[:, 3, 0].tolist() == [3, 248, 7]
    assert pixels[:, 3, 52].tolist() == [100, 55, 200]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (16000, 2)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_extreme_sizes_work(format: str, size: tuple[int, int], save: Callable[..., bytes]) -> None:
    pixels = decode(save(Image.new("RGB", size, (10, 200, 30)), format), max_pixels=LIMIT)
    assert pixels.shape == (3, size[1], size[0])
    assert (pixels.flatten(1).float().mean(dim=1) - torch.tensor([10, 200, 30])).abs().max() < 5


def test_a_picture_of_the_largest_size_is_decoded_in_bands(save: Callable[..., bytes]) -> None:
    image = Image.new("L", (8192, 8192), 9)
    image.putpixel((8191, 8191), 77)
    image.putpixel((0, 8191), 55)
    pixels = decode(save(image, "PNG", compress_level=1), max_pixels=LIMIT)
    assert pixels.shape == (1, 8192, 8192)
    assert [pixels[0, y, x].item() for y, x in ((0, 0), (8191, 0), (8191, 8191))] == [9, 55, 77]


def test_threads_do_not_disturb_each_other(samples: dict[str, bytes]) -> None:
    alone = {name: decode(data, max_pixels=LIMIT) for name, data in samples.items()}
    names = list(samples) * 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda name: decode(samples[name], max_pixels=LIMIT), names))
    assert all(pixels.equal(alone[name]) for name, pixels in zip(names, together, strict=True))
