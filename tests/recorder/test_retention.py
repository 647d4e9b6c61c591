"""Nothing unreceipted is ever deleted here; deleting may be killed anywhere (invariant 5)."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.domain.chain import Kind, canonical, sha256_hex
from archive.domain.errors import Damaged
from archive.domain.manifest import decode_manifest
from archive.signing import Signer
from config.clock import SystemClock
from recorder.centre import Receipt
from recorder.folder import ChainFile, Folder, find_recordings
from recorder.receipts import Receipts
from recorder.recording import seal
from recorder.retention import EXPIRED, Retention
from recorder.spool import Spool

ARCHIVE = Signer.generate()
AGENT = Signer.generate()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SEGMENTS = 3


class At(SystemClock):
    """The wall clock stands at `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def utc(self) -> datetime:
        return self.now


def closed(volume: Path, number: int, at: datetime = NOW) -> Folder:
    """A closed recording of three small segments."""
    folder = Folder(volume / f"20261101-{number:06d}-1f3a9c02")
    (folder.path / "cam").mkdir(parents=True)
    chain = ChainFile(folder, lambda: at, AGENT)
    source = {"name": "cam", "kind": "camera", "channels": [], "video": True}
    chain.append(
        Kind.START,
        version=1,
        recording=folder.recording,
        courtroom="room-1",
        agent="a",
        hearing=None,
        key_sha256=AGENT.public().sha256(),
        sources=[source],
    )
    for n in range(SEGMENTS):
        data = b"%d" % n
        file = f"cam/{n:06d}.mp4"
        (folder.path / file).write_bytes(data)
        chain.append(
            Kind.SEGMENT, source="cam", file=file, sha256=sha256_hex(data), size=1, duration_ticks=90_000, run=1
        )
    chain.append(Kind.STOP, reason="stopped")
    seal(folder, chain, AGENT)
    return folder


def receipt(
    folder: Folder, signer: Signer = ARCHIVE, received: str = "2026-11-01T00:00:00.000Z", **but: str
) -> Receipt:
    data = folder.manifest.read_bytes()
    own = decode_manifest(data)
    facts = {
        "recording": folder.recording,
        "manifest_sha256": sha256_hex(data),
        "chain_head": own.chain_head,
        "segments": own.segments,
        "bytes": own.bytes,
        "received": received,
    }
    body = canonical({**facts, **but})
    return Receipt(body, signer.sign(body), ARCHIVE.public().pem())


def receipts(volume: Path) -> Receipts:
    key = volume / "archive.pub"
    key.write_bytes(ARCHIVE.public().pem())
    return Receipts(key)


def retention(volume: Path, now: datetime, room_mb: int = 0) -> Retention:
    return Retention(Spool([volume]), receipts(volume), At(now), 7, room_mb)


@pytest.mark.parametrize("wrong", ["signer", "recording", "manifest_sha256", "chain_head", "received"])
def test_a_receipt_that_does_not_fit_is_not_kept(tmp_path: Path, wrong: str) -> None:
    folder, ours = closed(tmp_path, 1), receipts(tmp_path)
    told = receipt(folder, Signer.generate()) if wrong == "signer" else receipt(folder, **{wrong: "x"})
    if wrong == "received":
        ours.take(folder, told)  # signed by the archive, so kept; but it says no time, so nothing is deleted by it
    else:
        with pytest.raises(Damaged):
            ours.take(folder, told)
    assert ours.received(folder) is None
    assert retention(tmp_path, NOW + timedelta(days=4000)).turn() == []
    assert folder.manifest.exists()


def test_the_first_key_seen_is_pinned_and_another_is_refused(tmp_path: Path) -> None:
    folder, ours = closed(tmp_path, 1), Receipts(tmp_path / "archive.pub")
    ours.take(folder, receipt(folder))
    assert (tmp_path / "archive.pub").read_bytes() == ARCHIVE.public().pem()
    other, body = Signer.generate(), receipt(folder).receipt
    with pytest.raises(Damaged, match="pinned"):
        ours.take(folder, Receipt(body, other.sign(body), other.public().pem()))


def test_a_receipted_recording_goes_after_its_days_and_not_before(tmp_path: Path) -> None:
    signed, unsigned = closed(tmp_path, 1), closed(tmp_path, 2)
    receipts(tmp_path).take(signed, receipt(signed))
    assert retention(tmp_path, NOW + timedelta(days=6, hours=23)).turn() == []
    assert retention(tmp_path, NOW + timedelta(days=7)).turn() == [signed.recording]
    assert not signed.path.exists()
    assert [folder.recording for folder in Spool([tmp_path]).folders()] == [unsigned.recording]
    assert len(unsigned.segments("cam")) == SEGMENTS


def test_room_is_made_earlier_but_never_of_what_is_not_receipted_or_still_open(tmp_path: Path) -> None:
    signed, unsigned, running = closed(tmp_path, 1), closed(tmp_path, 2), closed(tmp_path, 3)
    for folder in (signed, running):
        receipts(tmp_path).take(folder, receipt(folder))
    running.intent.write_text("{}")
    assert retention(tmp_path, NOW, room_mb=1 << 40).turn() == [signed.recording]
    assert unsigned.manifest.exists()
    assert running.manifest.exists()


def pass_killed_before(step: int, volume: Path) -> int:
    """One pass in a process of its own that gets kill -9 before its rename or removal number `step`; its status."""
    made = retention(volume, NOW + timedelta(days=60))
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = step

    def hook(event: str, _arguments: object) -> None:
        nonlocal left
        if event in ("os.rename", "os.remove", "os.rmdir"):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(hook)
        made.turn()
    finally:
        os._exit(0)


def test_killed_anywhere_the_next_pass_finishes(tmp_path: Path) -> None:
    for step in range(20):
        volume = tmp_path / f"spool-{step}"
        volume.mkdir()
        signed, unsigned = closed(volume, 1), closed(volume, 2)
        receipts(volume).take(signed, receipt(signed))
        status = pass_killed_before(step, volume)
        names = {found.recording for found in find_recordings(volume)}
        assert unsigned.recording in names
        assert signed.recording not in names or len(signed.segments("cam")) == SEGMENTS
        retention(volume, NOW + timedelta(days=60)).turn()
        assert list(volume.glob(f"{EXPIRED}*")) == []
        assert not signed.path.exists()
        assert len(unsigned.segments("cam")) == SEGMENTS
        if status == 0:
            assert step > 3, "nothing was killed"
            return
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    pytest.fail("it was never let through to the end")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.lists(st.tuples(st.sampled_from(["signed", "forged", "none"]), st.booleans()), max_size=4),
    days=st.integers(0, 20),
    room=st.booleans(),
)
def test_only_signed_and_closed_recordings_ever_go(
    tmp_path_factory: pytest.TempPathFactory, fates: list[tuple[str, bool]], days: int, room: bool
) -> None:
    volume = tmp_path_factory.mktemp("spool")
    kept = receipts(volume)
    made = [closed(volume, number) for number in range(len(fates))]
    for folder, (fate, is_open) in zip(made, fates, strict=True):
        told = receipt(folder, ARCHIVE if fate == "signed" else Signer.generate())
        if fate != "none":
            (folder.path / "receipt.json").write_bytes(told.receipt)
            (folder.path / "receipt.sig").write_bytes(told.signature)
        if is_open:
            folder.intent.write_text(json.dumps({}))
    gone = Retention(Spool([volume]), kept, At(NOW + timedelta(days=days)), 7, (1 << 40) if room else 0).turn()
    may_go = [f.recording for f, fate in zip(made, fates, strict=True) if fate == ("signed", False)]
    assert gone == (may_go if room or days >= 7 else [])
    assert [f.recording for f in made if not f.path.exists()] == gone
