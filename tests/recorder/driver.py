"""An agent as a process that can be killed: `python -m tests.recorder.driver HOME`; JSON lines in and out."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from config.clock import SystemClock
from recorder.agent import make_agent
from recorder.centre import Command
from recorder.keys import load_signer
from tests.recorder.room import settings_of


def main() -> None:
    """Serve until standard input ends."""
    settings = settings_of(Path(sys.argv[1]), sources={"cam": "lavfi:testsrc2=s=96x64:r=10"})
    agent = make_agent(settings, load_signer(settings), SystemClock())
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    for line in sys.stdin:
        row = json.loads(line)
        answer = agent.control.ask(Command(row["id"], row["kind"], row["hearing"], row["args"]))
        state = agent.control.state()
        told = {"ok": answer.ok, "detail": answer.detail, "reason": answer.reason, "state": state["state"]}
        print(json.dumps({**told, "events": state["events"], "hearing": state["hearing"]}), flush=True)
    stop.set()
    thread.join()


if __name__ == "__main__":
    main()
