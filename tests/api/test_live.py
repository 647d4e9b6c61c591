"""Live streams: state and text as they come, an end when the session ends, no hanging at the stop."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from archive.db import tables
from config.settings import Settings
from tests.api.conftest import Running
from tests.api.world import Court, Person, SignedIn, record, sign_in, write_down
from tests.waiting import wait_for

As = Callable[[Person], SignedIn]
Event = tuple[str, Any]


class Listener:
    """Reads a stream of server-sent events in a thread; `ended` once the server has closed it."""

    def __init__(self, client: SignedIn, path: str) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.ended = threading.Event()
        self.opened = threading.Event()
        self.leaving = False
        self._http = httpx.Client(base_url=client.http.base_url, cookies=client.http.cookies, timeout=30)
        self._thread = threading.Thread(target=self._read, args=(f"/api/v1{path}",), daemon=True)
        self._thread.start()
        assert self.opened.wait(20), "the stream did not open"

    def _read(self, path: str) -> None:
        try:
            with self._http.stream("GET", path) as answer:
                assert answer.status_code == 200, answer.read()
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert answer.headers["cache-control"] == "private, no-store"
                name = ""
                for line in answer.iter_lines():
                    self.opened.set()
                    if self.leaving:
                        return
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        self.events.put((name, json.loads(line.removeprefix("data: "))))
        except httpx.HTTPError:
            pass
        finally:
            self._http.close()
            self.ended.set()

    def expect(self, name: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The data of the next event of this name that fits."""
        while True:
            got, data = self.events.get(timeout=20)
            if got == name and fits(data):
                return data

    def wait_end(self) -> None:
        assert self.ended.wait(25), "the stream did not end"
        self._thread.join(5)


@pytest.fixture
def live_recording(running: Running, court: Court) -> str:
    """A recording of the open hearing that runs; nothing drafted yet."""
    return record(running.url, running.services, court.agent_token, "room-1", court.one().hearing, close=False)


@pytest.fixture
def tell(running: Running, court: Court) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """`tell(state=…)`: the agent of room-1 reports; the orders that wait for it."""
    http = httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {court.agent_token}"}, timeout=20)

    def report(**state: Any) -> list[dict[str, Any]]:
        answer = http.post("/api/v1/agent/state", json={"state": "idle", "version": "1", **state})
        assert answer.status_code == 200, answer.text
        commands: list[dict[str, Any]] = answer.json()["commands"]
        return commands

    report.http = http  # type: ignore[attr-defined]
    yield report
    report()
    http.close()


@pytest.fixture
def listen() -> Iterator[Callable[[SignedIn, str], Listener]]:
    """`listen(client, path)`: a listener that goes away with the test."""
    opened: list[Listener] = []

    def open_one(client: SignedIn, path: str) -> Listener:
        opened.append(Listener(client, path))
        return opened[-1]

    yield open_one
    for one in opened:
        one.leaving = True


Listen = Callable[[SignedIn, str], Listener]
LEVELS = [{"source": "mics", "channel": "judge", "rms_db": -30.0, "peak_db": -12.0, "speech": True}]


def test_levels_alarms_and_counts_reach_who_watches(
    listen: Listen, court: Court, as_: As, live_recording: str, tell: Callable[..., Any]
) -> None:
    stream = listen(as_(court.person("secretary")), f"/recordings/{live_recording}/live")
    counts = stream.expect("recording")
    assert (counts["state"], counts["segments"], counts["media_ready"]) == ("open", 3, False)
    alarm = {"code": "REC-002", "since_utc": "2026-01-01T00:00:00.000Z", "source": None, "channel": None}
    tell(state="recording", recording=live_recording, levels=LEVELS, alarms=[alarm])
    state = stream.expect("state")
    assert state["levels"] == LEVELS
    assert state["alarms"][0]["text_kk"]
    tell(state="paused", recording=live_recording)
    assert stream.expect("state", lambda s: s["state"] == "paused")["levels"] == []


def test_drafted_text_reaches_who_reads_drafts(
    listen: Listen, running: Running, court: Court, as_: As, live_recording: str
) -> None:
    write_down(running.services.sessions, live_recording, [("judge", "ru", "До начала.")], revision=-1)
    judge = listen(as_(court.person("judge")), f"/recordings/{live_recording}/live")
    operator = listen(as_(court.person("operator")), f"/recordings/{live_recording}/live")
    judge.expect("recording")
    write_down(running.services.sessions, live_recording, [("judge", "ru", "Слово истцу.")], revision=-1)
    said = judge.expect("utterance")
    assert (said["text"], said["role_ru"], said["seq"]) == ("Слово истцу.", "председательствующий", 1)
    assert said["words"][1]["text"] == "истцу."
    operator.expect("recording")
    assert all(name != "utterance" for name, _ in list(operator.events.queue))


def test_the_transcript_fetched_beside_the_stream(running: Running, court: Court, as_: As, live_recording: str) -> None:
    write_down(
        running.services.sessions, live_recording, [("judge", "ru", "Раз."), ("judge", "ru", "Два.")], revision=-1
    )
    path = f"/recordings/{live_recording}/transcript"
    judge, party = as_(court.person("judge")), as_(court.person("party"))
    whole = judge.get(path).json()
    assert (whole["state"], [u["text"] for u in whole["utterances"]]) == ("draft", ["Раз.", "Два."])
    first = judge.get(path, params={"limit": 1}).json()
    assert [u["text"] for u in first["utterances"]] == ["Раз."]
    assert [u["text"] for u in judge.get(path, params={"cursor": first["next"]}).json()["utterances"]] == ["Два."]
    with running.services.sessions.begin() as session:  # corrected meanwhile: it stands under another number
        mine = tables.Utterance.recording_id == live_recording, tables.Utterance.text == "Раз."
        session.execute(update(tables.Utterance).where(*mine).values(replaced_in=-1))
    assert [u["text"] for u in judge.get(path, params={"cursor": first["next"]}).json()["utterances"]] == ["Два."]
    nothing = {"state": "none", "revision": None, "certified": None, "signed": None, "next": None}
    assert party.get(path).json() == {"recording": live_recording, **nothing, "utterances": [], "withheld": []}
    write_down(running.services.sessions, live_recording, [("judge", "ru", "Окончательно.")])
    final = party.get(path).json()
    assert (final["state"], [u["text"] for u in final["utterances"]]) == ("final", ["Окончательно."])


def test_a_stream_ends_with_its_session(listen: Listen, court: Court, as_: As, live_recording: str) -> None:
    judge = as_(court.person("judge"))
    stream = listen(judge, f"/recordings/{live_recording}/live")
    judge.http.delete("/api/v1/session", headers={"X-CSRF-Token": judge.me["csrf_token"]})
    stream.wait_end()


def test_a_stream_ends_with_the_right_to_watch(
    listen: Listen, running: Running, court: Court, as_: As, live_recording: str
) -> None:
    judge = as_(court.person("judge"))
    stream = listen(judge, f"/recordings/{live_recording}/live")
    places = "UPDATE participants SET removed_utc = {} WHERE user_id = :user"
    try:
        with running.services.sessions.begin() as session:
            session.execute(text(places.format("now()")), {"user": judge.me["id"]})
        stream.wait_end()
    finally:
        with running.services.sessions.begin() as session:
            session.execute(text(places.format("NULL")), {"user": judge.me["id"]})


def test_streams_go_on_after_the_listening_connection_is_cut(
    listen: Listen, running: Running, court: Court, as_: As, live_recording: str, tell: Callable[..., Any]
) -> None:
    stream = listen(as_(court.person("judge")), f"/recordings/{live_recording}/live")
    stream.expect("recording")
    with running.services.sessions.begin() as session:
        cut = session.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
        assert cut.all()
    tell(state="recording", recording=live_recording, levels=LEVELS)
    assert stream.expect("state")["levels"] == LEVELS


def test_rooms_tell_what_their_agents_do(
    listen: Listen, court: Court, as_: As, live_recording: str, tell: Callable[..., Any]
) -> None:
    operator = as_(court.person("operator"))
    stream = listen(operator, "/rooms/live")
    tell(state="recording", recording=live_recording, levels=LEVELS)
    room = stream.expect("room", lambda r: r["recording"] == live_recording)
    assert room["agent"]["online"]
    assert room["state"]["levels"] == LEVELS
    assert room["hearing"]["id"] == str(court.one().hearing)
    assert operator.get("/rooms").json()[0]["recording"] == live_recording


def test_a_room_leaves_no_trace_of_a_hearing_one_may_not_know(
    running: Running, court: Court, as_: As, tell: Callable[..., Any]
) -> None:
    """A court's administrator may not know of sealed hearings, nor hear levels of closed ones."""
    sealed = record(
        running.url, running.services, court.agent_token, "room-1", court.one("sealed").hearing, close=False
    )
    tell(state="recording", recording=sealed, hearing=str(court.one("sealed").hearing), levels=LEVELS)
    room = as_(court.person("admin")).get("/rooms").json()[0]
    assert (room["recording"], room["hearing"], room["state"]["levels"]) == (None, None, [])
    assert sealed not in json.dumps(room)
    assert str(court.one("sealed").hearing) not in json.dumps(room)
    assert as_(court.person("operator")).get("/rooms").json()[0]["state"]["levels"] == LEVELS


def test_an_order_is_fetched_carried_out_and_seen(court: Court, as_: As, tell: Callable[..., Any]) -> None:
    secretary, hearing = as_(court.person("secretary")), court.one().hearing
    made = secretary.post(f"/hearings/{hearing}/commands", {"kind": "note", "code": "opened", "text": "Ашылды"})
    assert made.status_code == 202
    id_ = made.json()["id"]
    path = f"/hearings/{hearing}/commands/{id_}"
    assert secretary.get(path).json() == {"id": id_, "state": "waiting", "detail": None}
    order = next(one for one in tell() if one["id"] == id_)
    assert (order["kind"], order["hearing"]) == ("note", str(hearing))
    assert order["args"] == {"code": "opened", "text": "Ашылды", "by": "secretary"}
    http: httpx.Client = tell.http  # type: ignore[attr-defined]
    done = http.post(f"/api/v1/agent/commands/{id_}", json={"ok": True, "detail": "written", "recording": None})
    assert done.status_code == 204
    assert secretary.get(path).json() == {"id": id_, "state": "done", "detail": "written"}
    assert secretary.get(f"/hearings/{court.one('closed').hearing}/commands/{id_}").status_code == 404


def test_the_server_stops_though_streams_are_open(
    listen: Listen, installation: Settings, court: Court, live_recording: str
) -> None:
    other = Running(installation)
    client = sign_in(other.url, court.person("judge"))
    streams = [listen(client, f"/recordings/{live_recording}/live") for _ in range(3)]
    assert other.stop(within_s=15)
    for stream in streams:
        stream.wait_end()
    client.http.close()


def test_watchers_are_forgotten_when_their_streams_end(running: Running, court: Court, as_: As) -> None:
    topics = running.services.watchers._by_topic
    wait_for(lambda: not topics, 20, "all streams of the tests before to be forgotten")
