"""The state, several times a second, to every page that listens (server-sent events; WHATWG HTML, 9.2).

The room is asked once a tick however many listen, and not at all when nobody does.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

log = logging.getLogger(__name__)

EVERY_S = 0.125  # eight a second: meters need five
MOST_LISTENERS = 12

Read = Callable[[], Mapping[str, Any]]


class Live:
    """One for the server; lives in its event loop."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._changed = asyncio.Condition()
        self._latest = b""
        self._number = 0
        self._asking: asyncio.Task[None] | None = None
        self.listeners = 0
        self.ended = False

    async def body(self, still: Callable[[], bool]) -> AsyncIterator[bytes]:
        """An event `state` a tick, from now until the server ends, the room fails, or `still` says no."""
        self.listeners += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        asking, seen = self._asking, self._number
        try:
            yield b"retry: 1000\n\n"
            while not self.ended and still():
                async with self._changed:
                    while self._number == seen and not asking.done() and not self.ended:
                        await self._changed.wait()
                    seen, event = self._number, self._latest
                if asking.done():
                    return
                yield event
        finally:
            self.listeners -= 1

    async def end(self) -> None:
        """Let every listener go."""
        self.ended = True
        async with self._changed:
            self._changed.notify_all()

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.listeners and not self.ended:
                due_s = loop.time() + EVERY_S
                state = await run_in_threadpool(self._read)
                async with self._changed:
                    data = json.dumps(state, ensure_ascii=False, default=str)
                    self._latest = f"event: state\ndata: {data}\n\n".encode()
                    self._number += 1
                    self._changed.notify_all()
                await asyncio.sleep(max(0.01, due_s - loop.time()))
        except Exception:
            log.exception("the room's state could not be read; the console's pages will ask again")
        finally:
            loop.call_soon(lambda: asyncio.ensure_future(self._wake()))

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
