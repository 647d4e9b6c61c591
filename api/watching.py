"""What the database announces, fanned out to open streams: one LISTEN connection per process.

A watcher is only woken up; it reads for itself what is new. So nothing is lost when announcements
coalesce, and after the connection was down every watcher is woken up once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from config.log import report

log = logging.getLogger(__name__)

AGENT, RECORDING = "tyndau_agent", "tyndau_recording"
RETRY_S = 1.0
EVERYTHING = "*"

Topic = tuple[str, str]  # channel and payload; EVERYTHING = any payload


class Watcher:
    """Woken up when one of its topics is announced."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Something may be new."""
        self._event.set()

    async def news(self, timeout_s: float) -> bool:
        """True when woken up, now or since the last call; False after `timeout_s` without."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Watchers:
    """All watchers of this process and the connection that wakes them."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._by_topic: defaultdict[Topic, set[Watcher]] = defaultdict(set)

    @contextmanager
    def watching(self, *topics: Topic) -> Iterator[Watcher]:
        """A watcher of these topics, woken once at the beginning."""
        watcher = Watcher()
        watcher.wake()
        for topic in topics:
            self._by_topic[topic].add(watcher)
        try:
            yield watcher
        finally:
            for topic in topics:
                self._by_topic[topic].discard(watcher)
                if not self._by_topic[topic]:
                    del self._by_topic[topic]

    def wake_all(self) -> None:
        """Everything may be new, or all are to look whether they should end."""
        for watchers in list(self._by_topic.values()):
            for watcher in watchers:
                watcher.wake()

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                report(log, "API-003", said=str(error).strip()[:200])
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            for channel in (AGENT, RECORDING):
                await connection.execute(f"LISTEN {channel}")
            self.wake_all()
            async for notice in connection.notifies():
                for topic in ((notice.channel, notice.payload), (notice.channel, EVERYTHING)):
                    for watcher in self._by_topic.get(topic, ()):
                        watcher.wake()
