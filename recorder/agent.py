"""The courtroom's service: does what is asked, records, and carries what it recorded to the archive.

Threads that never wait for each other: capture (this one), the conversation with the centre, the uploader, the local
console, and who reads back what was written. Without a server there is neither conversation nor upload: everything
stays in the spool.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.signing import Signer
from config.clock import Clock
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.answers import AnswerBook
from recorder.centre import Centre, Command
from recorder.contact import Contact
from recorder.control import Control
from recorder.conversation import Conversation
from recorder.durable import make_folder
from recorder.duty import Begin, Duty
from recorder.handover import HandOver
from recorder.health.machine import MachineHealth
from recorder.keeper import Keeper
from recorder.keys import key_path
from recorder.levels import Level
from recorder.preflight import Preflight
from recorder.schedule import Schedule
from recorder.secured import FirstParts
from recorder.spool import Spool
from recorder.standby import Standby
from recorder.states import Wish
from recorder.upload import Rules, Uploader
from recorder.view import View

if TYPE_CHECKING:
    from recorder.console.server import ConsoleServer

log = logging.getLogger(__name__)

TICK_S = 0.1
RECALLED = 3  # recordings whose chains tell which commands were obeyed before the agent was started again


@dataclass(frozen=True, slots=True)
class Parts:
    """What an agent is made of."""

    keeper: Keeper
    control: Control
    check: Preflight
    duty: Duty
    health: MachineHealth
    first_parts: FirstParts
    conversation: Conversation | None
    uploader: Uploader | None
    console: ConsoleServer | None


class CourtroomAgent:
    """One courtroom machine. `run` blocks until `stop`."""

    def __init__(self, parts: Parts) -> None:
        self.control = parts.control
        self._parts = parts

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> None:
        """Serve until `stop`; with `until_idle` also end once something was recorded and the archive has it all."""
        ended = threading.Event()
        threads = self._threads(ended)
        self._parts.check.tidy()
        self._parts.keeper.take_up()
        for thread in threads:
            thread.start()
        try:
            while not stop.is_set() and not (until_idle and self._idle()):
                self._turn()
        finally:
            self._parts.check.abandon()
            self._parts.keeper.park()
            ended.set()
            for thread in threads:
                thread.join()

    def _turn(self) -> None:
        self.control.turn(TICK_S)
        self._parts.keeper.tick()
        try:
            self._parts.check.tick()
            self._parts.health.look()
            if (begin := self._parts.duty.look()) is not None:
                self._begin(begin)
        except Exception:  # whatever goes wrong beside the record, recording goes on
            log.exception("looking after the courtroom failed and goes on")

    def _begin(self, begin: Begin) -> None:
        """A recording that begins by itself."""
        args = {"by": "agent"} | ({"title": begin.title} if begin.title else {})
        answer = self.control.obey(Command(f"auto-{uuid.uuid4()}", Wish.START, begin.hearing, args))
        log.info("automatic start of %s: %s", begin.hearing, answer.detail)

    def _threads(self, ended: threading.Event) -> list[threading.Thread]:
        parts = self._parts
        threads = [threading.Thread(target=parts.first_parts.run, args=(ended,), name="first-parts")]
        if parts.conversation is not None:
            threads.append(threading.Thread(target=parts.conversation.run, args=(ended,), name="centre"))
        if parts.console is not None:
            threads.append(threading.Thread(target=parts.console.run, args=(ended,), name="console"))
        if parts.uploader is not None:
            threads.append(threading.Thread(target=parts.uploader.run, args=(ended,), name="uploader"))
        return threads

    def _idle(self) -> bool:
        parts = self._parts
        quiet = self.control.idle() and (parts.conversation is None or parts.conversation.quiet())
        return quiet and parts.keeper.recorded > 0 and (parts.uploader is None or parts.uploader.finished())


def make_agent(settings: Settings, signer: Signer, clock: Clock) -> CourtroomAgent:
    """The agent of these settings, with the store and the centre that they name; with neither where there is no server.

    Raises:
        Misconfigured: a server but no store.
    """
    agent = settings.agent
    spool, alarms, contact = Spool.of(agent), AlarmBook(clock), Contact(clock)
    make_folder(spool.home.resolve())
    uploader = _uploader(settings, spool, signer, clock, alarms) if agent.server else None
    standby = Standby(settings, clock, alarms) if agent.listen_when_idle else None
    health = MachineHealth(spool, alarms, clock, settings, contact.clock_offset_ms)
    keeper = Keeper(settings, signer, clock, spool, alarms, standby)
    schedule = Schedule(spool.home, clock, agent.time_zone)
    check = Preflight(settings, signer, clock, spool, alarms, contact, keeper.readiness, standby)
    first_parts = FirstParts(keeper, alarms, clock, settings.recording.sync_interval_s)
    handover = HandOver(spool, uploader)
    view = View(
        keeper=keeper,
        spool=spool,
        alarms=alarms,
        uploader=uploader,
        contact=contact,
        check=check,
        schedule=schedule,
        handover=handover,
        first_parts=first_parts,
        standby=standby,
        health=health,
    )

    def levels() -> Mapping[str, Sequence[Level]]:
        return {name: monitor.levels() for name, monitor in view.monitors().items()}

    duty = Duty(agent, schedule, keeper, spool, alarms, clock, levels)
    control = Control(keeper, view, check, schedule, handover, duty, _answers(spool))
    conversation = None
    if agent.server:
        conversation = Conversation(
            lambda: Centre(agent, clock=clock, alarms=alarms), control, contact, schedule, clock
        )
    console = _console(settings, control, clock, alarms) if agent.console_port else None
    return CourtroomAgent(Parts(keeper, control, check, duty, health, first_parts, conversation, uploader, console))


def _console(settings: Settings, control: Control, clock: Clock, alarms: AlarmBook) -> ConsoleServer:
    from recorder.console.server import ConsoleServer

    return ConsoleServer(control, settings, clock, alarms)


def _uploader(settings: Settings, spool: Spool, signer: Signer, clock: Clock, alarms: AlarmBook) -> Uploader:
    from archive.storage.pace import Pace
    from archive.storage.s3 import open_store

    agent, storage = settings.agent, settings.storage
    store = open_store(storage, storage.evidence_bucket, Pace(agent.upload_kbit_s, clock))
    rules, archive_key = Rules.of(agent, storage.retention_days), key_path(settings).with_name("archive.pub")
    return Uploader(spool, store, Centre(agent), signer, clock, alarms, rules, archive_key)


def _answers(spool: Spool) -> AnswerBook:
    book = AnswerBook(spool.home / "answers.jsonl")
    for folder in spool.folders()[-RECALLED:]:
        book.recall(folder)
    return book
