"""How FFmpeg learns a password that nobody else may read: neither its arguments nor its environment hold it.

FFmpeg is given the address of a door on loopback that opens once, to a process of our own user. An RTSP camera's
door answers with a redirect to the whole address; for SRT and RTMP it hands out a list (`ffconcat`) that names it.
The media itself never passes through here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from recorder.address import Address

OPEN_S = 30.0  # FFmpeg knocks as soon as it has started
_LINE = 4096
LIST_PROTOCOLS = "tcp,tls,udp,srt,rtmp,rtmps"


@dataclass(frozen=True, slots=True)
class Knock:
    """What FFmpeg is given in place of an address: what follows `-i`, and options before it."""

    url: str
    options: Mapping[str, str]


def behind_a_door(address: Address, options: Mapping[str, str]) -> Knock:
    """`address` and the options it is opened with, as they may stand in an argument list.

    An address with a secret gets a door, served by a thread of its own until FFmpeg came or half a minute passed.
    """
    if not address.secret:
        return Knock(address.target, options)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if address.rtsp:
        answer, knock = _redirect(address), Knock(f"rtsp://127.0.0.1:{port}/", options)
    else:
        answer = _list(address, options).encode()
        wanted = {"f": "concat", "safe": "0", "protocol_whitelist": LIST_PROTOCOLS}
        knock = Knock(f"tcp://127.0.0.1:{port}", wanted)
    threading.Thread(target=_open, args=(listener, address, answer), daemon=True, name=f"door-{address.name}").start()
    return knock


def hidden(address: Address) -> Address:
    """The address without what is secret in it, for those who only describe it."""
    return replace(address, target=address.without_credentials(address.target))


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a child process that must not inherit our settings: they may hold passwords and keys."""
    return {key: value for key, value in environment.items() if not key.startswith("TYNDAU_")}


def _redirect(address: Address) -> bytes:
    return f"Location: {address.target}\r\n\r\n".encode()


def _list(address: Address, options: Mapping[str, str]) -> str:
    quoted = address.target.replace("'", "'\\''")
    rows = ["ffconcat version 1.0", f"file '{quoted}'", *(f"option {key} {value}" for key, value in options.items())]
    return "\n".join(rows) + "\n"


def _open(listener: socket.socket, address: Address, answer: bytes) -> None:
    with listener, contextlib.suppress(OSError):
        listener.settimeout(OPEN_S)
        while not _served(listener, address, answer):
            pass


def _served(listener: socket.socket, address: Address, answer: bytes) -> bool:
    caller, peer = listener.accept()
    with caller:
        if _owner(peer[1], listener.getsockname()[1]) != os.getuid():
            return False
        caller.settimeout(OPEN_S)
        caller.sendall(_head(caller) + answer if address.rtsp else answer)
        return True


def _head(caller: socket.socket) -> bytes:
    """The first lines of the answer to an RTSP request, which repeats its number."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < _LINE:
        if not (more := caller.recv(_LINE)):
            break
        request += more
    lines = request.decode("utf-8", "replace").split("\r\n")
    number = next((line for line in lines if line.lower().startswith("cseq:")), "CSeq: 1")
    return f"RTSP/1.0 302 Moved Temporarily\r\n{number}\r\n".encode()


def _owner(port: int, ours: int) -> int | None:
    """The user whose process holds the other end of a connection on loopback; None when it is gone."""
    local, remote = f"0100007F:{port:04X}", f"0100007F:{ours:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1:3] == [local, remote]:
            return int(words[7])
    return None
