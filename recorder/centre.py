"""The API of the data centre as the agent uses it. Every call may be repeated."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from archive.domain.errors import Conflict, Denied, Misconfigured, NotFound, Unavailable
from archive.domain.wall import iso, parse_iso
from config.settings import Agent

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Command:
    """What the centre asks of this courtroom."""

    id: str
    kind: str  # start, stop, pause, resume, note
    hearing: str | None
    args: Mapping[str, Any]


class Centre:
    """One connection; used by one thread. Its verbs raise Unavailable, Denied, NotFound or Conflict."""

    def __init__(self, agent: Agent, transport: httpx.BaseTransport | None = None) -> None:
        if not agent.server:
            raise Misconfigured("agent.server is empty; name the API's address, or use: tyndau record")
        headers = {"Authorization": f"Bearer {agent.token.get_secret_value()}"}
        base = f"{agent.server.rstrip('/')}/api/v1/agent"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_S, transport=transport)

    def state(self, state: Mapping[str, Any]) -> list[Command]:
        """Tell how the courtroom is; take what is asked of it."""
        rows = self._call("POST", "/state", dict(state)).get("commands", [])
        return [Command(str(r["id"]), r["kind"], r.get("hearing"), r.get("args") or {}) for r in rows]

    def acknowledge(self, command: str, *, ok: bool, detail: str, recording: str | None) -> None:
        """Say what became of a command."""
        self._call("POST", f"/commands/{command}", {"ok": ok, "detail": detail, "recording": recording})

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

    def _call(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(f"the centre does not answer ({type(error).__name__}: {error})") from error
        if answer.is_success:
            try:
                return dict(answer.json()) if answer.content else {}
            except (ValueError, TypeError) as error:  # a proxy's page, say
                raise Unavailable(f"{method} {path} was not answered by the centre; check agent.server") from error
        text = f"the centre answered {answer.status_code} to {method} {path}: {answer.text[:200]}"
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Denied(text)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(text)
        raise (Conflict if answer.status_code == httpx.codes.CONFLICT else Unavailable)(text)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
