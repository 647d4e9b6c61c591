"""A command of the page, done by the room while the server goes on."""

from __future__ import annotations

import asyncio
import threading

from recorder.centre import Command
from recorder.console.room import Room
from recorder.control import Answer


async def done(room: Room, command: Command) -> Answer:
    """What became of `command`; it goes on though the page that asked has gone.

    In a thread of its own that nobody joins: a room that takes long must not hold up the agent's end.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer) -> None:
        if not answered.done():
            answered.set_result(answer)

    def ask() -> None:
        try:
            answer = room.ask(command)
        except Exception as error:
            answer = Answer(command, False, f"{command.kind} failed ({error}); look at the agent's log", None)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, answer)

    threading.Thread(target=ask, name=f"console-{command.kind}", daemon=True).start()
    return await answered
