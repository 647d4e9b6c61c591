"""Both embedded servers together: started in order, ended in reverse, gone when we are gone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from archive.embedded.folder import Folder
from archive.embedded.postgres import start_postgres
from archive.embedded.process import ServerProcess
from archive.embedded.store import Store, start_store
from config.clock import Clock, SystemClock
from config.log import report
from config.settings import Database, Settings, Storage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the running servers answer."""

    data_dir: Path
    database_url: str
    storage: Storage
    store: Store

    def agent_storage(self, courtroom: str) -> Storage:
        """Sign-in of a courtroom's agent: it can only put below the courtroom's code in the evidence bucket."""
        return self.store.agent_storage(courtroom)

    def settings(self, base: Settings) -> Settings:
        """`base` with these servers filled in."""
        database = Database(url=SecretStr(self.database_url), pool_size=base.database.pool_size)
        return base.model_copy(update={"data_dir": self.data_dir, "database": database, "storage": self.storage})


@contextmanager
def embedded(data_dir: Path, base: Storage | None = None, clock: Clock | None = None) -> Iterator[Servers]:
    """Run PostgreSQL and the S3 store on `data_dir` while the context lasts; `base` names the buckets.

    Start it in a thread that lives as long as the servers shall (the main thread): when that thread
    ends, be it by kill -9, the kernel tells them to stop.

    Raises:
        Conflict: another process runs the servers of this folder.
        Misconfigured: wheels are missing or the folder cannot be used.
        Unavailable: a server did not start.
    """
    clock = clock or SystemClock()
    folder = Folder(data_dir)
    with ExitStack() as stack:
        stack.enter_context(folder.owned())
        postgres = start_postgres(folder, clock)
        stack.callback(postgres.process.stop)
        store = start_store(folder, base or Storage(), clock)
        stack.callback(store.stop)
        for process in (postgres.process, store.process):
            threading.Thread(target=_watch, args=(process,), name=f"watch {process.name}", daemon=True).start()
        yield Servers(data_dir.resolve(), postgres.url, store.storage, store)


def _watch(process: ServerProcess) -> None:
    code = process.wait()
    if not process.stopping:
        report(logger, "EMB-001", server=process.name, exit_code=code, said=process.last_words(), log=str(process.log))
