"""Background jobs: `transcribe.live` drafts while a recording runs, `transcribe.final` writes the machine's text,
`transcribe.part` a part of it.

All may run twice and be killed anywhere (invariant 10). A live pass commits its utterances together with
the carry from which the next one goes on; whoever finds the carry moved throws its own work away. The final
text is put into the object store once, under a name of its own; rows are always made from what is stored there.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache

from archive.db import glossary, transcripts
from archive.db import transcript_parts as parts
from archive.db.transcript_parts import Part
from archive.db.transcripts import SoundSegment, SoundSource
from archive.domain.errors import NotFound, StoreRefused
from archive.domain.transcript import Transcript, Utterance
from archive.domain.transcript_file import as_dict, from_dict, read_utterance, utterance_as_dict
from archive.jobs.app import task
from archive.jobs.beside import records_here
from archive.jobs.context import JobContext
from archive.revising import finish
from archive.storage.port import ObjectStore
from config.settings import Recogniser as Section
from transcribe.audio import SAMPLES_PER_MS
from transcribe.feed import SegmentFeed
from transcribe.parts import Stretch, stretches
from transcribe.pipeline import State, Until, windows
from transcribe.recogniser import Recogniser, prepare

_LOADING = threading.Lock()
_LATER = timedelta(seconds=30)
_NOT_WORTH_DIVIDING = 1.5  # times the length of a part


@task("transcribe.live", queue="live")
def live(context: JobContext, *, recording: str) -> None:
    """Draft what has arrived of `recording` since the last pass."""
    with context.sessions() as session:
        sources = transcripts.sound_sources(session, recording)
        final = transcripts.has_final(session, recording)
    if final:
        return
    recogniser = _expecting_names(context, recording)
    for source in sources:
        draft_source(context, recogniser, recording, source)


@task("transcribe.final", queue="asr")
def final(context: JobContext, *, recording: str) -> None:
    """Listen to all of a closed recording once more and put revision 0 in the draft's place.

    A long one is divided, and this ends; the last part to be done queues it again.
    """
    with context.sessions() as session:
        if transcripts.has_final(session, recording):
            return
    if _stands_back(context):
        with context.sessions.begin() as session:
            transcripts.queue_final(session, recording, _LATER)
        return
    key = transcripts.final_key(recording)
    transcript = _stored(context.derived, key)
    if transcript is None:
        made = _divided(context, recording)
        if made is None:
            return
        transcript = _keep(context.derived, key, made)
    with context.sessions.begin() as session:
        finish(session, recording, transcript, key, context.clock.utc())
        parts.forget(session, recording)


@task("transcribe.part", queue="asr")
def part(context: JobContext, *, recording: str, source: str, number: int) -> None:
    """Listen to one part of a long recording."""
    with context.sessions() as session:
        wanted = parts.part(session, recording, source, number)
        if wanted is None or wanted.said is not None:
            return
        channels = next(one.channels for one in transcripts.sound_sources(session, recording) if one.name == source)
    if _stands_back(context):
        with context.sessions.begin() as session:
            parts.queue(session, recording, wanted, _LATER)
        return
    began = time.monotonic()
    recogniser = _expecting_names(context, recording)
    listener = recogniser.listener(channels, State.from_json(wanted.state, recogniser.options.bias))
    until = Until.from_json(wanted.until) if wanted.until else None
    start, end = listener.state.cut.audible_from, until.heard_to if until else None
    with context.sessions() as session:
        to_ms = -(-end // SAMPLES_PER_MS) if end else wanted.end_ms + 1
        found = transcripts.segments(session, recording, source, start // SAMPLES_PER_MS, to_ms)
    feed = SegmentFeed(context.evidence, found, channels, start, end)
    said = [utterance_as_dict(one) for one in listener.listen(feed, until=until)]
    with context.sessions.begin() as session:
        parts.done(session, recording, wanted, said, recogniser.engine.name, time.monotonic() - began)


def _stands_back(context: JobContext) -> bool:
    """Whether what nobody waits for has to wait: the agent of this machine records."""
    return context.settings.recogniser.pause_while_recording and records_here(context.settings)


def _divided(context: JobContext, recording: str) -> Transcript | None:
    """The text of a recording; of a long one only when all its parts are done, else they are queued."""
    with context.sessions() as session:
        planned = parts.parts(session, recording)
        length_ms = transcripts.sound_ms(session, recording)
    if not planned:
        recogniser = _expecting_names(context, recording)
        longest_s = context.settings.recogniser.part_minutes * 60
        if length_ms <= longest_s * 1000 * _NOT_WORTH_DIVIDING:
            return whole_transcript(context, recogniser, recording)
        planned = _planned(context, recogniser, recording, longest_s)
    if all(one.said is not None for one in planned):
        return _put_together(planned)
    with context.sessions.begin() as session:
        parts.plan(session, recording, planned)
    return None


def _planned(context: JobContext, recogniser: Recogniser, recording: str, longest_s: int) -> list[Part]:
    with context.sessions() as session:
        sources = transcripts.sound_sources(session, recording)
        found = {source: transcripts.segments(session, recording, source.name) for source in sources}
    return [
        Part(
            source=source.name,
            number=number,
            start_ms=one.start_ms,
            end_ms=one.end_ms,
            state=one.begins.to_json(),
            until=one.until.to_json() if one.until else None,
        )
        for source, segments in found.items()
        for number, one in enumerate(_stretches(context, recogniser, source, segments, longest_s))
    ]


def _stretches(
    context: JobContext, recogniser: Recogniser, source: SoundSource, segments: Sequence[SoundSegment], longest_s: int
) -> Iterator[Stretch]:
    def sound(start: int, end: int) -> SegmentFeed:
        there = [one for one in segments if one.end_ms * SAMPLES_PER_MS > start and one.start_ms * SAMPLES_PER_MS < end]
        return SegmentFeed(context.evidence, there, source.channels, start, end)

    end = max((one.end_ms for one in segments), default=0) * SAMPLES_PER_MS
    return stretches(sound, end, recogniser.listener(source.channels), longest_s)


def _put_together(done: Sequence[Part]) -> Transcript:
    said = [read_utterance(one) for each in done for one in each.said or ()]
    said.sort(key=lambda one: (one.start_ms, one.end_ms, one.channel))
    engines = {one.engine for one in done}
    return Transcript(max(one.end_ms for one in done), tuple(said), ", ".join(sorted(filter(None, engines))))


def draft_source(context: JobContext, recogniser: Recogniser, recording: str, source: SoundSource) -> None:
    """Append to the draft what a source's new segments hold, up to the last safe cut."""
    with context.sessions() as session:
        before = transcripts.draft(session, recording).carry.get(source.name)
        state = State.from_json(before, recogniser.options.bias) if before else None
        listener = recogniser.listener(source.channels, state)
        start = listener.state.cut.audible_from
        found = transcripts.segments(session, recording, source.name, start // SAMPLES_PER_MS)
        ready = transcripts.settled(session, recording, found)
    feed = SegmentFeed(context.evidence, ready, source.channels, start)
    for window, last in windows(feed, lambda: listener.state.cut.audible_from, ends=False):
        said = listener.hear(window, last=last)
        after = listener.state.to_json()
        if after == before:
            continue
        with context.sessions.begin() as session:
            if not transcripts.add_to_draft(
                session, recording, source.name, before, after, recogniser.engine.name, said
            ):
                return
        before = after


def whole_transcript(context: JobContext, recogniser: Recogniser, recording: str) -> Transcript:
    """The text of all sources of a recording, in the order in which it was said."""
    said: list[Utterance] = []
    end = 0
    with context.sessions() as session:
        sources = transcripts.sound_sources(session, recording)
        found = {source: transcripts.segments(session, recording, source.name) for source in sources}
    for source, segments in found.items():
        listener = recogniser.listener(source.channels)
        said.extend(listener.listen(SegmentFeed(context.evidence, segments, source.channels)))
        end = max(end, listener.state.cut.at)
    said.sort(key=lambda one: (one.start_ms, one.end_ms, one.channel))
    return Transcript(end // SAMPLES_PER_MS, tuple(said), recogniser.engine.name)


def _expecting_names(context: JobContext, recording: str) -> Recogniser:
    with context.sessions() as session:
        names = transcripts.participant_names(session, recording)
        own = glossary.of_recording(session, recording)
    with _LOADING:  # once per worker, however many of its threads want it
        return _loaded(context.settings.recogniser).expecting(names, own)


@lru_cache(maxsize=1)
def _loaded(section: Section) -> Recogniser:
    return prepare(section)


def _stored(store: ObjectStore, key: str) -> Transcript | None:
    try:
        with store.open_range(key) as body:
            return from_dict(json.load(body))
    except NotFound:
        return None


def _keep(store: ObjectStore, key: str, made: Transcript) -> Transcript:
    """Store the text and return what is stored: another worker's, if that was first."""
    body = json.dumps(as_dict(made), ensure_ascii=False, separators=(",", ":")).encode()
    try:
        store.put(key, body, content_type="application/json")
    except StoreRefused:
        stored = _stored(store, key)
        if stored is None:
            raise
        return stored
    return made
