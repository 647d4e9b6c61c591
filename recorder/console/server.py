"""The console's thread. Whatever goes wrong here is said and tried again; capture never notices."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from archive.domain.errors import TyndauError
from config.clock import Clock
from config.settings import Settings
from recorder.alarms import AlarmBook
from recorder.console.app import Console, create_app
from recorder.console.pin import Doorkeeper, pin_path
from recorder.console.room import Room

log = logging.getLogger(__name__)

HOST = "127.0.0.1"  # and nothing else, ever: the console has no TLS
AGAIN_S = 5.0
GRACE_S = 1
MOST_CONNECTIONS = 64
NOT_SERVED = "CON-001"


class ConsoleServer:
    """Serves the console of `room` at `agent.console_port` until told to end."""

    def __init__(self, room: Room, settings: Settings, clock: Clock, alarms: AlarmBook) -> None:
        self._room, self._settings, self._alarms = room, settings, alarms
        self._doorkeeper = Doorkeeper(pin_path(settings), clock)

    def run(self, ended: threading.Event) -> None:
        """Until `ended`; a thread of its own."""
        while not ended.is_set():
            try:
                self._adopt_pin()
                self._serve(ended)
            except (Exception, SystemExit) as error:
                self._alarms.set(True, NOT_SERVED, detail=str(error))
                if not isinstance(error, OSError):
                    log.exception("the console failed and is started again")
                ended.wait(AGAIN_S)

    def _adopt_pin(self) -> None:
        if pin := self._settings.agent.console_pin.get_secret_value():
            try:
                self._doorkeeper.adopt(pin)
            except TyndauError as error:
                self._alarms.set(True, NOT_SERVED, detail=str(error))

    def _serve(self, ended: threading.Event) -> None:
        port = self._settings.agent.console_port
        with _bound(port) as bound:
            app = create_app(self._room, self._doorkeeper, self._settings, port)
            _Server(app, ended, lambda: self._alarms.set(False, NOT_SERVED)).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Ends with the agent, its open streams first: they would keep their connections."""

    def __init__(self, app: FastAPI, ended: threading.Event, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._console: Console = app.state.console
        self._ended, self._ready = ended, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._ended.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._console.live.end()
        await super().shutdown(sockets)


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"port {port} is taken ({error.strerror}); set agent.console_port") from error
    return bound
