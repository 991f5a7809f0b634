"""The command `tessera`, also `python -m app`."""

import sys

from app.interruption import end_at_once_when_stopped


def main() -> int:
    """Runs the command line, and returns the exit status."""
    end_at_once_when_stopped()
    from app.environment import prepare_process

    prepare_process()
    from app.cli import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
