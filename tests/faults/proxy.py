"""A TCP proxy that spoils what passes: resets in the middle of a request, replies that are lost, a line gone dark."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET

CHUNK = 4096


@dataclass(slots=True)
class Cut:
    """How much more of the replies passes on one connection; None: all of it."""

    left: int | None = None

    def lets_pass(self, size: int) -> bool:
        if self.left is None:
            return True
        self.left -= size
        return self.left > 0


class Proxy:
    """Forwards to `target` (host:port). Each fault is for the next connections, as many as are set."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self.reset_after: list[int] = []  # bytes of the request that pass before the connection is reset
        self.drop_replies = 0  # requests that arrive whole and whose answer nobody gets
        self.cut_replies: dict[bytes, int] = {}  # a word in a request: bytes of its reply until the line breaks, once
        self.dark = False  # nothing passes and nobody is told: a cable that was pulled out
        self.away = False  # every connection is reset: the machine is there, the service is not
        self.bytes_per_s = 0  # of the requests of each connection; 0 = as fast as it goes
        self.passed = 0  # bytes of requests, over all connections
        self.address = ""

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.away:
                raise ConnectionError
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        limit = self.reset_after.pop(0) if self.reset_after else None
        drop = limit is None and self.drop_replies > 0
        self.drop_replies -= int(drop)
        cut = Cut()
        up = asyncio.create_task(self._pass(reader, there_writer, cut, limit, request=True))
        down = asyncio.create_task(there_reader.read(1) if drop else self._pass(there_reader, writer, cut, None))
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the proxy ends
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            if limit is not None or drop:
                _reset(writer)
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cut: Cut,
        limit: int | None,
        *,
        request: bool = False,
    ) -> None:
        passed = 0
        with contextlib.suppress(ConnectionError):
            while (limit is None or passed < limit) and (data := await reader.read(CHUNK)):
                while self.dark:  # noqa: ASYNC110 - set by another thread
                    await asyncio.sleep(0.05)
                if self.away:
                    return
                if not request and not cut.lets_pass(len(data)):
                    return
                for word in [word for word in self.cut_replies if request and word in data]:
                    cut.left = self.cut_replies.pop(word)
                if request and self.bytes_per_s:
                    await asyncio.sleep(len(data) / self.bytes_per_s)
                writer.write(data)
                await writer.drain()
                passed += len(data)
                self.passed += len(data) if request else 0


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy in a thread of its own while the context lasts.

    Its loop begins and ends in that thread: the caller's may have a loop of its own (Playwright's).
    """
    proxy, ready = Proxy(target), threading.Event()
    inside: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stopped = asyncio.Event()
        async with await proxy.start():
            inside.append((asyncio.get_running_loop(), stopped))
            ready.set()
            await stopped.wait()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.05)  # transports close in the loop's next round

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop, stopped = inside[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
