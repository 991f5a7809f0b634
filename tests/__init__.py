"""The tests. Their process is prepared as that of the program is."""

import os
from pathlib import Path

from app.environment import prepare_process

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin while they wait take the processor from other work
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the processors
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# The tests use no TLS. Each new HTTP client would read the system's file of certificates, which takes 0.1 s; it reads
# nothing from a folder.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)
prepare_process()  # before any test imports torch
