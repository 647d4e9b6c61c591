"""The live copy of a running recording: who may have it, how it grows, when it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av
import httpx
import pytest
from sqlalchemy import select, update

from archive.db import tables
from archive.domain.access import Action, Role
from archive.domain.chain import Kind, sha256_hex
from archive.domain.wall import iso
from archive.signing import Signer
from tests.api import world
from tests.api.conftest import Running
from tests.api.test_access import expected
from tests.api.world import NOW, Court, Person, Recorder, SignedIn
from tests.publish.hearing import Folder, record_run
from tests.waiting import wait_for

As = Callable[[Person], SignedIn]


class Hearing:
    """A recording of two microphones whose real segments arrive one by one."""

    def __init__(self, running: Running, court: Court, media: list[bytes], access_class: str = "open") -> None:
        self.held = court.one(access_class)
        self._services = running.services
        self._media = media
        signer = world._SIGNERS.setdefault("agent-1", Signer.generate())
        self.made = Recorder("agent-1", "room-1", self.held.hearing, signer)
        self._bearer = {"Authorization": f"Bearer {court.agent_token}"}
        self._url = f"{running.url}/api/v1/agent"
        with self._agent() as http:
            world._register(http, self.made, self.held.hearing)
        self.base = f"/recordings/{self.made.id}/live"

    def _agent(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, headers=self._bearer, timeout=20)

    def arrive(self, number: int) -> None:
        data = self._media[number - 1]
        line = self.made.segment(number, data)
        key = f"room-1/{self.made.id}/mics/{line.seq:06d}-{sha256_hex(data)[:16]}.mp4"
        self._services.evidence.put(key, data)
        self.made.objects[line.seq] = key
        with self._agent() as http:
            world._send(http, self.made)

    def close(self) -> None:
        ticks = len(self._media) * 540_000
        self.made.add(Kind.RUN_END, source="mics", run=1, reason="stopped", utc=iso(NOW), end_ticks=ticks)
        self.made.add(Kind.STOP, reason="stopped")
        with self._agent() as http:
            world._send(http, self.made)
            world._close(http, self.made, self._services)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Four segments of 6 s with two tracks, as the recorder writes them."""
    store = Folder(tmp_path_factory.mktemp("live"))
    tones = "sine=frequency=440:sample_rate=48000[out0];sine=frequency=880:sample_rate=48000[out1]"
    args = ["-i", tones, "-map", "0:a:0", "-map", "0:a:1", "-t", "24", "-c:a", "aac", "-b:a", "96k"]
    return [(store.root / s.key).read_bytes() for s in record_run(store, "mics", 1, 0, args, 0)]


@pytest.fixture
def begun(running: Running, court: Court, media: list[bytes]) -> Callable[[str], Hearing]:
    return lambda access_class: Hearing(running, court, media, access_class)


def names(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_it_grows_plays_and_ends_where_the_final_copies_begin(
    running: Running, court: Court, as_: As, begun: Callable[[str], Hearing], media: list[bytes], tmp_path: Path
) -> None:
    secretary, hearing = as_(court.person("secretary")), begun("open")
    base = hearing.base
    detail = f"/recordings/{hearing.made.id}"
    assert secretary.get(detail).json()["live_media"] is None
    assert secretary.get(f"{base}/master.m3u8").status_code == 404
    for number in (1, 2):
        hearing.arrive(number)
    live = secretary.get(detail).json()["live_media"]
    assert [sound["id"] for sound in live["audio"]] == ["mix", "mics/judge", "mics/claimant"]
    wait_for(lambda: secretary.http.get(live["master"]).status_code == 200, 10, "the live copy")
    assert names(secretary.http.get(live["master"]).text) == ["mix.m3u8"]
    playlists = [sound["playlist"] for sound in live["audio"]]
    before = [secretary.http.get(address) for address in playlists]
    assert {r.headers["cache-control"] for r in before} == {"private, no-store"}
    assert {r.headers["content-type"] for r in before} == {"application/vnd.apple.mpegurl"}
    assert all(r.text.count("#EXTINF") >= 1 and "ENDLIST" not in r.text for r in before)
    for number in (3, 4):
        hearing.arrive(number)
    wait_for(lambda: secretary.http.get(playlists[1]).text.count("#EXTINF") == 4, 10, "the new segments")
    for address, earlier in zip(playlists, before, strict=True):
        assert secretary.http.get(address).text.startswith(earlier.text)
    hearing.close()
    ended = [secretary.http.get(address).text for address in playlists]
    assert all(text.endswith("#EXT-X-ENDLIST\n") for text in ended)
    assert [_seconds(secretary, a, t, tmp_path) for a, t in zip(playlists, ended, strict=True)] == pytest.approx(
        [24.0] * 3, abs=0.1
    )
    world.publish(running.services, hearing.made.id)
    assert secretary.get(f"{base}/mix.m3u8").status_code == 404
    found = secretary.get(detail).json()
    assert (found["live_media"], bool(found["media"])) == (None, True)


def _seconds(client: SignedIn, address: str, text: str, folder: Path) -> float:
    """How much sound the header and the parts of a playlist decode to."""
    [header] = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)
    path = folder / "sound.mp4"
    at = address.rpartition("/")[0]
    answers = [client.http.get(f"{at}/{name}") for name in (header, *names(text))]
    assert {r.status_code for r in answers} == {200}
    path.write_bytes(b"".join(r.content for r in answers))
    with av.open(str(path)) as container:
        return sum(f.samples for f in container.decode(container.streams.audio[0])) / 48_000


def test_a_span_sealed_while_it_runs_is_silent_for_whoever_may_not_have_it(
    running: Running, court: Court, as_: As, begun: Callable[[str], Hearing], media: list[bytes], tmp_path: Path
) -> None:
    secretary, party, hearing = as_(court.person("secretary")), as_(court.person("party")), begun("open")
    for number in (1, 2, 3, 4):
        hearing.arrive(number)
    own, mix = (f"/api/v1{hearing.base}/{name}.m3u8" for name in ("mics/judge", "mix"))
    wait_for(lambda: secretary.http.get(own).text.count("#EXTINF") == 4, 10, "the live copy")
    span = {"start_ms": 8_000, "end_ms": 9_000, "ground": "Определение суда"}
    assert secretary.post(f"/recordings/{hearing.made.id}/marks", span).status_code == 201
    assert "none" not in secretary.http.get(own).text
    told = names(party.http.get(own).text)
    seqs = names(secretary.http.get(own).text)
    assert [name.startswith("judge/none-") for name in told] == [False, True, False, False]
    at = own.rpartition("/")[0]
    assert party.http.get(f"{at}/{seqs[1]}").status_code == 404
    assert party.http.get(f"{at}/{told[1]}").status_code == 200
    loud = [_loudest(client, mix, tmp_path) for client in (secretary, party)]
    assert min(loud[0]) > 0.01
    assert [peak > 0.01 for peak in loud[1]] == [True, False, True]
    assert max(loud[1][1:2]) < 1e-3


def _loudest(client: SignedIn, address: str, folder: Path) -> list[float]:
    """The largest amplitude of each part of a playlist, its first and last tenth of a second left out."""
    text = client.http.get(address).text
    [header] = re.findall(r'#EXT-X-MAP:URI="([^"]+)"', text)
    at = address.rpartition("/")[0]
    found = []
    for name in names(text):
        path = folder / "part.mp4"
        path.write_bytes(b"".join(client.http.get(f"{at}/{one}").content for one in (header, name)))
        with av.open(str(path)) as container:
            heard = [f.to_ndarray()[0] for f in container.decode(container.streams.audio[0])]
        found.append(max(float(abs(block).max()) for block in heard[5:-5]))
    return found


def test_access_is_decided_at_each_request_and_noted(
    running: Running, court: Court, as_: As, begun: Callable[[str], Hearing]
) -> None:
    for access_class in ("open", "closed", "sealed"):
        hearing = begun(access_class)
        hearing.arrive(1)
        part = f"{hearing.base}/mics/judge/{hearing.made.records[-1].seq}.m4s"
        for role in Role:
            person = court.person(role.value)
            got = as_(person).get(part).status_code
            assert got == expected(person, hearing.held, Action.VIEW), (role, access_class)
    judge = as_(court.person("judge"))
    assert judge.get(part).status_code == 200
    mine = tables.Participant.user_id == judge.me["id"]
    with running.services.sessions.begin() as session:
        session.execute(update(tables.Participant).where(mine).values(removed_utc=NOW))
    try:
        assert judge.get(part).status_code == 404
    finally:
        with running.services.sessions.begin() as session:
            session.execute(update(tables.Participant).where(mine).values(removed_utc=None))
    with running.services.sessions() as session:
        query = select(tables.Audit.action, tables.Audit.allowed, tables.Audit.role)
        rows = session.execute(query.where(tables.Audit.recording_id == hearing.made.id)).all()
    assert ("view", True, "judge") in rows
    assert ("view", False, "operator") in rows
    assert sum(row == ("view", True, "judge") for row in rows) == 2  # one a session


@pytest.mark.parametrize(
    "path",
    [
        "",
        "mix",
        "nobody.m3u8",
        "mics.m3u8",
        "mics/judge/0.m4s",
        "mics/judge/999999999999999999.m4s",
        "mics/judge/none-5.m4s",
        "mics/judge/9.init.mp4",
        "mics/_video.m3u8",
        "mix/none-0.m4s",
        "mix/7.m4s",
        "mics/judge/../../mix.m3u8",
        "..%2f..%2fmix.m3u8",
        "mics/judge/1.m4s%00",
        "mix/000000000000000000000001.m4s",
    ],
)
def test_nothing_but_what_the_playlists_name(as_: As, court: Court, whole: Hearing, path: str) -> None:
    assert as_(court.person("secretary")).get(f"{whole.base}/{path}").status_code == 404


@pytest.fixture(scope="module")
def whole(running: Running, court: Court, media: list[bytes]) -> Hearing:
    hearing = Hearing(running, court, media)
    hearing.arrive(1)
    return hearing
