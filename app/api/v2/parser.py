"""The thread that parses the JSON of requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Parser:
    """Parses one JSON at a time, outside of the event loop.

    A parser in C holds Python's interpreter lock for up to a third of a second with the largest JSON. With several
    parsers, the event loop would wait several times as long.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")

    async def run(self, parse: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """The result of a call in the thread. A call that waits is dropped if the request is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(parse, *args, **kwargs))
