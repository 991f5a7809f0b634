"""The work of a picture, and a cluster, whose numbers are easy to follow."""

import pytest

from app.sizing import Work
from app.sizing.cluster import Cluster


@pytest.fixture
def work() -> Work:
    """Of a picture for a card, with 8 x 6 tiles, whose rows overlap by half."""
    return Work(
        on_cpu=False,
        device_s=0.010,
        decode_s=0.006,
        map_s=0.004,
        render_s=0.002,
        file_bytes=1e6,
        answer_bytes=5e5,
        pixel_bytes=3e6,
        distance_bytes=1e5,
        tiles=(8, 6),
        shared=(1, 0),
    )


@pytest.fixture
def cluster() -> Cluster:
    """Machines with four processors."""
    return Cluster(request_ms=1.0, hop_ms=0.5, network_gbit_s=8.0).with_processors(4)
