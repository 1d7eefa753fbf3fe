"""What the operator's pages say, and to whom."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bot.domain.operating import StoreHealth
from bot.errors import Transient
from bot.pages import Pages, Sources
from bot.ports import Health
from bot.readiness import Readiness
from bot.server import Site
from tests.asgi import ELSEWHERE, Caller
from tests.fakes import EPOCH, FakeClock, RecordingObserver

TOKEN = "open-sesame"


class Disk:
    """A database that can be full, gone or slow."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True
        self.writes = 0

    async def writable(self) -> bool:
        self.writes += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class House:
    """The pages behind a site, and what they look at."""

    def __init__(self, token: str | None = TOKEN) -> None:
        self.clock = FakeClock()
        self.disk = Disk()
        self.readiness = Readiness(self.disk.writable, self.clock)
        self.probes = [Health("main", ok=False, detail="no route", checked_at=EPOCH)]
        sources = Sources(
            metrics=lambda: b"parley_turns_total 1.0\n",
            probes=lambda: self.probes,
            store=lambda: StoreHealth(
                waiting=2, outbox=(("queued", 1),), size_bytes=4096, unsure=3
            ),
            listeners=lambda: {"telegram": True},
            absent=[{"place": "plugins.1", "use": "./orders.py", "why": "there is no file"}],
        )
        pages = Pages(
            sources, self.readiness, node="one:8080", version="1.2.3", clock=self.clock, token=token
        )
        site = Site(
            adapters={}, front=None, own=pages.apps(), observer=RecordingObserver(), max_size=1000
        )
        self.here, self.elsewhere = Caller(site), Caller(site, ELSEWHERE)


async def test_it_is_alive_whatever_the_database_does() -> None:
    house = House()
    house.disk.answer = False
    house.readiness.drain()
    answered = await house.elsewhere.get("/healthz")
    assert (answered.status, answered.json()) == (200, {"alive": True})


async def test_it_is_ready_while_the_database_takes_writes() -> None:
    house = House()
    answered = await house.elsewhere.get("/readyz")
    assert (answered.status, answered.json()) == (200, {"ready": True})


@pytest.mark.parametrize("answer", [False, Transient("disk full"), OSError(28, "disk full")])
async def test_a_database_that_takes_no_writes_makes_it_unready_and_heals(
    answer: bool | Exception,
) -> None:
    house = House()
    house.disk.answer = answer
    answered = await house.elsewhere.get("/readyz")
    assert answered.status == 503
    assert answered.json() == {"ready": False, "reason": "the database takes no writes"}
    house.disk.answer = True
    house.clock.advance(2)
    assert (await house.elsewhere.get("/readyz")).status == 200


async def test_draining_makes_it_unready() -> None:
    house = House()
    house.readiness.drain()
    answered = await house.elsewhere.get("/readyz")
    assert (answered.status, answered.json()["reason"]) == (503, "draining")


async def test_a_dead_platform_or_model_does_not_make_it_unready() -> None:
    house = House()
    assert not house.probes[0].ok
    assert (await house.elsewhere.get("/readyz")).status == 200


async def test_many_who_ask_cause_one_write_a_second() -> None:
    house = House()
    await asyncio.gather(*(house.elsewhere.get("/readyz") for _ in range(20)))
    assert house.disk.writes == 1
    house.clock.advance(1.5)
    await house.elsewhere.get("/readyz")
    assert house.disk.writes == 2


async def test_metrics_are_prometheus_text() -> None:
    answered = await House(token=None).here.get("/metrics")
    assert answered.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answered.text == "parley_turns_total 1.0\n"


async def test_status_tells_what_was_last_found() -> None:
    house = House(token=None)
    house.clock.advance(90)
    status: Mapping[str, Any] = (await house.here.get("/status")).json()
    assert status == {
        "node": "one:8080",
        "version": "1.2.3",
        "started_at": "2026-01-05T09:00:00Z",
        "uptime_seconds": 90.0,
        "ready": True,
        "reason": None,
        "listening": {"telegram": True},
        "plugins_not_loaded": [
            {"place": "plugins.1", "use": "./orders.py", "why": "there is no file"}
        ],
        "inbox": {"waiting": 2, "dead": 0},
        "outbox": {"queued": 1},
        "unsure_calls": 3,
        "database_bytes": 4096,
        "probes": [
            {
                "name": "main",
                "ok": False,
                "detail": "no route",
                "checked_at": "2026-01-05T09:00:00Z",
            }
        ],
    }


@pytest.mark.parametrize("path", ["/metrics", "/status"])
async def test_without_a_token_in_the_configuration_only_this_machine_may_look(path: str) -> None:
    house = House(token=None)
    assert (await house.here.get(path)).status == 200
    refused = await house.elsewhere.get(path)
    assert refused.status == 403
    assert "server.token" in refused.text


@pytest.mark.parametrize("path", ["/metrics", "/status"])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        ("Bearer wrong", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("", 401),
    ],
)
async def test_where_there_is_a_token_everybody_is_asked_for_it(
    path: str, given: str, status: int
) -> None:
    house = House()
    for caller in (house.elsewhere, house.here):
        answered = await caller.get(path, authorization=given)
        assert answered.status == status
        assert status == 200 or answered.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"]
)
async def test_a_forwarded_request_is_never_from_this_machine(name: str) -> None:
    house = House(token=None)
    answered = await house.here.ask("GET", "/status", headers={name: "127.0.0.1"})
    assert answered.status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("evil.test:8080", 403),
        ("192.0.2.1", 403),
    ],
)
async def test_a_browser_tricked_by_a_foreign_name_is_not_this_machine(
    host: str, status: int
) -> None:
    assert (await House(token=None).here.get("/metrics", host=host)).status == status


@pytest.mark.parametrize(
    ("client", "status"),
    [
        ("::1", 200),
        ("127.8.8.8", 200),
        ("::ffff:127.0.0.1", 200),
        ("::ffff:192.0.2.1", 403),
        ("2001:db8::1", 403),
        ("testclient", 403),
    ],
)
async def test_loopback_is_told_by_the_connection(client: str, status: int) -> None:
    caller = Caller(House(token=None).here.app, (client, 1))
    assert (await caller.get("/metrics")).status == status


async def test_a_connection_without_an_address_is_not_loopback() -> None:
    assert (await Caller(House(token=None).here.app, None).get("/metrics")).status == 403


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status"])
async def test_own_pages_are_read_only_and_guarded(path: str) -> None:
    house = House(token=None)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answered = await house.here.ask(method, path)
        assert (answered.status, answered.headers["allow"]) == (405, "GET, HEAD")
    answered = await house.here.ask("HEAD", path)
    assert answered.status == 200
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answered.headers["content-security-policy"]
