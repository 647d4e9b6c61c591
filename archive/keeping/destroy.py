"""Carrying a destruction out: what is to go is listed first, then deleted, then the signed record is stored.

1. In one transaction the rules are asked a last time and the destruction has begun: from here on nobody is shown the
   recording, and no hold comes onto it.
2. All versions of its objects in both buckets and at the second site are listed. One that the store still keeps (by a
   lock, by a hold set by other hands) ends the destruction before anything was deleted.
3. The list is stored, signed, as `.destroyed/<recording>/intent-…`, and noted; only what is on a noted list is deleted.
4. When nothing is left, `record-…` is stored: all that was listed, who wanted it, why, when. The same bytes each time.
5. The rows go; the recording's own row, the destruction's and the record stay.

Killed anywhere, the next run goes on: what is gone already stands on a list that was stored before.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from archive.db import audit, destructions
from archive.db import keeping as db
from archive.db.destructions import Act, Destruction, State
from archive.db.keeping import Facts
from archive.db.session import notify
from archive.domain.chain import canonical, sha256_hex
from archive.domain.errors import Damaged, Misconfigured, StoreRefused, Unavailable
from archive.domain.keeping import SAID, Refusal, Term, Unit
from archive.domain.keys import SHA_CHARS, recording_prefix
from archive.domain.wall import iso
from archive.jobs.context import JobContext
from archive.keeping.consent import why_not
from archive.keeping.terms import reckon, zone_of
from archive.signing import Verifier
from archive.storage.port import ObjectStore, Version, VersionedStore
from config.log import report

logger = logging.getLogger(__name__)

ROOT = ".destroyed/"  # no courtroom's name begins with a dot
VERSION = 1
FIELDS = ("bucket", "key", "version")


@dataclass(frozen=True, slots=True)
class Item:
    """A version in one of the buckets."""

    bucket: str  # evidence, derived, second
    version: Version

    @property
    def name(self) -> tuple[str, str, str]:
        """What it is called in a list."""
        return self.bucket, self.version.key, self.version.id


class Kept(Exception):
    """The store keeps an object of it."""


def destroy(context: JobContext, destruction: uuid.UUID) -> None:
    """Carry an approved destruction out, or go on with one.

    Raises:
        Unavailable: jobs about the recording are not done yet; to be tried again.
        StoreUnavailable, StoreRefused, DatabaseUnavailable: to be tried again.
    """
    order = _begun(context, destruction)
    if order is None:
        return
    try:
        _delete_all(context, order)
    except Kept as kept:
        _give_up(context, order, str(kept))
        return
    except StoreRefused as error:
        report(logger, "KEP-004", recording=order.recording, error=str(error)[:300])
        raise
    _complete(context, destruction)


def _begun(context: JobContext, destruction: uuid.UUID) -> Destruction | None:
    """The destruction, past the point of no return; None when it is not to be carried out."""
    with context.sessions.begin() as session:
        found = destructions.locked(session, destruction)
        if found.state is State.BEGUN:
            return found
        if found.state is not State.APPROVED:
            return None
        db.lock_recording(session, found.recording)
        facts = db.facts(session, found.recording)
        now = context.clock.utc()
        against = why_not(session, context.settings, facts, now) if facts else Refusal.DESTROYED
        if against is Refusal.BUSY:
            raise Unavailable(f"jobs about {found.recording} are not done; its destruction waits for them")
        if against or facts is None:
            _withdraw(context, session, found, SAID[against or Refusal.DESTROYED])
            return None
        destructions.set_begun(session, destruction, found.recording, _tombstone(context, session, facts), now)
        _note(session, found, "destroy.begin", {})
        notify(session, "tyndau_recording", found.recording)
        return destructions.get(session, destruction)


def _tombstone(context: JobContext, session: Session, facts: Facts) -> dict[str, Any]:
    """What stays known of the recording."""
    term = reckon(facts, db.classes(session), zone_of(context.settings))
    manifest = facts.manifest or {}
    return {
        "courtroom": facts.courtroom,
        "hearing": str(facts.hearing),
        "started": iso(facts.started_utc),
        "ended": iso(facts.ended_utc) if facts.ended_utc else None,
        "manifest_sha256": facts.manifest_sha256,
        "chain_head": manifest.get("chain_head"),
        "bytes": manifest.get("bytes"),
        "counts": destructions.counts(session, facts.recording),
        "class": term.of.code if term else None,
        "term": [term.of.term.number, term.of.term.unit.value] if term else None,
        "kept_until": iso(term.until) if term else None,
    }


# --- deleting ----------------------------------------------------------------------------------------


def _delete_all(context: JobContext, order: Destruction) -> None:
    """Until nothing is there. What arrives meanwhile gets a list of its own."""
    listed = {_name(one) for key in order.intents for one in _read(context, key)["objects"]}
    while left := list(_left(context, order)):
        new = [one for one in left if one.name not in listed]
        if new:
            if not listed:
                _check_unlocked(context, new)
            _store_list(context, order, new)
            listed.update(one.name for one in new)
        for one in left:
            _store(context, one.bucket).delete(one.version)


def _left(context: JobContext, order: Destruction) -> Iterator[Item]:
    courtroom = (order.tombstone or {})["courtroom"]
    own = recording_prefix(courtroom, order.recording)
    for bucket, prefix in (("derived", f"{order.recording}/"), ("second", own), ("evidence", own)):
        if bucket != "second" or context.second is not None:
            yield from (Item(bucket, version) for version in _store(context, bucket).versions(prefix))


def _store(context: JobContext, bucket: str) -> VersionedStore:
    store = {"evidence": context.evidence, "derived": context.derived, "second": context.second}[bucket]
    if store is None:
        raise Misconfigured("objects at the second site are to be destroyed, and none is set; set second_site.endpoint")
    return store


def _check_unlocked(context: JobContext, items: list[Item]) -> None:
    now = context.clock.utc()
    for one in items:
        if one.version.marker:
            continue
        lock = _store(context, one.bucket).lock_of(one.version)
        if lock.binds(now):
            why = f"a lock until {iso(lock.until)}" if lock.until and not lock.held else "a legal hold"
            raise Kept(f"the store keeps {one.version.key} by {why}")


def _store_list(context: JobContext, order: Destruction, items: list[Item]) -> None:
    objects = sorted((_described(context, one) for one in items), key=lambda one: [one[name] for name in FIELDS])
    key = _put(context, order, "intent", {"objects": objects}, context.clock.utc())
    with context.sessions.begin() as session:
        destructions.add_intent(session, order.id, key)


def _described(context: JobContext, one: Item) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(FIELDS, one.name, strict=True))
    if one.version.marker:
        return {**found, "deleted": True}
    sha256 = _store(context, one.bucket).sha256_of(one.version)
    return {**found, "sha256": sha256, "size": one.version.size}


def _name(listed: Mapping[str, Any]) -> tuple[str, str, str]:
    return listed["bucket"], listed["key"], listed["version"]


# --- what stays --------------------------------------------------------------------------------------


def _complete(context: JobContext, destruction: uuid.UUID) -> None:
    with context.sessions.begin() as session:
        at = destructions.set_deleted(session, destruction, context.clock.utc())
        order = destructions.get(session, destruction)
    objects = {_name(one): one for key in order.intents for one in _read(context, key)["objects"]}
    record = {"destroyed": iso(at), "objects": [objects[name] for name in sorted(objects)]}
    key = _put(context, order, "record", record, at)
    with context.sessions.begin() as session:
        if destructions.locked(session, destruction).state is State.DONE:
            return
        destructions.finish(session, destruction, order.recording, key, context.clock.utc())
        _note(session, order, "destroy.done", {"record": key, "objects": len(objects)})
        notify(session, "tyndau_recording", order.recording)


def _put(context: JobContext, order: Destruction, kind: str, more: Mapping[str, Any], at: datetime) -> str:
    """Store a signed list; its key. Locked as long again as the recording was kept."""
    said = {
        "version": VERSION,
        "kind": kind,
        "destruction": str(order.id),
        "recording": order.recording,
        "ground": order.ground,
        "requested": _act(order.requested),
        "approved": _act(order.approved),
        "key_sha256": context.signer.public().sha256(),
        **(order.tombstone or {}),
        **more,
    }
    data = canonical(said)
    key = f"{ROOT}{order.recording}/{kind}-{sha256_hex(data)[:SHA_CHARS]}.json"
    signature = base64.b64encode(context.signer.sign(data)).decode()
    until = _locked_until(context, order, at)
    context.evidence.put(
        key, data, metadata={"signature": signature}, content_type="application/json", retain_until=until
    )
    return key


def _locked_until(context: JobContext, order: Destruction, at: datetime) -> datetime | None:
    days = context.settings.storage.retention_days
    if not days:
        return None
    number, unit = (order.tombstone or {})["term"]
    return max(at + timedelta(days=days), Term(number, Unit(unit)).after(at))


def _act(act: Act | None) -> dict[str, str] | None:
    return {"by": act.username, "role": act.role, "at": iso(act.at_utc)} if act else None


def _read(context: JobContext, key: str) -> dict[str, Any]:
    with context.sessions() as session:
        keys = [Verifier.from_pem(pem.encode()) for pem in audit.public_keys(session)]
    found = read_signed(context.evidence, key, keys)
    if found is None:
        raise Damaged(f"{key} is not as this archive has signed it; look at the bucket before anything is deleted")
    return found


def read_signed(store: ObjectStore, key: str, by: Iterable[Verifier]) -> dict[str, Any] | None:
    """A list or record under ROOT; None when none of these keys has signed it.

    Raises:
        NotFound, StoreUnavailable, StoreRefused: as the port's verbs.
    """
    with store.open_range(key) as stream, closing(stream):
        data = stream.read()
    try:
        signature = base64.b64decode(store.head(key).metadata.get("signature", ""), validate=True)
    except ValueError:
        return None
    if not any(one.holds(data, signature) for one in by):
        return None
    said: dict[str, Any] = json.loads(data)
    return said


# --- not done ----------------------------------------------------------------------------------------


def _give_up(context: JobContext, order: Destruction, why: str) -> None:
    with context.sessions.begin() as session:
        found = destructions.locked(session, order.id)
        if found.state is State.BEGUN and not found.intents:
            _withdraw(context, session, found, why)
            notify(session, "tyndau_recording", order.recording)


def _withdraw(context: JobContext, session: Session, found: Destruction, why: str) -> None:
    destructions.set_withdrawn(session, found.id, why, None, context.clock.utc())
    _note(session, found, "destroy.withdraw", {"reason": why})
    report(logger, "KEP-003", recording=found.recording, reason=why)


def _note(session: Session, found: Destruction, action: str, data: Mapping[str, object]) -> None:
    entry = audit.Entry(action, True, "job", recording=found.recording, data={"destruction": str(found.id), **data})
    audit.write(session, entry)
