"""What is set for a whole process: by a program at its start, never by an import, for hosts may differ."""

import logging
import os
import sys
import warnings

from PIL import Image

VARIABLES = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "1000"}
"""How long OpenMP's threads spin while they wait for each other. By default they spin for so long that they take the
processor from the thread they wait for where cores are shared or a container has a quota: 20 times slower was measured.
A spin count of 1,000 is about 10 us, longer than most waits. GNU's OpenMP spins at all, once threads outnumber cores,
only with the policy ACTIVE. It reads both variables once, when torch is imported.
"""

_log = logging.getLogger(__name__)


def prepare_process() -> None:
    """Sets the environment and Pillow's switches for a process that is Tessera's own.

    To be called before torch is imported; logs a warning where that is too late.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        warn_if_threads_spin()
        os.environ.update(VARIABLES)
    # Float32 is computed in float32: on a GPU cuDNN would round the factors of convolutions to 10 bits.
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
    set_pillow_switches()


def set_pillow_switches() -> None:
    """Lifts Pillow's own limit of pixels, and silences its warnings of metadata."""
    # Pillow has no narrower switches that hold with several threads. Its limit refuses pictures beyond 179 megapixels,
    # whatever `max_pixels` allows; `app.decoding.limits` takes its place.
    Image.MAX_IMAGE_PIXELS = None
    # Pillow warns of metadata that it cannot read (TIFF tags, EXIF, animation), on which the pixels do not depend.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def warn_if_threads_spin() -> None:
    """Logs a warning if torch was imported before OpenMP's waiting was limited, which cannot be changed afterwards."""
    if "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        assignments = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
        _log.warning(
            "torch was imported before OMP_WAIT_POLICY was set: networks can be several times slower where processors "
            "are shared; start Python with %s in its environment",
            assignments,
        )
