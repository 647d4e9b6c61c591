"""How fast a record is verified and taken in: `tyndau verify` beside sha256sum, lines and their checks per second.

    python -m tests.bench.evidence [--megabytes 500] [--segments 2000] [--recordings 20] [--json]

`verify_of_sha256sum`: both as processes over the same files, warm in memory, the faster of three runs each, in turns.
`segments_s`: chain lines taken (signature, rows, jobs; 50 a call as the agent sends them) and their stored bytes then
read back and hashed by one worker, on the embedded PostgreSQL and object store; segments of 150 kB are put before.
`rebuilt_…_s`: `tyndau archive rebuild` of closed recordings of an hour each, with receipts, into an empty catalogue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url

from archive.cards import keep_card
from archive.db.session import make_sessions, upgrade
from archive.domain.chain import Kind
from archive.embedded import embedded
from archive.jobs.context import JobContext, job_context
from archive.jobs.worker import run_worker
from archive.key_register import state_keys
from archive.receipts import issue_receipt
from archive.reconcile.work import rebuild
from archive.signing import Signer
from archive.storage.s3 import ensure_bucket, open_store
from config.settings import Database, Settings
from tests.archive.court import Recorded, Room, open_room

RUNS = 3
A_CALL = 50  # lines that the agent sends at once
SEGMENT_BYTES = 150_000
LARGE_BYTES = 1_600_000  # 6 s of a camera at 2 Mbit/s
WORKERS = 4
IN_A_RECORDING = 600  # segments: an hour of one camera
SMALL_BYTES = 1000  # a rebuild reads their names and metadata alone


def recorded(room: Room | None, segments: int, size: int, signer: Signer | None = None) -> Recorded:
    """A closed record of one camera with so many segments of so many bytes."""
    made = Recorded(room.hearing if room else None, signer=signer or Signer.generate(), segment_bytes=size)
    made.add(Kind.RUN, 0, source="cam", run=1)
    for number in range(segments):
        made.segment("cam", 1, number, zero_s=0)
    made.add(Kind.STOP, segments * 6, reason="stopped")
    return made


def write(made: Recorded, folder: Path) -> list[Path]:
    """The record as a folder; the paths of its segments."""
    manifest = made.manifest()
    (folder / "cam").mkdir(parents=True)
    (folder / "chain.jsonl").write_bytes(b"".join(r.line + b"\n" for r in made.records))
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sig").write_bytes(made.sign(manifest))
    (folder / "agent.pub").write_bytes(made.signer.public().pem())
    files = []
    for record in made.records:
        if record.kind is Kind.SEGMENT:
            files.append(folder / record.fields["file"])
            files[-1].write_bytes(made.media[record.seq])
    return files


def took_s(command: list[str]) -> float:
    """Seconds of one run; it must succeed."""
    began_s = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began_s


def measure_verify(folder: Path, megabytes: int) -> dict[str, float]:
    """Both programs over the same files."""
    files = write(recorded(None, megabytes * 1_000_000 // LARGE_BYTES, LARGE_BYTES), folder)
    ours = [sys.executable, "-c", "from archive.console import main; main()", "verify", str(folder)]
    theirs = ["sha256sum", *map(str, files)]
    runs = [(took_s(ours), took_s(theirs)) for _ in range(RUNS)]
    verify_s, sum_s = min(run[0] for run in runs), min(run[1] for run in runs)
    size = sum(path.stat().st_size for path in files)
    return {
        "megabytes": round(size / 1e6),
        "verify_s": round(verify_s, 2),
        "sha256sum_s": round(sum_s, 2),
        "verify_of_sha256sum": round(sum_s / verify_s, 2),
    }


def measure_ingest(folder: Path, segments: int) -> dict[str, float]:
    """Lines taken and checked per second."""
    with embedded(folder) as servers:
        settings = servers.settings(Settings(data_dir=folder / "data"))
        upgrade(settings)
        for bucket, lock in ((settings.storage.evidence_bucket, True), (settings.storage.derived_bucket, False)):
            ensure_bucket(settings.storage, bucket, object_lock=lock)
        sessions = make_sessions(settings)
        with sessions.begin() as session:
            room = open_room(session)
        made = recorded(room, segments, SEGMENT_BYTES)
        made.store(open_store(settings.storage, settings.storage.evidence_bucket))
        with sessions.begin() as session:
            made.register(session, room.agent)
        began_s = time.monotonic()
        for first in range(0, len(made.records), A_CALL):
            with sessions.begin() as session:
                made.send(session, room.agent, made.records[first : first + A_CALL])
        taken_s = time.monotonic()
        run_worker(settings, ["default"], concurrency=WORKERS, stop_when_idle=True)
        done_s = time.monotonic()
        sessions.kw["bind"].dispose()
    return {
        "segments": segments,
        "lines_taken_s": round(segments / (taken_s - began_s)),
        "checked_s": round(segments / (done_s - taken_s)),
        "segments_s": round(segments / (done_s - began_s)),
    }


def measure_rebuild(folder: Path, recordings: int) -> dict[str, float]:
    """Recordings with their receipts, taken from the bucket into an empty catalogue."""
    with embedded(folder) as servers:
        settings = servers.settings(Settings(data_dir=folder / "data"))
        storage = settings.storage
        ensure_bucket(storage, storage.evidence_bucket, object_lock=True)
        ensure_bucket(storage, storage.derived_bucket, object_lock=False)
        upgrade(settings)
        with job_context(settings) as context:
            _keep(context, recordings)
        anew = make_url(servers.database_url).set(database="anew")
        with psycopg.connect(servers.database_url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE anew")
        url = SecretStr(anew.render_as_string(hide_password=False))
        settings = settings.model_copy(update={"database": Database(url=url)})
        upgrade(settings)
        with job_context(settings) as context:
            began_s = time.monotonic()
            done = rebuild(context)
            took = time.monotonic() - began_s
    assert (done.recordings, done.findings) == (recordings, ())
    return {
        "recordings": recordings,
        "rebuilt_recordings_s": round(recordings / took, 1),
        "rebuilt_segments_s": round(recordings * IN_A_RECORDING / took),
    }


def _keep(context: JobContext, recordings: int) -> None:
    with context.sessions.begin() as session:
        room = open_room(session)
    signer = Signer.generate()
    for _ in range(recordings):
        made = recorded(room, IN_A_RECORDING, SMALL_BYTES, signer)
        made.store(context.evidence)
        with context.sessions.begin() as session:
            made.register(session, room.agent)
            made.send(session, room.agent, made.records)
            made.close(session, room.agent)
        issue_receipt(context, made.id)
        keep_card(context, made.id)
    state_keys(context)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--segments", type=int, default=2000)
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure_verify(Path(name) / "record", args.megabytes)
        found |= measure_ingest(Path(name) / "servers", args.segments)
        found |= measure_rebuild(Path(name) / "rebuild", args.recordings)
    print(json.dumps(found) if args.json else "\n".join(f"{key:45} {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
