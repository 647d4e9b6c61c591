"""Commands of the page: each is done once, however often its answer is asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from archive.domain.errors import Conflict
from recorder.centre import Command
from recorder.console.room import Room
from recorder.control import Answer

KEPT = 200


class Commands:
    """Lives in the server's event loop. The page makes a command's id, so that it may send it again after a break."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._asked: OrderedDict[str, tuple[Command, asyncio.Task[Answer]]] = OrderedDict()

    async def ask(self, command: Command) -> Answer:
        """What became of `command`; it goes on though the page that asked has gone.

        Raises:
            Conflict: another command had this id.
        """
        known = self._asked.get(command.id)
        if known is None:
            known = (command, asyncio.create_task(asyncio.to_thread(self._room.ask, command)))
            self._asked[command.id] = known
            if len(self._asked) > KEPT:
                self._asked.popitem(last=False)
        elif known[0] != command:
            raise Conflict("this id was another command's; load the page again")
        return await asyncio.shield(known[1])
