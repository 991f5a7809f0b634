import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.rendering import MAP_MEDIA_TYPES, MapFormat, encode_jpeg, encode_map, encode_mask, encode_png

FORMATS = tuple(MapFormat)


def read(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.fixture
def anomaly_map() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((300, 1000), np.float32))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_holds_the_picture(channels: int, mode: str) -> None:
    image = torch.randint(0, 256, (channels, 30, 40), dtype=torch.uint8)
    picture = read(encode_png(image))
    assert (picture.format, picture.mode, picture.size) == ("PNG", mode, (40, 30))
    np.testing.assert_array_equal(np.asarray(picture).reshape(30, 40, channels), image.permute(1, 2, 0).numpy())


def test_a_mask_is_black_and_white_in_8_bits() -> None:
    mask = torch.rand(30, 40) > 0.5
    picture = read(encode_mask(mask))
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), np.where(mask.numpy(), 255, 0))


def test_npy_is_read_exactly_by_numpy(anomaly_map: Tensor) -> None:
    values = anomaly_map * 100 - 7
    loaded = np.load(io.BytesIO(encode_map(values, MapFormat.npy)), allow_pickle=False)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, values.numpy())


def test_tiff_is_read_exactly_by_pillow(anomaly_map: Tensor) -> None:
    values = anomaly_map * 100 - 7
    picture = read(encode_map(values, MapFormat.tiff))
    assert (picture.format, picture.mode) == ("TIFF", "F")
    np.testing.assert_array_equal(np.asarray(picture), values.numpy())


def test_png16_holds_the_values_to_half_a_step(anomaly_map: Tensor) -> None:
    anomaly_map[0, 0], anomaly_map[0, 1] = 0, 1
    picture = read(encode_map(anomaly_map, MapFormat.png16))
    assert (picture.format, picture.mode) == ("PNG", "I;16")
    stored = np.asarray(picture)
    assert (stored[0, 0], stored[0, 1]) == (0, 65535)
    assert np.abs(stored / 65535 - anomaly_map.double().numpy()).max() <= 0.5001 / 65535


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan"), float("inf")])
def test_png16_refuses_values_that_it_cannot_hold(value: float) -> None:
    with pytest.raises(ValueError, match="png16"):
        encode_map(torch.tensor([[0.5, value]]), MapFormat.png16)


@pytest.mark.parametrize("format", FORMATS)
def test_a_map_of_any_memory_order_is_encoded(format: MapFormat, anomaly_map: Tensor) -> None:
    assert encode_map(anomaly_map.t(), format) == encode_map(anomaly_map.t().contiguous(), format)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_jpeg_shows_the_picture(channels: int, mode: str) -> None:
    image = torch.full((channels, 30, 40), 90, dtype=torch.uint8)
    picture = read(encode_jpeg(image))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", mode, (40, 30))
    assert np.abs(np.asarray(picture).astype(int) - 90).max() <= 2


def test_every_format_has_a_media_type() -> None:
    assert set(MAP_MEDIA_TYPES) == set(FORMATS)


def test_other_shapes_and_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_png(torch.zeros(3, 2, 2))
    with pytest.raises(ValueError, match="uint8"):
        encode_jpeg(torch.zeros(3, 2, 2))
    with pytest.raises(ValueError, match="uint8"):
        encode_png(torch.zeros(2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="bool"):
        encode_mask(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="float32"):
        encode_map(torch.zeros(2, 2, dtype=torch.float64), MapFormat.npy)
