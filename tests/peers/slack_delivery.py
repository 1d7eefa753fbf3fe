"""How payloads leave the service by HTTP: signed, within three seconds, three times more."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from tests.peers.log import Json, Log
from tests.peers.slack_events import encoded, is_form


@dataclass(frozen=True, slots=True)
class Redelivery:
    """How a refused delivery is tried again; Slack's own pauses are 0, 60 and 300 seconds."""

    pauses: tuple[float, ...] = (0.0, 0.05, 0.2)
    patience: float = 3.0
    """How long one delivery may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app said."""

    status: int
    body: str = ""
    reason: str = ""


def signed(secret: str, body: bytes, stamp: int) -> dict[str, str]:
    """The two headers that prove a request."""
    made = hmac.new(secret.encode(), b"v0:%d:%b" % (stamp, body), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(stamp), "X-Slack-Signature": f"v0={made}"}


class Courier:
    """Posts to the request URL. Commands and interactions are tried once, events again."""

    def __init__(
        self, log: Log, secret: str, now: Callable[[], float], redelivery: Redelivery
    ) -> None:
        self.url = ""
        self._log = log
        self._secret = secret
        self._now = now
        self._redelivery = redelivery
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._session: aiohttp.ClientSession | None = None

    def carry(self, body: Json) -> None:
        """Deliver in the background; Slack keeps no order."""
        task = asyncio.create_task(self.insist(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def insist(self, body: Json) -> Answer:
        """Deliver until it is taken or given up; the last answer."""
        answer = await self.post(body)
        for attempt, pause in enumerate(self._redelivery.pauses, start=1):
            if 200 <= answer.status < 300 or is_form(body):
                return answer
            await asyncio.sleep(pause)
            retry = {
                "X-Slack-Retry-Num": str(attempt),
                "X-Slack-Retry-Reason": answer.reason or "http_error",
            }
            answer = await self.post(body, retry)
        if not 200 <= answer.status < 300:
            self._log.write("given_up", name=name_of(body), status=answer.status)
        return answer

    async def post(self, body: Json, headers: Mapping[str, str] | None = None) -> Answer:
        """One delivery."""
        raw, kind = encoded(body)
        stamp = int(self._now())
        return await self.send(
            raw,
            {"Content-Type": kind, **signed(self._secret, raw, stamp), **(headers or {})},
            name_of(body),
        )

    async def send(self, raw: bytes, headers: Mapping[str, str], name: str = "raw") -> Answer:
        """Post bytes as they are."""
        attempt = int(headers.get("X-Slack-Retry-Num", 0)) + 1
        self._log.write("delivery", name=name, attempt=attempt)
        answer = await self._send(raw, headers)
        self._log.write("delivered", name=name, attempt=attempt, status=answer.status)
        if 200 <= answer.status < 300:
            self._log.write("acknowledged", name=name)
        return answer

    async def close(self) -> None:
        """Deliver nothing more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _send(self, raw: bytes, headers: Mapping[str, str]) -> Answer:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._redelivery.patience)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            async with self._session.post(self.url, data=raw, headers=headers) as answer:
                return Answer(answer.status, await answer.text())
        except TimeoutError:
            return Answer(0, reason="http_timeout")
        except aiohttp.ClientError:
            return Answer(0, reason="connection_failed")


def name_of(body: Json) -> str:
    """What a delivery is called in the log."""
    return str(body.get("event_id") or body.get("trigger_id") or body.get("type"))
