"""From what the catalogue holds to what a person is shown; what is hidden is left out here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from api import schemas as s
from archive.db import recordings as rec
from archive.db import requests as req
from archive.db.alarms import Alarm
from archive.db.assignment import Unassigned
from archive.db.exports import Export as Made
from archive.db.hearings import Hearing, Names
from archive.db.marks import Told
from archive.db.people import Person
from archive.db.rooms import Order, Room
from archive.db.transcript_parts import Progress as TextProgress
from archive.domain.access import COURT_TABLE, Action, CourtAction
from archive.domain.errors import NotFound
from archive.domain.exports import State as ExportState
from archive.domain.marks import Mark, Sound
from archive.domain.revision_file import STATE_AFTER, Deed, Revision
from archive.domain.revisions import Difference
from archive.domain.speakers import Speakers
from archive.domain.terms import role_term
from archive.domain.transcript import Utterance
from archive.domain.wall import iso
from archive.publish.live import MASTER
from archive.publish.live_copy import MIX
from archive.search.find import Answer, Found
from config.codes import CODES

DEEDS = (
    Action.VIEW,
    Action.READ,
    Action.START,
    Action.STOP,
    Action.PAUSE,
    Action.MARK,
    Action.BUNDLE,
    Action.SEAL,
    Action.UNSEAL,
    Action.ASK,
    Action.REQUESTS,
    Action.GRANT,
    Action.EMERGENCY,
    Action.CONFIRM,
    Action.SUMMONED,
    Action.SUMMON,
)
RUNNING = ("recording", "paused", "closing")


def court(names: Names) -> s.Court:
    return s.Court(id=names.id, name_kk=names.kk, name_ru=names.ru, name_en=names.en)


def courtroom(names: Names) -> s.Courtroom:
    return s.Courtroom(id=names.id, code=names.code, name_kk=names.kk, name_ru=names.ru, name_en=names.en)


def role(code: str) -> dict[str, str]:
    """The three members that name a role."""
    term = role_term(code)
    return {"role_kk": term.kk, "role_ru": term.ru, "role_en": term.en}


def hearing(person: Person, one: Hearing) -> s.Hearing:
    """The hearing as `person` may see it; that it may be listed is decided before."""
    details = one.standing.decide(person, Action.DETAILS).allowed
    people = one.participants if details else ()
    may = [deed.value for deed in DEEDS if one.standing.decide(person, deed).allowed]
    return s.Hearing.model_validate(
        {
            "id": one.id,
            "case": s.Case(
                id=one.case_id,
                number=one.case_number,
                kind=one.case_kind,
                title=one.case_title if details else "",
            ),
            "court": court(one.court),
            "courtroom": courtroom(one.courtroom),
            "scheduled_utc": iso(one.scheduled_utc),
            "class": one.standing.access_class.value,
            "state": one.state.value,
            "judge": next((p.name for p in people if p.role == "judge"), None),
            "participants": [s.Participant(name=p.name, role=p.role, channel=p.channel) for p in people],
            "recordings": [
                s.RecordingSummary(
                    id=r.id,
                    state=r.state.value,
                    started_utc=iso(r.started_utc),
                    duration_ms=r.duration_ms,
                    continues=r.continues,
                )
                for r in one.recordings
            ],
            "may": may,
        }
    )


def recording(
    person: Person,
    one: rec.Recording,
    of: Hearing,
    spoken: Speakers,
    text: rec.Text,
    written: TextProgress | None = None,
) -> s.Recording:
    """The recording as `person` may see it. `spoken`: who speaks where; `written`: how far its text is."""
    allowed = {a: of.standing.decide(person, a).allowed for a in (Action.VIEW, Action.DETAILS)}
    return s.Recording(
        id=one.id,
        hearing=hearing(person, of),
        state=one.progress.state.value,
        started_utc=iso(one.started_utc),
        ended_utc=_iso(one.ended_utc),
        duration_ms=one.duration_ms,
        live=one.progress.state.value == "open",
        sources=[_source(source, spoken) for source in one.sources],
        segments=one.progress.segments,
        gaps=gaps(one.progress.gaps),
        pauses=[s.Pause(start_ms=p.start_ms, end_ms=p.end_ms, reason=p.reason) for p in one.pauses],
        events=[s.Event(at_ms=n.at_ms, code=n.code, text=n.text) for n in one.notes] if allowed[Action.DETAILS] else [],
        media=media(one.id, one.copy) if one.copy and allowed[Action.VIEW] else None,
        live_media=live_media(one) if allowed[Action.VIEW] else None,
        withheld=withheld(one.unseen),
        transcript=s.TranscriptStanding(state=text.state.value, revision=_revision(text), progress=_written(written)),
        verified=_verified(one),
    )


def withheld(hidden: Iterable[Mark]) -> list[s.Withheld]:
    """What of a recording is concealed from the person, without the grounds."""
    return [s.Withheld.model_validate(_span(one)) for one in hidden]


def export(one: Made, fits: bool) -> s.Export:
    is_ready = one.state is ExportState.READY and fits
    return s.Export(
        id=one.id,
        kind=one.order.kind.value,
        language=one.order.language,
        camera=one.order.camera,
        state=one.state.value,
        outdated=not fits,
        progress=one.permille / 1000,
        size=one.size if is_ready else None,
        sha256=one.sha256 if is_ready else None,
        file=f"/api/v1/recordings/{one.order.recording}/exports/{one.id}/file" if is_ready else None,
        requested_utc=iso(one.requested_utc),
        expires_utc=iso(one.expires_utc),
    )


def mark(one: Told) -> s.Mark:
    return s.Mark.model_validate(
        {
            **_span(one.mark),
            "id": one.mark.id,
            "ground": one.ground,
            "by": one.by,
            "role": one.role,
            "created_utc": iso(one.created_utc),
            "lifted_utc": _iso(one.lifted_utc),
            "lifted_by": one.lifted_by,
            "lift_ground": one.lift_ground,
        }
    )


def _span(one: Mark) -> dict[str, Any]:
    return {
        "start_ms": one.start_ms,
        "end_ms": one.end_ms,
        "class": one.access_class.value,
        "picture": one.picture.value,
        "sound": one.sound.value,
    }


def unassigned(one: Unassigned) -> s.Unassigned:
    return s.Unassigned(
        id=one.id,
        state=one.state.value,
        started_utc=iso(one.started_utc),
        duration_ms=one.duration_ms,
        continues=one.continues,
        courtroom=courtroom(one.courtroom),
        case_number=one.case_number,
        title=one.title,
    )


def _iso(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def _revision(text: rec.Text) -> str | None:
    return None if text.revision is None else str(text.revision)


def _written(one: TextProgress | None) -> s.TextProgress | None:
    return s.TextProgress(done_ms=one.done_ms, total_ms=one.total_ms, left_s=one.left_s) if one else None


def _verified(one: rec.Recording) -> s.Verified:
    state = {None: "pending", True: "ok", False: "failed"}[one.verified_ok]
    return s.Verified.model_validate({"state": state, "at_utc": _iso(one.verified_utc)})


def _source(one: rec.Source, spoken: Speakers) -> s.Source:
    channels = [s.Channel(name=name, **role(spoken.role(name))) for name in one.channels]
    return s.Source.model_validate({"name": one.name, "kind": one.kind, "channels": channels})


def gaps(found: Iterable[rec.Gap]) -> list[s.Gap]:
    """Gaps on the recording's time line; one that began in the recording before this one is shown from zero."""
    return [
        s.Gap(source=g.source, start_ms=max(0, g.start_ms), end_ms=g.end_ms, cause=g.cause)
        for g in found
        if g.end_ms > 0
    ]


def media(recording_id: str, copy: rec.Copy) -> s.Media | None:
    """Addresses of the published files; they carry the version, so a player keeps the one it began with."""
    contents = copy.contents
    if not contents.get("master"):
        return None

    def url(path: str | None) -> str | None:
        return f"/api/v1/recordings/{recording_id}/media/v{copy.version}/{path}" if path else None

    subtitles = (contents.get("text") or {}).get("subtitles", [])
    audio = [{**a, "playlist": url(a["playlist"]), "peaks": url(a.get("peaks"))} for a in contents.get("audio", [])]
    return s.Media.model_validate(
        {
            "master": url(contents["master"]),
            "video": [{**v, "thumbnails": url(v.get("thumbnails"))} for v in contents.get("video", [])],
            "audio": [{"channel": None, **a} for a in audio],
            "poster": url(contents.get("poster")),
            "thumbnails": url(contents.get("thumbnails")),
            "subtitles": [{**each, "file": url(each["file"])} for each in subtitles],
        }
    )


def live_media(one: rec.Recording) -> s.Media | None:
    """Addresses of the live copy, which is there as long as access copies are not; None before the first segment."""
    if one.copy or not one.progress.segments:
        return None
    base = f"/api/v1/recordings/{one.id}/live"
    microphones = [(source.name, channel) for source in one.sources for channel in source.channels]
    sounds = [s.Audio(id=MIX, source="", channel=None, playlist=f"{base}/{MIX}.m3u8", peaks=None)]
    for source, channel in microphones:
        playlist = f"{base}/{source}/{channel}.m3u8"
        sounds.append(s.Audio(id=f"{source}/{channel}", source=source, channel=channel, playlist=playlist, peaks=None))
    return s.Media(
        master=f"{base}/{MASTER}",
        video=[s.Video(source=c.name, name=c.name, thumbnails=None) for c in one.sources if c.kind == "camera"],
        audio=sounds if microphones else [],
        poster=None,
        thumbnails=None,
        subtitles=[],
    )


def progress(one: rec.Progress) -> s.Progress:
    return s.Progress(state=one.state.value, segments=one.segments, gaps=gaps(one.gaps), media_ready=one.media_ready)


_WORD = tuple(s.Word.model_fields)


def utterance(one: rec.Said, spoken: Speakers) -> s.Utterance:
    words = [dict(zip(_WORD, word, strict=True)) for word in one.words]
    return s.Utterance.model_validate(
        {
            "id": str(one.id),
            "seq": one.seq,
            "since": one.since,
            "confirmed": one.confirmed,
            "start_ms": one.start_ms,
            "end_ms": one.end_ms,
            "channel": one.channel,
            **role(spoken.role(one.channel, one.start_ms)),
            "language": one.language,
            "text": one.text,
            "words": words,
            "flags": one.flags,
            "language_confidence": one.language_confidence,
        }
    )


def transcript(
    recording_id: str,
    text: rec.Text,
    said: Iterable[rec.Said],
    spoken: Speakers,
    seals: Iterable[Revision] = (),
    unread: Iterable[Mark] = (),
    more: str | None = None,
) -> s.Transcript:
    sealed = {one.deed: _seal(one) for one in seals}
    return s.Transcript(
        recording=recording_id,
        state=text.state.value,
        revision=_revision(text),
        certified=sealed.get(Deed.CERTIFY),
        signed=sealed.get(Deed.SIGN),
        utterances=[utterance(one, spoken) for one in said],
        withheld=withheld(mark for mark in unread if mark.sound is Sound.SILENT),
        next=more,
    )


def _seal(one: Revision) -> s.Seal:
    return s.Seal(name=one.by.name, at_utc=iso(one.at), text_sha256=one.text_sha256 or "")


def revision(one: Revision) -> s.Revision:
    return s.Revision(
        revision=one.number,
        deed=one.deed.value,
        name=one.by.name,
        role=one.by.role,
        at_utc=iso(one.at),
        lines=len({*one.effect.replaced, *(seq for seq, _ in one.effect.lines)}),
        confirmed=len(one.effect.confirmed),
        text_sha256=one.text_sha256,
        ground=one.ground,
    )


def revision_made(one: Revision, said: Sequence[rec.Said], spoken: Speakers) -> s.RevisionMade:
    """`said` are the lines that it touched, as they stand in it."""
    return s.RevisionMade(
        revision=one.number,
        state="draft" if one.number < rec.FIRST_FINAL else STATE_AFTER[one.deed].value,
        text_sha256=one.text_sha256,
        lines=[utterance(line, spoken) for line in said],
        removed=sorted(set(one.effect.replaced) - {line.seq for line in said}),
    )


def difference(one: Difference) -> s.Difference:
    return s.Difference(
        seq=one.seq,
        before=_beside(one.before),
        after=_beside(one.after),
        words=[s.Run.model_validate({"kind": kind, "text": text}) for kind, text in one.words],
    )


def _beside(one: Utterance | None) -> s.LineBeside | None:
    if one is None:
        return None
    return s.LineBeside(
        start_ms=one.start_ms, end_ms=one.end_ms, channel=one.channel, language=one.language.value, text=one.text
    )


def answer(found: Answer, cursor: str | None) -> s.SearchAnswer:
    terms = [s.QueryTerm(term=term.typed, forms=list(term.forms)) for term in found.query.terms]
    phrases = [s.QueryTerm(term=" ".join(phrase), forms=[" ".join(phrase)]) for phrase in found.query.phrases]
    return s.SearchAnswer(
        query=s.QueryShown(terms=terms + phrases),
        total=found.total,
        items=[_hit(one) for one in found.found],
        next=cursor,
    )


def _hit(one: Found) -> s.SearchHit:
    hit = one.hit
    return s.SearchHit.model_validate(
        {
            "utterance": str(hit.utterance),
            "recording": hit.recording,
            "hearing": hit.hearing,
            "case_number": hit.case_number,
            "case_title": hit.case_title,
            "courtroom": courtroom(hit.courtroom),
            "scheduled_utc": iso(hit.scheduled_utc),
            "start_ms": hit.start_ms,
            "end_ms": hit.end_ms,
            "word_start_ms": one.word_start_ms,
            "channel": hit.channel,
            **role(hit.role),
            "language": hit.language,
            "text": hit.text,
            "highlights": list(one.highlights),
            "draft": hit.draft,
        }
    )


def agent_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """An agent's state with each alarm's text in three languages."""
    return {**state, "alarms": [_alarm(alarm) for alarm in state.get("alarms", [])]}


def _alarm(alarm: Mapping[str, Any]) -> dict[str, Any]:
    code = CODES.get(str(alarm.get("code")))
    texts = {"text_kk": code.kk, "text_ru": code.ru, "text_en": code.en} if code else {}
    return {**alarm, **texts}


def alarm(one: Alarm) -> s.Alarm:
    """An alarm with its text."""
    code, told = CODES.get(one.told.code), one.told
    return s.Alarm(
        code=told.code,
        origin="agent" if one.origin == "agent" else "centre",
        text_kk=code.kk if code else None,
        text_ru=code.ru if code else None,
        text_en=code.en if code else None,
        since_utc=iso(one.raised_utc),
        cleared_utc=_iso(one.cleared_utc),
        source=told.source or None,
        channel=told.channel or None,
        detail=told.detail,
        recording=told.recording,
        times=one.times,
    )


def alarms(found: Iterable[Alarm], listed: Container[UUID], recordings: Container[str]) -> list[s.Alarm]:
    """The alarms without a trace of hearings that are not `listed`; `recordings` are those that may be named."""
    shown = [alarm(one) for one in found if one.told.hearing is None or one.told.hearing in listed]
    return [one if one.recording in recordings else one.model_copy(update={"recording": None}) for one in shown]


def noticed(one: Alarm) -> dict[str, Any]:
    """What the centre noticed, as one of the alarms of an agent's state."""
    return alarm(one).model_dump(exclude={"cleared_utc", "recording", "times"})


def room(person: Person, one: Room, of: Hearing | None, online: bool, found: Iterable[Alarm] = ()) -> s.Room:
    """A room as `person` may see it; a hearing that may not be listed leaves no trace in it."""
    is_free = one.without_hearing and person.role in COURT_TABLE[CourtAction.COMMAND]  # whoever may stop it may see it
    listed = of is not None and of.standing.decide(person, Action.LIST).allowed
    state = agent_state(one.state) if one.state is not None else None
    running = one.recording is not None
    if state is not None and running and not is_free:
        if not (of and of.standing.decide(person, Action.LEVELS).allowed):
            state = {**state, "levels": []}
        if not listed:
            state = {**state, **dict.fromkeys(("recording", "hearing", "adhoc", "events", "handover") & state.keys())}
    return s.Room(
        courtroom=courtroom(one.courtroom),
        agent=s.RoomAgent(online=online, seen_utc=_iso(one.seen_utc)),
        state=state,
        hearing=hearing(person, of) if of is not None and listed else None,
        recording=one.recording if listed or is_free else None,
        alarms=alarms(
            found,
            {of.id} if of is not None and listed else set(),
            {one.recording} if one.recording and (listed or is_free) else set(),
        ),
    )


def command_state(found: Order | None) -> s.CommandState:
    """How far an order has come.

    Raises:
        NotFound: there is no such order.
    """
    if found is None:
        raise NotFound("there is no such command; check the address")
    state = "waiting" if not found.done else "done" if found.ok else "failed"
    return s.CommandState.model_validate({"id": found.id, "state": state, "detail": found.detail})


def uuid_of(value: object) -> UUID | None:
    """The UUID of a text, if it is one."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def request(person: Person, one: req.Request) -> s.Request:
    """A request as its asker, or whoever sees those of its hearing, may see it."""
    return s.Request(
        id=one.id,
        hearing=one.hearing,
        case_number=one.case_number,
        case_title=one.case_title,
        scheduled_utc=iso(one.scheduled_utc),
        mine=one.username == person.username,
        name=one.name,
        username=one.username,
        wants=one.wants.value,
        reason=one.reason,
        state=one.state.value,
        created_utc=iso(one.created_utc),
        decided_utc=iso(one.decided_utc) if one.decided_utc else None,
        decided_by=one.decided_by,
        ground=one.ground,
        grant=grant(one.grant) if one.grant else None,
    )


def grant(one: req.Grant) -> s.Grant:
    """A grant."""
    return s.Grant.model_validate(
        {
            "id": one.id,
            "name": one.name,
            "username": one.username,
            "actions": sorted(one.actions),
            "ground": one.ground,
            "by": one.by,
            "created_utc": iso(one.created_utc),
            "until_utc": iso(one.until_utc),
            "revoked_utc": iso(one.revoked_utc) if one.revoked_utc else None,
            "revoked_ground": one.revoked_ground,
            "holds": one.holds,
        }
    )
