"""What a recording is begun with: never held up by a source that does not answer.

All sources are looked at together, for a moment only. One that has not answered by then is recorded as it was known
from an earlier look, or as the settings name it; its owner goes on looking while the others record.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive.domain.errors import BadInput, TyndauError
from archive.domain.media import Source
from config.clock import Clock
from config.settings import Settings
from recorder.address import Address, parse_address
from recorder.plan import plan_names
from recorder.program import ffmpeg_program
from recorder.source import Planned
from recorder.streams import Streams, describe, look

log = logging.getLogger(__name__)

KNOWN_S = 1.5  # so long a source that has answered before is waited for,
UNKNOWN_S = 4.0  # so long one that has not: what the record says of it would be a guess
WHOLE_S = 20.0  # files and test graphs always answer, and a look at a camera ends by itself
STEP_S = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be recorded, and what is wrong with a source, by its name."""

    planned: tuple[Planned, ...]
    troubles: Mapping[str, str]


class Readiness:
    """Plans the sources of the settings; remembers how each was described when it last answered."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._known: dict[str, Source] = {}

    def plan(self, *, whole: bool = False) -> Plan:
        """The sources in the order of the settings; with `whole` each is waited for until it answers or gives up.

        Raises:
            BadInput: a wrong address, a wrong name, or no source that can be recorded at all.
        """
        agent = self._settings.agent
        plan_names(agent.sources, agent.channels)
        looks = [_Look(parse_address(name, text), agent.channels.get(name, ())) for name, text in agent.sources.items()]
        program = ffmpeg_program(self._settings)
        for one in looks:
            one.start(program)
        begun_s = self._clock.monotonic_s()
        while any(
            one.busy() and self._clock.monotonic_s() - begun_s < self._patience_s(one.address, whole) for one in looks
        ):
            self._clock.sleep(STEP_S)
        planned = [self._planned(one) for one in looks]
        wrong = [one.wrong for one in looks if one.wrong is not None and one.streams is None]
        if wrong and len(wrong) == len(looks):
            raise wrong[0]
        return Plan(tuple(planned), {one.address.name: one.detail for one in looks if one.detail})

    def _patience_s(self, address: Address, whole: bool) -> float:
        if whole or not address.remote:
            return WHOLE_S
        return KNOWN_S if address.name in self._known else UNKNOWN_S

    def _planned(self, one: _Look) -> Planned:
        name = one.address.name
        if one.streams is not None and one.source is not None:
            self._known[name] = one.source
            if one.detail:
                log.warning("%s", one.detail)
            return Planned(one.address, one.source, one.streams)
        log.warning(
            "source %s does not answer yet, the others are recorded: %s", name, one.detail or "no answer so far"
        )
        return Planned(one.address, self._known.get(name) or describe(one.address, None, one.names), None)


class _Look:
    """One look at one source, in a thread that nobody has to wait for."""

    def __init__(self, address: Address, names: Sequence[str]) -> None:
        self.address, self.names = address, names
        self.streams: Streams | None = None
        self.source: Source | None = None
        self.wrong: BadInput | None = None
        self.detail = ""
        self._thread: threading.Thread | None = None

    def start(self, program: str) -> None:
        """Begin to look."""
        self._thread = threading.Thread(
            target=self._look, args=(program,), name=f"look-{self.address.name}", daemon=True
        )
        self._thread.start()

    def busy(self) -> bool:
        """Whether the source may still answer."""
        return self._thread is not None and self._thread.is_alive()

    def _look(self, program: str) -> None:
        try:
            streams = look(self.address, program, self.names)
            self.source = self._described(streams)
            self.streams = streams
        except BadInput as error:
            self.wrong, self.detail = error, str(error)
        except TyndauError as error:
            self.detail = str(error)

    def _described(self, streams: Streams) -> Source:
        """With the names of the settings; where they do not fit, as it is: what there is gets recorded."""
        try:
            return describe(self.address, streams, self.names)
        except BadInput as error:
            self.detail = str(error)
            return describe(self.address, streams, ())
