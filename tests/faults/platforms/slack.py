"""Slack in fault runs: signed events by HTTP; answers grow at one bot, are whole at the other.

Its pauses before a repeat are 0, 60 and 300 seconds; here they are as short as Telegram's, and
there are more of them.
"""

import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar

import aiohttp

from tests.faults.marks import Mark
from tests.faults.platforms.base import Event, Platform, chat_of, post
from tests.peers.log import Json, wall_us
from tests.peers.process import Remote, running
from tests.peers.slack_delivery import signed
from tests.peers.slack_events import encoded

TEAMS = {"a": "T0ALPHA", "b": "T0BETA"}
TOKENS = {"a": "xoxb-1-faults-alpha-token-xxxx", "b": "xoxb-2-faults-beta-token-xxxxx"}
SIGNING = {"a": "fault-run-signing-secret-of-alpha", "b": "fault-run-signing-secret-of-beta"}
STREAMS = {"a": "edit", "b": "off"}
BOT = "U0PARLEY"
"""Who the stand-in says that we are."""


class Slack(Platform):
    """A direct chat is a conversation."""

    name: ClassVar[str] = "slack"
    editing: ClassVar[tuple[str, ...]] = tuple(
        tenant for tenant, stream in STREAMS.items() if stream == "edit"
    )
    secrets: ClassVar[tuple[str, ...]] = (*TOKENS.values(), *SIGNING.values())

    def __init__(self) -> None:
        self._last = 0

    def running(self, tenant: str, log: Path) -> AbstractAsyncContextManager[Remote]:
        secrets = ("--bot-token", TOKENS[tenant], "--signing-secret", SIGNING[tenant])
        return running("slack", *secrets, "--no-echo", log=log)

    def adapter(self, tenant: str, bot: Remote) -> Json:
        return {
            "use": "adapters.slack",
            "mode": "http",
            "bot_token": TOKENS[tenant],
            "signing_secret": SIGNING[tenant],
            "stream": STREAMS[tenant],
            "base_url": f"{bot.url}/api/",
            "timeout": "5s",
            "channel_per_second": 0,
            "updates_per_minute": 0,
        }

    def event(self, mark: Mark, text: str) -> Event:
        ts = self._ts()
        team = TEAMS[mark.talk.tenant]
        said = {
            "type": "message",
            "user": f"U{chat_of(mark.talk)}",
            "text": text,
            "ts": ts,
            "event_ts": ts,
            "team": team,
            "channel": f"D{chat_of(mark.talk)}",
            "channel_type": "im",
            "client_msg_id": f"client-{ts}",
        }
        own = {"enterprise_id": None, "team_id": team, "user_id": BOT, "is_bot": True}
        body = {
            "token": "verification-token",
            "team_id": team,
            "api_app_id": "A0PARLEY",
            "event": said,
            "type": "event_callback",
            "event_id": f"Ev{ts.replace('.', '')}",
            "event_time": int(float(ts)),
            "authorizations": [{**own, "is_enterprise_install": False}],
            "is_ext_shared_channel": False,
        }
        return Event(mark, ts, body)

    async def deliver(
        self, event: Event, url: str, attempt: int, session: aiohttp.ClientSession, bot: Remote
    ) -> int:
        del bot
        body, headers = request(event, retries(attempt))
        return await post(session, url, body, headers)

    def _ts(self) -> str:
        """A message's id: a time, and never the same twice."""
        self._last = max(wall_us(), self._last + 1)
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"


def request(event: Event, more: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """An event as it goes over the wire now: signed anew each time."""
    body, kind = encoded(event.body)
    proof = signed(SIGNING[event.mark.talk.tenant], body, int(time.time()))
    return body, {"Content-Type": kind, **proof, **more}


def retries(attempt: int) -> dict[str, str]:
    """What Slack says of a delivery that is not the first."""
    if attempt == 1:
        return {}
    number = str(min(attempt - 1, 3))
    return {"X-Slack-Retry-Num": number, "X-Slack-Retry-Reason": "http_timeout"}
