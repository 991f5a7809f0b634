"""Every kind of picture that the server must accept, over HTTP."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

Picture = NDArray[np.uint8]


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def post(client: TestClient, data: bytes, model: str = "patchcore") -> dict[str, object]:
    answer = client.post(f"/v1/models/{model}/predict?include=heatmap", files={"image": data})
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_give_the_same_score(client: TestClient, defect_picture: Picture, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    body = post(client, saved(Image.fromarray(defect_picture), format, **options))
    assert body["raw_score"] == post(client, saved(Image.fromarray(defect_picture), "PNG"))["raw_score"]


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("RGB", "JPEG"),
        ("RGB", "WEBP"),
        ("L", "JPEG"),
        ("L", "PNG"),
        ("L", "TIFF"),
        ("L", "BMP"),
        ("LA", "PNG"),
        ("RGBA", "PNG"),
        ("RGBA", "WEBP"),
        ("RGBA", "TIFF"),
        ("P", "PNG"),
        ("P", "BMP"),
        ("P", "TIFF"),
        ("CMYK", "JPEG"),
        ("CMYK", "TIFF"),
        ("1", "PNG"),
    ],
)
def test_all_pixel_modes_are_accepted(client: TestClient, defect_picture: Picture, mode: str, format: str) -> None:
    body = post(client, saved(Image.fromarray(defect_picture).convert(mode), format))
    assert body["image"] == {"width": 160, "height": 96}
    assert body["label"] == "anomalous"


def test_transparent_pixels_are_composited_over_white(client: TestClient, normal_picture: Picture) -> None:
    transparent = np.dstack([normal_picture, np.full((96, 160), 255, np.uint8)])
    transparent[40:56, 100:124, 3] = 0
    over_white = normal_picture.copy()
    over_white[40:56, 100:124] = 255
    expected = post(client, saved(Image.fromarray(over_white), "PNG"))
    assert post(client, saved(Image.fromarray(transparent), "PNG"))["raw_score"] == expected["raw_score"]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_uses_its_whole_range(client: TestClient, normal_picture: Picture, format: str) -> None:
    grey = normal_picture[..., 0]
    wide = post(client, saved(Image.fromarray(grey.astype(np.uint16) * 257), format))
    assert wide["raw_score"] == pytest.approx(post(client, saved(Image.fromarray(grey), "PNG"))["raw_score"], rel=1e-4)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_applied(client: TestClient, defect_picture: Picture, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    body = post(client, saved(Image.fromarray(defect_picture), format, exif=exif))
    assert body["image"] == {"width": 96, "height": 160}
    regions = body["regions"]
    assert isinstance(regions, list)
    assert 40 <= regions[0]["peak"]["x"] < 56 and 100 <= regions[0]["peak"]["y"] < 124


def test_the_first_page_is_predicted(client: TestClient, normal_picture: Picture, defect_picture: Picture) -> None:
    pages = [Image.fromarray(normal_picture), Image.fromarray(defect_picture)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert post(client, data)["label"] == "normal"


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (7, 5), (63, 65), (64, 64), (333, 77)])
@pytest.mark.parametrize("model", ["patchcore", "padim"])
def test_every_size_is_accepted(client: TestClient, size: tuple[int, int], model: str) -> None:
    body = post(client, saved(Image.new("RGB", size, (128, 128, 128)), "PNG"), model)
    assert body["image"] == {"width": size[0], "height": size[1]}


def test_a_picture_smaller_than_a_tile_is_one_tile(client: TestClient) -> None:
    tiles = post(client, saved(Image.new("L", (40, 30), 128), "PNG"))["tiles"]
    assert tiles == {"rows": 1, "columns": 1, "count": 1}
