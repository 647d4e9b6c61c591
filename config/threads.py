"""Blocking work beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def to_its_end(work: Callable[[], object]) -> None:
    """Do `work` in a thread. Who cancels this waits for it: what it holds (a connection, say) is given back before
    whatever it came from is closed.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise
