"""The conversation with the centre: state out, commands in, answers out. An outage changes nothing in the courtroom."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from archive.domain.errors import Conflict, Denied, NotFound, TyndauError, Unavailable
from recorder.centre import Centre
from recorder.control import Answer, Control

log = logging.getLogger(__name__)

LIVE_S = 0.25
IDLE_S = 2.0


class Conversation:
    """`run` is a thread of its own."""

    def __init__(self, open_centre: Callable[[], Centre], control: Control) -> None:
        self._open_centre, self._control = open_centre, control
        self._answers: queue.Queue[Answer] = queue.Queue()

    def quiet(self) -> bool:
        """Whether every answer has been given."""
        return self._answers.empty()

    def run(self, ended: threading.Event) -> None:
        """Until `ended`."""
        centre = self._open_centre()
        seen: set[str] = set()
        while not ended.is_set():
            try:
                self._answer(centre)
                for command in centre.state(self._control.state()):
                    if command.id not in seen:
                        seen.add(command.id)
                        self._control.ask(command, self._answers.put)
            except Exception as error:  # an agent that no longer listens could not even be stopped
                if not isinstance(error, TyndauError):
                    log.exception("the conversation with the centre failed and goes on")
                ended.wait(IDLE_S)
                continue
            ended.wait(IDLE_S / 2 if self._control.idle() and self.quiet() else LIVE_S)
        centre.close()

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
