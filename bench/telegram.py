"""People in Telegram: updates go to the webhook, answers are seen where they are shown."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from bench.pipe import watched
from bench.talk import Talk, expect
from bench.wire import Connection, post
from tests.journeys.program import SECRET
from tests.peers.telegram import TOKEN

_updates = count(1)


class _Line(msgspec.Struct):
    """A line of the peer's log, as far as it matters here."""

    kind: str
    mono: int
    chat: int = 0
    text: str = ""


class Screens:
    """What stands on the screens of Telegram's people, told by the peer as it happens."""

    def __init__(self) -> None:
        self.url = ""
        self._talks: dict[int, TelegramTalk] = {}
        self._decode = msgspec.json.Decoder(_Line).decode
        self._rest = b""

    def adapter(self, *, stream: bool) -> dict[str, Any]:
        """Its block of the configuration."""
        return {
            "use": "adapters.telegram",
            "mode": "webhook",
            "token": TOKEN,
            "webhook_secret": SECRET,
            "stream": "draft" if stream else "off",
            "base_url": self.url,
            # The peer takes all it can get: what is measured is the program.
            "per_second": 0,
            "chat_per_second": 0,
            "group_per_minute": 0,
        }

    @asynccontextmanager
    async def talks(
        self, number: int, expected: str, port: int
    ) -> AsyncGenerator[list[Talk], None]:
        """So many private chats that never spoke before."""
        first = 1_000 + len(self._talks)
        talks = [
            TelegramTalk(first + i, expected, await Connection.open(port)) for i in range(number)
        ]
        self._talks |= {talk.chat: talk for talk in talks}
        try:
            yield list(talks)
        finally:
            for talk in talks:
                talk.close()

    def read(self, data: bytes) -> None:
        """Something was written to the peer's log."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            if b'"kind":"shown"' not in raw and b'"kind":"drafted"' not in raw:
                continue
            line = self._decode(raw)
            talk = self._talks.get(line.chat)
            if talk is None:
                continue
            if line.kind == "shown":
                talk.came(line.text, line.mono)
            else:
                talk.grown += 1


class TelegramTalk(Talk):
    """One private chat."""

    def __init__(self, chat: int, expected: str, connection: Connection) -> None:
        super().__init__(expected)
        self.chat = chat
        self._connection = connection

    async def say(self, number: int) -> None:
        request = post("/in/telegram", update(self.chat, number), **HEADERS)
        expect(await self._connection.ask(request), 200)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@asynccontextmanager
async def screens(folder: Path) -> AsyncGenerator[Screens, None]:
    """A Telegram in a process of its own, whose log is read through a pipe."""
    shown = Screens()
    async with watched("telegram", folder, shown.read) as peer:
        shown.url = peer.url
        yield shown


HEADERS = {"X_Telegram_Bot_Api_Secret_Token": SECRET}


def update(chat: int, number: int, text: str = "") -> bytes:
    """A message as Telegram would send it; the question of its number where no `text` is given."""
    person = {"id": chat, "first_name": "Ann", "username": f"ann_{chat}"}
    message = {
        "message_id": number,
        "from": {**person, "is_bot": False, "language_code": "en"},
        "chat": {**person, "type": "private"},
        "date": int(time.time()),
        "text": text or question(number),
    }
    return msgspec.json.encode({"update_id": next(_updates), "message": message})


def question(number: int) -> str:
    """What is said; every question is equally long."""
    return f"Please tell me something about number {number:06}, and do not make it too long."
