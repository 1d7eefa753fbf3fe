"""The operator's pages: alive, ready, metrics, status."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bot.asgi import (
    Answer,
    Give,
    Scope,
    Take,
    from_loopback,
    header,
    json_answer,
    respond,
    sentence_answer,
)
from bot.domain.operating import StoreHealth
from bot.ports import ASGIApp, Clock, Health
from bot.readiness import Readiness

METRICS_KIND = b"text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD"})

Page = Callable[[Scope], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pages look; each is asked when somebody asks for the page."""

    metrics: Callable[[], bytes]
    probes: Callable[[], Sequence[Health]]
    store: Callable[[], StoreHealth | None]
    listeners: Callable[[], Mapping[str, bool]]
    absent: Sequence[Mapping[str, str]] = ()
    """The optional plugins that this process started without: place, use, why."""


class Pages:
    """`/metrics` and `/status` are for who has `server.token`; without one, for this machine."""

    def __init__(
        self,
        sources: Sources,
        readiness: Readiness,
        *,
        node: str,
        version: str,
        clock: Clock,
        token: str | None,
    ) -> None:
        self._sources = sources
        self._readiness = readiness
        self._node = node
        self._version = version
        self._clock = clock
        self._token = None if token is None else token.encode()
        self._started_at: datetime = clock.now()
        self._started = clock.monotonic()

    def apps(self) -> Mapping[str, ASGIApp]:
        """Each page by its path."""
        pages: Mapping[str, Page] = {
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/status": self._status,
        }
        return {path: partial(self._show, page) for path, page in pages.items()}

    async def _show(self, page: Page, scope: Scope, take: Take, give: Give) -> None:
        if scope["method"] in METHODS:
            answer = await page(scope)
        else:
            answer = Answer(405, b"GET\n", headers=((b"allow", b"GET, HEAD"),))
        await respond(give, answer)

    async def _alive(self, scope: Scope) -> Answer:
        return json_answer(200, {"alive": True})

    async def _ready(self, scope: Scope) -> Answer:
        obstacle = await self._readiness.obstacle()
        if obstacle is None:
            return json_answer(200, {"ready": True})
        return json_answer(503, {"ready": False, "reason": obstacle}, (b"retry-after", b"5"))

    async def _metrics(self, scope: Scope) -> Answer:
        return self._refusal(scope) or Answer(200, self._sources.metrics(), METRICS_KIND)

    async def _status(self, scope: Scope) -> Answer:
        if (refusal := self._refusal(scope)) is not None:
            return refusal
        obstacle = await self._readiness.obstacle()
        store = self._sources.store() or StoreHealth()
        shown = {
            "node": self._node,
            "version": self._version,
            "started_at": self._started_at,
            "uptime_seconds": round(self._clock.monotonic() - self._started, 3),
            "ready": obstacle is None,
            "reason": obstacle,
            "listening": dict(self._sources.listeners()),
            "plugins_not_loaded": [dict(one) for one in self._sources.absent],
            "inbox": {"waiting": store.waiting, "dead": store.dead},
            "outbox": dict(store.outbox),
            "unsure_calls": store.unsure,
            "database_bytes": store.size_bytes,
            "probes": [
                {"name": h.name, "ok": h.ok, "detail": h.detail, "checked_at": h.checked_at}
                for h in self._sources.probes()
            ],
        }
        return json_answer(200, shown)

    def _refusal(self, scope: Scope) -> Answer | None:
        if self._token is None:
            return None if from_loopback(scope) else _for_this_machine_only(scope)
        # Of this machine's programs too: a proxy here may pass strangers on and name nobody.
        scheme, _, given = (header(scope, b"authorization") or b"").partition(b" ")
        if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token):
            return None
        error = "send server.token: `Authorization: Bearer …`"
        return json_answer(401, {"error": error}, (b"www-authenticate", b"Bearer"))


def _for_this_machine_only(scope: Scope) -> Answer:
    return sentence_answer(
        403,
        "This page is for this machine only; set server.token to open it to others.",
        "此页面仅限本机访问；要对外开放，请设置 server.token。",
        scope,
    )
