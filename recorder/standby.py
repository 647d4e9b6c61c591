"""Meters and pictures while nothing is recorded: one FFmpeg a source, nothing but taps, no file."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ffmpeg

from archive.domain.errors import TyndauError
from archive.domain.media import Source
from config.clock import Clock
from config.settings import Settings
from recorder import filters
from recorder.address import Address, parse_address
from recorder.alarms import AlarmBook
from recorder.command import Pipes
from recorder.exclusive import Exclusive
from recorder.inputs import Span, opened_input
from recorder.levels import Level
from recorder.monitor import SourceMonitor
from recorder.process import Process
from recorder.program import ffmpeg_program, fitting_program
from recorder.streams import describe, look

log = logging.getLogger(__name__)

SOURCE_DOWN = "REC-001"
BACK_OFF_S = (0.5, 2.0, 5.0, 15.0)
SILENT_S = 10.0  # nothing came for so long: begin anew
DOWN_S = 20.0  # so long without anything is told
GONE_S = 5.0
LOOK_S = 0.1


class Standby:
    """Listens to the sources of the settings between `start` and `stop`; both may be called by one thread at a time."""

    def __init__(self, settings: Settings, clock: Clock, alarms: AlarmBook) -> None:
        self._settings, self._clock, self._alarms = settings, clock, alarms
        self._listeners: list[_Listener] = []

    @property
    def monitors(self) -> Mapping[str, SourceMonitor]:
        """What is heard and seen now, by source; empty while it is stopped."""
        return {one.name: one.monitor for one in self._listeners}

    def levels(self) -> Mapping[str, Sequence[Level]]:
        """The levels of each source now."""
        return {one.name: one.monitor.levels() for one in self._listeners}

    def start(self) -> None:
        """Listen; returns at once. A source that does not answer is tried again until `stop`."""
        if self._listeners:
            return
        agent = self._settings.agent
        for name, text in agent.sources.items():
            try:
                address = parse_address(name, text)
                listener = _Listener(
                    address, agent.channels.get(name, ()), self._settings, self._clock, self._told_of(name)
                )
            except TyndauError as error:
                log.info("source %s is not listened to: %s", name, error)
                continue
            self._listeners.append(listener)
            listener.start()

    def stop(self) -> None:
        """Let go: when it returns, no FFmpeg of it lives and every device is free."""
        listeners, self._listeners = self._listeners, []
        for one in listeners:
            one.let_go()
        for one in listeners:
            one.gone.wait(GONE_S)
            self._alarms.set(False, SOURCE_DOWN, one.name)

    def _told_of(self, name: str) -> Callable[[bool, str], None]:
        return lambda on, detail: self._alarms.set(on, SOURCE_DOWN, name, detail=detail)


class _Listener:
    """Listens to one source until it is let go; its thread may outlast that while a camera does not answer."""

    def __init__(
        self,
        address: Address,
        channels: Sequence[str],
        settings: Settings,
        clock: Clock,
        tell: Callable[[bool, str], None],
    ) -> None:
        self._address, self._names, self._settings, self._clock = address, channels, settings, clock
        self._tell = tell
        self._ended = threading.Event()
        self._heard_s = clock.monotonic_s()
        self._detail = ""
        self.gone = threading.Event()  # no FFmpeg of it lives, and none will
        self.gone.set()
        self._lock = threading.Lock()
        self.monitor = SourceMonitor(describe(address, None, channels))
        self.name = address.name

    def start(self) -> None:
        """Begin, in a thread of its own: FFmpeg lives no longer than who started it."""
        threading.Thread(target=self._live, name=f"standby-{self.name}", daemon=True).start()

    def let_go(self) -> None:
        """Ask it to end; `gone` is set when the source is free."""
        with self._lock:
            self._ended.set()

    def _live(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                failures = 0 if self._listen() else failures + 1
            except (TyndauError, OSError) as error:
                self._detail, failures = str(error), failures + 1
            except Exception:
                log.exception("listening to %s failed and goes on", self.name)
                failures += 1
            self._complain()
            self._ended.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])

    def _listen(self) -> bool:
        """One FFmpeg, from its start to its end; whether anything came."""
        program = fitting_program(ffmpeg_program(self._settings), self._address)
        streams = look(self._address, program, self._names)
        source = describe(self._address, streams, self._names)
        if (source.channels, source.video) != (self.monitor.source.channels, self.monitor.source.video):
            self.monitor = SourceMonitor(source)
        with self._lock:
            if self._ended.is_set():
                return True
            self.gone.clear()
        try:
            with contextlib.closing(_Held(self._address)) as held:
                taps = self.monitor.begin(streams)

                def build(pipes: Pipes) -> list[str]:
                    return listen_command(program, self._address, source, pipes)

                return self._stay(Process(build, Path("/"), held.handle, self._clock, taps, held.more))
        finally:
            self.monitor.end()
            self.gone.set()

    def _stay(self, process: Process) -> bool:
        begun_s = self._clock.monotonic_s()
        while not process.exited():
            last_s = process.progress.changed_at_s
            if last_s is not None and last_s > self._heard_s:
                self._heard_s = last_s
                self._tell(False, "")
            silent_s = self._clock.monotonic_s() - max(self._heard_s, begun_s)
            if self._ended.is_set() or silent_s > SILENT_S:
                process.kill()
                self._clock.sleep(0.01)
            else:
                self._ended.wait(LOOK_S)
        self._detail = process.last_message()
        return process.progress.changed_at_s is not None

    def _complain(self) -> None:
        if not self._ended.is_set() and self._clock.monotonic_s() - self._heard_s > DOWN_S:
            self._tell(True, self._detail)


class _Held:
    """The source's lock on this machine; where there is none, a handle that means nothing."""

    def __init__(self, address: Address) -> None:
        self._exclusive = Exclusive.take(address)
        self.handle = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.more = self._exclusive.handles

    def close(self) -> None:
        os.close(self.handle)
        self._exclusive.give_back()


def listen_command(program: str, address: Address, source: Source, pipes: Pipes) -> list[str]:
    """FFmpeg's arguments for one input that is only looked at."""
    knock = opened_input(address, source, Span())
    outputs = filters.beside(ffmpeg.input(knock.url, **knock.options), pipes.taps)
    node = ffmpeg.merge_outputs(*outputs).global_args("-hide_banner", "-nostdin", "-loglevel", "warning")
    node = node.global_args("-progress", f"pipe:{pipes.progress}", "-stats_period", "0.5", "-nostats")
    arguments: list[str] = ffmpeg.compile(node, cmd=program)
    return arguments
