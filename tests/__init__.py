"""The tests, which run as a program of their own."""

import os

from app.environment import prepare_process

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait take the processor from other work
prepare_process()  # before any test imports torch
