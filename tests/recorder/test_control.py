"""The controls of a courtroom: what may be asked when, what it leaves in the record, and what a person is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive.domain.events import BY_CODE, EVENTS
from archive.domain.wall import parse_iso
from archive.verify import verify
from recorder.answers import Answer
from recorder.centre import Command
from recorder.states import Refused, State, Wish, after
from recorder.streams import FETCH_TIMEOUT_S
from tests.recorder.console import chain
from tests.recorder.room import Courtroom, courtroom, settings_of
from tests.waiting import wait_for

HEARING, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
KEYS = {
    *("state", "reason", "secured", "recording", "hearing", "adhoc", "started_utc", "elapsed_ms", "mode", "sources"),
    *("levels", "alarms", "volumes", "disk_free_bytes", "hours_left", "backlog", "backlog_age_s", "stored_segments"),
    *("online", "clock_offset_ms", "version", "events", "check", "handover"),
}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Courtroom]:
    """A courtroom with a camera and two microphones."""
    with courtroom(settings_of(tmp_path)) as made:
        yield made


def test_every_wish_has_an_answer_in_every_state() -> None:
    refusals = []
    for state in State:
        for wish in Wish:
            try:
                assert after(state, wish) in State
            except Refused as refusal:
                refusals.append(refusal.why)
    assert len(refusals) > len(Wish)
    assert all(";" in why.en and len(why.kk) > 20 and len(why.ru) > 20 for why in refusals), "each says what to do"


def test_every_event_of_a_hearing_has_its_words_and_at_most_one_key() -> None:
    assert all(event.kk and event.ru and event.en for event in EVENTS)
    keys = [event.key for event in EVENTS if event.key]
    assert len(keys) == len(set(keys))
    assert len(BY_CODE) == len(EVENTS)
    assert not {event.code for event in EVENTS if event.implied and event.key}


def test_a_hearing_from_start_to_hand_over(room: Courtroom) -> None:
    idle = room.state()
    assert idle.keys() >= KEYS
    assert (idle["state"], idle["secured"], idle["handover"], idle["mode"]) == ("idle", False, None, "open")

    room.done("start", HEARING, by="clerk")
    assert not room.state()["secured"], "nothing can be on the disk yet"
    wait_for(lambda: room.state()["secured"], 20, "bytes on the disk, read back")
    now = room.state()
    assert (now["state"], now["hearing"], now["recording"]) == ("recording", HEARING, room.recordings()[0].name)
    assert all(s["state"] == "running" and s["durable_ms_ago"] is not None for s in now["sources"])
    assert {(s["name"], s["video"], tuple(s["channels"])) for s in now["sources"]} == {
        ("cam", True, ()),
        ("mics", False, ("judge", "witness")),
    }

    room.done("note", HEARING, code="testimony", text="куә\0\ud800 келді", by="clerk")
    room.done("note", code="closed_mode", by="clerk")
    assert room.state()["mode"] == "closed"
    wrong = room.state()["events"][-1]["seq"]
    room.done("undo", of=wrong, by="clerk")
    room.done("undo", of=str(wrong), by="clerk")
    assert (room.state()["mode"], room.state()["events"][-1]["undone"]) == ("open", True)
    room.done("pause", reason="deliberation", by="clerk")
    paused = room.state()
    assert (paused["state"], paused["reason"], paused["secured"]) == ("paused", "deliberation", False)
    room.done("note", code="attendance", by="clerk")
    room.done("resume", by="judge")
    wait_for(lambda: room.state()["secured"], 20, "the next runs on the disk")
    codes = [event["code"] for event in room.state()["events"]]
    assert codes == ["testimony", "closed_mode", "deliberation_out", "attendance", "deliberation_in"]
    at = [event["at_ms"] for event in room.state()["events"]]
    assert at == sorted(at)
    assert 0 < at[0] < room.state()["elapsed_ms"]
    room.done("stop", by="clerk")

    folder = room.recordings()[0]
    assert verify(folder).ok
    notes = chain(folder, "note")
    assert [(n["code"], n["by"]) for n in notes] == [
        ("testimony", "clerk"),
        ("closed_mode", "clerk"),
        ("undo", "clerk"),
        ("attendance", "clerk"),
    ]
    assert (notes[0]["text"], notes[2]["of"]) == ("куә   келді", wrong)
    assert [(p["reason"], p["by"]) for p in chain(folder, "pause")] == [("deliberation", "clerk")]
    assert [r["by"] for r in chain(folder, "resume")] == ["judge"]

    told = room.state()["handover"]
    assert (told["recording"], told["hearing"], told["gaps"]) == (folder.name, HEARING, [])
    assert (told["events"], told["segments"]) == (2, len(chain(folder, "segment")))
    assert (told["stored"], told["receipted"]) == (0, False)
    assert 0 < told["pauses_ms"] < told["length_ms"]
    room.done("dismiss")
    assert room.state()["handover"] is None


def test_what_may_not_be_asked_is_refused_with_a_sentence(room: Courtroom) -> None:
    def why(answer: Answer) -> str:
        assert not answer.ok
        assert not answer.reason or set(answer.says) == {"kk", "ru", "en"}
        return answer.reason

    for kind in ("pause", "resume", "note", "undo"):
        assert why(room.ask(kind)) == "nothing_recorded"
    assert why(room.ask("explode")) == "bad_command"
    room.done("stop")
    room.done("start", None, case_number="2-1/26", title="A — B", by="clerk")
    assert room.state()["adhoc"] == {"case_number": "2-1/26", "title": "A — B"}
    room.done("start", None, case_number="2-1/26", title="A — B", by="clerk")
    assert why(room.ask("start", None, case_number="2-2/26")) == "another_hearing"
    assert why(room.ask("start", OTHER)) == "another_hearing"
    assert why(room.ask("stop", OTHER)) == "not_that_hearing"
    assert why(room.ask("check")) == "recording"
    assert why(room.ask("note", code="deliberation_out")) == "implied"
    assert why(room.ask("note", code="undo", of=0)) == "bad_command"
    assert why(room.ask("note", code="No such/code")) == "bad_command"
    assert why(room.ask("note", text="x" * 3000)) == "bad_command"
    assert why(room.ask("undo", of="0")) == "no_such_note"
    assert why(room.ask("undo", of=10**30)) == "no_such_note"
    room.done("pause", reason="no such reason")
    room.done("pause", reason="recess")
    assert room.state()["reason"] == "other"
    room.done("start", None, case_number="2-1/26", title="A — B")
    assert room.state()["state"] == "recording"
    room.done("resume")
    room.done("stop")
    folder = room.recordings()[0]
    assert chain(folder, "note") == []
    assert (len(chain(folder, "pause")), len(chain(folder, "resume"))) == (1, 1)
    assert chain(folder, "start")[0]["adhoc"]["case_number"] == "2-1/26"


def test_the_console_and_the_centre_at_the_same_moment(room: Courtroom) -> None:
    """Many voices at once: one hearing is recorded, once; each command is obeyed once, however often it comes."""
    answers: list[Answer] = []
    together = threading.Barrier(8)

    def voice(number: int) -> None:
        together.wait()
        answers.append(room.ask("start", HEARING if number % 2 else OTHER))
        answers.append(room.ask("note", id_=f"note-{number % 3}", code="motion", text=str(number % 3)))

    threads = [threading.Thread(target=voice, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    starts = [answer for answer in answers if answer.command.kind == "start"]
    assert sorted(answer.ok for answer in starts) == [False] * 4 + [True] * 4
    assert {answer.command.hearing for answer in starts if answer.ok} == {room.state()["hearing"]}
    assert len({answer.detail for answer in answers if answer.command.kind == "note"}) == 3
    room.done("stop")
    assert len(room.recordings()) == 1
    assert sorted(note["text"] for note in chain(room.recordings()[0], "note")) == ["0", "1", "2"]


def test_an_order_of_the_centre_is_for_one_hearing_and_not_for_ever(room: Courtroom) -> None:
    answers: list[Answer] = []

    def order(kind: str, hearing: str | None, age_s: float = 0.0) -> Answer:
        number = len(answers)
        room.agent.control.hand(Command(f"order-{number}", kind, hearing, {}, age_s), answers.append)
        return wait_for(lambda: answers[number:], 20, "the answer")[0]

    assert order("start", HEARING, 7200).reason == "too_old"
    assert order("start", HEARING, 60).ok
    assert order("stop", None).reason == "not_that_hearing", "it was for a hearing that no list names"
    assert order("note", OTHER).reason == "not_that_hearing"
    assert order("note", HEARING).ok
    assert order("stop", HEARING, 7200).ok
    assert len(room.recordings()) == 1


def test_what_was_obeyed_is_not_obeyed_again_after_a_restart(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, sources={"cam": "lavfi:testsrc2=s=160x90:r=10"})
    with courtroom(settings) as room:
        room.done("start", HEARING, id_="start-1")
        room.done("stop", HEARING, id_="stop-1")
        room.done("start", HEARING, id_="start-2")
        room.done("note", id_="note-1", code="motion")
        wait_for(lambda: room.state()["secured"], 20, "media")
    (tmp_path / "spool" / "answers.jsonl").write_bytes(b'{"id": "stop-1", "ok": true}\n{"id": "no')
    with courtroom(settings) as room:
        assert room.done("stop", HEARING, id_="stop-1").ok
        assert room.state()["state"] == "recording", "an old stop does not stop what was started after it"
        assert room.done("note", id_="note-1", code="motion").detail == "noted already"
        assert room.state()["events"] == []
        room.done("stop")
        told = room.state()["handover"]
        first, second = (room.spool / part for part in told["parts"])
        assert chain(second, "start")[0]["continues"] == first.name, "the hearing went on in another recording"
        assert (told["recording"], told["started_utc"]) == (second.name, chain(first, "start")[0]["t"])
        assert told["events"] == 1
        assert told["segments"] == len(chain(first, "segment") + chain(second, "segment"))
        assert len(told["gaps"]) == len(chain(first, "gap") + chain(second, "gap")) >= 1
    with courtroom(settings) as room:
        assert room.state()["handover"] == told, "it outlives the agent"
    assert sum(len(chain(folder, "note")) for folder in room.recordings()) == 1
    assert all(verify(folder).ok for folder in room.recordings())


def test_a_source_that_gives_nothing_is_waited_for_before_the_light_is_lit(tmp_path: Path) -> None:
    """The camera writes at once, the microphones only a good while later: until then the room is not secured."""
    late = "lavfi:aevalsrc=sin(2*PI*600*t):s=48000,arealtime=speed=0.02"
    settings = settings_of(tmp_path, sources={"cam": "lavfi:testsrc2=s=160x90:r=10", "hall": late})
    with courtroom(settings) as room:
        room.done("start", HEARING)

        def camera_is_durable() -> bool:
            cam = next(s for s in room.state()["sources"] if s["name"] == "cam")
            return cam["durable_ms_ago"] is not None and cam["segments"] >= 1

        wait_for(camera_is_durable, 20, "the camera's first segment")
        assert not room.state()["secured"]
        room.done("stop")


def test_a_camera_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    """It takes the connection and says nothing; microphones whose names do not fit are recorded by number."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        sources = {
            "cam": f"rtsp://127.0.0.1:{mute.getsockname()[1]}/main",
            "hall": "lavfi:sine=440",
            "bad": "lavfi:aevalsrc=0|0:s=48000",
        }
        settings = settings_of(tmp_path, sources=sources, channels={"bad": ("one", "two", "three")})
        with courtroom(settings) as room:
            asked = datetime.now(UTC)
            room.done("start", HEARING)
            wait_for(lambda: room.state()["secured"], 30, "the hall's sound on the disk")
            now = room.state()
            assert {s["name"]: s["state"] for s in now["sources"]} == {
                "cam": "down",
                "hall": "running",
                "bad": "running",
            }
            assert {a["source"] for a in now["alarms"] if a["code"] == "REC-001"} == {"cam"}
            assert next(s["channels"] for s in now["sources"] if s["name"] == "bad") == ["mic1", "mic2"]
            room.done("stop")
    folder = room.recordings()[0]
    waited_s = (parse_iso(chain(folder, "start")[0]["t"]) - asked).total_seconds()
    assert waited_s < FETCH_TIMEOUT_S, "the start waited for the camera"
    assert {gap["source"] for gap in chain(folder, "gap")} == {"cam"}
