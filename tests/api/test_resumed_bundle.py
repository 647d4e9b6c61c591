"""A bundle's download that broke off goes on, and what comes together is the record or nothing."""

from __future__ import annotations

import io
import random
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from archive.db import tables
from archive.jobs.context import job_context
from archive.jobs.tasks import ingest_segments
from archive.verify import verify
from config.settings import Settings
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record

As = Callable[[Person], SignedIn]


@pytest.fixture(scope="module")
def recording(running: Running, court: Court, installation: Settings, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A closed recording whose stored bytes were read back."""
    made = record(running.url, running.services, court.agent_token, "room-1", court.one().hearing)
    settings = installation.model_copy(update={"data_dir": tmp_path_factory.mktemp("worker")})
    with job_context(settings) as context:
        ingest_segments(context, recording=made)
    return made


@pytest.fixture
def judge(court: Court, as_: As) -> SignedIn:
    return as_(court.person("judge"))


def noted(running: Running, recording: str) -> int:
    with running.services.sessions() as session:
        query = select(tables.Audit.id).where(tables.Audit.recording_id == recording, tables.Audit.action == "bundle")
        return len(session.scalars(query).all())


@pytest.mark.parametrize("span", ["", "?from_ms=7000&to_ms=9000"])
def test_parts_make_up_the_whole_and_it_verifies(
    running: Running, judge: SignedIn, recording: str, span: str, tmp_path: Path
) -> None:
    address, before = f"/recordings/{recording}/bundle{span}", noted(running, recording)
    head = judge.http.head(f"/api/v1{address}")
    size, tag = int(head.headers["content-length"]), head.headers["etag"]
    assert noted(running, recording) == before, "asking for the length takes nothing away"
    cuts = sorted({0, size, *(random.randrange(size) for _ in range(12))})
    parts = []
    for first, last in pairwise(cuts):
        part = judge.get(address, headers={"Range": f"bytes={first}-{last - 1}", "If-Range": tag})
        assert part.status_code == 206, part.text
        assert part.headers["content-range"] == f"bytes {first}-{last - 1}/{size}"
        assert part.headers["etag"] == tag
        parts.append(part.content)
    assert noted(running, recording) == before + 1, "one download is one row"
    whole = judge.get(address)
    assert whole.content == b"".join(parts)
    assert (whole.headers["etag"], whole.headers["accept-ranges"], len(whole.content)) == (tag, "bytes", size)
    assert noted(running, recording) == before + 2
    with zipfile.ZipFile(io.BytesIO(whole.content)) as bundle:
        assert bundle.testzip() is None
        bundle.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert verify(folder).ok
    told = subprocess.run(["sh", folder / "verify.sh"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_zip_that_has_changed_meanwhile_is_sent_anew(running: Running, judge: SignedIn, recording: str) -> None:
    address = f"/recordings/{recording}/bundle"
    other = judge.get(address, headers={"Range": "bytes=100-", "If-Range": '"of another day"'})
    assert other.status_code == 200
    with zipfile.ZipFile(io.BytesIO(other.content)) as bundle:
        assert bundle.testzip() is None
    size = len(other.content)
    outside = judge.get(address, headers={"Range": f"bytes={size}-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{size}")


def test_spoilt_bytes_are_never_sent_to_their_end(
    running: Running, court: Court, judge: SignedIn, installation: Settings, tmp_path: Path
) -> None:
    """The object of the second segment is another recording's: as if the store had mixed them up after it was read."""
    made, other = (
        record(running.url, running.services, court.agent_token, "room-1", court.one().hearing) for _ in range(2)
    )
    with job_context(installation.model_copy(update={"data_dir": tmp_path})) as context:
        ingest_segments(context, recording=made)
    with running.services.sessions.begin() as session:
        rows = session.execute(
            select(tables.Segment.recording_id, tables.Segment.seq, tables.Segment.object_key)
            .where(tables.Segment.recording_id.in_([made, other]))
            .order_by(tables.Segment.seq)
        ).all()
        (mine,) = (row.seq for row in [r for r in rows if r.recording_id == made][1:2])
        (theirs,) = (row.object_key for row in [r for r in rows if r.recording_id == other][1:2])
        session.execute(
            update(tables.Segment)
            .where(tables.Segment.recording_id == made, tables.Segment.seq == mine)
            .values(object_key=theirs)
        )
    address = f"/recordings/{made}/bundle"
    size = int(judge.http.head(f"/api/v1{address}").headers["content-length"])
    with pytest.raises(httpx.RemoteProtocolError):
        judge.get(address)
    middle = size // 2  # in the second of three equal segments, which are nearly all of it
    with pytest.raises(httpx.RemoteProtocolError):
        judge.get(address, headers={"Range": f"bytes=100-{middle}"})
    refused = judge.get(address, headers={"Range": f"bytes={middle}-{middle + 10}"})
    assert refused.status_code == 400, "before anything was sent it is said"
    assert judge.get(address, headers={"Range": "bytes=0-99"}).status_code == 206


def test_what_the_archive_has_not_read_back_yet_is_read_for_it(running: Running, court: Court, judge: SignedIn) -> None:
    made = record(running.url, running.services, court.agent_token, "room-1", court.one().hearing)
    address = f"/recordings/{made}/bundle"
    size = int(judge.http.head(f"/api/v1{address}").headers["content-length"])
    whole = judge.get(address).content
    assert len(whole) == size
    assert judge.get(address, headers={"Range": f"bytes=100-{size // 2}"}).content == whole[100 : size // 2 + 1]
    with zipfile.ZipFile(io.BytesIO(whole)) as bundle:
        assert bundle.testzip() is None
    with running.services.sessions.begin() as session:
        session.execute(
            update(tables.Segment)
            .where(tables.Segment.recording_id == made)
            .values(sha256=sha256(b"other").hexdigest())
        )
    refused = judge.get(address)
    assert refused.status_code == 400
    with running.services.sessions() as session:
        asked = tables.Audit.recording_id == made, tables.Audit.action == "bundle"
        assert len(session.scalars(select(tables.Audit.id).where(*asked)).all()) == 2, "a try that failed is on record"
