"""The text of a recording: reading it, working on it, certifying and signing it, taking it away."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api import cursors, guard, shapes
from api import problems as p
from api import schemas as s
from api.contract import OF_A_RECORDING, answers, sent
from api.guard import Subject, Who
from api.services import Services, Use
from archive import revising
from archive.db import audit, revisions
from archive.db import recordings as db
from archive.db.exports import Order
from archive.db.hearings import Standing
from archive.db.sessions import SignedIn
from archive.db.speakers import speakers
from archive.domain.access import Action
from archive.domain.errors import Conflict, NotFound
from archive.domain.exports import NEEDED, Kind
from archive.domain.revision_file import Revision
from archive.domain.revisions import compared
from archive.domain.transcript import TranscriptState
from archive.export import requests
from archive.export.plain import CONTENT_TYPES, to_plain
from archive.export.words import WORDS
from archive.revising import Act

router = APIRouter(prefix="/recordings", tags=["text"])

MOST_LINES = 2000  # of one page
Number = Annotated[int, Query(ge=0, lt=1 << 62)]


@router.get("/{recording}/transcript", responses=answers(*OF_A_RECORDING, p.CONFLICT))
def get_transcript(
    recording: str,
    who: Who,
    services: Use,
    revision: Number | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 500,
) -> s.Transcript:
    """A page of the newest text I may read: `none` where there is only a draft and drafts are not for me.

    An earlier `revision` is for those who work on the text. `next` is the cursor of the page after this one; when there
    is a newer text by then the answer is 409: begin again.
    """
    standing = guard.to_recording(services, who, recording, Action.READ)
    if revision is not None:
        guard.to_recording(services, who, recording, Action.READ_DRAFT)
    with services.sessions() as session:
        text = db.newest_text(session, recording, drafts=reads_drafts(who, standing))
        if revision is not None:
            text = db.Text(revisions.state(session, recording, revision), revision)
            if text.state is TranscriptState.NONE:
                raise NotFound("the text has no such revision; look at the list of them")
        action = Action.READ_DRAFT if text.state is TranscriptState.DRAFT else Action.READ
        unread = guard.hidden(session, who, standing, recording, action)
        said: list[db.Said] = []
        last: int | None = None
        if text.revision is not None:
            behind = _behind(cursor, text.revision)
            said, last = db.page_of_text(session, recording, text.revision, behind, limit, unread)
        seals = revisions.seals(session, recording, text.revision)
        spoken = speakers(session, standing.hearing, recording)
    if said:
        guard.note_viewing(services, who, standing, recording, Action.READ)
    more = None if text.revision is None or last is None else cursors.encode(text.revision, last)
    return shapes.transcript(recording, text, said, spoken, seals, unread, more)


def _behind(cursor: str | None, revision: int) -> int | None:
    """The number of the line where the page before ended; None on the first page."""
    if cursor is None:
        return None
    of, seq = cursors.decode(cursor, int, int)
    if of != revision:
        raise Conflict("the text has changed; begin with its first page")
    return int(seq)


def reads_drafts(who: Who, standing: Standing) -> bool:
    """Whether the machine's unfinished text is shown."""
    return standing.decide(who.person, Action.READ_DRAFT).allowed


@router.get("/{recording}/transcript/revisions", responses=answers(*OF_A_RECORDING))
def list_revisions(recording: str, who: Who, services: Use) -> list[s.Revision]:
    """What people have done to the text, oldest first."""
    guard.to_recording(services, who, recording, Action.READ_DRAFT)
    with services.sessions() as session:
        return [shapes.revision(one) for one in revisions.history(session, recording)]


@router.get("/{recording}/transcript/comparison", responses=answers(*OF_A_RECORDING, p.CONFLICT))
def compare_revisions(
    recording: str, who: Who, services: Use, before: Number = 0, after: Number | None = None
) -> s.Comparison:
    """The lines in which two revisions differ; without `after` the newest, without `before` the machine's text."""
    standing = guard.to_recording(services, who, recording, Action.READ_DRAFT)
    with services.sessions() as session:
        unread = guard.hidden(session, who, standing, recording, Action.READ)
        newest = revisions.head(session, recording).number
        wanted = newest if after is None else after
        if max(before, wanted) > newest:
            raise NotFound("the text has no such revision; look at the list of them")
        old, new = (revisions.lines(session, recording, number, unread) for number in (before, wanted))
    return s.Comparison(before=before, after=wanted, lines=[shapes.difference(one) for one in compared(old, new)])


@router.post(
    "/{recording}/transcript/changes",
    status_code=201,
    responses=answers(*OF_A_RECORDING, p.CONFLICT, p.STALE),
)
def change_transcript(recording: str, asked: s.ChangesAsked, who: Who, services: Use) -> s.RevisionMade:
    """Correct, split, join, take out, add or confirm lines: one new revision, or nothing at all.

    A line is named by `seq` and by the revision in which it appeared as it was seen (`since`). When somebody else has
    changed one of them meanwhile the answer is 409 with their numbers in `lines`. In a draft (revision -1) words and
    languages can be corrected; the line gets a new `seq`, and the final text keeps what was written.
    """
    standing = guard.to_recording(services, who, recording, Action.EDIT)
    act = _act(services, who, standing, recording, Action.EDIT, asked)
    with services.sessions.begin() as session:
        hidden = guard.hidden(session, who, standing, recording, Action.EDIT)
        made = revising.save(session, act, [one.meant() for one in asked.changes], hidden)
        return _answer(session, standing, recording, made)


@router.post(
    "/{recording}/transcript/certification",
    status_code=201,
    responses=answers(*OF_A_RECORDING, p.CONFLICT),
)
def certify_transcript(recording: str, asked: s.CertificationAsked, who: Who, services: Use) -> s.RevisionMade:
    """Certify the newest revision; every line of it is confirmed."""
    standing = guard.to_recording(services, who, recording, Action.CERTIFY)
    act = _act(services, who, standing, recording, Action.CERTIFY, asked)
    with services.sessions.begin() as session:
        hidden = guard.hidden(session, who, standing, recording, Action.CERTIFY)
        return _answer(session, standing, recording, revising.certify(session, act, asked.revision, hidden))


@router.post("/{recording}/transcript/signature", status_code=201, responses=answers(*OF_A_RECORDING, p.CONFLICT))
def sign_transcript(recording: str, asked: s.SignatureAsked, who: Who, services: Use) -> s.RevisionMade:
    """Sign the certified text that has this SHA-256; nobody changes it any more."""
    standing = guard.to_recording(services, who, recording, Action.SIGN)
    act = _act(services, who, standing, recording, Action.SIGN, asked)
    with services.sessions.begin() as session:
        if guard.hidden(session, who, standing, recording, Action.SIGN):
            raise Conflict("a part of this recording is not open to you; only who may read all of a text signs it")
        return _answer(session, standing, recording, revising.sign(session, act, asked.revision, asked.text_sha256))


@router.post("/{recording}/transcript/return", status_code=201, responses=answers(*OF_A_RECORDING, p.CONFLICT))
def return_transcript(recording: str, asked: s.ReturnAsked, who: Who, services: Use) -> s.RevisionMade:
    """Let a certified or signed text be changed again, with a ground."""
    standing = guard.to_recording(services, who, recording, Action.SIGN)
    act = _act(services, who, standing, recording, Action.SIGN, asked)
    with services.sessions.begin() as session:
        return _answer(session, standing, recording, revising.give_back(session, act, asked.ground))


@router.get(
    "/{recording}/transcript/file",
    response_class=Response,
    responses={**sent(*CONTENT_TYPES.values()), **answers(*OF_A_RECORDING, p.CONFLICT)},
)
def get_transcript_file(
    recording: str,
    who: Who,
    services: Use,
    form: Literal["vtt", "srt", "txt", "json"] = "txt",
    language: Literal["kk", "ru", "en"] = "kk",
) -> Response:
    """The newest finished text as a file; `language` is that of its head and of the speakers' roles."""
    for action in NEEDED[Kind.DOCX]:
        standing = guard.to_recording(services, who, recording, action)
    order = Order(recording, Kind.DOCX, language, None, "", False, None)
    with services.sessions() as session:
        record = requests.load(session, services.settings, who.person, order).record
    body = to_plain(record, WORDS[language], form, who.person.display_name)
    data = {"kind": form, "revision": record.revision, "loaded": True}
    decision = requests.decision(standing, who.person, Kind.DOCX)
    guard.note(services, who.person, Action.BUNDLE.value, decision, Subject(standing.hearing, recording, data=data))
    name = quote(f"{recording}-r{record.revision}.{form}")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=CONTENT_TYPES[form], headers=headers)


def _act(
    services: Services, who: SignedIn, standing: Standing, recording: str, action: Action, asked: s.Requested
) -> Act:
    decision = standing.decide(who.person, action)
    audited = audit.Entry(action.value, True, decision.rule, who.person, standing.hearing, recording)
    return Act(recording, who.person, services.clock.utc(), str(asked.request), audited)


def _answer(session: Session, standing: Standing, recording: str, made: Revision) -> s.RevisionMade:
    touched = {*made.effect.confirmed, *(seq for seq, _ in made.effect.lines)}
    if made.number < db.FIRST_FINAL:  # corrected lines of a draft have the highest numbers
        said = db.said(session, recording, made.number)[-len(touched) :] if touched else []
    else:
        said = db.said_in(session, recording, made.number, touched)
    return shapes.revision_made(made, said, speakers(session, standing.hearing, recording))
