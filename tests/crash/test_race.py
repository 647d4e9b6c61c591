"""Start, stop, pause and kill -9 in any order: each recording is closed once, and no two ever write at a time."""

from __future__ import annotations

import os
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest

from archive.domain.manifest import decode_manifest
from archive.domain.wall import parse_iso
from archive.verify import verify
from tests.crash.courtroom import Courtroom, end, kill, missing_s, row
from tests.recorder.console import chain
from tests.waiting import wait_for

TIMES = int(os.environ.get("TYNDAU_CRASHES", "1"))
SOURCES = {"cam": "lavfi:testsrc2=s=160x90:r=25"}
MOST_LOST_S = 1.0

pytestmark = pytest.mark.crash


def test_any_order_of_orders_and_kills(home: Path, tmp_path: Path) -> None:
    room = Courtroom(home, [tmp_path / "a", tmp_path / "b"], SOURCES)
    asked: set[str] = set()
    keeper = room.begin()
    for number in range(24 * TIMES):
        hearing = f"hearing-{number // 6}"
        order = random.choice([f"start {hearing}", f"start {hearing}", "stop", "pause", "resume", "kill"])
        if order == "kill":
            kill(keeper)
            keeper = room.begin()
        else:
            answer = room.order(keeper, order)
            asked |= {hearing} if order.startswith("start") and answer == "ok" else set()
        time.sleep(random.choice([0.0, 0.0, 0.2, 0.6]))  # the moment is the test
    room.order(keeper, "stop")
    end(keeper)
    folders = room.recordings()
    assert {chain(folder, "start")[0]["hearing"] for folder in folders} == asked
    spans = []
    for folder in folders:
        verdict = verify(folder)
        assert verdict.ok, (folder, verdict)
        assert not (folder / "run.json").exists()
        manifest = decode_manifest((folder / "manifest.json").read_bytes())
        assert manifest.recording == folder.name
        spans += [(s["utc"], folder.name, s["duration_ticks"]) for s in chain(folder, "segment")]
    spans.sort()
    for (utc, _, ticks), (next_utc, _, _) in pairwise(spans):
        apart_s = (parse_iso(next_utc) - parse_iso(utc)).total_seconds()
        assert apart_s > ticks / 90_000 - 0.1, "two recorded the same moment"
    row("stop, start, pause, kill in any order", len(folders), 0.0)


def test_a_killed_agent_goes_on_by_itself(home: Path, tmp_path: Path) -> None:
    """kill -9, started again at once: the gap between the recordings is stated and as long as their media are apart."""
    room = Courtroom(home, [tmp_path / "a"], SOURCES)
    keeper = room.begin("hearing-1")
    lost, away = [], []
    for _ in range(4 * TIMES):
        wait_for(lambda: room.media(1), 60, "media")
        time.sleep(random.uniform(0.2, 2.5))  # the moment is the test
        at_s = kill(keeper)
        keeper = room.begin()
        wait_for(lambda: room.media(1), 60, "media again")
        before = room.recordings()[-2]
        wait_for(lambda before=before: (before / "manifest.sig").exists(), 20, "the old one to be closed")  # type: ignore[misc]
        end_of_media = chain(before, "run_end")[-1]
        lost.append(at_s - parse_iso(end_of_media["utc"]).timestamp() - end_of_media["end_ticks"] / 90_000)
    end(keeper)
    folders = room.recordings()
    assert len(folders) == 4 * TIMES + 1
    for before, after in pairwise(folders):
        assert chain(after, "start")[0]["continues"] == before.name
        begun = chain(after, "start")[0]["t"]
        (gap,) = (gap for gap in chain(after, "gap") if gap["from_utc"] < begun)
        assert gap["cause"] == "killed"
        last, first = chain(before, "segment")[-1], chain(after, "segment")[0]
        apart_s = (parse_iso(first["utc"]) - parse_iso(last["utc"])).total_seconds() - last["duration_ticks"] / 90_000
        assert missing_s(gap) == pytest.approx(apart_s, abs=0.02)
        away.append(missing_s(gap))
    for folder in folders:
        assert verify(folder).ok
    row("kill -9 of the agent, started again at once", len(lost), max(lost), max(away))
    assert max(lost) <= MOST_LOST_S, lost
