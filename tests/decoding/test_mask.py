import io
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.decoding import DecodedMask, decode_mask
from app.errors import DamagedImage, TooManyPixels, UnsupportedImage

Save = Callable[..., bytes]
LIMIT = 2**20
DEFECTS = np.zeros((60, 80), bool)
DEFECTS[19:30, 21:40] = DEFECTS[41:50, 50:53] = True  # off the blocks of JPEG
INK = DEFECTS.astype(np.uint8)
GREY = Image.fromarray(INK * 255)


def coloured(mode: str, ground: tuple[int, ...], defect: tuple[int, ...]) -> Image.Image:
    pixels = np.where(DEFECTS[..., None], np.array(defect), np.array(ground)).astype(np.uint8)
    bands = [Image.fromarray(np.ascontiguousarray(pixels[..., band])) for band in range(pixels.shape[2])]
    return Image.merge(mode, bands)


def palette(*colours: int, indices: NDArray[np.uint8] = INK) -> Image.Image:
    image = Image.fromarray(indices).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([*colours, *[0] * (768 - len(colours))])
    return image


def labels(*values: int, dtype: type = np.uint8) -> Image.Image:
    """The upper defect has the first label, the lower defect the others, in rows."""
    pixels: NDArray[np.generic] = np.zeros(DEFECTS.shape, dtype)
    pixels[19:30, 21:40] = values[0]
    for number, value in enumerate(values[1:]):
        pixels[41 + 3 * number : 50, 50:53] = value
    return Image.fromarray(pixels)


RED, CLEAR = (255, 0, 0, 255), (0, 0, 0, 0)
EXACT: dict[str, tuple[Image.Image, str, Mapping[str, object]]] = {
    "grey": (GREY, "PNG", {}),
    "1 bit": (GREY.convert("1"), "PNG", {}),
    "values 0 and 1": (labels(1, 1), "PNG", {}),
    "16 bits": (labels(65535, 65535, dtype=np.uint16), "PNG", {}),
    "16 bits, labels": (labels(1, 300, dtype=np.uint16), "PNG", {}),
    "labels": (labels(1, 2, 3, 4), "PNG", {}),
    "labels from dark to bright": (labels(40, 80, 120, 255), "PNG", {}),
    "colours on black": (coloured("RGB", (0, 0, 0), (0, 0, 90)), "PNG", {}),
    "opaque colours on black": (coloured("RGBA", (0, 0, 0, 255), (0, 60, 0, 255)), "PNG", {}),
    "white on transparent": (coloured("RGBA", CLEAR, (255, 255, 255, 255)), "PNG", {}),
    "red on transparent white": (coloured("RGBA", (255, 255, 255, 0), RED), "PNG", {}),
    "red, nearly transparent": (coloured("RGBA", CLEAR, (255, 0, 0, 40)), "PNG", {}),
    "black on transparent": (coloured("RGBA", CLEAR, (0, 0, 0, 255)), "PNG", {}),
    "half opaque": (coloured("RGBA", (0, 0, 0, 128), (255, 0, 0, 128)), "PNG", {}),
    "grey with opacity": (Image.merge("LA", (GREY, GREY)), "PNG", {}),
    "palette": (palette(0, 0, 0, 128, 0, 0), "PNG", {}),
    "palette, black ground last": (palette(255, 255, 255, 0, 0, 0, indices=1 - INK), "PNG", {}),
    "palette without black": (palette(68, 1, 84, 253, 231, 36), "PNG", {}),
    "palette, transparent ground": (palette(0, 0, 0, 128, 0, 0), "PNG", {"transparency": 0}),
    "palette, transparent white": (palette(255, 255, 255, 0, 0, 0), "PNG", {"transparency": 0}),
    "palette with opacities": (palette(9, 9, 9, 255, 0, 0), "PNG", {"transparency": b"\0\x80"}),
    "a transparent grey": (Image.fromarray(255 - INK), "PNG", {"transparency": 255}),
    "a transparent colour": (GREY.convert("RGB"), "PNG", {"transparency": (0, 0, 0)}),
    "a transparent 16-bit grey": (labels(500, 500, dtype=np.uint16), "PNG", {"transparency": 0}),
    "a transparent bit": (GREY.convert("1"), "PNG", {"transparency": 0}),
    "BMP": (GREY, "BMP", {}),
    "BMP of 1 bit": (GREY.convert("1"), "BMP", {}),
    "BMP with opacity": (coloured("RGBA", CLEAR, RED), "BMP", {}),
    "WebP": (GREY.convert("RGB"), "WEBP", {"lossless": True}),
    "WebP with opacity": (coloured("RGBA", CLEAR, RED), "WEBP", {"lossless": True}),
    "TIFF": (GREY, "TIFF", {"compression": "tiff_lzw"}),
    "TIFF of 1 bit": (GREY.convert("1"), "TIFF", {"compression": "group4"}),
    "TIFF with opacity": (coloured("RGBA", CLEAR, RED), "TIFF", {}),
    "TIFF with a palette": (palette(0, 0, 0, 128, 0, 0), "TIFF", {}),
    "TIFF of floats": (Image.fromarray(INK.astype(np.float32)), "TIFF", {}),
    "TIFF of integers": (labels(1, 70, dtype=np.int32), "TIFF", {}),
}


def read(save: Save, image: Image.Image, format: str, **options: object) -> DecodedMask:
    return decode_mask(save(image, format, **options), max_pixels=LIMIT)


@pytest.mark.parametrize("name", EXACT)
def test_lossless_masks_are_exact(name: str, save: Save) -> None:
    image, format, options = EXACT[name]
    found = read(save, image, format, **options)
    np.testing.assert_array_equal(found.inside, DEFECTS)
    assert (found.lossy, found.soft) == (False, False)


LOSSY: dict[str, tuple[str, Mapping[str, object]]] = {
    **{f"JPEG {quality}": ("JPEG", {"quality": quality}) for quality in (30, 75, 95)},
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "WebP": ("WEBP", {"quality": 75}),
    "TIFF with JPEG": ("TIFF", {"compression": "jpeg"}),
}


@pytest.mark.parametrize(
    ("name", "again"), [(name, again) for name in LOSSY for again in (False, True) if (name, again) != ("WebP", True)]
)
def test_lossy_masks_have_no_specks(name: str, again: bool, save: Save) -> None:
    format, options = LOSSY[name]
    data = save(GREY.convert("RGB") if format == "WEBP" else GREY, format, **options)
    if again:
        data = save(Image.open(io.BytesIO(data)), "PNG")
    found = decode_mask(data, max_pixels=LIMIT)
    np.testing.assert_array_equal(found.inside, DEFECTS)
    assert (found.lossy, found.soft) == (not again, again)


def test_colours_of_a_lossy_mask_are_right_to_a_pixel(save: Save) -> None:
    for colour in ((255, 0, 0), (0, 0, 255), (255, 255, 0)):
        found = read(save, coloured("RGB", (0, 0, 0), colour), "JPEG", quality=75).inside
        assert np.count_nonzero(found != DEFECTS) <= 0.2 * DEFECTS.sum()
        assert not found[:17].any() and not found[52:].any()


def test_soft_edges_are_cut_at_half(save: Save) -> None:
    found = read(save, GREY.resize((400, 300), Image.Resampling.BILINEAR), "PNG")
    assert found.soft
    assert found.inside.sum() == pytest.approx(DEFECTS.sum() * 25, rel=0.02)


def test_many_labels_are_not_taken_for_soft_edges(save: Save) -> None:
    pixels = np.zeros((96, 96), np.uint8)
    for number in range(256):
        pixels[number // 16 * 6 : number // 16 * 6 + 4, number % 16 * 6 : number % 16 * 6 + 4] = number
    found = read(save, Image.fromarray(pixels), "PNG")
    np.testing.assert_array_equal(found.inside, pixels > 0)


@pytest.mark.parametrize(
    ("image", "format", "options"),
    [
        (Image.new("L", (8, 8)), "PNG", {}),
        (Image.new("L", (8, 8)), "JPEG", {}),
        (Image.new("RGBA", (8, 8), (255, 255, 255, 0)), "PNG", {}),
        (Image.new("P", (8, 8)), "PNG", {"transparency": 0}),
    ],
)
def test_a_mask_may_have_no_defects(image: Image.Image, format: str, options: Mapping[str, object], save: Save) -> None:
    assert not read(save, image, format, **options).inside.any()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_mask_may_be_all_defect_and_is_never_inverted(format: str, save: Save) -> None:
    assert read(save, Image.new("L", (8, 8), 255), format).inside.all()
    assert np.array_equal(read(save, Image.fromarray(255 - INK * 255), format).inside, ~DEFECTS)


def test_the_orientation_is_applied(save: Save) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for image in (GREY, coloured("RGBA", CLEAR, RED)):
        found = read(save, image, "PNG", exif=exif).inside
        np.testing.assert_array_equal(found, np.rot90(DEFECTS, -1))


@pytest.mark.parametrize(
    ("image", "format", "message"),
    [
        (Image.fromarray(INK + 1), "PNG", "no black pixel: its values are 1 to 2"),
        (labels(3, 3), "JPEG", "highest value is [1-9] of 255"),
        (labels(90, 255), "JPEG", "darker areas"),
    ],
)
def test_values_that_are_not_those_of_a_mask_are_refused(
    image: Image.Image, format: str, message: str, save: Save
) -> None:
    with pytest.raises(UnsupportedImage, match=message):
        read(save, image, format)


@pytest.mark.parametrize("image", [GREY, coloured("RGBA", CLEAR, RED), palette(0, 0, 0, 9, 9, 9)])
def test_damaged_and_too_large_masks_are_refused(image: Image.Image, save: Save) -> None:
    data = save(image, "PNG")
    with pytest.raises(DamagedImage):
        decode_mask(data[:-20], max_pixels=LIMIT)
    with pytest.raises(DamagedImage):
        decode_mask(data[:60] + bytes([data[60] ^ 1]) + data[61:], max_pixels=LIMIT)
    with pytest.raises(TooManyPixels):
        decode_mask(data, max_pixels=60 * 80 - 1)
