"""The command `tessera`, also `python -m app`."""

import signal
import sys
from types import FrameType


def main() -> int:
    """Runs the command line, and returns the exit status."""
    # Importing torch takes seconds. Without a handler the first process of a container ignores SIGTERM meanwhile.
    signal.signal(signal.SIGTERM, _stop)
    from app.environment import prepare_process

    prepare_process()
    from app.cli import main as command_line

    return command_line()


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
