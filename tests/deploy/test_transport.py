"""Blocks and distances survive the way to another process, and their arrays are not copied there."""

import pickle
from dataclasses import replace

import numpy as np
import torch

from app.deploy.transport import SentDistances, SentPixels
from app.pipeline import BlockGrid, BlockPixels, MeasuredBlock, TiledModel
from app.scheduling.work import Finished


def sent(value: object) -> tuple[object, list[bytes]]:
    """The value in another process, and the memory of its arrays, which nobody may write, as in Ray's store."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    stored = [bytes(each) for each in buffers]
    return pickle.loads(data, buffers=stored), stored  # noqa: S301  # made here


def test_pixels_are_read_where_they_are_stored(tiny_model: TiledModel) -> None:
    image = (torch.arange(3 * 200 * 300) % 60000).to(torch.uint16).reshape(3, 200, 300)
    for block in BlockGrid(tiny_model, tiny_model.plan(200, 300), edges=(2, 2)).blocks:
        pixels = BlockPixels.of(image, block)
        found, stored = sent(SentPixels.of(pixels))
        assert isinstance(found, SentPixels)
        received = found.received()
        assert torch.equal(received.pixels, pixels.pixels)
        assert replace(received, pixels=pixels.pixels) == pixels
        assert received.pixels.data_ptr() == np.frombuffer(stored[0], np.uint8).ctypes.data


def test_distances_are_read_where_they_are_stored(tiny_model: TiledModel) -> None:
    block = BlockGrid(tiny_model, tiny_model.plan(200, 300)).blocks[0]
    layers, inputs = (torch.rand(3, 4), torch.rand(6, 8)), [(torch.tensor(0.5), torch.arange(3)), ()]
    found, stored = sent(SentDistances.of(Finished(MeasuredBlock(block, layers, inputs), 0.25)))
    assert isinstance(found, SentDistances)
    done = found.received(block)
    assert done.device_s == 0.25 and done.outcome.block is block
    for one, other in zip(done.outcome.distances, layers, strict=True):
        assert torch.equal(one, other)
    assert done.outcome.distances[0].data_ptr() == np.frombuffer(stored[0], np.uint8).ctypes.data
    for received, expected in zip(done.outcome.score_inputs, inputs, strict=True):
        assert all(map(torch.equal, received, expected)) and len(received) == len(expected)
