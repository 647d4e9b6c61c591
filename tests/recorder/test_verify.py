"""The list of tampers: each is found, and by the check that should find it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from archive.domain.chain import Head, Kind, after, canonical, make_record, parse_chain
from archive.domain.manifest import build_manifest, encode_manifest
from archive.signing import Signer
from archive.verify import verify
from tests.recorder.console import tyndau


def _flip(folder: Path) -> None:
    path = folder / "cam/000001.mp4"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _remove(folder: Path) -> None:
    (folder / "mics/000002.mp4").unlink()


def _swap(folder: Path) -> None:
    first, second = folder / "mics/000001.mp4", folder / "mics/000002.mp4"
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)


def _add(folder: Path) -> None:
    shutil.copy(folder / "cam/000001.mp4", folder / "cam/000009.mp4")


def _truncate_segment(folder: Path) -> None:
    path = folder / "cam/000002.mp4"
    path.write_bytes(path.read_bytes()[:-100])


def _edit_chain(folder: Path) -> None:
    path = folder / "chain.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"frames":150', b'"frames":151', 1))


def _cut_chain(folder: Path) -> None:
    path = folder / "chain.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def _forged(folder: Path, signer: Signer, key_sha256: str | None = None) -> None:
    """Leave out the last segment, link the chain anew, sign it all with `signer`."""
    records = parse_chain((folder / "chain.jsonl").read_bytes())
    last = [r for r in records if r.kind is Kind.SEGMENT][-1]
    head, forged = Head(), []
    for old in (r for r in records if r is not last):
        fields = dict(old.fields)
        if key_sha256 and old.kind is Kind.START:
            fields["key_sha256"] = key_sha256
        forged.append(make_record(head, old.t, old.kind, fields))
        head = after(forged[-1])
    (folder / last.fields["file"]).unlink()
    (folder / "chain.jsonl").write_bytes(b"".join(r.line + b"\n" for r in forged))
    manifest = encode_manifest(build_manifest(forged))
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sig").write_bytes(signer.sign(manifest))


def _relink_without_key(folder: Path) -> None:
    _forged(folder, Signer.generate())


def _sign_with_another_key(folder: Path) -> None:
    """Everything consistent but the checkpoints, which only the true key could sign; the fingerprint is another."""
    signer = Signer.generate()
    _forged(folder, signer, signer.public().sha256())
    (folder / "agent.pub").write_bytes(signer.public().pem())


def _other_public_key(folder: Path) -> None:
    (folder / "agent.pub").write_bytes(Signer.generate().public().pem())


def _edit_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(canonical(json.loads(path.read_bytes()) | {"gaps": 7}))


def _no_signature(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def _nonsense_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b'{"sources": 3}')


def _lead_out(folder: Path) -> None:
    path = folder / "cam/000001.mp4"
    outside = folder.parent / "outside.mp4"
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("tamper", "found_by"),
    [
        (_flip, "segments"),
        (_remove, "segments"),
        (_swap, "segments"),
        (_truncate_segment, "segments"),
        (_lead_out, "segments"),
        (_add, "no_other_media"),
        (_edit_chain, "chain"),
        (_cut_chain, "chain"),
        (_relink_without_key, "signature"),
        (_sign_with_another_key, "checkpoints"),
        (_other_public_key, "key"),
        (_edit_manifest, "manifest"),
        (_nonsense_manifest, "manifest"),
        (_no_signature, "signature"),
    ],
)
def test_every_tamper_is_found(copy: Path, tamper: Callable[[Path], None], found_by: str) -> None:
    assert verify(copy).ok
    tamper(copy)
    verdict = verify(copy)
    assert not verdict.ok
    assert found_by in {check.name for check in verdict.checks if check.ok is False}


def test_the_command_says_it_as_json(finished: Path, copy: Path, home: Path) -> None:
    good = tyndau(home, "verify", str(finished), "--json")
    assert (good.code, good.json["ok"]) == (0, True)
    assert set(good.json["checks"][0]) == {"name", "ok", "detail"}
    _flip(copy)
    bad = tyndau(home, "verify", str(copy), "--json")
    assert (bad.code, bad.json["ok"]) == (1, False)


def test_a_bundle_is_verified_in_its_zip(finished: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as zipped:
        for path in finished.rglob("*"):
            zipped.write(path, Path(finished.name) / path.relative_to(finished))
    assert verify(bundle).ok


@pytest.mark.parametrize("name", ["nothing.zip", "empty"])
def test_what_is_no_recording_is_said_in_one_line(tmp_path: Path, home: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    answer = tyndau(home, "verify", str(tmp_path / name))
    assert answer.code == 1
    assert "Traceback" not in answer.err
