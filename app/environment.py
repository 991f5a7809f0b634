"""Settings of the whole process.

A program applies them at its start. Importing the package changes nothing, because a host program may need others.
"""

import logging
import os
import sys
import warnings

import psutil
from PIL import Image

from app.cgroup import available_processors, processors_of_affinity

VARIABLES = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "1000"}
"""Limits how long OpenMP's threads spin while they wait for each other.

By default, on shared cores or under a container's quota, they spin so long that they take the processor from the thread
that they wait for: 20 times slower was measured. A spin count of 1,000 takes about 10 us, longer than most waits. When
threads outnumber cores, GNU's OpenMP spins only with the policy ACTIVE. It reads both variables once, when torch is
imported.
"""

PRECISION = {"NVIDIA_TF32_OVERRIDE": "0"}
"""Without it, cuDNN on a GPU rounds the factors of float32 convolutions to 10 bits (TF32)."""

_log = logging.getLogger(__name__)


def prepare_process() -> None:
    """Sets the environment variables and Pillow's switches of a process that runs only Tessera.

    Call it before torch is imported. Later it logs a warning, because OpenMP does not read its variables again.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        warn_if_threads_spin()
        os.environ.update(VARIABLES)
    _limit_threads()
    for name, value in PRECISION.items():
        os.environ.setdefault(name, value)
    set_pillow_switches()


def variables_of(threads: int) -> dict[str, str]:
    """What `prepare_process` sets, for a process that begins with it and uses this number of threads of torch."""
    return VARIABLES | PRECISION | {"OMP_NUM_THREADS": str(threads)}


def _limit_threads() -> None:
    """Makes torch use as many threads as a container's quota allows processors, unless OMP_NUM_THREADS is set.

    Without a quota torch chooses by itself: one thread for each physical core. More threads than the quota would run
    until it is used up, and then all stop until the next period.
    """
    own, allowed = processors_of_affinity(), available_processors()
    if allowed < own and not os.environ.get("OMP_NUM_THREADS"):
        cores = psutil.cpu_count(logical=False) or allowed
        os.environ["OMP_NUM_THREADS"] = str(min(allowed, cores))


def set_pillow_switches() -> None:
    """Removes Pillow's own limit of pixels, and silences its warnings about metadata."""
    # Both switches apply to the whole process, because Pillow has no narrower ones that are safe with several threads.
    # Its limit refuses pictures of more than 179 megapixels, whatever `max_pixels` allows, and is replaced by
    # `app.decoding.limits`.
    Image.MAX_IMAGE_PIXELS = None
    # Pillow warns about metadata that it cannot read (TIFF tags, EXIF, animation). The pixels do not depend on them.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def warn_if_threads_spin() -> None:
    """Logs a warning if torch was imported before OMP_WAIT_POLICY was set. It cannot be set after the import."""
    if "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        assignments = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
        _log.warning(
            "torch was imported before OMP_WAIT_POLICY was set: networks can be several times slower where processors "
            "are shared; start Python with %s in its environment",
            assignments,
        )
