"""What the console needs of the courtroom. `recorder.control.Control` is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from recorder.centre import Command
from recorder.control import Answer


class Room(Protocol):
    """The controls of one courtroom. Its methods may be called by several threads at once."""

    def state(self) -> Mapping[str, Any]:
        """How the courtroom is, as the centre is told it. Returns at once; asked several times a second."""
        ...

    def ask(self, command: Command) -> Answer:
        """Have `command` done and wait for what became of it."""
        ...

    def preview(self, source: str) -> bytes | None:
        """The newest picture of a camera as JPEG; None while there is none, or no such camera."""
        ...

    def schedule(self) -> Mapping[str, Any]:
        """The hearings of this courtroom as the centre last gave them: {"generated_utc", "hearings": […]}."""
        ...

    def event_codes(self) -> Sequence[Mapping[str, str]]:
        """The events that may be noted: {"code", "kk", "ru", "en"}, in the order of a list."""
        ...
