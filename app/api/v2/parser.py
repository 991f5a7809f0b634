"""The thread that parses the JSON of requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic, sleep, thread_time
from typing import ParamSpec, TypeVar

REST = 3.0
"""While lanes compute, the thread rests for this many times the time that it parsed."""
MOST_REST_S = 2.0

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Parser:
    """Parses one JSON at a time, outside of the event loop.

    A parser in C holds Python's interpreter lock for up to a third of a second with the largest JSON. With several
    parsers, the event loop would wait several times as long. The lanes wait as well, in each of their operations. So
    while `is_needed()`, the thread rests before it parses the next JSON.
    """

    def __init__(self, is_needed: Callable[[], bool]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._is_needed = is_needed
        self._rested_s = 0.0  # when it has rested

    async def run(self, parse: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """The result of a call in the thread. A call that waits is dropped if the request is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(self._run, partial(parse, *args, **kwargs)))

    def _run(self, parse: Callable[[], Result]) -> Result:
        rest_s = self._rested_s - monotonic()
        if rest_s > 0 and self._is_needed():
            sleep(rest_s)
        started_s = thread_time()
        try:
            return parse()
        finally:
            self._rested_s = monotonic() + min(REST * (thread_time() - started_s), MOST_REST_S)
