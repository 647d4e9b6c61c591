"""The courtroom's service: does what is asked, records, and carries what it recorded to the archive.

Threads that never wait for each other: capture (this one), the conversation with the centre, the uploader.
"""

from __future__ import annotations

import threading

from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.centre import Centre
from recorder.control import Control
from recorder.conversation import Conversation
from recorder.durable import make_folder
from recorder.keeper import Keeper
from recorder.spool import Spool
from recorder.upload import Uploader

TICK_S = 0.1


class CourtroomAgent:
    """One courtroom machine. `run` blocks until `stop`."""

    def __init__(self, control: Control, keeper: Keeper, conversation: Conversation, uploader: Uploader) -> None:
        self.control = control
        self._keeper, self._conversation, self._uploader = keeper, conversation, uploader

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> None:
        """Serve until `stop`; with `until_idle` also end once something was recorded and the archive has it all."""
        ended = threading.Event()
        threads = [
            threading.Thread(target=self._conversation.run, args=(ended,), name="centre"),
            threading.Thread(target=self._uploader.run, args=(ended,), name="uploader"),
        ]
        self._keeper.take_up()
        for thread in threads:
            thread.start()
        try:
            while not stop.wait(TICK_S) and not (until_idle and self._idle()):
                self.control.turn()
                self._keeper.tick()
        finally:
            self._keeper.park()
            ended.set()
            for thread in threads:
                thread.join()

    def _idle(self) -> bool:
        quiet = self.control.idle() and self._conversation.quiet()
        return quiet and self._keeper.recorded > 0 and self._uploader.finished()


def make_agent(settings: Settings, signer: Signer, clock: Clock) -> CourtroomAgent:
    """The agent of these settings, with the store and the centre that they name.

    Raises:
        Misconfigured: no server, no store.
    """
    from archive.storage.s3 import open_store

    store = open_store(settings.storage, settings.storage.evidence_bucket)
    spool, alarms = Spool.of(settings.agent), AlarmBook(clock)
    make_folder(spool.home.resolve())
    retention_days = settings.storage.retention_days
    uploader = Uploader(spool, store, Centre(settings.agent), signer, clock, alarms, retention_days)
    keeper = Keeper(settings, signer, clock, spool, alarms)
    control = Control(keeper, spool, alarms, uploader)
    return CourtroomAgent(control, keeper, Conversation(lambda: Centre(settings.agent), control), uploader)
