"""The API of the data centre as the agent uses it. Every call may be repeated."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx

from archive.domain.enrolment import renewal_proof
from archive.domain.errors import Conflict, Denied, Misconfigured, NotFound, TyndauError, Unavailable
from archive.domain.wall import iso, parse_iso
from config.clock import Clock, SystemClock
from config.settings import Agent
from recorder.alarms import AlarmBook
from recorder.credentials import Credentials

REFUSED = "UPL-003"
TIMEOUT_S = 10.0
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Command:
    """What the centre asks of this courtroom."""

    id: str
    kind: str  # start, stop, pause, resume, note, undo, check
    hearing: str | None
    args: Mapping[str, Any]
    age_s: float = 0.0  # how long ago it was given, by the centre's clock


@dataclass(frozen=True, slots=True)
class Receipt:
    """The archive's signed word that it has read back every byte of a recording (archive.receipts)."""

    receipt: bytes  # canonical JSON
    signature: bytes  # raw Ed25519 over it
    archive_key_pem: bytes


class Centre:
    """One connection; used by one thread. Its verbs raise Unavailable, Denied, NotFound or Conflict.

    `now_utc` is the centre's clock in its last answer to `state`; None before the first.
    """

    def __init__(
        self,
        agent: Agent,
        transport: httpx.BaseTransport | None = None,
        *,
        clock: Clock | None = None,
        alarms: AlarmBook | None = None,
    ) -> None:
        if not agent.server:
            raise Misconfigured("agent.server is empty; name the API's address, or use: tyndau record")
        self._credentials, self._alarms = Credentials(agent, clock or SystemClock()), alarms
        base = f"{agent.server.rstrip('/')}/api/v1/agent"
        self._http = httpx.Client(
            base_url=base, headers={"Accept-Language": "en"}, timeout=TIMEOUT_S, transport=transport
        )
        self.now_utc: datetime | None = None
        self._trouble = ""  # why the token was not renewed
        self._schedule: dict[str, Any] = {}
        self._schedule_tag = ""

    def state(self, state: Mapping[str, Any]) -> list[Command]:
        """Tell how the courtroom is; take what is asked of it. This and `acknowledge` renew the token in time."""
        answer = self._told("POST", "/state", dict(state))
        self.now_utc = parse_iso(answer["now_utc"]) if answer.get("now_utc") else None
        rows = answer.get("commands", [])
        return [
            Command(str(r["id"]), r["kind"], r.get("hearing"), r.get("args") or {}, self._age_s(r.get("created_utc")))
            for r in rows
        ]

    def _age_s(self, created_utc: str | None) -> float:
        if self.now_utc is None or not created_utc:
            return 0.0
        return (self.now_utc - parse_iso(created_utc)).total_seconds()

    def rotate_token(self) -> None:
        """Have this machine's token replaced; the new one is on the disk before it is used.

        Raises:
            Denied: the centre lets this machine in no more.
            Misconfigured: the evidence key is not there.
        """
        credentials = self._credentials
        with credentials.changing():
            held = credentials.held()
            if held is None:
                return
            signature = credentials.signer().sign(renewal_proof(held.token))
            answer = self._call("POST", "/token", {"signature": _b64(signature)})
            credentials.keep(replace(held, token=str(answer["token"]), life_s=int(answer["life_s"])))
            credentials.pin(str(answer.get("archive_key_pem") or ""))

    def _renew_in_time(self) -> None:
        try:
            if not self._credentials.due():
                return
            self.rotate_token()
            self._trouble = ""
        except (TyndauError, OSError, KeyError, ValueError) as error:  # a full disk must not end the conversation
            self._credentials.put_off()
            if not isinstance(error, Unavailable):
                self._trouble = f"the token was not renewed: {error}"

    def _told(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """As `_call`, with a token renewed in time; the alarm says whether the centre lets this machine in."""
        self._renew_in_time()
        try:
            answer = self._call(method, path, body)
        except (Denied, Misconfigured) as error:
            self._credentials.doubt()
            self._alarm(True, str(error))
            raise
        self._alarm(bool(self._trouble), self._trouble)
        return answer

    def _alarm(self, on: bool, detail: str) -> None:
        if self._alarms is not None:
            self._alarms.set(on, REFUSED, detail=detail[:200])

    def schedule(self) -> dict[str, Any]:
        """The room's hearings, yesterday's to those in a week; what has not changed is not sent again."""
        headers = {"If-None-Match": self._schedule_tag} if self._schedule else {}
        answer = self._answer("GET", "/schedule", headers=headers)
        if answer.status_code != NOT_MODIFIED:
            self._schedule = _json(answer)
            self._schedule_tag = answer.headers.get("etag", "")
        return self._schedule

    def receipt(self, recording: str) -> Receipt | None:
        """The archive's receipt; None while there is none. Whoever uses it checks the signature."""
        try:
            told = self._call("GET", f"/recordings/{recording}/receipt")
        except NotFound:
            return None
        try:
            receipt, signature = (base64.b64decode(told[name], validate=True) for name in ("receipt", "signature"))
            return Receipt(receipt, signature, str(told["archive_key_pem"]).encode())
        except (KeyError, ValueError) as error:
            raise Unavailable(f"the centre's receipt cannot be read ({error}); check agent.server") from error

    def acknowledge(self, command: str, *, ok: bool, detail: str, recording: str | None) -> None:
        """Say what became of a command."""
        self._told("POST", f"/commands/{command}", {"ok": ok, "detail": detail, "recording": recording})

    def register(
        self, recording: str, start: Mapping[str, Any], t: str, public_pem: bytes, line: bytes, signature: bytes
    ) -> None:
        """Open a recording at the archive."""
        body = {
            "hearing": start["hearing"],
            "started_utc": iso(parse_iso(t)),
            "public_key_pem": public_pem.decode(),
            "start_line": _b64(line),
            "signature": _b64(signature),
        }
        self._call("PUT", f"/recordings/{recording}", body)

    def chain(
        self, recording: str, lines: Sequence[bytes], signatures: Sequence[bytes], objects: Mapping[int, str]
    ) -> None:
        """Hand over chain lines whose objects are stored."""
        body = {
            "lines": [_b64(line) for line in lines],
            "signatures": [_b64(signature) for signature in signatures],
            "objects": {str(seq): key for seq, key in objects.items()},
        }
        self._call("POST", f"/recordings/{recording}/chain", body)

    def manifest(self, recording: str, manifest: bytes, signature: bytes) -> None:
        """Close a recording at the archive."""
        body = {"manifest": _b64(manifest), "signature": _b64(signature)}
        self._call("POST", f"/recordings/{recording}/manifest", body)

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return _json(self._answer(method, path, body))

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        token = self._credentials.token()
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        try:
            answer = self._http.request(method, path, json=body, headers=sent)
        except httpx.HTTPError as error:
            raise Unavailable(f"the centre does not answer ({type(error).__name__}: {error})") from error
        if answer.is_success or answer.status_code == NOT_MODIFIED:
            return answer
        text = f"the centre answered {answer.status_code} to {method} {path}: {answer.text[:200]}"
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Denied(text)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(text)
        raise (Conflict if answer.status_code == httpx.codes.CONFLICT else Unavailable)(text)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        return dict(answer.json()) if answer.content else {}
    except (ValueError, TypeError) as error:  # a proxy's page, say
        request = f"{answer.request.method} {answer.request.url.path}"
        raise Unavailable(f"{request} was not answered by the centre; check agent.server") from error


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
