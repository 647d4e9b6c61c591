#!/usr/bin/env python3
"""A court's own systems at work: a day's hearings go in, a room's machine is let in, a recording is followed to its
end, its copy is taken and proved. It uses the client that `make client` writes (pip install build/client).

    court_day.py --server https://hearings.example --schedule day.json --token-file schedule.token --room saryarka-3
                 --agent saryarka-3-pc --machine 'ssh saryarka-3 tyndau agent enrol' --admin asel=asel.password
                 --archivist dina=dina.password --out copies

Nobody may do all of it: the token of the case management (tyndau token create) opens the schedule and nothing else, the
court's administrator lets machines in and watches the rooms, the archivist takes copies.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import httpx
from tyndau_client import AuthenticatedClient, Client
from tyndau_client.api.agents import confirm_agent, list_agents, make_enrolment_code
from tyndau_client.api.hearings import get_hearing
from tyndau_client.api.recordings import get_recording
from tyndau_client.api.rooms import list_rooms
from tyndau_client.api.schedule import put_schedule
from tyndau_client.api.session import give_second_factor, sign_in
from tyndau_client.models import CodeAsked, CodeGiven, Fingerprint, Problem, Recording, Schedule, SignIn

T = TypeVar("T")
AGAIN_S = 1.0
LINES_OF_A_KEY = 2  # as `tyndau agent enrol` shows it


def done(reply: T | Problem | None) -> T:
    """What was asked for; a problem (RFC 9457) ends the script with its code and words."""
    if isinstance(reply, Problem) or reply is None:
        sys.exit(
            f"{reply.code}: {reply.title}: {reply.detail}" if reply else "the server answers nothing that it names"
        )
    return reply


def person(server: str, account: str) -> Client:
    """Somebody who is signed in: the session is in the client's cookie, its CSRF token in a header."""
    name, _, file = account.partition("=")
    client = Client(base_url=server, timeout=httpx.Timeout(60))
    me = done(sign_in.sync(client=client, body=SignIn(username=name, password=Path(file).read_text().strip())))
    client.get_httpx_client().headers["X-CSRF-Token"] = me.csrf_token
    if me.step == "second_factor":
        code = CodeGiven(code=input(f"{name}'s authenticator shows: "))
        me = done(give_second_factor.sync(client=client, body=code))
        client.get_httpx_client().headers["X-CSRF-Token"] = me.csrf_token
    return client


def put_day(server: str, token: str, document: Path) -> str:
    """Put a day's hearings in; the id of the first. The same again changes nothing."""
    system = AuthenticatedClient(base_url=server, token=token, timeout=httpx.Timeout(60))
    day = Schedule.from_dict(json.loads(document.read_text(encoding="utf-8")))
    taken = done(put_schedule.sync(client=system, body=day))
    print(f"{len(taken.hearings)} hearings are in")
    return taken.hearings[0].id


def let_in(admin: Client, server: str, room: str, name: str, machine: Sequence[str]) -> None:
    """Let a room's machine in with a one-time code, once the key on its screen is the one that came here."""
    place = next(one.courtroom.id for one in done(list_rooms.sync(client=admin)) if one.courtroom.code == room)
    code = done(make_enrolment_code.sync(client=admin, body=CodeAsked(courtroom=place, name=name))).code
    with subprocess.Popen([*machine, "--server", server, "--code", code], stdout=subprocess.PIPE, text=True) as asking:
        shown = "".join(next(asking.stdout) for _ in range(1 + LINES_OF_A_KEY)).split("Its key:")[1]
        waiting = next(one for one in done(list_agents.sync(client=admin)) if one.name == name)
        if not waiting.waiting or waiting.waiting.split() != shown.split():
            sys.exit(f"the machine shows {shown}, but {waiting.waiting} has come: somebody else has used the code")
        refused = confirm_agent.sync(waiting.id, client=admin, body=Fingerprint(waiting.waiting))
        if isinstance(refused, Problem):
            done(refused)
        print(asking.stdout.read().splitlines()[-1])
    if asking.returncode:
        sys.exit("the machine could not be enrolled; see what it says")


def follow(admin: Client, hearing: str) -> str:
    """Wait until the hearing is recorded, print what happens (server-sent events), and return at the end of it."""
    print(f"waiting for the recording of {hearing}", flush=True)
    while not (found := done(get_hearing.sync(hearing, client=admin)).recordings):
        time.sleep(AGAIN_S)
    recording = found[-1].id
    while not over(admin, recording):  # the stream broke off
        time.sleep(AGAIN_S)
    return recording


def over(admin: Client, recording: str) -> bool:
    """Print what a recording's events say until it is over; False when the line breaks before."""
    name = ""
    try:
        with admin.get_httpx_client().stream("GET", f"/api/v1/recordings/{recording}/live") as events:
            if events.is_error:
                done(Problem.from_dict(json.loads(events.read())))
            for line in events.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and name == "recording":
                    told = json.loads(value)
                    state, segments, gaps = told["state"], told["segments"], len(told["gaps"])
                    print(f"{recording}: {state}, {segments} segments, {gaps} gaps", flush=True)
                    if state != "open":
                        return True
    except httpx.TransportError as error:
        print(f"the line broke: {type(error).__name__}", flush=True)
    return False


def proved(archivist: Client, recording: str) -> Recording:
    """The recording, once the archive has found every stored byte to be what the courtroom has signed."""
    while (one := done(get_recording.sync(recording, client=archivist))).verified.state == "pending":
        time.sleep(AGAIN_S)
    return one


def take(archivist: Client, recording: str, folder: Path) -> Path:
    """Download the bundle; where the line breaks, go on from there, unless the bundle is another one by now."""
    whole, part, tag = folder / f"{recording}.zip", folder / f"{recording}.part", ""
    http, path = archivist.get_httpx_client(), f"/api/v1/recordings/{recording}/bundle"
    while True:
        have = part.stat().st_size if tag else 0
        ranged = {"Range": f"bytes={have}-", "If-Range": tag} if have else {}
        try:
            with http.stream("GET", path, headers=ranged) as reply:
                if reply.is_error:
                    done(Problem.from_dict(json.loads(reply.read())))
                tag, goes_on = reply.headers["ETag"], reply.status_code == httpx.codes.PARTIAL_CONTENT
                print(f"{path} from byte {have if goes_on else 0}", flush=True)
                with part.open("ab" if goes_on else "wb") as file:
                    for chunk in reply.iter_bytes():
                        file.write(chunk)
            return part.rename(whole)
        except httpx.TransportError as error:
            print(f"the line broke: {type(error).__name__}", flush=True)
            time.sleep(AGAIN_S)


def prove(bundle: Path) -> None:
    """Check it twice: with the court's program, and as anybody can, with a shell, coreutils and openssl."""
    subprocess.run(["tyndau", "verify", bundle], check=True)
    with zipfile.ZipFile(bundle) as held:
        held.extractall(bundle.parent)
    subprocess.run(["sh", bundle.with_suffix("") / "verify.sh"], check=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name in ("server", "token-file", "schedule", "room", "agent", "machine", "admin", "archivist", "out"):
        options.add_argument(f"--{name}", required=True)
    asked = options.parse_args()
    admin, archivist = person(asked.server, asked.admin), person(asked.server, asked.archivist)
    hearing = put_day(asked.server, Path(asked.token_file).read_text().strip(), Path(asked.schedule))
    let_in(admin, asked.server, asked.room, asked.agent, shlex.split(asked.machine))
    recording = follow(admin, hearing)
    state = proved(archivist, recording).verified.state
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    prove(take(archivist, recording, out))
    print(f"{recording} is taken; the archive says: {state}")


if __name__ == "__main__":
    main()
