"""The bundle: whole, and provable with a shell and openssl alone; every tampering is found."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from sqlalchemy import select

from archive.db import tables
from archive.verify import verify as verify_recording
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


# --- a span ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def part(running: Running, court: Court, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked bundle about a span in the first two of three segments."""
    from tests.api.world import sign_in

    folder = tmp_path_factory.mktemp("span")
    judge = sign_in(running.url, court.person("judge"))
    address = f"/api/v1/recordings/{court.one().recording}/bundle"
    with judge.http.stream("GET", address, params={"from_ms": 1_000, "to_ms": 8_000}) as answer:
        assert answer.status_code == 200
        (folder / "bundle.zip").write_bytes(answer.read())
    judge.http.close()
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        bundle.extractall(folder)
    assert verify_recording(folder / "bundle.zip").ok
    return folder / f"{court.one().recording}_1000-8000"


def test_a_part_proves_itself_and_holds_no_more(part: Path, court: Court, as_: As) -> None:
    lines = [json.loads(line) for line in (part / "chain.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["segment"] * 3
    assert "Заседание" not in (part / "chain.jsonl").read_text()
    status, said = verify(part)
    assert status == 0, said
    assert "of the rest nothing is said" in said
    found = {check.name: check.ok for check in verify_recording(part).checks}
    address = f"/recordings/{court.one().recording}/bundle"
    shorter = as_(court.person("judge")).get(address, params={"from_ms": 0, "to_ms": 3_000}).content
    with zipfile.ZipFile(io.BytesIO(shorter)) as bundle:
        media = [PurePosixPath(name).name for name in bundle.namelist() if "/mics/" in name]
    assert media == ["000001.mp4", "000002.mp4"]
    assert found["span"] is found["merkle"] is found["whole_span"] is found["segments"] is True


def _span(part: Path, **changes: object) -> None:
    told = json.loads((part / "span.json").read_text()) | changes
    (part / "span.json").write_text(json.dumps(told, sort_keys=True, separators=(",", ":")))


def _path(part: Path, turn: Callable[[list[str]], list[str]]) -> None:
    _span(part, path=turn(json.loads((part / "span.json").read_text())["path"]))


def _without(part: Path, place: int) -> None:
    """A line taken out with its segment, and the number of the first line made to fit."""
    lines = (part / "chain.jsonl").read_text().splitlines(keepends=True)
    gone = json.loads(lines.pop(place))
    (part / "chain.jsonl").write_text("".join(lines))
    if gone["kind"] == "segment":
        (part / gone["file"]).unlink()
        sums = (part / "SHA256SUMS").read_text().splitlines(keepends=True)
        (part / "SHA256SUMS").write_text("".join(line for line in sums if gone["file"] not in line))
    _span(part, first=json.loads(lines[0])["seq"])


OF_PARTS: dict[str, Callable[[Path], object]] = {
    "flip": _flip,
    "swap": _swap,
    "remove": lambda part: (part / "mics/000002.mp4").unlink(),
    "add": lambda part: (part / "mics/000003.mp4").write_bytes(b"foreign"),
    "edited manifest": _edit_manifest,
    "signed again": _resign,
    "no signature": lambda part: (part / "manifest.sig").unlink(),
    "edited line": lambda part: (part / "chain.jsonl").write_text(
        (part / "chain.jsonl").read_text().replace('"samples":288000', '"samples":288001')
    ),
    "line left out in the middle": lambda part: _without(part, 1),
    "last line left out": lambda part: _without(part, 2),
    "another path": lambda part: _path(part, lambda path: [path[0][::-1], *path[1:]]),
    "path too short": lambda part: _path(part, lambda path: path[:-1]),
    "path too long": lambda part: _path(part, lambda path: [*path, path[0]]),
    "path of words": lambda part: _path(part, lambda path: ["$(rm -rf .)", *path[1:]]),
    "other numbers": lambda part: _span(part, first=1),
    "another recording": lambda part: _span(part, recording="20260914-051500-00000000"),
    "widened": lambda part: _span(part, end="2099-01-01T00:00:00.000Z"),
    "no moment": lambda part: _span(part, begin=""),
    "turned round": lambda part: _span(part, begin="2099-01-01T00:00:00.000Z"),
    "no span": lambda part: (part / "span.json").unlink(),
}


@pytest.mark.parametrize("tampering", OF_PARTS.values(), ids=OF_PARTS.keys())
def test_tampering_with_a_part_is_found_by_both(
    part: Path, tmp_path: Path, tampering: Callable[[Path], object]
) -> None:
    own = Path(shutil.copytree(part, tmp_path / "part"))
    tampering(own)
    status, said = verify(own)
    assert (status, "FAILED" in said) == (1, True), said
    assert not verify_recording(own).ok


def test_a_span_is_asked_for_whole_and_noted(running: Running, court: Court, as_: As) -> None:
    judge, address = as_(court.person("judge")), f"/recordings/{court.one().recording}/bundle"
    for wrong in ({"from_ms": 5}, {"from_ms": 5, "to_ms": 5}, {"from_ms": 90_000_000, "to_ms": 90_001_000}):
        assert judge.get(address, params=wrong).status_code == 400, wrong
    with judge.http.stream("GET", f"/api/v1{address}", params={"from_ms": 1_000, "to_ms": 2_000}) as answer:
        assert answer.status_code == 200
    with running.services.sessions() as session:
        query = select(tables.Audit.data).where(tables.Audit.action == "bundle").order_by(tables.Audit.id.desc())
        assert session.scalars(query).first() == {"from_ms": 1_000, "to_ms": 2_000}


def test_a_span_beside_what_is_sealed_may_be_taken_away(running: Running, court: Court, as_: As) -> None:
    secretary = as_(court.person("secretary"))
    made = record(running.url, running.services, court.agent_token, "room-1", court.one().hearing)
    sealed = {"start_ms": 20_000, "end_ms": 22_000, "ground": "Определение суда"}
    assert secretary.post(f"/recordings/{made}/marks", sealed).status_code == 201
    address = f"/recordings/{made}/bundle"
    assert secretary.get(address, params={"from_ms": 0, "to_ms": 3_000}).status_code == 200
    for span in ({"from_ms": 13_000, "to_ms": 15_000}, {"from_ms": 7_000, "to_ms": 8_000}):
        assert secretary.get(address, params=span).status_code == 403, span  # the second by its neighbour


def test_an_open_recording_has_no_bundle_yet(running: Running, court: Court, as_: As) -> None:
    hearing = court.one("open", "case").hearing
    running_one = record(running.url, running.services, court.agent_token, "room-1", hearing, close=False)
    answer = as_(court.person("judge")).get(f"/recordings/{running_one}/bundle", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (409, "REQ-006")
    assert "not closed" in answer.json()["detail"]
