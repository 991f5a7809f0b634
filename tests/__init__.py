"""The tests. Their process is prepared as that of the program is."""

import os

from app.environment import prepare_process

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait take the processor from other work
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")
prepare_process()  # before any test imports torch
