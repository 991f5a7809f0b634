"""Every way to store a TIFF gives the same picture as 8-bit pixels, its twin, or is refused with the tag's name."""

import io
import itertools

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from app.decoding import decode, read_header
from app.errors import UnsupportedImage
from tests.decoding.tiff_writing import TiffLayout, write_tiff

Twin = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 37, 53
LIMIT = 10_000


def _twin() -> Twin:
    """A smooth coloured picture without any symmetry, with black and white: [H,W,3]."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    channels = [x * 4 + y, 255 - y * 5, 128 + 100 * np.sin(x / 9 + y / 5)]
    picture = np.stack(channels, axis=2).clip(0, 255).astype(np.uint8)
    picture[3:7, 5:9], picture[9:12, 30:40] = 0, 255
    return picture


RGB = _twin()
GREY = RGB[..., 2:]


def eight_bits(data: bytes) -> npt.NDArray[np.int64]:
    """The decoded picture in 8 bits: [H,W,C]."""
    pixels = decode(data, max_pixels=LIMIT).numpy()
    header = read_header(data, max_pixels=LIMIT)
    assert (header.height, header.width) == pixels.shape[1:]
    levels = pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257)
    return levels.astype(np.int64).transpose(1, 2, 0)


def assert_twins(data: bytes, twin: Twin, tolerance: int = 0) -> None:
    found = eight_bits(data)
    assert found.shape == twin.shape
    assert np.abs(found - twin).max() <= tolerance


def stored(twin: Twin, layout: TiffLayout) -> tuple[npt.NDArray[np.generic], Twin]:
    """The samples of a picture in this layout, and its twin: fewer than 8 bits have a coarser one."""
    if layout.format == 3:
        floats = twin.astype(f"f{layout.bits // 8}") / 255
        return (1 - floats if layout.photometric == 0 else floats), twin
    white = 2**layout.bits - 1
    values = np.rint(twin.astype(float) * white / 255).astype(np.uint32)
    coarse = np.rint(values * (255.0 / white)).astype(np.uint8)
    if layout.photometric == 0:
        values = white - values
    kind = np.uint8 if layout.bits <= 8 else np.uint16 if layout.bits <= 16 else np.uint32
    return values.astype(kind), coarse


ORDERS, TILES = ("<", ">"), (None, (16, 32))
GREY_BITS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24)
RGB_BITS = (2, 4, 8, 10, 12, 14, 16, 24)
LAYOUTS = [
    *(
        TiffLayout(bits, photometric, order, tile=tile)
        for bits, photometric, order, tile in itertools.product(GREY_BITS, (0, 1), ORDERS, TILES)
    ),
    *(
        TiffLayout(bits, 2, order, tile=tile, planar=planar)
        for bits, order, tile, planar in itertools.product(RGB_BITS, ORDERS, TILES, (False, True))
    ),
    *(
        TiffLayout(bits, photometric, order, tile=tile, planar=planar, format=3)
        for bits, (photometric, planar), order, tile in itertools.product(
            (16, 32, 64), ((0, False), (1, False), (2, False), (2, True)), ORDERS, TILES
        )
    ),
    *(
        TiffLayout(bits, photometric, tile=tile, compression=compression, planar=planar)
        for bits, (photometric, planar), tile, compression in itertools.product(
            (1, 4, 8, 12, 16), ((1, False), (2, False), (2, True)), TILES, (5, 8, 32773, 32946, 34925, 50000)
        )
    ),
    *(
        TiffLayout(bits, photometric, order, tile=tile, compression=5, predictor=2, planar=planar)
        for bits, (photometric, planar), order, tile in itertools.product(
            (8, 16), ((0, False), (1, False), (2, False), (2, True)), ORDERS, TILES
        )
    ),
    *(
        TiffLayout(bits, photometric, order, tile=tile, compression=8, predictor=3, planar=planar, format=3)
        for bits, (photometric, planar), order, tile in itertools.product(
            (16, 32, 64), ((0, False), (1, False), (2, False), (2, True)), ORDERS, TILES
        )
    ),
    *(
        TiffLayout(bits, photometric, order, reversed=True, compression=compression)
        for bits, photometric, order, compression in itertools.product((1, 4, 8, 12, 16), (0, 1, 2), ORDERS, (1, 5, 8))
    ),
    *(
        TiffLayout(bits, photometric, order, big=True, tile=tile)
        for bits, photometric, order, tile in itertools.product((8, 12, 16), (0, 2), ORDERS, TILES)
    ),
    *(TiffLayout(bits, 2, rows_per_strip=rows) for bits, rows in itertools.product((8, 12, 16), (1, 5, 37, 1000))),
]


def name(layout: TiffLayout) -> str:
    """The fields that differ from the default."""
    return "-".join(f"{field}{value}" for field, value in vars(layout).items() if value != getattr(TiffLayout(), field))


@pytest.mark.parametrize("layout", LAYOUTS, ids=name)
def test_every_layout_is_its_twin(layout: TiffLayout) -> None:
    samples, twin = stored(RGB if layout.photometric == 2 else GREY, layout)
    assert_twins(write_tiff(samples, layout), twin)


def written(picture: npt.NDArray[np.generic], **options: object) -> bytes:
    """The file that tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, picture, metadata=None, **options)
    return file.getvalue()


WRITERS = [
    (kind, photometric, planar, order, compression, predictor, tile)
    for kind, (photometric, planar), order, (compression, predictor), tile in itertools.product(
        ("u1", "u2", "f2", "f4"),
        (("minisblack", "contig"), ("miniswhite", "contig"), ("rgb", "contig"), ("rgb", "separate")),
        "<>",
        (("none", False), ("lzw", True), ("zstd", False), ("adobe_deflate", True)),
        (None, (16, 32)),
    )
]


@pytest.mark.parametrize(("kind", "photometric", "planar", "order", "compression", "predictor", "tile"), WRITERS)
def test_what_tifffile_writes_is_its_twin(
    kind: str,
    photometric: str,
    planar: str,
    order: str,
    compression: str,
    predictor: bool,
    tile: tuple[int, int] | None,
) -> None:
    twin = RGB if photometric == "rgb" else GREY
    white = {"u1": 255, "u2": 65535}.get(kind, 1)
    samples = (twin * np.float64(white / 255)).astype(kind)
    samples = samples if photometric != "miniswhite" else np.asarray(white - samples, kind)
    samples = samples[..., 0] if twin is GREY else samples.transpose(2, 0, 1) if planar == "separate" else samples
    data = written(
        samples,
        photometric=photometric,
        planarconfig=planar if twin is RGB else None,
        byteorder=order,
        compression=compression,
        predictor=predictor,
        tile=tile,
        rowsperstrip=None if tile else 16,
    )
    assert_twins(data, twin, tolerance=1)


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4", "tiff_ccitt"]
)
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB"])
def test_what_pillow_writes_is_as_pillow_reads_it(mode: str, compression: str | None) -> None:
    if compression in ("group3", "group4", "tiff_ccitt") and mode != "1":
        pytest.skip("a compression of bilevel pictures only")
    picture = Image.fromarray(RGB)
    picture = picture.quantize(50) if mode == "P" else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF", compression=compression)
    read = Image.open(io.BytesIO(file.getvalue()))
    assert_twins(
        file.getvalue(),
        np.asarray(read.convert("RGB")) if mode not in ("1", "L", "LA") else np.asarray(read.convert("L"))[..., None],
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("shift", [8, 0])
def test_palettes_of_any_depth_are_looked_up(bits: int, shift: int) -> None:
    colours = np.random.default_rng(bits).integers(0, 256, (3, 2**bits)) | 1
    index = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1) % 2**bits
    kind = np.uint8 if bits <= 8 else np.uint16
    layout = TiffLayout(bits, 3, tags={320: (colours << shift).ravel().tolist()})
    assert_twins(write_tiff(index.astype(kind), layout), colours[:, index[..., 0]].transpose(1, 2, 0).astype(np.uint8))


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_samples_that_are_no_colours_are_left_out(bits: int, planar: bool) -> None:
    near_infrared = np.flipud(GREY)
    for extras in (1, 3):
        layout = TiffLayout(bits, 2, planar=planar, tags={338: [0] * extras})
        samples, _ = stored(np.concatenate([RGB, *[near_infrared] * extras], axis=2), layout)
        assert_twins(write_tiff(samples, layout), RGB)


@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("extra", [1, 2])
@pytest.mark.parametrize("photometric", [1, 2])
def test_transparency_of_any_depth_is_composited_over_white(bits: int, extra: int, photometric: int) -> None:
    colours, alpha = RGB if photometric == 2 else GREY, np.flipud(GREY)
    share = alpha / 255
    layout = TiffLayout(bits, photometric, tags={338: [extra]})
    kept = colours * share if extra == 1 else colours
    samples, _ = stored(np.rint(np.concatenate([kept, alpha], axis=2)).astype(np.uint8), layout)
    flat = np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)
    assert_twins(write_tiff(samples, layout), flat, tolerance=1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", ORDERS)
def test_cmyk_of_any_depth_is_converted(bits: int, order: str) -> None:
    inks = np.asarray(Image.fromarray(RGB).convert("CMYK"))
    layout = TiffLayout(bits, 5, order)
    assert_twins(write_tiff(stored(inks, layout)[0], layout), RGB)


@pytest.mark.parametrize("kind", ["u4", "i4"])
@pytest.mark.parametrize("order", ORDERS)
def test_integers_of_32_bits_are_16_bit_grey(kind: str, order: str) -> None:
    assert_twins(written(GREY[..., 0].astype(kind) * 257, photometric="minisblack", byteorder=order), GREY)


@pytest.mark.parametrize("values", [[5, -1], [5, 65536], [5, 2**31 - 1], [0, 255]])
def test_integers_of_32_bits_without_a_rule_are_refused_with_the_accepted_range(values: list[int]) -> None:
    with pytest.raises(UnsupportedImage, match="65535"):
        decode(written(np.array([values], np.int32), photometric="minisblack"), max_pixels=LIMIT)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, float("nan"), float("inf")])
def test_floats_outside_0_to_1_are_refused_with_the_accepted_range(value: float) -> None:
    with pytest.raises(UnsupportedImage, match="0 to 1,"):
        decode(written(np.array([[0.5, value]], np.float32), photometric="minisblack"), max_pixels=LIMIT)


def test_an_extra_sample_without_a_meaning_is_opaque_or_refused() -> None:
    for last, refused in ((np.full_like(GREY, 255), False), (GREY, True)):
        data = write_tiff(np.concatenate([RGB, last], axis=2), TiffLayout(8, 2))
        if refused:
            with pytest.raises(UnsupportedImage, match="ExtraSamples"):
                decode(data, max_pixels=LIMIT)
        else:
            assert_twins(data, RGB)


REFUSED = [
    ("SampleFormat", TiffLayout(8, 1, format=2), 1),
    ("SampleFormat", TiffLayout(16, 1, format=2), 1),
    ("SampleFormat", TiffLayout(16, 1, format=6), 1),
    ("PhotometricInterpretation", TiffLayout(8, 1, tags={262: None}), 1),
    ("PhotometricInterpretation", TiffLayout(16, 32803), 1),
    ("PhotometricInterpretation", TiffLayout(8, 4), 1),
    ("PhotometricInterpretation", TiffLayout(16, 6), 3),
    ("PhotometricInterpretation", TiffLayout(16, 8), 3),
    ("PhotometricInterpretation", TiffLayout(8, 2), 2),
    ("BitsPerSample", TiffLayout(8, 2, tags={258: [5, 6, 5]}), 3),
    ("BitsPerSample", TiffLayout(8, 1, tags={258: [20]}), 1),
    ("BitsPerSample", TiffLayout(8, 1, tags={258: [64]}), 1),
    ("BitsPerSample", TiffLayout(8, 1, tags={258: [12], 259: [7]}), 1),
    ("SamplesPerPixel", TiffLayout(8, 2, tags={338: [0] * 14}), 17),
    ("ExtraSamples", TiffLayout(8, 1, tags={338: [0, 0]}), 3),
    ("ExtraSamples", TiffLayout(8, 2, tags={338: [7]}), 4),
    ("Predictor", TiffLayout(12, 1, compression=8, tags={317: [2]}), 1),
    ("Predictor", TiffLayout(8, 1, compression=8, tags={317: [3]}), 1),
    ("InkSet", TiffLayout(8, 5, tags={332: [2]}), 4),
    ("DotRange", TiffLayout(8, 5, tags={336: [255, 0]}), 4),
    ("PlanarConfiguration", TiffLayout(8, 6, planar=True, tags={530: [1, 1]}), 3),
    ("YCbCrSubSampling", TiffLayout(8, 6, tags={530: [2, 2]}), 3),
    *(
        ("Compression", TiffLayout(8, 1, tags={259: [number]}), 1)
        for number in (33003, 34887, 34934, 50001, 50002, 999)
    ),
]


@pytest.mark.parametrize(("tag", "layout", "count"), REFUSED)
def test_what_has_no_rule_is_refused_with_the_tag(tag: str, layout: TiffLayout, count: int) -> None:
    samples = np.repeat(GREY, count, axis=2).astype(np.uint8 if layout.bits <= 8 else np.uint16)
    for read in (read_header, decode):
        with pytest.raises(UnsupportedImage, match=rf"{tag} \(\d+\)"):
            read(write_tiff(samples, layout), max_pixels=LIMIT)


def test_a_first_page_that_is_a_thumbnail_is_passed_over() -> None:
    small, file = Image.fromarray(RGB).resize((16, 11)), io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.asarray(small), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(RGB, photometric="rgb", metadata=None)
    assert_twins(file.getvalue(), RGB)


def test_a_single_page_is_read_whatever_it_says() -> None:
    assert_twins(write_tiff(RGB, TiffLayout(8, 2, tags={254: [1]})), RGB)


def test_a_picture_below_its_thumbnail_is_found() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(RGB[::3, ::3], photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(RGB, photometric="rgb", metadata=None)
    assert_twins(file.getvalue(), RGB)
