"""Server-sent events (WHATWG HTML, 9.2): named events with JSON data, a comment every 10 s."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from api.services import Services
from api.watching import Topic

KEEPALIVE_S = 10.0
TICK_S = 4.0  # a reading is due at least so often: silence of an agent is news, too
CHECK_EVERY_S = 4.0  # whether the session and the right to watch still hold
LEAST_S = 0.2  # between two readings, however often something changes


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    name: str
    data: BaseModel | dict[str, Any]

    def encode(self) -> bytes:
        """As it goes over the wire; JSON has no line breaks."""
        data = self.data.model_dump(mode="json", by_alias=True) if isinstance(self.data, BaseModel) else self.data
        return f"event: {self.name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


Read = Callable[[], Awaitable[Iterable[Event]]]
Check = Callable[[], Awaitable[bool]]


def stream(
    request: Request, services: Services, topics: Iterable[Topic], read: Read, check: Check
) -> StreamingResponse:
    """Send what `read` finds new whenever one of `topics` is announced, until `check` says no."""
    body = _body(request, services, tuple(topics), read, check)
    return StreamingResponse(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _body(
    request: Request, services: Services, topics: tuple[Topic, ...], read: Read, check: Check
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    checked = sent = loop.time()
    yield b"retry: 2000\n\n"
    with services.watchers.watching(*topics) as watcher:
        while not services.closing.is_set():
            if await watcher.news(TICK_S):
                await asyncio.sleep(LEAST_S)
            if loop.time() - checked >= CHECK_EVERY_S:
                checked = loop.time()
                if not await check():
                    return
            for event in await read():
                sent = loop.time()
                yield event.encode()
            if loop.time() - sent >= KEEPALIVE_S - TICK_S:
                sent = loop.time()
                yield b": keepalive\n\n"


def new_only() -> Callable[[Iterable[Event]], list[Event]]:
    """A filter that keeps the events whose data differ from the last ones of the same name."""
    last: dict[str, bytes] = {}

    def fresh(events: Iterable[Event]) -> list[Event]:
        kept = []
        for event in events:
            encoded = event.encode()
            if last.get(event.name) != encoded:
                last[event.name] = encoded
                kept.append(event)
        return kept

    return fresh
