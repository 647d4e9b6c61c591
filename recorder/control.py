"""The courtroom's controls: what a person at the console or the centre may ask, and what they are told.

One thread obeys (`turn`), one command after the other; anybody may `ask` and read `state`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archive.domain.errors import TyndauError
from archive.domain.events import BY_CODE, CODE, EVENTS, LATE_START, NOTE, UNDO
from recorder.answers import Answer as Answer
from recorder.answers import AnswerBook
from recorder.centre import Command
from recorder.duty import Duty
from recorder.handover import HandOver
from recorder.keeper import Keeper
from recorder.preflight import Preflight
from recorder.recording import Recording
from recorder.run import Intent
from recorder.schedule import Schedule
from recorder.states import (
    ANOTHER_HEARING,
    BAD_WISH,
    CHECK_WHILE_OWED,
    NO_SUCH_NOTE,
    NOT_NOTED,
    NOT_THAT_HEARING,
    NOTHING_RECORDED,
    TOO_OLD,
    Refused,
    Wish,
    after,
)
from recorder.view import View, state_of

log = logging.getLogger(__name__)

PATIENCE_S = 60.0  # how long `ask` waits; a dead camera may hold up a start for some seconds
LIFE_S = 1800.0  # an order of the centre that could not be delivered for so long is not obeyed any more
MOST_TEXT = 2000
MOST_NAME = 200
_OF_THE_HEARING = frozenset({Wish.STOP, Wish.PAUSE, Wish.RESUME, Wish.NOTE, Wish.UNDO})


class Control:
    """The controls of one courtroom."""

    def __init__(
        self,
        keeper: Keeper,
        view: View,
        check: Preflight,
        schedule: Schedule,
        handover: HandOver,
        duty: Duty,
        answers: AnswerBook,
    ) -> None:
        self._keeper, self._view, self._check = keeper, view, check
        self._schedule, self._handover, self._duty, self._answers = schedule, handover, duty, answers
        self._asked: queue.Queue[tuple[Command, Callable[[Answer], None], bool]] = queue.Queue()
        self._actions: Mapping[Wish, Callable[[Command], str]] = {
            Wish.START: self._start,
            Wish.STOP: self._stop,
            Wish.PAUSE: self._pause,
            Wish.RESUME: self._resume,
            Wish.NOTE: self._note,
            Wish.UNDO: self._undo,
            Wish.CHECK: self._begin_check,
            Wish.DISMISS: self._dismiss,
        }

    # --- asking: any thread --------------------------------------------------------------------------

    def hand(self, command: Command, answered: Callable[[Answer], None]) -> None:
        """Have an order of the centre done; `answered` is called by the obeying thread. Returns at once.

        It was given for one hearing, or for one that no list names, and is done for no other.
        """
        self._asked.put((command, answered, True))

    def ask(self, command: Command) -> Answer:
        """Have done what a person in the courtroom wants, and wait for what became of it.

        Whoever sits there sees what is recorded: without a hearing it is about that.
        """
        answers: list[Answer] = []
        done = threading.Event()

        def take(answer: Answer) -> None:
            answers.append(answer)
            done.set()

        self._asked.put((command, take, False))
        if done.wait(PATIENCE_S):
            return answers[0]
        return Answer(command, False, "the courtroom is still busy with it; look at its state", None, "busy")

    def state(self) -> dict[str, Any]:
        """How the courtroom is: the one truth for the console and the centre."""
        return self._view.state()

    def preview(self, source: str) -> bytes | None:
        """The newest picture of a camera as JPEG; None while there is none, or no such camera."""
        return self._view.preview(source)

    def schedule(self) -> dict[str, Any]:
        """The hearings of this courtroom as the centre last gave them, and what is wrong with the list."""
        return self._schedule.told()

    def event_codes(self) -> Sequence[Mapping[str, str]]:
        """The events that may be noted, with the key that is suggested for each."""
        return [{"code": e.code, "kk": e.kk, "ru": e.ru, "en": e.en, "key": e.key} for e in EVENTS if not e.implied]

    def idle(self) -> bool:
        """Whether nothing is asked and nothing is recorded or checked."""
        return self._asked.empty() and self._keeper.recording is None and not self._check.running()

    # --- obeying: one thread -------------------------------------------------------------------------

    def turn(self, wait_s: float = 0.0) -> None:
        """Obey what is asked, one command a call; wait up to `wait_s` for one."""
        try:
            command, answered, exactly = self._asked.get(timeout=wait_s) if wait_s else self._asked.get_nowait()
        except queue.Empty:
            return
        answered(self._answer(command, exactly))

    def obey(self, command: Command) -> Answer:
        """Do `command` now, in the obeying thread, and remember the answer."""
        return self._answer(command, False)

    def _answer(self, command: Command, exactly: bool) -> Answer:
        """Each id is obeyed once: the same again gets the same answer."""
        known = self._answers.find(command)
        if known is not None:
            return Answer(command, known.ok, known.detail, known.recording, known.reason, known.says)
        answer = self._obey(command, exactly)
        self._answers.add(answer)
        return answer

    def _obey(self, command: Command, exactly: bool) -> Answer:
        reason, says = "", {}
        try:
            detail, ok = self._do(command, exactly), True
        except Refused as refusal:
            why = refusal.why
            detail, ok, reason = str(refusal), False, why.code
            says = {"kk": why.kk, "ru": why.ru, "en": str(refusal)}
        except (TyndauError, OSError) as error:
            detail, ok = str(error), False
        except Exception as error:  # whatever was asked, the courtroom must still be able to stop
            log.exception("command %s failed", command.kind)
            detail, ok = f"{command.kind} failed ({error}); look at the agent's log", False
        recording = self._keeper.recording
        return Answer(command, ok, detail, recording.id if recording else None, reason, says)

    def _do(self, command: Command, exactly: bool) -> str:
        try:
            wish = Wish(command.kind)
        except ValueError as error:
            raise Refused(BAD_WISH, f"{command.kind!r:.60} is not known to this agent") from error
        if command.age_s > LIFE_S and wish is not Wish.STOP:  # a late stop still ends what it was meant for
            raise Refused(TOO_OLD)
        after(state_of(self._keeper, self._check), wish)
        if wish in _OF_THE_HEARING:
            self._check_hearing(command.hearing, exactly)
        return self._actions[wish](command)

    def _check_hearing(self, hearing: str | None, exactly: bool) -> None:
        """What is meant for one hearing must not stop or mark another: an order may arrive hours late."""
        if hearing is None and not exactly:
            return
        keeper = self._keeper
        if keeper.recording is not None:
            now = keeper.hearing
        elif keeper.owed is not None:
            now = keeper.owed.hearing
        else:
            return
        if now != hearing:
            raise Refused(NOT_THAT_HEARING)

    def _start(self, command: Command) -> str:
        adhoc = _adhoc(command)
        recording = self._keeper.recording
        if recording is not None:
            if (self._keeper.hearing, self._keeper.adhoc or None) != (command.hearing, adhoc):
                raise Refused(ANOTHER_HEARING)
            if recording.intent is Intent.PAUSE:
                self._keeper.resume(_name(command), command=command.id)
            return "recording"
        late = self._duty.late_by(command.hearing)
        self._check.abandon()
        self._keeper.start(command.hearing, adhoc)
        self._handover.forget()
        if late is not None:
            self._running().note(LATE_START, f"{late} min", _name(command))
        return "recording"

    def _stop(self, command: Command) -> str:
        self._check.abandon(listen=True)
        recording = self._keeper.recording
        closed = self._keeper.stop()
        if recording is None or closed is None:
            return "nothing was being recorded"
        self._handover.take(recording.chain.records)
        return f"{closed} is closed"

    def _pause(self, command: Command) -> str:
        reason = str(command.args.get("reason") or "other")
        self._keeper.pause(reason if CODE.fullmatch(reason) else "other", _name(command), command=command.id)
        return "paused"

    def _resume(self, command: Command) -> str:
        self._keeper.resume(_name(command), command=command.id)
        return "recording"

    def _note(self, command: Command) -> str:
        code = str(command.args.get("code") or NOTE)
        if not CODE.fullmatch(code) or code == UNDO:
            raise Refused(BAD_WISH, f"{code!r:.60} is no event")
        known = BY_CODE.get(code)
        if known is not None and known.implied:
            raise Refused(NOT_NOTED)
        text = _clean(command.args.get("text"), MOST_TEXT)
        seq = self._running().note(code, text, _name(command), command=command.id)
        return f"noted as {seq}"

    def _undo(self, command: Command) -> str:
        recording, log_ = self._running(), self._view.log()
        event = log_.find(_number(command.args.get("of"))) if log_ else None
        if event is None:
            raise Refused(NO_SUCH_NOTE)
        if not event.undone:
            recording.note(UNDO, "", _name(command), of=event.seq, command=command.id)
        return f"{event.seq} is taken back"

    def _begin_check(self, _: Command) -> str:
        if self._keeper.owed is not None:
            raise Refused(CHECK_WHILE_OWED)
        self._check.begin()
        return "checking"

    def _dismiss(self, _: Command) -> str:
        self._handover.forget()
        return "dismissed"

    def _running(self) -> Recording:
        recording = self._keeper.recording
        if recording is None:
            raise Refused(NOTHING_RECORDED)
        return recording


def _adhoc(command: Command) -> dict[str, str] | None:
    """What a person said of a hearing that no list names; None for one that has an id."""
    if command.hearing is not None:
        return None
    found = {name: _clean(command.args.get(name), MOST_NAME) for name in ("case_number", "title")}
    return found if any(found.values()) else None


def _name(command: Command) -> str:
    return _clean(command.args.get("by"), MOST_NAME)


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 12 else None


def _clean(value: object, most: int) -> str:
    """One line of plain text that a chain can carry.

    Raises:
        Refused: it is longer than `most` characters.
    """
    text = "".join(c if c.isprintable() else " " for c in str(value or "")).strip()
    if len(text) > most:
        raise Refused(BAD_WISH, f"a text may have {most} characters; write it shorter")
    return text
