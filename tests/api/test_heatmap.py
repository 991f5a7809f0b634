import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

URL = "/v1/models/patchcore/heatmap"


def picture(client: TestClient, data: bytes, query: str = "") -> NDArray[np.uint8]:
    answer = client.post(f"{URL}?{query}", files={"image": data})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_overlay_shows_the_picture_with_the_contours_of_regions(
    client: TestClient, normal_png: bytes, defect_png: bytes, normal_picture: NDArray[np.uint8]
) -> None:
    assert np.abs(picture(client, normal_png).astype(int) - normal_picture).mean() < 40
    framed = picture(client, defect_png, "style=overlay")
    assert framed.shape == (96, 160, 3)
    inside = picture(client, defect_png, "style=mask") > 0
    beside = inside[:-1] != inside[1:]  # the rows of contours at their horizontal parts
    above, below = framed[:-1][beside & inside[1:]], framed[1:][beside & inside[:-1]]
    assert beside.any() and (above == 255).all() and (below == 255).all()


def test_heatmap_is_brightest_at_the_defect(client: TestClient, defect_png: bytes) -> None:
    heat = picture(client, defect_png, "style=heatmap").sum(2)
    assert heat[40:56, 100:124].min() > heat[:, :60].max()


def test_mask_is_black_and_white(client: TestClient, defect_png: bytes, normal_png: bytes) -> None:
    mask = picture(client, defect_png, "style=mask")
    assert set(np.unique(mask)) == {0, 255}
    assert mask[48, 112] == 255 and mask[0, 0] == 0
    assert not picture(client, normal_png, "style=mask").any()


@pytest.mark.parametrize("query", ["style=rainbow", "version=0", "version=newest"])
def test_bad_parameters_are_refused(client: TestClient, normal_png: bytes, query: str) -> None:
    answer = client.post(f"{URL}?{query}", files={"image": normal_png})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
