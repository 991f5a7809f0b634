"""The command `tessera`, also `python -m app`."""

import signal
import sys
from types import FrameType


def main() -> int:
    """Runs the command line."""
    # Importing torch takes seconds, in which the first process of a container would ignore SIGTERM.
    signal.signal(signal.SIGTERM, _stop)
    from app.environment import prepare_process

    prepare_process()
    from app.cli import main as command_line

    return command_line()


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
