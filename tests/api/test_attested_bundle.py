"""A bundle with the archive's receipt and a time stamp: both verifiers refuse each forgery, and by the right check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive.domain.chain import canonical
from archive.domain.register import Reason, decode_statement, encode_statement
from archive.domain.wall import parse_iso
from archive.jobs.context import job_context
from archive.key_register import state_keys
from archive.receipts import issue_receipt
from archive.signing import Signer, Verifier
from archive.stamps import stamp_receipt
from archive.verify import verify
from config.settings import Timestamps
from tests.api.conftest import Running
from tests.api.world import Court, record, sign_in
from tests.archive.authority import make_ca, openssl, reply, running_authority


@dataclass(frozen=True)
class Bundles:
    """Two attested records, the archive's fingerprint, and the authority's own folder."""

    one: Path
    other: Path
    archive_key: str
    authority: Path
    archive: Signer


@pytest.fixture(scope="module")
def bundles(running: Running, court: Court, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    authority = tmp_path_factory.mktemp("authority")
    ids = [
        record(running.url, running.services, court.agent_token, "room-1", court.one("open", "case").hearing)
        for _ in range(2)
    ]
    with running_authority(authority) as asked:
        stamps = Timestamps(url=asked.url, ca_file=asked.ca_file)
        with job_context(running.services.settings.model_copy(update={"timestamps": stamps})) as context:
            for recording in ids:
                assert issue_receipt(context, recording)
                assert stamp_receipt(context, recording)
            assert state_keys(context) >= 2  # the agent's and the archive's own
            assert state_keys(context) == 0
            archive = context.signer
    judge = sign_in(running.url, court.person("judge"))
    folder = tmp_path_factory.mktemp("bundles")
    for recording in ids:
        answer = judge.http.get(f"/api/v1/recordings/{recording}/bundle")
        assert answer.status_code == 200
        (folder / "bundle.zip").write_bytes(answer.content)
        with zipfile.ZipFile(folder / "bundle.zip") as bundle:
            bundle.extractall(folder)
    judge.http.close()
    return Bundles(folder / ids[0], folder / ids[1], archive.public().sha256(), authority, archive)


@pytest.fixture
def copy(bundles: Bundles, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundles.one, tmp_path / "record"))


def shell(folder: Path, archive_key: str = "") -> tuple[int, str]:
    """Exit status and output of verify.sh."""
    env = {**os.environ, "ARCHIVE_KEY": archive_key}
    done = subprocess.run(["sh", str(folder / "verify.sh")], capture_output=True, text=True, check=False, env=env)
    return done.returncode, done.stdout + done.stderr


def test_both_say_who_had_it_and_when(bundles: Bundles) -> None:
    status, said = shell(bundles.one, bundles.archive_key)
    assert status == 0, said
    assert "the time stamp over the receipt (RFC 3161): " in said
    assert "the archive had all of it at 2" in said
    assert not [line for line in said.splitlines() if line.startswith(("--", "FAILED"))]
    verdict = verify(bundles.one, archive_key=bundles.archive_key)
    assert [check.name for check in verdict.checks if check.ok is not True] == []
    assert {"receipt", "timestamp"} <= {check.name for check in verdict.checks}


def test_what_is_not_there_is_said_and_is_no_proof(copy: Path) -> None:
    (copy / "receipt.tsr").unlink()
    status, said = shell(copy)
    assert status == 0, said
    assert "there is no time stamp" in said
    assert {check.name: check.ok for check in verify(copy).checks}["timestamp"] is None
    for name in ("receipt.json", "receipt.sig", "archive.pub", "agent-key.json", "agent-key.sig"):
        (copy / name).unlink()
    status, said = shell(copy)
    assert (status, "there is no receipt" in said) == (0, True)
    found = {check.name: check.ok for check in verify(copy).checks}
    assert (found["receipt"], found["key_register"]) == (None, None)
    assert "nothing here says whose key" in said


def _edit(folder: Path, bundles: Bundles) -> None:
    receipt = json.loads((folder / "receipt.json").read_bytes())
    (folder / "receipt.json").write_bytes(canonical({**receipt, "received": "2020-01-01T00:00:00.000Z"}))


def _take_the_receipt_of(folder: Path, bundles: Bundles) -> None:
    for name in ("receipt.json", "receipt.sig", "receipt.tsr"):
        shutil.copy(bundles.other / name, folder / name)


def _forge(folder: Path, bundles: Bundles) -> None:
    """Somebody else's key signs an earlier date; the time stamp is taken away with it."""
    signer = Signer.generate()
    receipt = json.loads((folder / "receipt.json").read_bytes())
    forged = canonical({**receipt, "received": "2020-01-01T00:00:00.000Z", "key_sha256": signer.public().sha256()})
    (folder / "receipt.json").write_bytes(forged)
    (folder / "receipt.sig").write_bytes(signer.sign(forged))
    (folder / "archive.pub").write_bytes(signer.public().pem())
    (folder / "receipt.tsr").unlink()


def _other_key(folder: Path, bundles: Bundles) -> None:
    (folder / "archive.pub").write_bytes(Signer.generate().public().pem())


def _no_signature(folder: Path, bundles: Bundles) -> None:
    (folder / "receipt.sig").unlink()


def _stamp_of_another(folder: Path, bundles: Bundles) -> None:
    shutil.copy(bundles.other / "receipt.tsr", folder / "receipt.tsr")


def _flip_stamp(folder: Path, bundles: Bundles) -> None:
    data = bytearray((folder / "receipt.tsr").read_bytes())
    data[-20] ^= 1  # in the signature
    (folder / "receipt.tsr").write_bytes(data)


def _other_ca(folder: Path, bundles: Bundles) -> None:
    place = folder.parent / "other-ca"
    place.mkdir()
    make_ca(place)
    shutil.copy(place / "ca.pem", folder / "tsa-ca.pem")


def _no_ca(folder: Path, bundles: Bundles) -> None:
    (folder / "tsa-ca.pem").unlink()


def _nonsense_stamp(folder: Path, bundles: Bundles) -> None:
    (folder / "receipt.tsr").write_bytes(b"<html>")


def _state(folder: Path, bundles: Bundles, **changes: object) -> None:
    """Another statement about the key, signed by the archive."""
    said = decode_statement((folder / "agent-key.json").read_bytes())
    data = encode_statement(replace(said, **changes))  # type: ignore[arg-type]
    (folder / "agent-key.json").write_bytes(data)
    (folder / "agent-key.sig").write_bytes(bundles.archive.sign(data))


def _received(folder: Path) -> datetime:
    return parse_iso(json.loads((folder / "receipt.json").read_bytes())["received"])


def _stolen_before(folder: Path, bundles: Bundles) -> None:
    at = _received(folder)  # what was signed at that moment counts no more
    _state(folder, bundles, revoked=at + timedelta(days=1), reason=Reason.STOLEN, void=at)


def _about_another_key(folder: Path, bundles: Bundles) -> None:
    _state(folder, bundles, key_sha256="0" * 64)


def _statement_edited(folder: Path, bundles: Bundles) -> None:
    data = (folder / "agent-key.json").read_bytes()
    (folder / "agent-key.json").write_bytes(data.replace(b'"courtroom":"room-1"', b'"courtroom":"room-2"'))


# tampering, the check of `tyndau verify` that refuses it, what verify.sh says.
TABLE = {
    "receipt edited": (_edit, "receipt", "FAILED  the receipt's signature"),
    "receipt of another record": (_take_the_receipt_of, "receipt", "FAILED  the receipt is for another record"),
    "receipt signed by a forger": (_forge, "receipt", "FAILED  the archive's key is not the one that you gave"),
    "archive's key swapped": (_other_key, "receipt", "FAILED  the receipt's signature"),
    "receipt's signature removed": (_no_signature, "receipt", "FAILED  a receipt without its signature"),
    "time stamp of another receipt": (_stamp_of_another, "timestamp", "FAILED  the time stamp"),
    "time stamp altered": (_flip_stamp, "timestamp", "FAILED  the time stamp"),
    "authority swapped": (_other_ca, "timestamp", "FAILED  the time stamp"),
    "authority removed": (_no_ca, "timestamp", "FAILED  a time stamp without"),
    "key stolen before the archive had it": (_stolen_before, "key_register", "it counts for nothing from"),
    "statement about another key": (_about_another_key, "key_register", "FAILED  the archive's statement is about"),
    "statement about the key edited": (_statement_edited, "key_register", "FAILED  the archive's statement about"),
    "time stamp of nonsense": (_nonsense_stamp, "timestamp", "FAILED  the time stamp"),
}


@pytest.mark.parametrize("name", TABLE)
def test_every_forgery_is_refused_by_both(copy: Path, bundles: Bundles, name: str) -> None:
    tamper, check, words = TABLE[name]
    tamper(copy, bundles)
    verdict = verify(copy, archive_key=bundles.archive_key)
    assert check in {one.name for one in verdict.checks if one.ok is False}
    status, said = shell(copy, bundles.archive_key)
    assert status == 1, said
    assert words in said


def test_a_record_from_before_the_theft_stays_good(copy: Path, bundles: Bundles) -> None:
    at = _received(copy)
    _state(copy, bundles, revoked=at + timedelta(days=2), reason=Reason.STOLEN, void=at + timedelta(milliseconds=1))
    verdict = {check.name: check for check in verify(copy).checks}
    assert verdict["key_register"].ok
    assert "withdrawn (stolen)" in verdict["key_register"].detail
    status, said = shell(copy)
    assert (status, "when the archive had this record already" in said) == (0, True), said


def test_a_time_stamp_moved_back_needs_the_authoritys_key(copy: Path, bundles: Bundles) -> None:
    """Another authority's token over the same receipt is refused unless its CA is swapped, too, which is seen."""
    place = copy.parent / "forger"
    place.mkdir()
    make_ca(place)
    openssl("ts", "-query", "-data", copy / "receipt.json", "-sha256", "-cert", "-out", "q.tsq", cwd=place)
    (copy / "receipt.tsr").write_bytes(reply(place, (place / "q.tsq").read_bytes()))
    assert shell(copy)[0] == 1
    assert not verify(copy).ok
    said = {one.name: one.detail for one in verify(bundles.one).checks}["timestamp"]
    shutil.copy(place / "ca.pem", copy / "tsa-ca.pem")
    forged = {one.name: one.detail for one in verify(copy).checks}["timestamp"]
    assert said.rpartition("SHA-256")[2] != forged.rpartition("SHA-256")[2]


def test_the_key_in_the_record_is_the_archives(bundles: Bundles) -> None:
    assert Verifier.from_pem((bundles.one / "archive.pub").read_bytes()).sha256() == bundles.archive_key
