"""Awaits the work of the device worker."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

import torch

from app.errors import DeviceFailed
from app.scheduling.work import Finished

R = TypeVar("R")


async def finished(submitted: Future[Finished[R]]) -> Finished[R]:
    """The result of submitted work. Raises DeviceFailed for errors of a GPU, and the other errors of the future."""
    try:
        return await asyncio.wrap_future(submitted)
    except torch.AcceleratorError as error:
        raise DeviceFailed(f"the device failed and is tested; send the picture again: {error}") from error
