"""The process from which all decoder processes are forked: `python -m app.decoders.fork_server DESCRIPTOR PARENT`.

It has imported the decoders and has one thread, so that forking it is safe, takes milliseconds, and shares its memory.
The server itself has threads, torch and connections, and must not be forked.

Each packet on the connection DESCRIPTOR is a request of the server PARENT:

    fork         with a socket: forks a decoder that serves the socket, and tells its process number there
    end NUMBER   kills this decoder, reaps it, and sends "NUMBER STATUS"; a negative status is that of a signal

A decoder stays a zombie until the server ends it, so that its number cannot become that of another process.
"""

import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress

from PIL import AvifImagePlugin

from app.decoders.messages import receive
from app.decoders.work import die_with, ignore_signals, work
from app.environment import set_pillow_switches


def main() -> None:
    """Serves until the server closes the connection or dies; then all decoders are killed."""
    ignore_signals()
    die_with(int(sys.argv[2]))
    set_pillow_switches()
    # A decoder uses one processor. The stack of each thread would count towards the limit of memory.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    gc.freeze()  # a collection would write to memory that decoders share
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        decoders: set[int] = set()
        while True:
            request, descriptors = receive(connection)
            if not request:
                break
            if descriptors:
                if number := _fork(connection, socket.socket(fileno=descriptors[0])):
                    decoders.add(number)
            else:
                number = int(request.split()[1])
                decoders.remove(number)
                status = _end(number)
                with suppress(BrokenPipeError):  # the server ends, and does not wait for it
                    connection.send(f"{number} {status}".encode())
    for number in decoders:
        _end(number)


def _fork(connection: socket.socket, own: socket.socket) -> int:
    """The process number of a new decoder; 0 if there can be no more processes, which the closed socket tells."""
    parent = os.getpid()
    with own:
        try:
            number = os.fork()
        except OSError:
            traceback.print_exc()
            return 0
        if number:
            return number
        status = 1
        try:
            connection.close()
            die_with(parent)
            work(own)
            status = 0
        except BrokenPipeError:
            pass  # the server has given up the picture, and is about to end this process
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)


def _end(number: int) -> int:
    os.kill(number, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


if __name__ == "__main__":
    main()
