"""The store of a server, what fills it, and the threads in which requests use it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from app.service.keeping.keeper import Keeper, KeepObserver
from app.service.keeping.rules import Rules
from app.store.kept import PictureStore

THREADS = 4
"""The most requests for kept pictures that are worked on at once."""

P = ParamSpec("P")
T = TypeVar("T")


class Keeping:
    """Keeps pictures between `start` and `stop`."""

    def __init__(
        self, store: PictureStore, rules: Rules, request_id: Callable[[], str], observer: KeepObserver
    ) -> None:
        self.store = store
        self.keeper = Keeper(store, rules, request_id, observer)
        self._threads = ThreadPoolExecutor(THREADS, "tessera-reviews")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function in a thread of the store, so that other requests never wait for its disk and database."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    def start(self) -> None:
        self.keeper.start()

    def stop(self) -> None:
        self.keeper.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    def notes(self) -> list[str]:
        """What is wrong although pictures can be predicted."""
        if self.store.failing:
            return ["the database of kept pictures cannot be used; pictures are not kept"]
        return [self.keeper.problem] if self.keeper.problem else []
