"""Ten minutes of a hearing under all faults at random: `make chaos`, or

    python -m tests.chaos [--minutes 10] [--seed N]

Ends with 0 only if every recording verifies and nothing is missing that its chain does not state.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.hearing import Room, check_frames, counter_file, environment_of, hold, small_volume, spoilt_lines
from tests.recorder.court import running_court

TOOL = Path(__file__).resolve().parents[3] / "shared" / "tools" / "continuity.py"
PACE_S = (4.0, 12.0)


def main() -> int:
    """Run it and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = args.minutes * 60
        print("drawing the counter picture", flush=True)
        film = counter_file(TOOL, folder / "counter.mp4", seconds + 60)
        sources = {"cam": f"file:{film}", "mics": "lavfi:aevalsrc=0.2*sin(600*t)|0.1*sin(900*t)"}
        with (
            small_volume(folder / "first", 40 + int(args.minutes * 40)) as first,
            running_court(folder / "court", folder, sources) as court,
            spoilt_lines(court) as lines,
        ):
            volumes = (first, folder / "second")
            volumes[1].mkdir()
            env = environment_of(court, folder, volumes, lines)
            room = Room(court, folder, volumes, folder / "agent.log", env, lines)
            try:
                report = hold(room, seconds, random.Random(args.seed), PACE_S)
                check_frames(TOOL, room, report)
            except BaseException:
                print(room.log.read_text()[-4000:], file=sys.stderr)
                raise
            finally:
                room.halt()
    for key, value in report.facts.items():
        print(f"{key:20} {value}")
    for finding in report.findings:
        print(f"FINDING {finding}")
    print("nothing is missing that is not stated" if not report.findings else f"{len(report.findings)} findings")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
