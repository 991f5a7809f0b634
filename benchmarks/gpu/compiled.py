"""The speed of the network with `torch.compile(mode="max-autotune")`, in half precision on the same tiles.

This is the last step, because compiling tries many kernels and may take minutes. Detectors that exceed the time limit
are left out.
"""

import torch

from app.runtime import Precision
from app.runtime.network import DTYPES
from benchmarks.gpu.engine import RAW_TILES
from benchmarks.gpu.setting import Setting


@torch.inference_mode()
def run(setting: Setting) -> None:
    """Measures tiles per second for each detector."""
    for name in setting.scale.compiled:
        model = setting.load(name, Precision.float32, measured=False).model
        assert model.tile_size is not None
        dtype = DTYPES[setting.half]
        model.detector.to(dtype)
        for parameter in model.detector.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        network = torch.compile(model.detector.network, mode="max-autotune")
        tiles = max(RAW_TILES[setting.device.type])
        given = torch.randn(tiles, 3, *model.tile_size, device=setting.device, dtype=dtype)
        given = given.contiguous(memory_format=torch.channels_last)
        seconds = setting.seconds(lambda network=network, given=given: network(given))  # type: ignore[misc]  # defaults
        setting.results.add(name, {f"{tiles} tiles": tiles / seconds})
