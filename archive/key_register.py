"""The register of keys in the evidence bucket: whoever has the bucket and the archive's key knows whom to believe.

Each worker states with its archive's key what the catalogue says of every key, as
`.keys/<archive's key>/<key>/<sha256[:16]>.json` with the signature in the metadata. Statements are made from the
catalogue alone, so that one that is made twice is the same object; they are only ever added to.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta

from archive.db.keys import Registered, registered
from archive.domain.chain import sha256_hex
from archive.domain.errors import Damaged
from archive.domain.keys import SHA_CHARS
from archive.domain.register import Statement, decode_statement, encode_statement, strictest
from archive.jobs.context import JobContext
from archive.signing import Verifier
from archive.storage.port import ObjectStore

ROOT = ".keys/"  # no courtroom's name begins with a dot


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it is stored, with the raw signature over its bytes."""

    said: Statement
    data: bytes
    signature: bytes


def state_keys(context: JobContext) -> int:
    """State what is new in the register; how many statements were stored.

    Raises:
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    with context.sessions() as session:
        keys = registered(session)
    by = context.signer.public().sha256()
    there = {found.key for found in context.evidence.list(f"{ROOT}{by}/")}
    stored = 0
    for key in keys:
        data = encode_statement(_statement(key, by))
        name = _name(by, key.sha256, data)
        if name not in there:
            _put(context, name, data)
            stored += 1
    return stored


def _statement(key: Registered, by: str) -> Statement:
    fields = asdict(key)
    return Statement(key_sha256=fields.pop("sha256"), by=by, **fields)


def _name(by: str, key: str, data: bytes) -> str:
    return f"{ROOT}{by}/{key}/{sha256_hex(data)[:SHA_CHARS]}.json"


def _put(context: JobContext, name: str, data: bytes) -> None:
    days = context.settings.storage.retention_days
    context.evidence.put(
        name,
        data,
        metadata={"signature": base64.b64encode(context.signer.sign(data)).decode()},
        content_type="application/json",
        retain_until=context.clock.utc() + timedelta(days=days) if days else None,
    )


def read_statement(evidence: ObjectStore, by: Verifier, key_sha256: str) -> Signed | None:
    """What the archive with the key `by` states of a key; None while it states nothing that can be believed.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    found = list(_signed(evidence, f"{ROOT}{by.sha256()}/{key_sha256}/", by))
    counts = strictest(one.said for one in found if one.said.key_sha256 == key_sha256)
    return next((one for one in found if one.said is counts), None)


def read_register(evidence: ObjectStore, by: Verifier) -> dict[str, Statement]:
    """All that the archive with the key `by` states, by the fingerprint of the key; what it did not sign is left out.

    Raises:
        StoreUnavailable, StoreRefused: as the port's verbs.
    """
    told: dict[str, list[Statement]] = {}
    for one in _signed(evidence, f"{ROOT}{by.sha256()}/", by):
        told.setdefault(one.said.key_sha256, []).append(one.said)
    return {key: counts for key, all_ in told.items() if (counts := strictest(all_))}


def _signed(evidence: ObjectStore, prefix: str, by: Verifier) -> Iterator[Signed]:
    for found in evidence.list(prefix):
        with evidence.open_range(found.key) as stream, closing(stream):
            data = stream.read()
        try:
            signature = base64.b64decode(evidence.head(found.key).metadata.get("signature", ""), validate=True)
            said = decode_statement(data)
        except (Damaged, binascii.Error):
            continue
        if by.holds(data, signature) and said.by == by.sha256():
            yield Signed(said, data, signature)
