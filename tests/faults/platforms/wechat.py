"""WeChat in fault runs: sealed calls, five seconds each and three of them, that carry the answer.

One account answers in the platform's own calls where it can, the other by messages alone.
"""

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import ClassVar

import aiohttp

from tests.faults.marks import Mark
from tests.faults.platforms.base import PATIENCE, Event, Platform, chat_of
from tests.peers.log import Json, wall_us
from tests.peers.process import Remote, started

APPS = {"a": "wxfaultsalpha0001", "b": "wxfaultsbeta00001"}
SECRETS = {"a": "faultrunsecretofalpha00000000001", "b": "faultrunsecretofbeta000000000002"}
TOKENS = {"a": "faultruntokenofalpha", "b": "faultruntokenofbeta"}
KEYS = {
    "a": "faultRunKeyOfAlpha0000000000000000000000001",
    "b": "faultRunKeyOfBeta00000000000000000000000002",
}
REPLY_WITHIN = {"a": "3500ms", "b": "1ms"}
"""The platform hangs up after five seconds; a full machine needs the rest of them."""
ACCOUNT = "gh_0123456789ab"
WHOLE = 60.0
"""Seconds for the stand-in to have made one call and to have read what came of it."""


class WeChat(Platform):
    """A follower is a conversation. It cannot be read, or edited, what stands on a screen."""

    name: ClassVar[str] = "wechat"
    secrets: ClassVar[Sequence[str]] = (*SECRETS.values(), *TOKENS.values(), *KEYS.values())
    tries: ClassVar[int | None] = 3
    # Five messages may be sent after each of the person's, and none where nothing may be.
    holds: ClassVar[bool] = True

    messages: ClassVar[bool] = True
    """Whether the accounts may send messages of their own."""

    def __init__(self) -> None:
        self._ids = count(23_000_000_000_000_001)

    def running(self, tenant: str, log: Path) -> AbstractAsyncContextManager[Remote]:
        return started(
            *("-m", "tests.faults.platforms.wechat_peer", "--log", str(log)),
            *("--app-id", APPS[tenant], "--app-secret", SECRETS[tenant]),
            *("--callback-token", TOKENS[tenant], "--aes-key", KEYS[tenant]),
            *(() if self.messages else ("--no-permission",)),
        )

    def adapter(self, tenant: str, bot: Remote) -> Json:
        return {
            "use": "adapters.wechat",
            "app_id": APPS[tenant],
            "app_secret": SECRETS[tenant],
            "token": TOKENS[tenant],
            "aes_key": KEYS[tenant],
            "language": "en",
            "customer_service": self.messages,
            "reply_within": REPLY_WITHIN[tenant if self.messages else "a"],
            "base_url": bot.url,
            "timeout": "5s",
        }

    def event(self, mark: Mark, text: str) -> Event:
        number, person = next(self._ids), f"oFaultRunPerson{chat_of(mark.talk):013d}"
        fields = {
            "ToUserName": ACCOUNT,
            "FromUserName": person,
            "CreateTime": wall_us() // 1_000_000,
            "MsgType": "text",
            "Content": text,
            "MsgId": number,
        }
        xml = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        body = {"openid": person, "xml": f"<xml>{xml}</xml>", "name": f"text {number}"}
        return Event(mark, number, body)

    async def deliver(
        self, event: Event, url: str, attempt: int, session: aiohttp.ClientSession, bot: Remote
    ) -> int:
        """The platform's own process calls: what comes back is for its person to see."""
        del session
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WHOLE)) as own:
            asked = {**event.body, "url": url, "last": attempt >= (self.tries or 0)}
            async with own.post(f"{bot.url}/_peer/deliver", json=asked) as answer:
                answer.raise_for_status()
                return int((await answer.json())["status"])

    def pause(self, attempt: int, took: float, chance: random.Random) -> float:
        """A call that failed at once is made again when its patience would have been over."""
        return max(0.0, PATIENCE - took)


class WeChatCalls(WeChat):
    """Accounts that may not send: an answer is in one of the platform's own calls, or waits."""

    messages: ClassVar[bool] = False
