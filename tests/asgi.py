"""A caller for raw ASGI apps: one request in, one answer out, no socket between."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.ports import ASGIApp

LOOPBACK = ("127.0.0.1", 50_000)
ELSEWHERE = ("192.0.2.7", 50_000)


@dataclass
class Answered:
    """What an app sent; `ended` is false when it stopped in the middle."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Caller:
    """Calls one app; `client` is where the connection comes from."""

    app: ASGIApp
    client: tuple[str, int] | None = LOOPBACK

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Sequence[bytes] = (),
        gone: bool = False,
        answered: Answered | None = None,
    ) -> Answered:
        """Make one request; with `gone` the caller hangs up instead of sending the body."""
        answered = answered or Answered()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": b"",
            "client": self.client,
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
        }
        await self.app(scope, _Taking(list(body), gone=gone), _Giving(answered))
        return answered

    async def get(self, path: str, **headers: str) -> Answered:
        """GET it; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", path, headers=named)


class _Taking:
    def __init__(self, parts: list[bytes], *, gone: bool) -> None:
        self._parts = parts
        self._gone = gone
        self._told = False

    async def __call__(self) -> dict[str, Any]:
        if self._gone:
            return {"type": "http.disconnect"}
        if self._told:
            await asyncio.Event().wait()
        body = self._parts.pop(0) if self._parts else b""
        self._told = not self._parts
        return {"type": "http.request", "body": body, "more_body": bool(self._parts)}


class _Giving:
    def __init__(self, answered: Answered) -> None:
        self._answered = answered

    async def __call__(self, message: Any) -> None:
        answered = self._answered
        if message["type"] == "http.response.start":
            assert answered.status == 0, "an answer begins once"
            answered.status = message["status"]
            answered.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            assert not answered.ended, "an answer ends once"
            answered.body += message.get("body", b"")
            answered.ended = not message.get("more_body", False)
