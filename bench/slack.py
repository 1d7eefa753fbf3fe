"""People in Slack: events go to the request URL, answers are seen where they are shown."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from bench.pipe import watched
from bench.talk import Talk, expect
from bench.telegram import question
from bench.wire import Connection, post
from tests.peers.slack import APP_TOKEN, BOT, BOT_TOKEN, SIGNING_SECRET, TEAM
from tests.peers.slack_delivery import signed

_events = count(1)


class _Line(msgspec.Struct):
    """A line of the peer's log, as far as it matters here."""

    mono: int
    channel: str = ""
    text: str = ""


class Screens:
    """What stands on the screens of Slack's people, told by the peer as it happens."""

    def __init__(self) -> None:
        self.url = ""
        self._talks: dict[str, SlackTalk] = {}
        self._decode = msgspec.json.Decoder(_Line).decode
        self._rest = b""

    def adapter(self, *, stream: bool) -> dict[str, Any]:
        """Its block of the configuration."""
        return {
            "use": "adapters.slack",
            "mode": "http",
            "bot_token": BOT_TOKEN,
            "app_token": APP_TOKEN,
            "signing_secret": SIGNING_SECRET,
            "stream": "edit" if stream else "off",
            "base_url": f"{self.url}/api/",
            # The peer takes all it can get: what is measured is the program.
            "channel_per_second": 0,
            "updates_per_minute": 0,
        }

    @asynccontextmanager
    async def talks(
        self, number: int, expected: str, port: int
    ) -> AsyncGenerator[list[Talk], None]:
        """So many direct chats that never spoke before."""
        first = 1_000 + len(self._talks)
        talks = [
            SlackTalk(f"D0{first + i}", expected, await Connection.open(port))
            for i in range(number)
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
            if b'"kind":"shown"' not in raw:
                continue
            line = self._decode(raw)
            talk = self._talks.get(line.channel)
            if talk is not None:
                talk.came(line.text, line.mono)


class SlackTalk(Talk):
    """One direct chat."""

    def __init__(self, chat: str, expected: str, connection: Connection) -> None:
        super().__init__(expected)
        self.chat = chat
        self._connection = connection

    async def say(self, number: int) -> None:
        body = _event(self.chat, number)
        proof = signed(SIGNING_SECRET, body, int(time.time()))
        headers = {name.replace("-", "_"): value for name, value in proof.items()}
        expect(await self._connection.ask(post("/in/slack", body, **headers)), 200)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@asynccontextmanager
async def screens(folder: Path) -> AsyncGenerator[Screens, None]:
    """A Slack in a process of its own, whose log is read through a pipe."""
    shown = Screens()
    async with watched("slack", folder, shown.read) as peer:
        shown.url = peer.url
        yield shown


def _event(chat: str, number: int) -> bytes:
    """A direct message as Slack would send it."""
    told = next(_events)
    stamp = f"{int(time.time())}.{told:06}"
    event = {
        "type": "message",
        "user": f"U{chat[1:]}",
        "text": question(number),
        "ts": stamp,
        "event_ts": stamp,
        "team": TEAM,
        "channel": chat,
        "channel_type": "im",
        "client_msg_id": f"message-{told}",
    }
    who = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True}
    envelope = {
        "token": "verification-token",
        "team_id": TEAM,
        "api_app_id": "A0PARLEY",
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{told:08}",
        "event_time": int(time.time()),
        "authorizations": [{**who, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
    }
    return msgspec.json.encode(envelope)
