"""The console's server in a real agent: who is let in, what it answers, and what another page may not do."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from tests.console.conftest import MICROPHONES, PIN, Console, agent, sources, write_schedule
from tests.recorder.console import TYNDAU, chain, environment
from tests.waiting import wait_for

LEAST_HZ = 5


@pytest.fixture(scope="module")
def console(home: Path) -> Iterator[Console]:
    """A machine with two microphones; nobody has set a PIN."""
    write_schedule(home)
    with agent(home, **sources(mics=MICROPHONES)) as running:
        yield running


def set_pin(console: Console) -> None:
    """As the administrator does, while the agent runs."""
    done = subprocess.run(
        [TYNDAU, "agent", "pin", "--stdin"],
        input=f"{PIN}\n",
        env=environment(console.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def page(console: Console) -> Iterator[httpx.Client]:
    """A page that is signed in."""
    set_pin(console)
    with console.client() as client:
        yield client


def order(page: httpx.Client, kind: str, id_: str | None = None, hearing: str | None = None, **args: Any) -> Any:
    """What became of a command."""
    body = {"id": id_ or str(uuid.uuid4()), "kind": kind, "hearing": hearing, "args": args}
    answer = page.post("/api/commands", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def events(page: httpx.Client, count: int) -> list[dict[str, Any]]:
    """The next states of the stream."""
    with page.stream("GET", "/api/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        return [json.loads(line.removeprefix("data: ")) for line in islice(lines, count)]


def test_without_a_pin_nothing_works_and_the_page_says_so(console: Console) -> None:
    with console.client(None) as page:
        session = page.get("/api/session").json()
        assert session == {**session, "pin_set": False, "signed_in": False, "title": "Сарыарқа ауданы соты · Зал 3"}
        assert page.post("/api/session", json={"pin": "", "name": ""}).json()["code"] == "no_pin"
        assert page.get("/").status_code == 200
        assert page.get("/api/state").status_code == 401


def test_every_route_but_the_door_needs_the_pin(console: Console, page: httpx.Client) -> None:
    paths = ["state", "live", "schedule", "events", "preview/mics.jpg"]
    with console.client(None) as stranger:
        assert {stranger.get(f"/api/{path}").status_code for path in paths} == {401}
        command = {"id": str(uuid.uuid4()), "kind": "start", "args": {}}
        assert stranger.post("/api/commands", json=command).status_code == 401
        wrong = stranger.post("/api/session", json={"pin": "000000", "name": ""})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_pin")
        assert "set-cookie" not in wrong.headers
    assert page.get("/api/state").json()["state"] == "idle"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(console: Console, page: httpx.Client) -> None:
    with console.client(None) as fresh:
        cookie = fresh.post("/api/session", json={"pin": PIN, "name": ""}).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        gone = fresh.delete("/api/session")
        assert gone.status_code == 204
        assert fresh.get("/api/state").status_code == 401


def test_another_name_for_this_machine_is_refused(console: Console, page: httpx.Client) -> None:
    """DNS rebinding: somebody else's name that points to 127.0.0.1."""
    port = console.url.rpartition(":")[2]
    for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", f"127.0.0.2:{port}"):
        assert page.get("/", headers={"Host": host}).status_code == 421
        assert page.get("/api/state", headers={"Host": host}).status_code == 421
    assert page.get("/api/state", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_another_page_can_do_nothing(console: Console, page: httpx.Client) -> None:
    command = {"id": str(uuid.uuid4()), "kind": "start", "args": {}}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert page.post("/api/commands", json=command, headers=headers).status_code == 403
        assert page.get("/api/live", headers=headers).status_code == 403
    # A page on another port of this machine is of the same site, and its cookies are ours: not its origin.
    assert page.get("/api/preview/mics.jpg", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert page.post("/api/commands", json=command, headers={"Origin": console.url}).json()["ok"] is True
    assert order(page, "stop")["ok"] is True


def test_it_listens_on_loopback_alone(console: Console) -> None:
    port = f"{int(console.url.rpartition(':')[2]):04X}"
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port}")
    ]
    assert listening == [f"0100007F:{port}"]


def test_the_answers_carry_a_strict_policy(page: httpx.Client) -> None:
    for path in ("/", "/api/state", "/no-such-page", "/assets/../server.py", "/assets/mark.svg"):
        answer = page.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert page.get("/assets/..%2f..%2fserver.py").status_code == 404
    assert page.get("/api/state").headers["cache-control"] == "no-store"


def test_a_command_that_is_sent_twice_is_done_once(console: Console, page: httpx.Client) -> None:
    hearing = page.get("/api/schedule").json()["hearings"][0]["id"]
    started = order(page, "start", hearing=hearing)
    assert started["ok"], started
    id_ = str(uuid.uuid4())
    first = order(page, "note", id_, code="testimony")
    assert first["ok"]
    assert order(page, "note", id_, code="testimony")["ok"]
    noted = wait_for(lambda: page.get("/api/state").json()["events"], 10, "the note")
    assert [(event["code"], event["by"]) for event in noted] == [("testimony", "Серікқызы А.")]
    assert order(page, "undo", of=noted[0]["seq"])["ok"]
    assert page.get("/api/state").json()["events"][0]["undone"]
    folder = console.spool / started["recording"]
    assert [note["code"] for note in chain(folder, "note")] == ["testimony", "undo"]


def test_the_state_comes_at_least_five_times_a_second(page: httpx.Client) -> None:
    """Counted on the recording's own clock, between states as they come; the best of some tries on a busy machine."""

    def often() -> bool:
        moments = [state["elapsed_ms"] for state in events(page, 25)]
        return median(b - a for a, b in pairwise(moments)) <= 1000 / LEAST_HZ

    wait_for(often, 30, "a state every fifth of a second")


def test_levels_come_with_the_state(page: httpx.Client) -> None:
    def heard() -> bool:
        levels = [level["rms_db"] for state in events(page, 30) for level in state["levels"][:1]]
        return bool(levels) and max(levels) - min(levels) > 20

    wait_for(heard, 20, "a voice that comes and goes")


def test_a_refusal_is_said_in_the_three_languages(page: httpx.Client) -> None:
    refused = order(page, "check")
    assert not refused["ok"]
    assert set(refused["says"]) == {"kk", "ru", "en"}
    assert order(page, "stop")["ok"]
    assert page.get("/api/state").json()["handover"]["events"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "1", "kind": "start"},
        {"id": str(uuid.uuid4()), "kind": "format"},
        {"id": str(uuid.uuid4()), "kind": "start", "args": {"title": {"a": 1}}},
        {"id": str(uuid.uuid4()), "kind": "start", "more": 1},
    ],
)
def test_nonsense_is_refused_in_one_line(page: httpx.Client, body: Any) -> None:
    answer = page.post("/api/commands", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "wrong")
    assert page.post("/api/commands", content=b"x" * 20_000).status_code == 413


def test_there_is_no_picture_of_what_has_none(page: httpx.Client) -> None:
    assert page.get("/api/preview/mics.jpg").status_code == 204
    assert page.get("/api/preview/nobody.jpg").status_code == 204


def test_the_agent_ends_while_a_page_listens(home: Path, tmp_path: Path) -> None:
    with (
        agent(tmp_path, TYNDAU_AGENT__CONSOLE_PIN=PIN, **sources(mics=MICROPHONES)) as short,
        short.client() as page,
        page.stream("GET", "/api/live") as stream,
    ):
        assert next(stream.iter_lines())
        short.process.terminate()
        assert short.process.wait(20) == 0


def test_a_taken_port_is_an_alarm_and_capture_goes_on(console: Console, tmp_path: Path) -> None:
    port = int(console.url.rpartition(":")[2])
    with agent(tmp_path, port=port, **sources(mics=MICROPHONES)) as second:
        wait_for(lambda: "CON-001" in (tmp_path / "agent.log").read_text(), 15, "the alarm")
        assert second.process.poll() is None
