"""The bundle: whole, and provable with a shell and openssl alone; every tampering is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record

As = Callable[[Person], SignedIn]


@pytest.fixture(scope="session")
def whole(running: Running, court: Court, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked bundle."""
    from tests.api.world import sign_in

    folder = tmp_path_factory.mktemp("bundle")
    judge = sign_in(running.url, court.person("judge"))
    with judge.http.stream("GET", f"/api/v1/recordings/{court.one().recording}/bundle") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].endswith(f'{court.one().recording}.zip"')
        (folder / "bundle.zip").write_bytes(answer.read())
    judge.http.close()
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        assert bundle.testzip() is None
        bundle.extractall(folder)
    return folder / court.one().recording


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """One's own, to tamper with."""
    return Path(shutil.copytree(whole, tmp_path / "record"))


def verify(folder: Path) -> tuple[int, str]:
    """Exit status and output of verify.sh; nothing is left behind."""
    before = sorted(folder.rglob("*"))
    done = subprocess.run(["sh", str(folder / "verify.sh")], capture_output=True, text=True, check=False)
    assert sorted(folder.rglob("*")) == before
    return done.returncode, done.stdout + done.stderr


def test_a_bundle_verifies(whole: Path) -> None:
    status, said = verify(whole)
    assert status == 0, said
    assert "FAILED" not in said
    assert "3 segments" in said


def test_it_explains_itself(whole: Path) -> None:
    text = (whole / "README.txt").read_text(encoding="utf-8")
    assert "sh verify.sh" in text
    assert "ЖАЗБАСЫ" in text
    assert "ЗАПИСЬ" in text


def _flip(folder: Path) -> None:
    data = bytearray((folder / "mics/000002.mp4").read_bytes())
    data[100] ^= 1
    (folder / "mics/000002.mp4").write_bytes(data)


def _swap(folder: Path) -> None:
    one, two = folder / "mics/000001.mp4", folder / "mics/000002.mp4"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def _edit_chain(folder: Path) -> None:
    chain = folder / "chain.jsonl"
    chain.write_text(chain.read_text().replace("Заседание открыто", "Заседание закрыто"))


def _drop_line(folder: Path) -> None:
    chain = folder / "chain.jsonl"
    lines = chain.read_text().splitlines(keepends=True)
    chain.write_text("".join(lines[:3] + lines[4:]))


def _edit_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"gaps": 7}, sort_keys=True, separators=(",", ":")))


def _resign(folder: Path) -> None:
    """Another key signs the manifest: the fingerprint in it does not fit."""
    from archive.signing import Signer

    signer = Signer.generate()
    (folder / "agent.pub").write_bytes(signer.public().pem())
    (folder / "manifest.sig").write_bytes(signer.sign((folder / "manifest.json").read_bytes()))


def _edit_sums(folder: Path) -> None:
    _flip(folder)
    import hashlib

    sums = folder / "SHA256SUMS"
    lines = sums.read_text().splitlines()
    digest = hashlib.sha256((folder / "mics/000002.mp4").read_bytes()).hexdigest()
    sums.write_text("\n".join([lines[0], f"{digest}  mics/000002.mp4", *lines[2:]]) + "\n")


TAMPERINGS: dict[str, Callable[[Path], object]] = {
    "flip": _flip,
    "swap": _swap,
    "remove": lambda folder: (folder / "mics/000003.mp4").unlink(),
    "add": lambda folder: (folder / "mics/000004.mp4").write_bytes(b"foreign"),
    "truncate": lambda folder: (folder / "mics/000003.mp4").write_bytes(b""),
    "edited chain": _edit_chain,
    "dropped line": _drop_line,
    "truncated tail": lambda folder: (folder / "chain.jsonl").write_text(
        "".join((folder / "chain.jsonl").read_text().splitlines(keepends=True)[:-1])
    ),
    "edited manifest": _edit_manifest,
    "signed again": _resign,
    "sums edited, too": _edit_sums,
    "no signature": lambda folder: (folder / "manifest.sig").unlink(),
}


@pytest.mark.parametrize("tampering", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_tampering_is_found(copy: Path, tampering: Callable[[Path], object]) -> None:
    tampering(copy)
    status, said = verify(copy)
    assert status == 1, said
    assert "FAILED" in said


def test_an_open_recording_has_no_bundle_yet(running: Running, court: Court, as_: As) -> None:
    hearing = court.one("open", "case").hearing
    running_one = record(running.url, running.services, court.agent_token, "room-1", hearing, close=False)
    answer = as_(court.person("judge")).get(f"/recordings/{running_one}/bundle", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (409, "REQ-006")
    assert "not closed" in answer.json()["detail"]
