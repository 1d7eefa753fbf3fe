"""Who answers which request, what a body may be, and what a stranger learns of an error."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.errors import Transient
from bot.ports import ASGIApp
from bot.server import BODY_TIME, Site
from tests.asgi import Answered, Caller
from tests.fakes import RecordingObserver

MAX_SIZE = 1000


def app_that(does: Callable[..., Any]) -> ASGIApp:
    """An app that reads its body, does something with it, and says 200."""

    async def app(scope: Any, take: Any, give: Any) -> None:
        body, more = b"", True
        while more:
            message = await take()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        said = does(scope, body)
        await give({"type": "http.response.start", "status": 200, "headers": []})
        await give({"type": "http.response.body", "body": said})

    return app


def echo(name: str) -> ASGIApp:
    return app_that(lambda scope, body: f"{name} {scope['root_path']} {scope['path']}".encode())


def fails(error: Exception) -> ASGIApp:
    def fail(scope: Any, body: bytes) -> bytes:
        raise error

    return app_that(fail)


class House:
    """A site with a recording observer and a caller."""

    def __init__(
        self, front: str | None = "web", body_time: float = BODY_TIME, **adapters: ASGIApp
    ) -> None:
        self.observer = RecordingObserver()
        self.site = Site(
            adapters={"web": echo("web"), **adapters},
            front=front,
            own={"/healthz": echo("own")},
            observer=self.observer,
            max_size=MAX_SIZE,
            body_time=body_time,
        )
        self.caller = Caller(self.site)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/in/telegram", "telegram /in/telegram /in/telegram"),
        ("/in/telegram/more/of/it", "telegram /in/telegram /in/telegram/more/of/it"),
        ("/in/web/messages", "web /in/web /in/web/messages"),
        ("/", "web  /"),
        ("/static/page.css", "web  /static/page.css"),
        ("/healthz", "own  /healthz"),
        ("/healthz/more", "web  /healthz/more"),
    ],
)
async def test_each_path_has_its_app(path: str, answer: str) -> None:
    house = House(telegram=echo("telegram"))
    assert (await house.caller.get(path)).text == answer


@pytest.mark.parametrize("path", ["/in/nobody", "/in/", "/in/telegram2"])
async def test_a_path_of_no_adapter_is_not_found(path: str) -> None:
    house = House(telegram=echo("telegram"))
    answered = await house.caller.ask("POST", path, body=[b"x"])
    assert answered.status == 404
    assert answered.headers["x-content-type-options"] == "nosniff"


async def test_without_a_web_adapter_there_is_nothing_at_the_root() -> None:
    house = House(front=None)
    assert (await house.caller.get("/")).status == 404
    assert (await house.caller.get("/healthz")).status == 200


async def test_a_sentence_is_in_the_readers_language() -> None:
    caller = House(front=None).caller
    assert (await caller.get("/")).text == "There is nothing here.\n"
    assert (await caller.get("/", accept_language="zh-CN,zh;q=0.9")).text == "这里什么也没有。\n"


async def test_a_body_that_is_too_long_is_refused_without_the_app_seeing_the_end() -> None:
    seen: list[bytes] = []

    def keep(scope: Any, body: bytes) -> bytes:
        seen.append(body)
        return b""

    house = House(telegram=app_that(keep))
    parts = [b"x" * 600, b"x" * 600, b"x" * 600]
    answered = await house.caller.ask("POST", "/in/telegram", body=parts)
    assert (answered.status, answered.headers["connection"]) == (413, "close")
    assert seen == []
    assert house.observer.named("rejected") == [{"adapter": "telegram", "why": "too_large"}]
    just = await house.caller.ask("POST", "/in/telegram", body=[b"x" * 600, b"x" * 400])
    assert just.status == 200


async def test_a_body_that_comes_drop_by_drop_has_no_more_time_than_one_that_stands_still() -> None:
    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    given: list[dict[str, Any]] = []

    async def give(message: Any) -> None:
        given.append(message)

    house = House(telegram=echo("telegram"), body_time=0.05)
    scope = {"type": "http", "method": "POST", "path": "/in/telegram", "headers": []}
    async with asyncio.timeout(20):
        await house.site(scope, drip, give)
    assert given[0]["status"] == 408
    assert (b"connection", b"close") in given[0]["headers"]
    assert house.observer.named("rejected") == [{"adapter": "telegram", "why": "slow"}]


async def test_an_unexpected_error_is_one_sentence_for_them_and_one_report_for_us() -> None:
    house = House(telegram=fails(RuntimeError("canary")))
    answered = await house.caller.ask("POST", "/in/telegram", body=[b"canary"])
    assert (answered.status, answered.text) == (500, "Something went wrong here.\n")
    (report,) = house.observer.named("failed")
    assert report["place"] == "asgi"


async def test_what_could_not_be_stored_is_not_acknowledged() -> None:
    house = House(telegram=fails(Transient("disk full")))
    answered = await house.caller.ask("POST", "/in/telegram", body=[b"x"])
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")
    assert house.observer.facts == []


async def test_an_error_after_the_answer_began_cuts_it_off() -> None:
    async def breaks(scope: Any, take: Any, give: Any) -> None:
        await give({"type": "http.response.start", "status": 200, "headers": []})
        await give({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError

    house = House(telegram=breaks)
    answered = await house.caller.get("/in/telegram")
    assert (answered.status, answered.body, answered.ended) == (200, b"half", False)
    assert len(house.observer.named("failed")) == 1


async def test_a_caller_that_hangs_up_in_its_body_is_no_failure_of_ours() -> None:
    async def strict(scope: Any, take: Any, give: Any) -> None:
        message = await take()
        if message["type"] == "http.disconnect":
            raise EOFError

    house = House(telegram=strict)
    answered = await house.caller.ask("POST", "/in/telegram", gone=True)
    assert answered.status == 0
    assert house.observer.facts == [("rejected", {"adapter": "telegram", "why": "hung_up"})]


async def test_hanging_up_ends_the_streams_that_wait_for_their_caller() -> None:
    watching = asyncio.Event()

    async def stream(scope: Any, take: Any, give: Any) -> None:
        await take()
        await give({"type": "http.response.start", "status": 200, "headers": []})
        watching.set()
        assert (await take())["type"] == "http.disconnect"
        await give({"type": "http.response.body", "body": b"bye"})

    house, answered = House(web=stream), Answered()
    request = asyncio.create_task(house.caller.ask("GET", "/in/web/events", answered=answered))
    async with asyncio.timeout(5):
        await watching.wait()
        house.site.hang_up()
        await request
    assert (answered.body, answered.ended) == (b"bye", True)


async def test_cancellation_is_not_swallowed() -> None:
    begun = asyncio.Event()

    async def waits(scope: Any, take: Any, give: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    house = House(telegram=waits)
    request = asyncio.create_task(house.caller.get("/in/telegram"))
    await begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert house.observer.facts == []
