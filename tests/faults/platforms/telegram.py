"""Telegram in fault runs: updates by webhook; drafts for one bot, edited messages for the other."""

from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import ClassVar

import aiohttp
import msgspec

from tests.faults.marks import Mark
from tests.faults.platforms.base import Event, Platform, chat_of, post
from tests.peers.log import Json
from tests.peers.process import Remote, running

TOKENS = {"a": "111111111:FAULTS-alpha-token-xxxx", "b": "222222222:FAULTS-beta-token-xxxxx"}
SECRET = "fault-run-webhook-secret"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
STREAMS = {"a": "draft", "b": "edit"}
"""One bot's answers grow in drafts that are no messages, the other's in edited messages."""


class Telegram(Platform):
    """A private chat is a conversation."""

    name: ClassVar[str] = "telegram"
    editing: ClassVar[tuple[str, ...]] = tuple(
        tenant for tenant, stream in STREAMS.items() if stream == "edit"
    )
    secrets: ClassVar[tuple[str, ...]] = (SECRET, *TOKENS.values())

    def __init__(self) -> None:
        self._updates = count(700_000_001)

    def running(self, tenant: str, log: Path) -> AbstractAsyncContextManager[Remote]:
        return running("telegram", "--token", TOKENS[tenant], log=log)

    def adapter(self, tenant: str, bot: Remote) -> Json:
        return {
            "use": "adapters.telegram",
            "mode": "webhook",
            "token": TOKENS[tenant],
            "webhook_secret": SECRET,
            "stream": STREAMS[tenant],
            "base_url": bot.url,
            "timeout": "5s",
            "per_second": 0,
            "chat_per_second": 0,
            "group_per_minute": 0,
        }

    def event(self, mark: Mark, text: str) -> Event:
        person = chat_of(mark.talk)
        name = f"Person {mark.talk.number}"
        message = {
            # No number is there twice in a chat: a bot's follow the last that was seen there.
            "message_id": 1_000_000 + 1_000 * mark.number,
            "from": {"id": person, "is_bot": False, "first_name": name, "language_code": "en"},
            "chat": {"id": person, "type": "private", "first_name": name},
            "date": 1_790_000_000,
            "text": text,
        }
        update = next(self._updates)
        return Event(mark, update, {"update_id": update, "message": message})

    async def deliver(
        self, event: Event, url: str, attempt: int, session: aiohttp.ClientSession, bot: Remote
    ) -> int:
        del attempt, bot
        headers = {"Content-Type": "application/json", SECRET_HEADER: SECRET}
        return await post(session, url, msgspec.json.encode(event.body), headers)
