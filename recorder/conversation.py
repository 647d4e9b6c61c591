"""The conversation with the centre: state out, commands in, answers out. An outage changes nothing in the courtroom."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable

from archive.domain.errors import Conflict, Denied, NotFound, TyndauError, Unavailable
from config.clock import Clock
from recorder.centre import Centre, Command
from recorder.contact import Contact
from recorder.control import Answer, Control
from recorder.schedule import Schedule

log = logging.getLogger(__name__)

LIVE_S = 0.25
IDLE_S = 2.0
SCHEDULE_S = 60.0
EVENTS = 20  # the newest that are told, several times a second over a line that may be thin; the chain brings them all
MOST = 1000  # commands that are remembered as handed over


class Conversation:
    """`run` is a thread of its own."""

    def __init__(
        self,
        open_centre: Callable[[], Centre],
        control: Control,
        contact: Contact,
        schedule: Schedule,
        clock: Clock,
    ) -> None:
        self._open_centre, self._control = open_centre, control
        self._contact, self._schedule, self._clock = contact, schedule, clock
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._handed: OrderedDict[str, None] = OrderedDict()
        self._schedule_s: float | None = None  # when it was fetched last

    def quiet(self) -> bool:
        """Whether every answer has been given."""
        return self._answers.empty()

    def online(self) -> bool:
        """Whether the centre answered lately."""
        return self._contact.online()

    def clock_offset_ms(self) -> int | None:
        """How far our wall clock is ahead of the centre's; None when that was never learnt."""
        return self._contact.clock_offset_ms()

    def run(self, ended: threading.Event) -> None:
        """Until `ended`."""
        centre = self._open_centre()
        while not ended.is_set():
            try:
                self._answer(centre)
                self._talk(centre)
                self._fetch_schedule(centre)
            except Exception as error:  # an agent that no longer listens could not even be stopped
                if not isinstance(error, TyndauError):
                    log.exception("the conversation with the centre failed and goes on")
                ended.wait(IDLE_S)
                continue
            ended.wait(IDLE_S / 2 if self._control.idle() and self.quiet() else LIVE_S)
        centre.close()

    def _talk(self, centre: Centre) -> None:
        """Tell the state, take what is asked."""
        asked_s = self._clock.monotonic_s()
        try:
            state = self._control.state()
            commands = centre.state({**state, "events": state["events"][-EVENTS:]})
        except TyndauError:
            self._contact.lost()
            raise
        self._contact.heard(asked_s, centre.now_utc)
        for command in commands:
            self._hand(command)

    def _hand(self, command: Command) -> None:
        """Each command is handed over once; its answer waits until the centre takes it."""
        if command.id in self._handed:
            return
        self._handed[command.id] = None
        if len(self._handed) > MOST:
            self._handed.popitem(last=False)
        self._control.hand(command, self._answers.put)

    def _fetch_schedule(self, centre: Centre) -> None:
        now_s = self._clock.monotonic_s()
        if self._schedule_s is not None and now_s - self._schedule_s < SCHEDULE_S:
            return
        self._schedule_s = now_s
        try:
            self._schedule.take(centre.schedule())
        except NotFound as error:  # a centre from before there were schedules
            log.info("the centre has no list of hearings: %s", error)

    def _answer(self, centre: Centre) -> None:
        """Send the answers that wait; one that does not get through waits on."""
        while not self._answers.empty():
            answer = self._answers.get_nowait()
            try:
                centre.acknowledge(answer.command.id, ok=answer.ok, detail=answer.detail, recording=answer.recording)
            except (Unavailable, Denied):
                self._answers.put(answer)
                raise
            except (NotFound, Conflict) as error:  # the centre has forgotten the command
                log.warning("the centre does not take the answer to %s: %s", answer.command.id, error)
