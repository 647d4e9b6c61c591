"""Background jobs: `transcribe.live` drafts while a recording runs, `transcribe.final` writes the machine's text.

Both may run twice and be killed anywhere (invariant 10). A live pass commits its utterances together with
the carry from which the next one goes on; whoever finds the carry moved throws its own work away. The final
text is put into the object store once, under a name of its own; rows are always made from what is stored there.
"""

from __future__ import annotations

import json
import threading
from functools import lru_cache

from archive.db import transcripts
from archive.db.transcripts import SoundSource
from archive.domain.errors import NotFound, StoreRefused
from archive.domain.transcript import Transcript, Utterance
from archive.domain.transcript_file import as_dict, from_dict
from archive.jobs.app import task
from archive.jobs.context import JobContext
from archive.storage.port import ObjectStore
from config.settings import Recogniser as Section
from transcribe.audio import SAMPLES_PER_MS
from transcribe.feed import SegmentFeed
from transcribe.pipeline import State, windows
from transcribe.recogniser import Recogniser, prepare

_LOADING = threading.Lock()


@task("transcribe.live", queue="asr")
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
    """Listen to all of a closed recording once more and put revision 0 in the draft's place."""
    with context.sessions() as session:
        if transcripts.has_final(session, recording):
            return
    key = transcripts.final_key(recording)
    transcript = _stored(context.derived, key)
    if transcript is None:
        made = whole_transcript(context, _expecting_names(context, recording), recording)
        transcript = _keep(context.derived, key, made)
    with context.sessions.begin() as session:
        transcripts.put_final(session, recording, transcript, key)


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
    with _LOADING:  # once per worker, however many of its threads want it
        return _loaded(context.settings.recogniser).expecting(names)


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
