"""The server's side of the process of a training or a teaching."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Timer
from typing import Protocol

from app.errors import TrainingInterrupted
from app.trainings.limits import TrainingLimits

MOST_LINE = 2**22
"""The most characters of a message of the process: it has room for a proof with the most pictures, and long names."""
END_S = 10.0
"""How long a process may take to end after its last message; then it is killed, and its result holds."""
_VARIABLES = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait must not take a processor from live requests


class AnyOrder(Protocol):
    """What a process is asked to do."""

    @property
    def limits(self) -> TrainingLimits: ...

    def encode(self) -> str: ...


class TrainingFailed(Exception):
    """The process has reported an error, with its code for programs and its message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TrainerProcess:
    """A process that makes one model. `kill` may be called from any thread, before, while and after it runs.

    module: the module that the process runs
    advice: what would work if the process takes too long

    The thread that calls `run` must live as long as the process (PR_SET_PDEATHSIG).
    """

    def __init__(self, module: str, order: AnyOrder, advice: str) -> None:
        self._module, self._order, self._advice = module, order, advice
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = ""

    def kill(self, reason: str) -> None:
        """Ends the process at once; `run` raises TrainingInterrupted with the first reason."""
        with self._lock:
            self._killed = self._killed or reason
            if self._process is not None:
                self._process.kill()  # does nothing once the process was waited for

    def run(self, progress: Callable[[str, int, int], None]) -> dict[str, object]:
        """Runs the process, and returns its last message. Raises TrainingFailed or TrainingInterrupted."""
        process = self._started()
        seconds = self._order.limits.seconds
        late = f"the training took longer than {seconds:g} s (training_timeout_s); {self._advice}"
        timer = Timer(seconds, self.kill, [late])
        timer.daemon = True
        timer.start()
        last: dict[str, object] = {}
        assert process.stdout is not None
        try:
            while line := process.stdout.readline(MOST_LINE):
                last = {}
                with suppress(ValueError):  # half a line of a process that was killed
                    last = json.loads(line)
                if "stage" in last:
                    progress(str(last["stage"]), int(str(last["done"])), int(str(last["total"])))
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
        finally:
            timer.cancel()
            process.kill()
            status = process.wait()
            process.stdout.close()
        if self._killed:
            raise TrainingInterrupted(self._killed)
        if "code" in last:
            raise TrainingFailed(str(last["code"]), str(last["message"]))
        if "version" not in last:
            raise TrainingInterrupted(
                f"the process of the training ended with the status {status} before its model was written; the "
                f"server's log may say why. If memory was short (training_bytes), {self._advice}"
            )
        return last

    def _started(self) -> subprocess.Popen[bytes]:
        """Raises TrainingInterrupted if the process cannot be started, or is not to be any more."""
        command = [sys.executable, "-P", "-m", self._module, self._order.encode(), str(os.getpid())]
        paths = os.pathsep.join(path for path in sys.path if path)  # the modules that this process finds
        environment = os.environ | _VARIABLES | {"PYTHONPATH": paths}
        with self._lock:
            if self._killed:
                raise TrainingInterrupted(self._killed)
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment
                )
            except OSError as error:
                raise TrainingInterrupted(
                    f"the process of the training could not be started: {error.strerror}"
                ) from error
            return self._process
