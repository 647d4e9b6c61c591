"""uvicorn, made to stop within seconds though streams are open."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from api.services import Services
from archive.domain.errors import BadInput, Conflict

GRACE_S = 3  # how long requests under way may take once we stop
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens at once; port 0 takes any free one.

    Raises:
        Conflict: the port is in use.
        BadInput: the host is not ours, or the port needs rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"port {port} on {host} is in use; choose another with --port") from error
        raise BadInput(f"cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port") from error
    return bound


class Server(uvicorn.Server):
    """Calls `ready` once it answers. SIGTERM and Ctrl-C end it and are then done with: the caller cleans up."""

    def __init__(self, app: FastAPI, ready: Callable[[], None] = lambda: None) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,  # addresses carry search words; the audit log says who saw what
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            proxy_headers=True,  # from 127.0.0.1 alone: nginx beside us
        )
        super().__init__(config)
        self._services: Services = app.state.services
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: they would keep their connections open."""
        self._services.closing.set()
        self._services.watchers.wake_all()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
