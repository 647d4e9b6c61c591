"""Work on a text: people correct and confirm lines, the secretary certifies all of them, the judge signs.

Everything is a new revision; what was there before stays readable. The same transaction queues its document for the
evidence bucket, so that a catalogue which is lost gets the people's work back too. That somebody may do it is decided
before (api).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from archive.db import audit, revisions, webhooks
from archive.db import recordings as rows
from archive.db.people import Person, credentials
from archive.db.revisions import Head
from archive.db.session import notify
from archive.db.transcripts import DRAFT, lock, next_seq, put_final, rewrite_draft, sound_sources
from archive.domain.errors import Conflict
from archive.domain.keeping import checked_ground
from archive.domain.marks import Mark
from archive.domain.revision_file import Author, Deed, Revision, text_sha256
from archive.domain.revisions import Change, SetLanguage, SetText, carried, changed
from archive.domain.transcript import Transcript, TranscriptState
from archive.domain.webhooks import EventKind

_TOLD = {Deed.CERTIFY: EventKind.TEXT_CERTIFIED, Deed.SIGN: EventKind.TEXT_SIGNED}


@dataclass(frozen=True, slots=True)
class Act:
    """Who works on which text, and when. An act whose `request` was done before is what it was then."""

    recording: str
    by: Person
    at: datetime
    request: str
    audited: audit.Entry


def save(session: Session, act: Act, changes: Sequence[Change], hidden: Sequence[Mark]) -> Revision:
    """Save changes as a new revision. `hidden` silences what they may not touch: who sends them may not read it.

    Raises:
        Stale: others have changed such a line meanwhile.
        Conflict: there is no finished text, or the judge has signed it.
        BadInput: a change that cannot be made.
    """
    done = _done(session, act)
    if done:
        return done
    if rows.newest_text(session, act.recording, drafts=True).state is TranscriptState.DRAFT:
        return _correct_draft(session, act, changes, hidden)
    head = _unsigned(session, act.recording)
    seen = revisions.lines(session, act.recording, head.number, hidden)
    channels = {name for source in sound_sources(session, act.recording) for name in source.channels}
    length_ms = rows.length_ms(session, act.recording) or 0
    effect = changed(seen, changes, channels, next_seq(session, act.recording), length_ms)
    made = replace(_next(session, act, head, Deed.EDIT), effect=effect)
    told = {"lines": len({*effect.replaced, *(seq for seq, _ in effect.lines)}), "confirmed": len(effect.confirmed)}
    return _keep(session, act, made, told)


def _correct_draft(session: Session, act: Act, changes: Sequence[Change], hidden: Sequence[Mark]) -> Revision:
    """Words and languages of drafted lines, while the hearing runs; the final text takes them over (`finish`)."""
    if not all(isinstance(one, SetText | SetLanguage) for one in changes):
        raise Conflict("in a draft words and languages can be corrected; wait for the final text to do more")
    effect = changed(revisions.lines(session, act.recording, DRAFT, hidden), changes, (), 0, 0)
    for seq, said in effect.lines:
        rewrite_draft(session, act.recording, seq, said, act.by.username)
    audit.write(session, replace(act.audited, data={**act.audited.data, "revision": DRAFT, "lines": len(effect.lines)}))
    return Revision(DRAFT, "", Deed.EDIT, _author(act.by), act.at, act.request, effect)


def finish(session: Session, recording: str, transcript: Transcript, key: str, now: datetime) -> bool:
    """Put the machine's final text in the draft's place; False when it was there already.

    What people corrected in the draft stays: it becomes a revision of each of them on top of the machine's text.
    """
    lock(session, recording)
    kept = revisions.corrected(session, recording)
    if not put_final(session, recording, transcript, key):
        return False
    for username, said in kept.items():
        known = credentials(session, username)
        by = _author(known.person) if known else Author(username, username, "")
        head = revisions.head(session, recording)
        effect = carried(revisions.lines(session, recording, head.number), said, next_seq(session, recording))
        previous = revisions.last_sha256(session, recording, head.number)
        made = Revision(head.number + 1, previous, Deed.EDIT, by, now, f"draft of {username}", effect)
        revisions.add(session, recording, made)
        revisions.queue_storing(session, recording)
    return True


def certify(session: Session, act: Act, number: int, hidden: Sequence[Mark]) -> Revision:
    """Certify the newest revision, `number`: every line is confirmed.

    Raises:
        Conflict: it is certified, or not the newest; a line is not confirmed; a part is not open to who certifies.
    """
    done = _done(session, act)
    if done:
        return done
    head = _unsigned(session, act.recording)
    if head.state is TranscriptState.CERTIFIED:
        raise Conflict("this text is certified already")
    _check_newest(head, number)
    if hidden:
        raise Conflict("a part of this recording is not open to you; only who may read all of a text certifies it")
    left = revisions.unconfirmed(session, act.recording, number)
    if left:
        raise Conflict(f"lines that nobody has confirmed: {left}; listen to them and confirm them")
    made = replace(_next(session, act, head, Deed.CERTIFY), text_sha256=_digest(session, act.recording, number))
    return _keep(session, act, made, {"text_sha256": made.text_sha256})


def sign(session: Session, act: Act, number: int, digest: str) -> Revision:
    """Sign the certified revision `number`, whose text has the SHA-256 `digest`.

    Raises:
        Conflict: it is not certified, not the newest, or another text.
    """
    done = _done(session, act)
    if done:
        return done
    head = revisions.head(session, act.recording)
    if head.state is not TranscriptState.CERTIFIED:
        raise Conflict("only what the secretary has certified can be signed, and only once")
    _check_newest(head, number)
    if digest != _digest(session, act.recording, number):
        raise Conflict("the text is not the one that you have read; load it again")
    made = replace(_next(session, act, head, Deed.SIGN), text_sha256=digest)
    return _keep(session, act, made, {"text_sha256": digest})


def give_back(session: Session, act: Act, ground: str) -> Revision:
    """Let a certified or signed text be changed again.

    Raises:
        Conflict: it is neither.
        BadInput: no ground.
    """
    done = _done(session, act)
    if done:
        return done
    ground = checked_ground(ground)
    head = revisions.head(session, act.recording)
    if head.state not in {TranscriptState.CERTIFIED, TranscriptState.SIGNED}:
        raise Conflict("this text is neither certified nor signed; it can be changed as it is")
    return _keep(session, act, replace(_next(session, act, head, Deed.GIVE_BACK), ground=ground), {"ground": ground})


def _done(session: Session, act: Act) -> Revision | None:
    """What the same request did before. From here on nobody else works on the text until the transaction ends."""
    lock(session, act.recording)
    return revisions.by_request(session, act.recording, act.request)


def _unsigned(session: Session, recording: str) -> Head:
    head = revisions.head(session, recording)
    if head.state is TranscriptState.SIGNED:
        raise Conflict("the judge has signed this text; it is changed only when the judge gives it back")
    return head


def _check_newest(head: Head, number: int) -> None:
    if head.number != number:
        raise Conflict(f"revision {number} is not the newest any more; load the text again")


def _digest(session: Session, recording: str, number: int) -> str:
    return text_sha256(line.said for line in revisions.lines(session, recording, number).values())


def _next(session: Session, act: Act, head: Head, deed: Deed) -> Revision:
    previous = revisions.last_sha256(session, act.recording, head.number)
    return Revision(head.number + 1, previous, deed, _author(act.by), act.at, act.request)


def _author(by: Person) -> Author:
    return Author(by.username, by.display_name, by.role.value)


def _keep(session: Session, act: Act, made: Revision, told: Mapping[str, object]) -> Revision:
    revisions.add(session, act.recording, made)
    revisions.queue_storing(session, act.recording)
    revisions.queue_subtitles(session, act.recording)
    data = {**act.audited.data, "revision": made.number, "deed": made.deed.value, **told}
    audit.write(session, replace(act.audited, data=data))
    notify(session, "tyndau_recording", act.recording)
    if made.deed in _TOLD:
        webhooks.of_recording(session, _TOLD[made.deed], act.recording, revision=made.number)
    return made
