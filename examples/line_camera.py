"""Sends the rows of a line camera to a Tessera server, and prints the defect regions while they come.

    python examples/line_camera.py --width 8192 --model demo http://127.0.0.1:8000 < rows.raw

Needs nothing but Python. The rows are raw samples, one row after the other. If the connection breaks, the client
connects again, and sends the rows that the server does not have; no region is lost or printed twice. If the server has
API keys, set one in TESSERA_KEY.
"""

import argparse
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urlsplit

RETRY_S = 1.0
LINGER_S = 600.0  # the longest silence of the server: it sends a line every five seconds


class StreamFailed(Exception):
    """The server cannot continue the stream; the message is that of the problem."""


class LineCamera:
    """A stream of rows to a model. `on_region` gets each region, a dict, in another thread.

    Keeps the rows that the server has not confirmed, to send them again.
    """

    def __init__(self, url, model, on_region, *, width, channels=1, dtype="uint8", **parameters):
        self._url, self._on_region = urlsplit(url), on_region
        self._path = f"{self._url.path.rstrip('/')}/v1/models/{model}/stream"
        self._parameters = {"width": width, "channels": channels, "dtype": dtype, "stream": uuid.uuid4().hex}
        self._parameters.update(parameters)
        self._row_bytes = width * channels * (2 if dtype == "uint16" else 1)
        self._kept = deque()  # (number of the first row, rows)
        self._next_row = 0  # the first row that was not given to `send`
        self._begun = False
        self.confirmed = 0  # the first row that the server does not have
        self.sequence = 0  # of the last region
        self.latency_rows = None
        self.connections = 0
        self.result = None  # the last line
        self._connection = self._socket = self._reader = None
        self._connect()

    def send(self, rows):
        """Sends bytes of whole rows. Waits while the server is slower than the camera."""
        self._kept.append((self._next_row, rows))
        self._next_row += len(rows) // self._row_bytes
        self._forget_confirmed()
        self._deliver(lambda: self._send_chunk(rows))

    def finish(self):
        """Ends the stream, and returns its last line after all regions."""
        while True:
            sent = self._deliver(lambda: self._connection.send(b"0\r\n\r\n"))
            if sent:
                self._reader.join(LINGER_S)
                if self.result is not None and self.result["type"] == "ended":
                    self._connection.close()
                    return self.result

    def break_off(self):
        """Breaks the connection, as a network does. For tests."""
        with suppress(OSError):  # it is broken already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _deliver(self, send):
        """Calls `send`, and returns True; or connects again if the connection is broken."""
        try:
            if self._reader.is_alive():
                send()
                return True
        except OSError:
            pass
        self._reconnect()
        return False

    def _reconnect(self):
        """Connects until it succeeds, and sends the rows that the server does not have."""
        while True:
            self.break_off()
            self._connection.close()
            self._reader.join(LINGER_S)
            if self.result is not None and self.result["type"] == "error":
                error = self.result["error"]
                if error["status"] not in (408, 503):
                    raise StreamFailed(error["detail"])
            try:
                self._connect()
                self._forget_confirmed()
                for first, rows in list(self._kept):
                    self._send_chunk(rows[max(self.confirmed - first, 0) * self._row_bytes :])
                return
            except (OSError, HTTPException):
                time.sleep(RETRY_S)

    def _connect(self):
        kind = HTTPConnection
        if self._url.scheme == "https":
            from http.client import HTTPSConnection as kind
        parameters = dict(self._parameters, **({"after": self.sequence} if self._begun else {}))
        connection = self._connection = kind(self._url.hostname, self._url.port, timeout=LINGER_S)
        connection.putrequest("POST", f"{self._path}?{urlencode(parameters)}")
        connection.putheader("Transfer-Encoding", "chunked")
        if "TESSERA_KEY" in os.environ:
            connection.putheader("Authorization", f"Bearer {os.environ['TESSERA_KEY']}")
        connection.endheaders()
        self._socket = connection.sock
        response = connection.getresponse()  # it begins before any row is sent
        if response.status != 200:
            problem = json.loads(response.read())
            if response.status in (429, 503):
                raise HTTPException(problem["detail"])
            raise StreamFailed(problem["detail"])
        self._begun, self.result = True, None
        started = json.loads(response.readline())
        self.confirmed, self.latency_rows = started["next_row"], started["latency_rows"]
        self.connections += 1
        self._reader = threading.Thread(target=self._read, args=(response,), daemon=True)
        self._reader.start()

    def _read(self, response):
        """Reads the lines of one connection."""
        try:
            while line := response.readline():
                found = json.loads(line)
                self.confirmed = found.get("next_row", self.confirmed)
                if found["type"] == "region":
                    self.sequence = found["sequence"]
                    self._on_region(found)
                elif found["type"] in ("ended", "error"):
                    self.result = found
        except (OSError, HTTPException, ValueError):
            pass  # the connection broke, perhaps within a line

    def _send_chunk(self, rows):
        if rows:
            self._connection.send(b"%x\r\n" % len(rows) + rows + b"\r\n")

    def _forget_confirmed(self):
        while self._kept and self._kept[0][0] + len(self._kept[0][1]) // self._row_bytes <= self.confirmed:
            self._kept.popleft()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the address of the server")
    parser.add_argument("--model", default="default", help="the name of the model")
    parser.add_argument("--width", type=int, required=True, help="pixels of a row")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=1, help="samples of a pixel")
    parser.add_argument("--dtype", choices=("uint8", "uint16"), default="uint8", help="the type of the samples")
    parser.add_argument("--rows", type=int, default=64, help="rows that are sent at once")
    given = parser.parse_args()
    form = {"width": given.width, "channels": given.channels, "dtype": given.dtype}
    camera = LineCamera(given.url, given.model, lambda region: print(json.dumps(region), flush=True), **form)
    size = given.rows * given.width * given.channels * (2 if given.dtype == "uint16" else 1)
    while rows := sys.stdin.buffer.read(size):
        camera.send(rows)
    print(json.dumps(camera.finish()))


if __name__ == "__main__":
    main()
