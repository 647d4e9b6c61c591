"""A courtroom's keeper as a process, without a centre: `python -m tests.crash.keeping [HEARING]`.

Takes up what was left and records HEARING if one is named, until a signal: SIGTERM closes the hearing, SIGINT parks it.
Lines on stdin are orders (start HEARING, stop, pause, resume); each is answered on stdout by a line of JSON.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from dataclasses import asdict

from config.clock import SystemClock
from config.settings import load_settings
from recorder.alarms import AlarmBook
from recorder.keeper import Keeper
from recorder.keys import load_signer
from recorder.spool import Spool

TICK_S = 0.05


def main() -> None:
    settings, clock = load_settings(), SystemClock()
    alarms, asked = AlarmBook(clock), list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    keeper = Keeper(settings, load_signer(settings), clock, Spool.of(settings.agent), alarms)
    keeper.take_up()
    if len(sys.argv) > 1 and keeper.recording is None:
        keeper.start(sys.argv[1])
    _tell(recording=keeper.recording.id if keeper.recording else None)
    told: list[str] = []
    while not asked:
        keeper.tick()
        if (codes := sorted({alarm.code for alarm in alarms.now()})) != told:
            told = codes
            _tell(alarms=[asdict(alarm) for alarm in alarms.now()])
        if select.select([sys.stdin], [], [], TICK_S)[0] and (line := os.read(0, 200).decode()):
            for order in line.splitlines():
                _tell(order=order, answer=_obey(keeper, order))
    if asked[0] == signal.SIGTERM:
        keeper.stop()
    keeper.park()


def _obey(keeper: Keeper, order: str) -> str:
    verb, _, hearing = order.partition(" ")
    actions = {
        "start": lambda: keeper.start(hearing),
        "stop": keeper.stop,
        "pause": lambda: keeper.pause("other"),
        "resume": keeper.resume,
    }
    try:
        actions[verb]()
    except Exception as error:
        return str(error)
    return "ok"


def _tell(**row: object) -> None:
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
