"""The shapes of the API's replies and requests. Times ending in `_utc` are ISO 8601 with `Z`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from archive.db.sessions import Way
from archive.domain import revisions
from archive.domain.access import Role
from archive.domain.asking import MAX_DAYS
from archive.domain.transcript import Language


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character")
    return text


Line = Annotated[str, Field(max_length=1000), AfterValidator(_no_nul)]
Ranges = list[tuple[int, int]]
TextState = Literal["none", "draft", "final", "edited", "certified", "signed"]
Milliseconds = Annotated[int, Field(ge=0, lt=1 << 40)]


class Asked(BaseModel):
    """A request's body; unknown members are an error."""

    model_config = ConfigDict(extra="forbid")


class SignIn(Asked):
    username: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_no_nul)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


Password = Annotated[str, Field(min_length=1, max_length=256)]
Code = Annotated[str, Field(min_length=6, max_length=32), AfterValidator(_no_nul)]


class CodeGiven(Asked):
    """Of the authenticator."""

    code: Code


class Provider(BaseModel):
    """Where one can sign in too, as the button names it. `there` False: nowhere."""

    there: bool
    name_kk: str = ""
    name_ru: str = ""
    name_en: str = ""


class GoingAsked(Asked):
    """`next`: the page to be opened afterwards."""

    next: Annotated[str, Field(max_length=2000)] = "/"


class Going(BaseModel):
    """Where the browser goes on; null: nowhere, all is done."""

    url: str | None


class ProviderReply(Asked):
    """What came back with the browser, as it stood in the address."""

    state: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(max_length=4096), AfterValidator(_no_nul)] | None = None
    error: Annotated[str, Field(max_length=200)] | None = None
    iss: Annotated[str, Field(max_length=2000)] | None = None


class NewPassword(Asked):
    current: Password
    new: Password


class Me(BaseModel):
    """`step`: what I have to do before anything opens: give the second factor, choose a password, set up the factor,
    accept the terms of viewing.

    `ways`: by what, at the first and the last of these; a recovery code is good too at the first.
    `by_provider`: I signed in at the provider. `without_password`: there or by a signature; I may have none.
    """

    id: UUID
    username: str
    display_name: str
    role: Role
    language: Literal["kk", "ru", "en"]
    csrf_token: str
    step: Literal["second_factor", "password", "enrol", "terms"] | None
    by_provider: bool = False
    without_password: bool = False
    ways: list[Way] = []


class Come(BaseModel):
    """I am in, or on the way in; `next` is the page to go on to."""

    me: Me
    next: str


class Terms(BaseModel):
    """The terms of viewing in three languages, plain text. `accepted_utc` null = I have not accepted this version."""

    version: str
    kk: str
    ru: str
    en: str
    accepted_utc: str | None


class TermsAccepted(Asked):
    version: str = Field(max_length=64, description="of the terms that were shown")


class Device(BaseModel):
    """One of my sessions. `client` is what the browser calls itself."""

    id: str
    created_utc: str
    used_utc: str
    address: str
    client: str
    current: bool


class Ended(BaseModel):
    sessions: int


class Problem(BaseModel):
    """RFC 9457; `title` and `detail` are in the language of Accept-Language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    fields: list[str] | None = None
    lines: list[int] | None = None  # of a text, changed by somebody else


class Court(BaseModel):
    id: UUID
    name_kk: str
    name_ru: str
    name_en: str


class Courtroom(Court):
    code: str


class Case(BaseModel):
    id: UUID
    number: str
    kind: str
    title: str


class Participant(BaseModel):
    name: str
    role: str
    channel: str | None


class RecordingSummary(BaseModel):
    id: str
    state: Literal["open", "closed", "receipted"]
    started_utc: str
    duration_ms: int | None
    continues: str | None = None


class Unassigned(RecordingSummary):
    """A recording without a hearing; number and title as they were typed when it began."""

    courtroom: Courtroom
    case_number: str
    title: str


class Assignment(Asked):
    """The hearing that a recording belongs to."""

    hearing: UUID


class Assigned(BaseModel):
    """The recordings that belong to the hearing now and did not before: one may continue another."""

    recordings: list[str]


class Hearing(BaseModel):
    """`title`, `judge` and `participants` are empty for whoever may only know that it is held."""

    model_config = ConfigDict(populate_by_name=True)
    id: UUID
    case: Case
    court: Court
    courtroom: Courtroom
    scheduled_utc: str
    access_class: Literal["open", "closed", "sealed"] = Field(alias="class")
    state: Literal["scheduled", "recording", "paused", "processing", "ready", "cancelled"]
    judge: str | None
    participants: list[Participant]
    recordings: list[RecordingSummary]
    may: list[
        Literal[
            "view",
            "read",
            "start",
            "stop",
            "pause",
            "mark",
            "bundle",
            "seal",
            "unseal",
            "ask",
            "requests",
            "grant",
            "emergency",
            "confirm",
            "summoned",
            "summon",
        ]
    ]


class HearingPage(BaseModel):
    items: list[Hearing]
    next: str | None


class CommandAsked(Asked):
    """`reason` of a pause; `code` and `text` of a note; `of`: the number of the note to undo.

    `title` and `case_number` of a start without a hearing of the list.
    """

    kind: Literal["start", "stop", "pause", "resume", "note", "undo", "check"]
    reason: Line = ""
    code: Line = ""
    text: Line = ""
    title: Line = ""
    case_number: Line = ""
    of: Annotated[int, Field(ge=0, lt=1 << 62)] | None = None

    def args(self) -> dict[str, str | int]:
        """What is given beside the kind."""
        return {name: value for name, value in self.model_dump(exclude={"kind"}).items() if value not in ("", None)}


class CommandMade(BaseModel):
    id: UUID


class CommandState(BaseModel):
    id: UUID
    state: Literal["waiting", "done", "failed"]
    detail: str | None


class Channel(BaseModel):
    name: str
    role_kk: str
    role_ru: str
    role_en: str


class Source(BaseModel):
    name: str
    kind: Literal["camera", "audio"]
    channels: list[Channel]


class Gap(BaseModel):
    source: str
    start_ms: int
    end_ms: int
    cause: str


class Pause(BaseModel):
    start_ms: int
    end_ms: int
    reason: str


class Event(BaseModel):
    at_ms: int
    code: str
    text: str


class Video(BaseModel):
    """`thumbnails`: a WebVTT track of small pictures (`#xywh=`)."""

    source: str
    name: str
    thumbnails: str | None


class Audio(BaseModel):
    id: str
    source: str
    channel: str | None
    playlist: str
    peaks: str | None


class Subtitles(BaseModel):
    """WebVTT of one language; the master playlist offers the same."""

    language: Literal["kk", "ru", "und"]
    name: str
    file: str


class Media(BaseModel):
    master: str
    video: list[Video]
    audio: list[Audio]
    poster: str | None
    thumbnails: str | None
    subtitles: list[Subtitles]


class TextProgress(BaseModel):
    """How far the final text of a long recording is; `left_s` null while nothing is known of the speed."""

    done_ms: int
    total_ms: int
    left_s: int | None


class TranscriptStanding(BaseModel):
    state: TextState
    revision: str | None
    progress: TextProgress | None


class Withheld(BaseModel):
    """A span of which I may not have all; `end_ms` null = as long as the recording runs."""

    model_config = ConfigDict(populate_by_name=True)
    start_ms: int
    end_ms: int | None
    access_class: Literal["closed", "sealed"] = Field(alias="class")
    picture: Literal["shown", "blurred", "black"]
    sound: Literal["heard", "disguised", "silent"]


class MarkAsked(Asked):
    """A span to be closed or sealed. Without `start_ms` from now on; without `end_ms` as long as the recording runs."""

    start_ms: Milliseconds | None = None
    end_ms: Milliseconds | None = None
    access_class: Literal["closed", "sealed"] = Field(default="sealed", alias="class")
    picture: Literal["shown", "blurred", "black"] = "black"
    sound: Literal["heard", "disguised", "silent"] = "silent"
    ground: Line


class MarkMade(BaseModel):
    id: UUID


class ExportAsked(Asked):
    """A film or a text to take away; `language` is that of headings, chapters and cards."""

    kind: Literal["mp4", "docx", "pdf"]
    language: Literal["kk", "ru", "en"] = "kk"
    camera: Annotated[str, Field(max_length=64), AfterValidator(_no_nul)] | None = None


class Export(BaseModel):
    """`outdated`: what has to be concealed in it has changed; it cannot be loaded any more. `file` once it is ready."""

    id: UUID
    kind: Literal["mp4", "docx", "pdf"]
    language: Literal["kk", "ru", "en"]
    camera: str | None
    state: Literal["waiting", "ready", "failed"]
    outdated: bool
    progress: float  # 0 to 1
    size: int | None
    sha256: str | None
    file: str | None
    requested_utc: str
    expires_utc: str


Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000), AfterValidator(_no_nul)
]


class RequestAsked(Asked):
    """`access`: to play and to read; `copy`: also to take a copy away; `emergency`: to play and read for some hours."""

    wants: Literal["access", "copy", "emergency"]
    reason: Reason


class DecisionAsked(Asked):
    """`days` null = refused; else granted for so many days from now."""

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None
    ground: Reason


class ConfirmationAsked(Asked):
    ground: Reason


class RevocationAsked(Asked):
    ground: Reason


class Grant(BaseModel):
    """What a person was given beside what the role gives. `holds`: it is good now."""

    id: UUID
    name: str
    username: str
    actions: list[Literal["bundle", "read", "view"]]
    ground: str
    by: str
    created_utc: str
    until_utc: str
    revoked_utc: str | None
    revoked_ground: str | None
    holds: bool


class Request(BaseModel):
    """`mine`: I have asked for it. `name` and `username` are the asker's. `case_title` null = not mine to know."""

    id: UUID
    hearing: UUID
    case_number: str
    case_title: str | None
    scheduled_utc: str
    mine: bool
    name: str
    username: str
    wants: Literal["access", "copy", "emergency"]
    reason: str
    state: Literal["waiting", "granted", "refused", "withdrawn"]
    created_utc: str
    decided_utc: str | None
    decided_by: str | None
    ground: str | None
    grant: Grant | None


class RequestPage(BaseModel):
    """`waiting`: how many wait for my decision."""

    items: list[Request]
    next: str | None
    waiting: int


class GroundGiven(Asked):
    """Why something is taken back."""

    ground: Line


class ClassAsked(Asked):
    """How public a hearing is from now on."""

    access_class: Literal["open", "closed", "sealed"] = Field(alias="class")
    ground: Line


class Mark(Withheld):
    """A mark as those who may set one see it."""

    id: UUID
    ground: str
    by: str
    role: str
    created_utc: str
    lifted_utc: str | None
    lifted_by: str | None
    lift_ground: str | None


class Verified(BaseModel):
    state: Literal["pending", "ok", "failed"]
    at_utc: str | None


class Recording(BaseModel):
    """`media` is null until access copies are ready, `live_media` from then on; both are for whoever may play it."""

    id: str
    hearing: Hearing
    state: Literal["open", "closed", "receipted"]
    started_utc: str
    ended_utc: str | None
    duration_ms: int | None
    live: bool
    sources: list[Source]
    segments: int
    gaps: list[Gap]
    pauses: list[Pause]
    events: list[Event]
    media: Media | None
    live_media: Media | None
    withheld: list[Withheld]
    transcript: TranscriptStanding
    verified: Verified


class Word(BaseModel):
    text: str
    start_ms: int
    end_ms: int
    probability: float


class Seal(BaseModel):
    """Who stands by exactly this text; `text_sha256` is that of all its lines."""

    name: str
    at_utc: str
    text_sha256: str


class Utterance(BaseModel):
    """A line. `since` is the revision in which it appeared in this form; changes name both numbers."""

    id: str
    seq: int
    since: int
    confirmed: bool
    start_ms: int
    end_ms: int
    channel: str
    role_kk: str
    role_ru: str
    role_en: str
    language: Literal["kk", "ru", "unknown"]
    language_confidence: float | None  # 0 to 1; null = it was not measured
    text: str
    words: list[Word]
    flags: list[str]


class Transcript(BaseModel):
    recording: str
    state: TextState
    revision: str | None
    certified: Seal | None
    signed: Seal | None
    utterances: list[Utterance]
    withheld: list[Withheld]  # of the whole text, on each page
    next: str | None


Seq = Annotated[int, Field(ge=0, lt=1 << 62)]
Words = Annotated[str, Field(max_length=revisions.LONGEST_TEXT), AfterValidator(_no_nul)]


class LineSeen(Asked):
    """A line as it was seen."""

    seq: Seq
    since: Annotated[int, Field(ge=-1, lt=1 << 62)]

    def meant(self) -> revisions.Ref:
        return revisions.Ref(self.seq, self.since)


class SetText(Asked):
    """Write down what was said; `unclear` where it cannot be made out for sure."""

    do: Literal["text"]
    line: LineSeen
    text: Words
    unclear: bool = False

    def meant(self) -> revisions.Change:
        return revisions.SetText(self.line.meant(), self.text, self.unclear)


class SetChannel(Asked):
    """Give a line to another microphone."""

    do: Literal["channel"]
    line: LineSeen
    channel: Annotated[str, Field(max_length=64)]

    def meant(self) -> revisions.Change:
        return revisions.SetChannel(self.line.meant(), self.channel)


class SetLanguage(Asked):
    """Say which language a line is in."""

    do: Literal["language"]
    line: LineSeen
    language: Literal["kk", "ru", "unknown"]

    def meant(self) -> revisions.Change:
        return revisions.SetLanguage(self.line.meant(), Language(self.language))


class Split(Asked):
    """Two lines of one; `word` is the place of the second one's first word, from 1 on."""

    do: Literal["split"]
    line: LineSeen
    word: Annotated[int, Field(ge=1, lt=1 << 31)]

    def meant(self) -> revisions.Change:
        return revisions.Split(self.line.meant(), self.word)


class Merge(Asked):
    """One line of two of one microphone."""

    do: Literal["merge"]
    line: LineSeen
    other: LineSeen

    def meant(self) -> revisions.Change:
        return revisions.Merge(self.line.meant(), self.other.meant())


class Remove(Asked):
    """Take out a line of which nothing was said."""

    do: Literal["remove"]
    line: LineSeen

    def meant(self) -> revisions.Change:
        return revisions.Remove(self.line.meant())


class Add(Asked):
    """A line that the machine did not hear."""

    do: Literal["add"]
    start_ms: Milliseconds
    end_ms: Milliseconds
    channel: Annotated[str, Field(max_length=64)]
    language: Literal["kk", "ru", "unknown"]
    text: Words

    def meant(self) -> revisions.Change:
        return revisions.Add(self.start_ms, self.end_ms, self.channel, Language(self.language), self.text)


class Confirm(Asked):
    """Say of lines that this was said."""

    do: Literal["confirm"]
    lines: Annotated[list[LineSeen], Field(min_length=1, max_length=revisions.MOST_CHANGES)]

    def meant(self) -> revisions.Change:
        return revisions.Confirm(tuple(one.meant() for one in self.lines))


class Requested(Asked):
    """`request` is the sender's own name for it: the same again is done once."""

    request: UUID


class ChangesAsked(Requested):
    changes: Annotated[
        list[
            Annotated[
                SetText | SetChannel | SetLanguage | Split | Merge | Remove | Add | Confirm, Field(discriminator="do")
            ]
        ],
        Field(min_length=1, max_length=revisions.MOST_CHANGES),
    ]


class CertificationAsked(Requested):
    revision: Seq


class SignatureAsked(Requested):
    revision: Seq
    text_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ReturnAsked(Requested):
    ground: Line


class RevisionMade(BaseModel):
    """`lines` are those that are new, changed or confirmed now, `removed` the numbers of those that are gone."""

    revision: int
    state: TextState
    text_sha256: str | None
    lines: list[Utterance]
    removed: list[int]


class Revision(BaseModel):
    """What a person did to the text."""

    revision: int
    deed: Literal["edit", "certify", "sign", "give_back"]
    name: str
    role: str
    at_utc: str
    lines: int
    confirmed: int
    text_sha256: str | None
    ground: str | None


class LineBeside(BaseModel):
    start_ms: int
    end_ms: int
    channel: str
    language: Literal["kk", "ru", "unknown"]
    text: str


class Run(BaseModel):
    kind: Literal["same", "gone", "new"]
    text: str


class Difference(BaseModel):
    seq: int
    before: LineBeside | None
    after: LineBeside | None
    words: list[Run]


class Comparison(BaseModel):
    """The lines in which revision `after` differs from `before`."""

    before: int
    after: int
    lines: list[Difference]


class Progress(BaseModel):
    """The event `recording` of the live stream."""

    state: Literal["open", "closed", "receipted"]
    segments: int
    gaps: list[Gap]
    media_ready: bool


class QueryTerm(BaseModel):
    term: str
    forms: list[str]


class QueryShown(BaseModel):
    terms: list[QueryTerm]


class SearchHit(BaseModel):
    utterance: str
    recording: str
    hearing: UUID
    case_number: str
    case_title: str
    courtroom: Courtroom
    scheduled_utc: str
    start_ms: int
    end_ms: int
    word_start_ms: int | None
    channel: str
    role_kk: str
    role_ru: str
    role_en: str
    language: Literal["kk", "ru", "unknown"]
    text: str
    highlights: Ranges
    draft: bool


class SearchAnswer(BaseModel):
    query: QueryShown
    total: int | None
    items: list[SearchHit]
    next: str | None


class RoomAgent(BaseModel):
    online: bool
    seen_utc: str | None


class Alarm(BaseModel):
    """`origin`: the room's agent says so, or the centre noticed. `cleared_utc` null = still so.

    `times`: raised so often with less than a minute between. The texts are null for a code this server does not know.
    """

    code: str
    origin: Literal["agent", "centre"]
    text_kk: str | None
    text_ru: str | None
    text_en: str | None
    since_utc: str
    cleared_utc: str | None
    source: str | None
    channel: str | None
    detail: str
    recording: str | None
    times: int


class Room(BaseModel):
    """`state` is what the room's agent last said, with the text of each alarm added.

    `alarms` are all that are open: the agent's and what the centre noticed.
    """

    courtroom: Courtroom
    agent: RoomAgent
    state: dict[str, Any] | None
    hearing: Hearing | None
    recording: str | None
    alarms: list[Alarm]


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """What this server needs and whether it answers."""

    database: bool
    store: bool
