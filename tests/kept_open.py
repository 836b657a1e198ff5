"""Keeps a context open for all tests of a module."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

import pytest

# Marks a module whose tests run in one event loop, that of its fixtures with `loop_scope="module"`.
IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
Opened = TypeVar("Opened")


@asynccontextmanager
async def keep_open(context: AbstractAsyncContextManager[Opened]) -> AsyncIterator[Opened]:
    """Enter and leave a context in one task.

    pytest begins and ends a fixture in two tasks, and what has a task group must be left in the task that entered it.
    """
    is_over = asyncio.Event()
    opened: asyncio.Queue[Opened] = asyncio.Queue()

    async def hold() -> None:
        async with context as value:
            opened.put_nowait(value)
            await is_over.wait()

    holding = asyncio.create_task(hold())
    getting = asyncio.create_task(opened.get())
    await asyncio.wait((holding, getting), return_when=asyncio.FIRST_COMPLETED)
    try:
        if holding.done():
            getting.cancel()
            # It could not be entered.
            await holding
        yield await getting
    finally:
        is_over.set()
        await holding
