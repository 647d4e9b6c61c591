"""All faults at once in one recording by the real recorder: each alarm is a line of the chain, in time, and cleared."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from recorder.filters import PREVIEW, SAMPLE_RATE, sound_tap
from tests.recorder.console import tyndau

# A voice of three tones and breath, with syllables and pauses; n is the number of its noise.
VOICE = (
    "lt(mod(t,6),4.5)*if(lt(mod(t,0.4),0.25),1,0.1)"
    "*(0.12*sin(2*PI*210*t)+0.1*sin(2*PI*437*t)+0.06*sin(2*PI*1333*t)+0.03*random(0))"
)
CHANNELS = {
    "judge": f"{VOICE}+0.002*(random(1)-0.5)",
    "dead": f"gt(t,14)*(0.3*{VOICE})",
    "loud": "if(lt(t,6),2,0.2)*sin(2*PI*300*t)*min(1,abs(sin(2*PI*0.7*t)))",
    "humming": f"if(lt(t,12),0.05,0)*(sin(2*PI*50*t)+0.5*sin(2*PI*150*t))+0.03*{VOICE}",
    "twin": f"{VOICE}+0.002*(random(1)-0.5)",
    "muted": "0.0002*(random(3)-0.5)",
    "listener": f"0.05*{VOICE}+0.002*(random(2)-0.5)",
}
FROZEN = "testsrc2=s=160x90:r=10,geq=lum='if(between(T,3,14),X,p(X,Y))':cb=128:cr=128"
BLACK = "testsrc2=s=160x90:r=10,geq=lum='if(between(T,2,12),16,p(X,Y))':cb=128:cr=128"
LIMIT_S = 10.0
BUSY_S = 3.0  # a test machine may be short of processors
# code, source, channel: when the fault begins and ends, in seconds of the source
FAULTS: dict[tuple[str, str, str | None], tuple[float, float | None]] = {
    ("REC-010", "mics", "dead"): (0, 14),
    ("REC-012", "mics", "loud"): (0, 6),
    ("REC-013", "mics", "humming"): (0, 12),
    ("REC-014", "mics", "twin"): (0, None),
    ("REC-015", "frozen", None): (3, 14),
    ("REC-016", "black", None): (2, 12),
}


def _graph() -> str:
    return "aevalsrc=" + "|".join(expression.replace(",", "\\,") for expression in CHANNELS.values()) + ":s=48000"


def test_every_fault_is_a_line_of_the_chain_in_time_and_cleared(home: Path, tmp_path: Path) -> None:
    answer = tyndau(
        home,
        *("record", "--source", f"mics=lavfi:{_graph()}", "--channels", f"mics={','.join(CHANNELS)}"),
        *("--source", f"frozen=lavfi:{FROZEN}", "--source", f"black=lavfi:{BLACK}"),
        *("--out", str(tmp_path), "--duration", "30", "--json"),
    )
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in (Path(answer.json["dir"]) / "chain.jsonl").read_text().splitlines()]
    zeros = {line["source"]: _moment(line, "utc") for line in reversed(lines) if line["kind"] == "segment"}
    told: dict[tuple[str, str, str | None], list[tuple[str, float]]] = {}
    for line in lines:
        if line["kind"] == "alarm" and line["source"] in zeros:
            after_s = (_moment(line, "t") - zeros[line["source"]]).total_seconds()
            told.setdefault((line["code"], line["source"], line["channel"]), []).append((line["state"], after_s))
    print({key: [(state, round(second, 1)) for state, second in rows] for key, rows in told.items()})
    silent = told.pop(("REC-011", "mics", "muted"))
    assert told.keys() == FAULTS.keys()
    assert [state for state, _ in silent] == ["raised"]
    assert silent[0][1] < 30
    for key, (begins_s, ends_s) in FAULTS.items():
        assert [state for state, _ in told[key]] == (["raised"] if ends_s is None else ["raised", "cleared"]), key
        assert told[key][0][1] - begins_s < LIMIT_S + BUSY_S, key
        if ends_s is not None and key[0] != "REC-012":  # that one waits for a clean voice
            assert told[key][1][1] - ends_s < LIMIT_S + BUSY_S, key


def _moment(line: dict[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(line[key])


def test_what_is_looked_at_leaves_by_outputs_of_its_own_that_drop_when_nobody_reads() -> None:
    import ffmpeg

    from recorder.filters import beside

    outputs = beside(ffmpeg.input("x"), {PREVIEW: 7, sound_tap(0): 8}, 12.5)
    words = [ffmpeg.get_args(one) for one in outputs]
    assert [row[-1] for row in words] == ["pipe:7", "pipe:8"]
    for row in words:
        assert row[row.index("-f") + 1] == "fifo"
        assert row[row.index("-drop_pkts_on_overflow") + 1] == "1"
        assert row[row.index("-t") + 1] == "12.500"
    assert str(SAMPLE_RATE) in " ".join(words[1])
