"""Worlds of one installation's servers that begin equal: a database, a shelf in each bucket and a data folder each.

A *shelf* is a store below a prefix, so that many worlds share the buckets. Every verb on it, and every commit, is a
step; a process whose life has so many steps kills itself, before or after the step was done.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import DateTime, event, select, text

from archive.db import tables as t
from archive.domain.chain import sha256_hex
from archive.jobs import tasks as _tasks  # noqa: F401 - registers them
from archive.jobs.app import TASKS
from archive.jobs.context import JobContext, job_context
from archive.keeping.destroy import ROOT
from archive.storage.port import Version, VersionedStore
from config.clock import SystemClock
from config.settings import Database, Settings
from tests.conftest import fresh_database, url_of

BUCKETS = ("evidence", "derived", "second")
OF_THEIR_MOMENT = {"received", "destroyed", "version"}  # what a document says of when it was made, and of the store
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.archive.worlds"])


@dataclass
class Life:
    """Steps of a process; it dies in the `last` one, of two halves each (0: never)."""

    last: int = 0
    taken: int = 0

    def step(self) -> None:
        self.taken += 1
        if self.taken == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


class Shelf:
    """What a store holds below a prefix; each verb is two steps of a life."""

    VERBS = ("put", "head", "open_range", "sign_url")
    OF_VERSIONS = ("sha256_of", "lock_of", "extend_lock", "hold", "delete")

    def __init__(self, store: VersionedStore, prefix: str, life: Life) -> None:
        self._store, self._prefix, self._life = store, prefix, life

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self.VERBS + self.OF_VERSIONS:
            raise AttributeError(name)
        return lambda what, *args, **more: self._done(getattr(self._store, name), self._there(what), *args, **more)

    def _there(self, what: str | Version) -> str | Version:
        return self._prefix + what if isinstance(what, str) else replace(what, key=self._prefix + what.key)

    def _done(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self._life.step()
        done = verb(*args, **more)
        self._life.step()
        return done

    def list(self, prefix: str) -> Iterator[Any]:
        return self._here(self._done(self._store.list, self._prefix + prefix))

    def versions(self, prefix: str) -> Iterator[Any]:
        return self._here(self._done(self._store.versions, self._prefix + prefix))

    def _here(self, found: Iterator[Any]) -> Iterator[Any]:
        return (replace(one, key=one.key.removeprefix(self._prefix)) for one in found)


class Later(SystemClock):
    """The machine's clock, some time ahead: no two runs see the same time."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def utc(self) -> datetime:
        return super().utc() + self._by


@dataclass(frozen=True)
class World:
    """Where a world is; it can be handed to another process."""

    name: str
    settings: Settings

    @contextmanager
    def context(self, life: Life | None = None, later: timedelta = timedelta(0)) -> Iterator[JobContext]:
        life = life or Life()
        with job_context(self.settings) as made:
            for moment in ("before_commit", "after_commit"):
                event.listen(made.sessions, moment, lambda _session: life.step())
            found = {name: getattr(made, name) for name in BUCKETS}
            shelves: dict[str, Any] = {
                name: Shelf(store, f"{self.name}/", life) for name, store in found.items() if store is not None
            }
            life.taken = 0
            yield replace(made, clock=Later(later), **shelves)


def run(world: World, task: str, arguments: dict[str, Any], last: int = 0, later_min: int = 0) -> int | None:
    """Run a task in a process of its own that dies in step `last`; how many it took, None if it was killed."""
    told = world.settings.data_dir / "steps"
    told.unlink(missing_ok=True)
    process = FORKS.Process(target=_run, args=(world, task, arguments, last, later_min, told))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), f"{task} ended with {process.exitcode}"
    return None if process.exitcode else int(told.read_text())


def _run(world: World, task: str, arguments: dict[str, Any], last: int, later_min: int, told: Path) -> None:
    life = Life(last)
    with world.context(life, timedelta(minutes=later_min)) as context:
        TASKS[task].work(context, **arguments)
    told.write_text(str(life.taken))


@contextmanager
def another(start: World, server: str, name: str) -> Iterator[World]:
    """A world that begins as `start` is now; nobody may be connected to that."""
    with ExitStack() as stack:
        template = start.settings.database.url.get_secret_value().rpartition("/")[2].partition("?")[0]
        database = stack.enter_context(fresh_database(server, template))
        folder = start.settings.data_dir.with_name(name)
        if start.settings.data_dir.exists():
            shutil.copytree(start.settings.data_dir, folder)
        url = Database(url=SecretStr(url_of(server, database)), pool_size=4)
        world = World(name, start.settings.model_copy(update={"database": url, "data_dir": folder}))
        with start.context() as here, world.context() as there:
            for bucket in BUCKETS:
                source, target = getattr(here, bucket), getattr(there, bucket)
                for found in source.list("") if source else ():
                    with source.open_range(found.key) as stream:
                        target.put(found.key, stream.read(), metadata=_own(source.head(found.key).metadata))
        yield world


def _own(metadata: Any) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key != "sha256"}


def state(world: World) -> dict[str, list[Any]]:
    """All that a world came to, without the moments: rows, waiting jobs, objects with their bytes and locks."""
    with world.context() as context:
        rows = {table.name: _rows(context, table) for table in t.Base.metadata.sorted_tables}
        with context.sessions() as session:
            jobs = session.execute(text("SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo'"))
            rows["jobs"] = sorted({repr(tuple(job)) for job in jobs})
        stores = {name: _objects(store) for name in BUCKETS if (store := getattr(context, name))}
    rows["folders"] = [path.name for path in world.settings.data_dir.glob("publish/*")]
    return {**rows, **stores}


def _rows(context: JobContext, table: Any) -> list[str]:
    columns = [c for c in table.columns if not isinstance(c.type, DateTime) and not c.identity]
    with context.sessions() as session:
        return sorted(repr(_same(dict(row))) for row in session.execute(select(*columns)).mappings())


def _objects(store: VersionedStore) -> list[str]:
    return sorted(repr(_described(store, version)) for version in store.versions("") if not version.marker)


def _described(store: VersionedStore, version: Version) -> tuple[Any, ...]:
    """Key and SHA-256; of what carries the moment of its making, the name without its hash and the rest of it."""
    lock = store.lock_of(version)
    locked = (lock.until is not None, lock.held)
    stem, _, ending = version.key.rpartition("-")
    if not ("/receipt-" in version.key or version.key.startswith(ROOT)):
        return version.key, store.sha256_of(version), locked
    if not ending.endswith(".json"):
        return stem, ending.partition(".")[2], locked
    with store.open_range(version.key) as stream:
        return stem, sha256_hex(repr(_same(json.load(stream))).encode()), locked


def _same(value: Any) -> Any:
    if isinstance(value, dict):
        if {"wanted", "done"} <= value.keys():  # counters: how often it was asked for, and up to which it is done
            value = {**value, "wanted": value["wanted"] > value["done"], "done": None}
        return {key: _same(each) for key, each in sorted(value.items()) if key not in OF_THEIR_MOMENT}
    if isinstance(value, list):
        return sorted((_same(each) for each in value), key=repr)
    if isinstance(value, str) and value.startswith(ROOT):
        return value.rpartition("-")[0]
    return value
