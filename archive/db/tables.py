"""The catalogue: an index over the archive. Rows of these tables do not leave archive.db.

Times named `_utc` are timestamptz; `_ms` are whole milliseconds on a recording's time line (from its
zero, the `t` of the chain's start line); `_ticks` are media time of a run, 90 000 a second. Everything
under a recording can be rebuilt from the object store; the case data comes from the court's systems.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables share one naming rule, so that migrations can name every constraint."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Text,
        int: BigInteger,
        date: Date,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        list[str]: ARRAY(Text),
        bytes: LargeBinary,
    }


def _id() -> Mapped[uuid.UUID]:
    return mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


# Courts and their work; fed by the case-management system or by hand.


class Court(Base):
    """A court of law."""

    __tablename__ = "courts"
    id: Mapped[uuid.UUID] = _id()
    code: Mapped[str] = mapped_column(unique=True)
    name_kk: Mapped[str]
    name_ru: Mapped[str]
    name_en: Mapped[str]


class Courtroom(Base):
    """A room; `code` is its name in object keys and chains and never changes."""

    __tablename__ = "courtrooms"
    id: Mapped[uuid.UUID] = _id()
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"))
    code: Mapped[str] = mapped_column(unique=True)
    name_kk: Mapped[str]
    name_ru: Mapped[str]
    name_en: Mapped[str]
    closed_utc: Mapped[datetime | None]  # null = it is used


class Agent(Base):
    """A courtroom machine. Its access tokens stand in agent_tokens, its evidence keys in agent_keys."""

    __tablename__ = "agents"
    id: Mapped[uuid.UUID] = _id()
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    name: Mapped[str] = mapped_column(unique=True)
    by_code: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # only keys that were confirmed
    created_utc: Mapped[datetime] = _now()  # when it was let in last
    revoked_utc: Mapped[datetime | None]  # null = may speak to us


class Enrolment(Base):
    """A one-time code and what became of it: made, used by a machine with a key, confirmed by a person."""

    __tablename__ = "enrolments"
    id: Mapped[uuid.UUID] = _id()
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    name: Mapped[str]  # of the agent to be
    code_sha256: Mapped[str] = mapped_column(unique=True)
    created_utc: Mapped[datetime] = _now()
    by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = at the server's console
    expires_utc: Mapped[datetime]
    used_utc: Mapped[datetime | None]  # null = nobody has come with the code
    agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agents.id"))
    key_sha256: Mapped[str | None]  # of the key that came; it is an evidence key once it is confirmed
    public_pem: Mapped[str | None]
    confirmed_utc: Mapped[datetime | None]  # null = the machine may only ask whether it is
    refused_utc: Mapped[datetime | None]
    __table_args__ = (Index(None, "agent_id"),)


class AgentToken(Base):
    """An access token, kept as its SHA-256. At the first use of a new one the older ones begin to end."""

    __tablename__ = "agent_tokens"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agents.id"))
    enrolment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("enrolments.id"))  # null = made by hand
    issued_utc: Mapped[datetime] = _now()
    used_utc: Mapped[datetime | None]  # first use
    expires_utc: Mapped[datetime | None]  # null = never
    ended_utc: Mapped[datetime | None]  # worth nothing from then on
    __table_args__ = (Index(None, "agent_id"),)


class AgentKey(Base):
    """An evidence key an agent may sign with: confirmed at its enrolment, or taken at its first recording."""

    __tablename__ = "agent_keys"
    sha256: Mapped[str] = mapped_column(primary_key=True)  # of the DER public key
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agents.id"))
    public_pem: Mapped[str]
    created_utc: Mapped[datetime] = _now()
    revoked_utc: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]  # archive.domain.register.Reason
    void_utc: Mapped[datetime | None]  # what it signed then or later proves nothing


class ArchiveKey(Base):
    """A public key that signs receipts; each worker makes its own known. Agents pin the newest when they enrol."""

    __tablename__ = "archive_keys"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    public_pem: Mapped[str]
    created_utc: Mapped[datetime] = _now()
    revoked_utc: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    void_utc: Mapped[datetime | None]


class AgentState(Base):
    """The newest state each agent reported (contract: AgentState), replaced several times a second."""

    __tablename__ = "agent_states"
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    seen_utc: Mapped[datetime]
    state: Mapped[dict[str, Any]]
    heard_utc: Mapped[datetime | None]  # when speech was heard last while nothing was recorded
    heard_since_utc: Mapped[datetime | None]  # when that speech began
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)


class RoomAlarm(Base):
    """What was wrong in a room, and for how long; told by its agent or noticed here. Old rows are dropped."""

    __tablename__ = "room_alarms"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    origin: Mapped[str]  # agent: it said so; centre: noticed here
    code: Mapped[str]  # config.codes
    source: Mapped[str]  # empty = of no one source
    channel: Mapped[str]
    detail: Mapped[str]
    hearing_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("hearings.id"))  # the one that is not recorded
    recording_id: Mapped[str | None]  # the one that ran, as the agent said; it may not be registered yet
    raised_utc: Mapped[datetime]
    cleared_utc: Mapped[datetime | None]  # null = still so
    times: Mapped[int] = mapped_column(server_default=text("1"))  # raised again within a minute: the same row
    __table_args__ = (
        Index(
            "ix_room_alarms_open",
            "courtroom_id",
            "origin",
            "code",
            "source",
            "channel",
            unique=True,
            postgresql_where=text("cleared_utc IS NULL"),
        ),
        Index(None, "courtroom_id", "raised_utc"),
    )


class Command(Base):
    """An order to an agent; pulled by it, acknowledged with `done_utc`, `ok` and `detail`."""

    __tablename__ = "commands"
    id: Mapped[uuid.UUID] = _id()
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    hearing_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("hearings.id"))
    kind: Mapped[str]  # start, stop, pause, resume, note, undo, check
    args: Mapped[dict[str, Any]]
    by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime] = _now()
    done_utc: Mapped[datetime | None]  # null = waiting
    ok: Mapped[bool | None]
    detail: Mapped[str | None]
    __table_args__ = (Index(None, "courtroom_id", postgresql_where=text("done_utc IS NULL")),)


class Case(Base):
    """A case before a court."""

    __tablename__ = "cases"
    id: Mapped[uuid.UUID] = _id()
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"))
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # civil, criminal, administrative
    title: Mapped[str]
    ended_utc: Mapped[datetime | None]  # null = goes on, or nobody has told


class Hearing(Base):
    """A hearing of a case, as scheduled; `class` decides who may know of it."""

    __tablename__ = "hearings"
    id: Mapped[uuid.UUID] = _id()
    external_id: Mapped[str | None] = mapped_column(unique=True)  # of the case-management system
    case_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cases.id"))
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    scheduled_utc: Mapped[datetime]
    access_class: Mapped[str]  # open, closed, sealed
    automatic: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # the agent begins by itself
    recorded: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))  # must be recorded: ROM-002 else
    cancelled_utc: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("access_class IN ('open','closed','sealed')", name="access_class"),
        Index(None, "scheduled_utc", "id"),
        Index(None, "case_id"),
    )


class User(Base):
    """A person who signs in. `password_hash` is argon2id; null = cannot sign in with a password."""

    __tablename__ = "users"
    id: Mapped[uuid.UUID] = _id()
    username: Mapped[str] = mapped_column(unique=True)  # lower case
    display_name: Mapped[str]
    role: Mapped[str]  # archive.domain.access.Role
    court_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("courts.id"))  # null for parties
    language: Mapped[str]  # kk, ru, en
    password_hash: Mapped[str | None]
    must_change_password: Mapped[bool] = mapped_column(
        Boolean, server_default=text("false")
    )  # somebody else has chosen it
    terms: Mapped[str | None]  # version of the terms of viewing accepted last; the audit log has all
    terms_utc: Mapped[datetime | None]
    created_utc: Mapped[datetime] = _now()
    disabled_utc: Mapped[datetime | None]


class SecondFactor(Base):
    """What a person's authenticator makes codes from, encrypted by archive.second_factor; null = not (yet)."""

    __tablename__ = "second_factors"
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret: Mapped[str | None]
    pending: Mapped[str | None]  # shown, not confirmed by a code yet
    since_utc: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # a code is good once


class RecoveryCode(Base):
    """For whoever has lost the authenticator; good once."""

    __tablename__ = "recovery_codes"
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_sha256: Mapped[str] = mapped_column(primary_key=True)
    used_utc: Mapped[datetime | None]


class Participant(Base):
    """A person's place in a hearing, with the microphone that is his or hers."""

    __tablename__ = "participants"
    id: Mapped[uuid.UUID] = _id()
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = has no account
    name: Mapped[str]
    role: Mapped[str]  # judge, claimant, respondent, witness, prosecutor, defender, secretary, representative …
    channel: Mapped[str | None]  # null = no microphone of his or her own
    removed_utc: Mapped[datetime | None]  # taken off the case: access ends
    __table_args__ = (Index(None, "hearing_id"), Index(None, "user_id"))


class Grant(Base):
    """Access given to one person for one hearing beside what his or her role gives."""

    __tablename__ = "grants"
    id: Mapped[uuid.UUID] = _id()
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    actions: Mapped[list[str]]
    ground: Mapped[str]
    by_user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime] = _now()
    until_utc: Mapped[datetime]
    revoked_utc: Mapped[datetime | None]
    while_in_case: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # ends when taken off the case
    while_class: Mapped[str | None]  # ends when the hearing has another class than this
    revoked_by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    revoked_ground: Mapped[str | None]
    __table_args__ = (Index(None, "user_id", "hearing_id"), Index(None, "hearing_id"))


class Request(Base):
    """What a person asks the court for."""

    __tablename__ = "requests"
    id: Mapped[uuid.UUID] = _id()
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    wants: Mapped[str]  # archive.domain.asking.Wants
    reason: Mapped[str]
    state: Mapped[str]  # archive.domain.asking.State
    created_utc: Mapped[datetime] = _now()
    decided_utc: Mapped[datetime | None]  # or withdrawn
    decided_by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    ground: Mapped[str | None]
    grant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("grants.id"))
    __table_args__ = (
        Index(None, "hearing_id"),
        Index(None, "user_id"),
        Index(
            "uq_requests_waiting",
            "hearing_id",
            "user_id",
            "wants",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class Integration(Base):
    """Another system that may call the API for a court."""

    __tablename__ = "integrations"
    id: Mapped[uuid.UUID] = _id()
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"))
    name: Mapped[str]
    token_sha256: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]  # archive.db.integrations.Scope
    created_utc: Mapped[datetime] = _now()
    expires_utc: Mapped[datetime | None]  # null = until revoked
    used_utc: Mapped[datetime | None]
    revoked_utc: Mapped[datetime | None]


class Session(Base):
    """A signed-in browser; the cookie's token is kept as its SHA-256."""

    __tablename__ = "sessions"
    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    csrf_token: Mapped[str]
    created_utc: Mapped[datetime]
    used_utc: Mapped[datetime]
    ended_utc: Mapped[datetime | None]
    second_utc: Mapped[datetime | None]  # when the second factor was given; null = it was not
    address: Mapped[str] = mapped_column(server_default=text("''"))
    client: Mapped[str] = mapped_column(server_default=text("''"))  # what the browser calls itself
    issuer: Mapped[str | None]  # of the provider at which the person signed in; null = here, by a password
    subject: Mapped[str | None]  # who it is there; null = here
    sid: Mapped[str | None]  # the provider's own session; null = here, or it names none
    __table_args__ = (Index(None, "user_id"), Index(None, "issuer", "subject"), Index(None, "issuer", "sid"))


class ProviderIdentity(Base):
    """Who an account is at a provider. While `subject` is null it waits for its first sign-in there."""

    __tablename__ = "provider_identities"
    id: Mapped[uuid.UUID] = _id()
    issuer: Mapped[str]
    subject: Mapped[str | None]  # the provider's name for the person, which never changes
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    created_utc: Mapped[datetime] = _now()
    until_utc: Mapped[datetime | None]  # until when it waits; null = it is tied
    used_utc: Mapped[datetime | None]  # the last sign-in
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("issuer", "user_id"))


class ProviderFlow(Base):
    """A person who is away at the provider to sign in; good for one return."""

    __tablename__ = "provider_flows"
    state_sha256: Mapped[str] = mapped_column(primary_key=True)
    browser_sha256: Mapped[str]  # of the secret in the browser's cookie
    next_path: Mapped[str]
    until_utc: Mapped[datetime]


class LogoutToken(Base):
    """The number of a logout token that was taken; it is not taken again."""

    __tablename__ = "logout_tokens"
    issuer: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    until_utc: Mapped[datetime]  # when it would be too old anyway


# Records; everything below can be rebuilt from the object store.


class Recording(Base):
    """One recording: a chain from start to stop. Open while `manifest_sha256` is null."""

    __tablename__ = "recordings"
    id: Mapped[str] = mapped_column(primary_key=True)  # archive.domain.ids.new_recording_id
    hearing_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("hearings.id"))  # null = not assigned yet
    courtroom_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courtrooms.id"))
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agents.id"))
    key_sha256: Mapped[str] = mapped_column(ForeignKey("agent_keys.sha256"))
    started_utc: Mapped[datetime]  # the time line's zero
    ended_utc: Mapped[datetime | None]  # null = no stop line yet
    stop_reason: Mapped[str | None]
    manifest: Mapped[dict[str, Any] | None]
    manifest_sha256: Mapped[str | None]
    verified_utc: Mapped[datetime | None]  # when all stored bytes were last hashed against the manifest
    verified_ok: Mapped[bool | None]
    stamped_utc: Mapped[datetime | None]  # what the time stamp over the receipt states; null = none is known here
    copied_utc: Mapped[datetime | None]  # when the second site had all of it; null = not yet, or there is none
    continues: Mapped[str | None]  # the recording before it that broke off; it may arrive later than this one
    adhoc: Mapped[dict[str, Any] | None]  # case_number and title as they were typed, of a hearing in no list
    destroyed_utc: Mapped[datetime | None]  # since when it is being or is destroyed; nobody is shown it from then on
    created_utc: Mapped[datetime] = _now()
    __table_args__ = (Index(None, "hearing_id"), Index(None, "courtroom_id", "started_utc"), Index(None, "continues"))


class ChainLine(Base):
    """A chain line as it arrived, its bytes as signed; the source of every row below it."""

    __tablename__ = "chain_lines"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    line: Mapped[bytes]
    signature: Mapped[bytes | None]  # null when it came in a chain piece covered by the manifest only
    received_utc: Mapped[datetime] = _now()


class Source(Base):
    """A camera or an audio interface of one recording; `channels` in the order of its audio tracks."""

    __tablename__ = "sources"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]  # archive.domain.media.SourceKind
    channels: Mapped[list[str]]
    video: Mapped[bool]


class Run(Base):
    """One FFmpeg process of a source; `utc` is the wall clock of its media zero, its final estimate."""

    __tablename__ = "runs"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(primary_key=True)
    start_seq: Mapped[int | None]  # chain line; null when only segments of it are known yet
    utc: Mapped[datetime | None]
    end_ticks: Mapped[int | None]
    end_reason: Mapped[str | None]  # archive.domain.media.RunEnd; null = goes on


class Segment(Base):
    """A stored piece of media. `start_ms`, `end_ms` place it on the recording's time line."""

    __tablename__ = "segments"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)  # of its chain line
    source: Mapped[str]
    run: Mapped[int]
    file: Mapped[str]
    object_key: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    start_ticks: Mapped[int]
    duration_ticks: Mapped[int]
    drift_ms: Mapped[int | None]  # by how much its media came later than the run's zero says; null = not measured
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    frames: Mapped[int]
    samples: Mapped[int]
    why: Mapped[str]
    stored_utc: Mapped[datetime] = _now()  # when the agent said so
    checked_utc: Mapped[datetime | None]  # when the stored bytes were hashed here; null = not yet
    checked_ok: Mapped[bool | None]
    crc32: Mapped[int | None]  # of bytes that were found right; null = they were not read back since there is one
    __table_args__ = (
        UniqueConstraint("recording_id", "source", "run", "start_ticks"),
        Index(None, "recording_id", "source", "start_ms"),
        Index(None, "checked_utc"),
    )


class Gap(Base):
    """Where a source recorded nothing though it should have."""

    __tablename__ = "gaps"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    cause: Mapped[str]
    detail: Mapped[str]


class Event(Base):
    """Pauses, resumes, log notes, alarms and clock steps; `data` is the chain line's own fields."""

    __tablename__ = "events"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    at_ms: Mapped[int]
    data: Mapped[dict[str, Any]]


class AccessCopy(Base):
    """A published set of access copies; the newest ready version is served."""

    __tablename__ = "access_copies"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    made_from: Mapped[str]  # manifest SHA-256
    prefix: Mapped[str]  # in the derived bucket
    contents: Mapped[dict[str, Any]]  # renditions, playlists, peaks (contract: Recording.media)
    marks: Mapped[str] = mapped_column(server_default=text("''"))  # digest of what is concealed; empty = nothing
    ready_utc: Mapped[datetime]


class Mark(Base):
    """A closed or sealed span of a recording (archive.domain.marks), with names: it outlives a lost catalogue."""

    __tablename__ = "marks"
    id: Mapped[uuid.UUID] = _id()
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"))
    start_ms: Mapped[int]
    end_ms: Mapped[int | None]  # null = as long as the recording runs
    access_class: Mapped[str]
    picture: Mapped[str]
    sound: Mapped[str]
    ground: Mapped[str]
    by_username: Mapped[str]
    by_role: Mapped[str]
    created_utc: Mapped[datetime] = _now()
    lifted_utc: Mapped[datetime | None]  # null = it holds
    lifted_by: Mapped[str | None]
    lift_ground: Mapped[str | None]
    __table_args__ = (Index(None, "recording_id"),)


class Export(Base):
    """A file made of a recording for one person (archive.export); gone some days after it was asked for."""

    __tablename__ = "exports"
    id: Mapped[uuid.UUID] = _id()
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]  # archive.domain.exports.Kind
    language: Mapped[str]  # of headings and chapters
    camera: Mapped[str | None]  # null = the first, or not of a picture
    marks: Mapped[str]  # digest of what is concealed in it
    marked: Mapped[bool] = mapped_column(Boolean)  # it names whoever takes it
    revision: Mapped[int | None]  # of the text in it; null = there is none
    requested_utc: Mapped[datetime]
    permille: Mapped[int] = mapped_column(server_default=text("0"))  # how far it is made
    ready_utc: Mapped[datetime | None]
    failed: Mapped[str | None]  # why it cannot be made
    prefix: Mapped[str | None]  # of its pieces in the derived bucket
    sizes: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))  # of the pieces, in bytes
    sha256: Mapped[str | None]  # of the whole
    expires_utc: Mapped[datetime]
    __table_args__ = (Index(None, "recording_id", "user_id"), Index(None, "expires_utc"))


class ClassOrder(Base):
    """The class of a hearing as the court has set it; what the schedule says later does not change it."""

    __tablename__ = "class_orders"
    id: Mapped[uuid.UUID] = _id()
    hearing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hearings.id"))
    access_class: Mapped[str]
    before: Mapped[str]
    ground: Mapped[str]
    by_username: Mapped[str]
    by_role: Mapped[str]
    created_utc: Mapped[datetime] = _now()
    __table_args__ = (Index(None, "hearing_id"),)


# Text.


class Transcript(Base):
    """One revision of a recording's text. The draft is -1; the machine's final text is 0; people's follow."""

    __tablename__ = "transcripts"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]  # archive.domain.transcript.TranscriptState
    engine: Mapped[str]
    object_key: Mapped[str | None]  # 0: JSON in the derived bucket; later: in the evidence bucket, null until stored
    carry: Mapped[dict[str, Any] | None]  # draft only: where the next live pass goes on, per source
    made_utc: Mapped[datetime] = _now()
    by_username: Mapped[str | None]  # null = machine
    request: Mapped[str | None]  # the sender's own name for it
    document: Mapped[str | None]  # archive.domain.revision_file; null = machine
    __table_args__ = (UniqueConstraint("recording_id", "request"),)


class Glossary(Base):
    """Words that a court says often, in one language, the most important ones first."""

    __tablename__ = "glossaries"
    court_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("courts.id"), primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    words: Mapped[list[str]]
    by_username: Mapped[str]
    changed_utc: Mapped[datetime]


class TranscriptPart(Base):
    """A part of a long recording that is recognised apart; gone once the machine's final text is there."""

    __tablename__ = "transcript_parts"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    state: Mapped[dict[str, Any]]  # what listening begins with (transcribe.pipeline.State)
    until: Mapped[dict[str, Any] | None]  # where it ends (transcribe.pipeline.Until); null = with the source
    said: Mapped[list[Any] | None]  # utterances as in documents; null = not done
    engine: Mapped[str | None]
    worked_s: Mapped[float | None]
    done_utc: Mapped[datetime | None]


class Utterance(Base):
    """A line of text, found by exact words and by stems. Only lines that stand are searched.

    A line of revision 3 that revision 5 changed stands in 3 and 4; its successor has the same `seq`.
    """

    __tablename__ = "utterances"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"))
    revision: Mapped[int]  # in which it appeared
    replaced_in: Mapped[int | None]  # the first revision in which it does not stand any more
    seq: Mapped[int]  # its number; a draft's lines come in this order
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    channel: Mapped[str]
    language: Mapped[str]
    text: Mapped[str]
    words: Mapped[list[Any]]  # [[text, start_ms, end_ms, probability], …]
    flags: Mapped[list[str]]
    language_confidence: Mapped[float | None]  # 0 to 1; null = not measured
    confirmed_in: Mapped[int | None]  # the revision in which a person confirmed it
    corrected_by: Mapped[str | None]  # of a draft: the user name of whoever wrote this; null = the machine did
    exact: Mapped[str] = mapped_column(TSVECTOR)  # normalised words, positions kept
    stems: Mapped[str] = mapped_column(TSVECTOR)  # keys of archive.search.analysis at the same positions
    analysed: Mapped[int] = mapped_column(BigInteger, server_default="1")  # by which version of that
    __table_args__ = (
        UniqueConstraint("recording_id", "revision", "seq"),
        Index(None, "recording_id", "start_ms"),
        Index(None, "analysed"),
        Index("ix_utterances_exact", "exact", postgresql_using="gin"),
        Index("ix_utterances_stems", "stems", postgresql_using="gin"),
    )


# Keeping.


class RetentionClass(Base):
    """How long recordings of a kind of case are kept that were made while it was valid. Never changed, only ended."""

    __tablename__ = "retention_classes"
    id: Mapped[uuid.UUID] = _id()
    code: Mapped[str]
    case_kind: Mapped[str]
    term: Mapped[int]
    unit: Mapped[str]  # days, years
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # the first day on which it is not valid; null = goes on
    ground_kk: Mapped[str]  # the rule that says so
    ground_ru: Mapped[str]
    created_utc: Mapped[datetime] = _now()
    __table_args__ = (
        UniqueConstraint("code", "valid_from"),
        CheckConstraint("unit IN ('days','years') AND term > 0", name="term"),
        Index(None, "case_kind"),
    )


class Hold(Base):
    """A legal hold on one recording or on a whole case; nothing of it is destroyed until it is released."""

    __tablename__ = "holds"
    id: Mapped[uuid.UUID] = _id()
    recording_id: Mapped[str | None] = mapped_column(ForeignKey("recordings.id"))
    case_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("cases.id"))
    ground: Mapped[str]
    by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = at the server's console
    created_utc: Mapped[datetime] = _now()
    released_utc: Mapped[datetime | None]  # null = holds
    released_by_user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    release_ground: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("(recording_id IS NULL) <> (case_id IS NULL)", name="one"),
        Index(None, "recording_id"),
        Index(None, "case_id"),
    )


class Keeping(Base):
    """What was done last to the objects of a recording. `done` < `wanted`: something has changed since."""

    __tablename__ = "keepings"
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"), primary_key=True)
    wanted: Mapped[int] = mapped_column(server_default=text("0"))
    done: Mapped[int] = mapped_column(server_default=text("0"))
    hearing_id: Mapped[uuid.UUID | None]  # for which the term was reckoned
    counted_from_utc: Mapped[datetime | None]
    class_code: Mapped[str | None]
    until_utc: Mapped[datetime | None]  # the end of its term, which is never made earlier; null = it has no class
    receipted: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # what had been stored by then
    stamped: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    copied: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    locked: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # every object until `until_utc`
    held: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # every object has the store's hold
    objects: Mapped[int] = mapped_column(server_default=text("0"))
    looked_utc: Mapped[datetime | None]


class Destruction(Base):
    """A recording that two persons destroy: requested, approved, begun, done; or withdrawn before it began."""

    __tablename__ = "destructions"
    id: Mapped[uuid.UUID] = _id()
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id"))
    ground: Mapped[str]
    requested_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    requested_role: Mapped[str]
    requested_utc: Mapped[datetime]
    approved_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    approved_role: Mapped[str | None]
    approved_utc: Mapped[datetime | None]
    withdrawn_utc: Mapped[datetime | None]
    withdrawn_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))  # null = the job found a reason
    withdrawn_reason: Mapped[str | None]
    begun_utc: Mapped[datetime | None]  # from here on there is no way back
    intents: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))  # objects that list what is deleted
    tombstone: Mapped[dict[str, Any] | None]  # what stays known of the recording
    deleted_utc: Mapped[datetime | None]  # the last object is gone
    record_key: Mapped[str | None]  # of the signed record of what was destroyed
    done_utc: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("requested_by <> approved_by", name="two_persons"),
        CheckConstraint("withdrawn_utc IS NULL OR begun_utc IS NULL", name="no_way_back"),
        Index(
            "ix_destructions_live",
            "recording_id",
            unique=True,
            postgresql_where=text("withdrawn_utc IS NULL"),
        ),
    )


class Audit(Base):
    """Who did or was refused what. Insert only: a trigger forbids UPDATE and DELETE."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at_utc: Mapped[datetime] = _now()
    user_id: Mapped[uuid.UUID | None]  # null = nobody signed in; no foreign key: the log outlives accounts
    role: Mapped[str | None]
    action: Mapped[str]  # archive.domain.access.Action or session.*
    hearing_id: Mapped[uuid.UUID | None]
    recording_id: Mapped[str | None]
    allowed: Mapped[bool] = mapped_column(Boolean)
    rule: Mapped[str]  # which row of the access table decided
    data: Mapped[dict[str, Any]]
    __table_args__ = (
        Index(None, "hearing_id", "at_utc"),
        Index(None, "user_id", "at_utc"),
        Index(None, "recording_id", "at_utc"),
        Index("ix_audit_at_utc", "at_utc", postgresql_using="brin"),  # rows come in the order of time
        Index("ix_audit_views", "at_utc", postgresql_where=text("allowed AND action IN ('view', 'read')")),
    )


class AuditLog(Base):
    """At most one row: the name under which this installation's audit log is sealed, made with the first piece."""

    __tablename__ = "audit_logs"
    id: Mapped[uuid.UUID] = _id()


class AuditPiece(Base):
    """A stretch of the audit log that lies sealed in the evidence bucket (archive.audit)."""

    __tablename__ = "audit_pieces"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 1
    sha256: Mapped[str]  # of its bytes
    first_id: Mapped[int]
    last_id: Mapped[int]  # rows beyond it were written later
    sealed_utc: Mapped[datetime]
