"""The stream: what grows arrives as it grows, and a page that comes back gets what it missed."""

import asyncio
import contextlib
import random
from collections.abc import Callable

import aiohttp
import pytest

from bot import Activity, ActivityState, Outbound, TurnId
from tests.adapters.web import site
from tests.adapters.web.client import Client, Event, characters, shown, visiting
from tests.adapters.web.engine import Answer, Gate
from tests.adapters.web.proxy import Proxy
from tests.adapters.web.wall_clock import HastyClock

WORDS = Answer(tuple(f"word{n} 字{n}, " for n in range(400)))
PATIENCE = 10


def of(name: str, events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == name]


async def test_an_answer_grows_and_ends_as_one_message() -> None:
    async with site.running() as chat, visiting(chat) as client, client.reading() as reader:
        await client.post("q", "one two three")
        events = await reader.until("ended")
        assert [event.name for event in events[:1]] == ["accepted"]
        assert shown(of("draft", events)) == "one two three"
        (message,) = of("message", events)
        assert message.data["text"] == "one two three"
        assert message.data["id"] == f"{message.data['turn']}/0"
        assert events[-1].data["state"] == "done"
        for event in of("draft", events):
            assert event.id.startswith(message.data["turn"] + ".")


async def test_all_pages_of_a_visitor_see_the_same() -> None:
    async with (
        site.running() as chat,
        visiting(chat) as client,
        client.reading() as one,
        client.reading() as two,
    ):
        await client.post("q", "hello there")
        assert shown(await one.until("ended")) == shown(await two.until("ended"))
        assert of("accepted", two.events)[0].data["text"] == "hello there"


async def test_a_page_that_comes_in_the_middle_gets_the_text_so_far() -> None:
    gate = Gate(0)
    async with (
        site.running(gate=gate) as chat,
        visiting(chat) as client,
        client.reading() as first,
    ):
        await client.post("q", "one two three")
        await gate.let(2)
        await first.until(lambda event: event.id.endswith(".8"))
        async with client.reading() as reader:
            snapshot = await reader.next()
            assert snapshot is not None
            assert (snapshot.name, snapshot.data["text"]) == ("snapshot", "one two ")
            await gate.let()
            assert shown(await reader.until("ended"), "one two ") == "one two three"


async def test_a_page_that_comes_back_gets_exactly_the_characters_that_it_missed() -> None:
    gate = Gate(0)
    async with (
        site.running(gate=gate) as chat,
        visiting(chat) as client,
        client.reading() as watcher,
    ):
        await client.post("q", "one two three four")
        await gate.let(1)
        last = (await watcher.until("draft"))[-1].id
        async with client.reading(last=last) as early:
            await gate.let(2)
            missed = await early.until(lambda event: event.id.endswith(".14"))
            assert {event.name for event in missed} == {"draft"}
        async with client.reading(last=last) as reader:
            (draft,) = await reader.until("draft")
            assert draft.data["text"] == "two three "
            await gate.let()
            await reader.until("ended")


async def test_a_place_in_the_text_that_was_never_sent_is_answered_with_all_of_it() -> None:
    gate = Gate(0)
    async with site.running(gate=gate) as chat, visiting(chat) as client:
        async with client.reading() as watcher:
            await client.post("q", "one two three")
            await gate.let(2)
            turn = (await watcher.until(lambda event: event.id.endswith(".8")))[-1].data["turn"]
            for last in (
                f"{turn}.3",
                f"{turn}.99",
                f"{turn}.-1",
                f"{turn}.x",
                "nonsense",
                "1.1",
                "9." + "9" * 5000,
            ):
                async with client.reading(last=last) as reader:
                    event = await reader.next()
                    assert event is not None
                    assert event.data["text"] == "one two "
        await gate.let()


async def test_a_text_that_is_replaced_comes_as_a_snapshot() -> None:
    async with site.running() as chat, visiting(chat) as client, client.reading() as reader:
        address = chat.address(client.visitor)
        draft = await chat.adapter.draft(address, turn=TurnId(7), reply_to=None, resume=None)
        await draft.show("I think it is")
        await reader.until("draft")
        await draft.show("Actually")
        (snapshot,) = await reader.until("snapshot")
        assert snapshot.data["text"] == "Actually"
        async with client.reading(last="7.13") as back:
            event = await back.next()
            assert event is not None
            assert (event.name, event.data["text"]) == ("snapshot", "Actually")
        await draft.finish(Outbound("7/0", address, "Actually, no."))
        assert shown(await reader.until("ended")) == "Actually, no."


async def test_tool_calls_are_told_when_they_begin_and_end() -> None:
    async with site.running() as chat, visiting(chat) as client, client.reading() as reader:
        address = chat.address(client.visitor)
        draft = await chat.adapter.draft(address, turn=TurnId(7), reply_to=None, resume=None)
        await draft.show("", [Activity("now", "{}", ActivityState.RUNNING)])
        (begun,) = await reader.until("status")
        assert begun.data["activities"][0]["state"] == "running"
        await draft.show("It is", [Activity("now", "{}", ActivityState.DONE, "noon")])
        status, growing = await reader.until("draft")
        assert status.data["activities"][0]["result"] == "noon"
        assert growing.data["text"] == "It is"
        async with client.reading(last="7.5") as back:
            event = await back.next()
            assert event is not None
            assert event.data["activities"][0]["result"] == "noon"
        await draft.finish(Outbound("7/0", address, "It is noon."))
        message = of("message", await reader.until("ended"))[0]
        assert message.data["activities"][0]["tool"] == "now"


async def test_a_draft_that_is_given_up_is_interrupted() -> None:
    async with site.running() as chat, visiting(chat) as client, client.reading() as reader:
        address = chat.address(client.visitor)
        draft = await chat.adapter.draft(address, turn=TurnId(7), reply_to=None, resume=None)
        await draft.show("I was about to")
        await draft.abandon()
        assert (await reader.until("ended"))[-1].data == {"turn": "7", "state": "interrupted"}


async def test_an_answer_that_ended_meanwhile_is_told_once_more() -> None:
    gate = Gate(0)
    async with site.running(gate=gate) as chat, visiting(chat) as client:
        async with client.reading() as reader:
            await client.post("q", "one two")
            await gate.let(1)
            last = (await reader.until("draft"))[-1].id
        async with client.reading() as other:
            await gate.let()
            end = (await other.until("ended"))[-1].id
        async with client.reading(last=last) as back:
            assert [event.name for event in await back.until("ended")] == ["message", "ended"]
        async with client.reading(last=end) as back:
            await client.post("q2", "next")
            again = await back.until("ended")
            assert shown(again) == "next"
            assert of("message", again)[0].data["text"] == "next"


async def test_after_a_restart_a_half_answer_is_shown_anew() -> None:
    async with site.running() as chat, visiting(chat) as client:
        address = chat.address(client.visitor)
        # The same turn, run again by a server that never sent the first half
        async with client.reading(last="7.9") as reader:
            draft = await chat.adapter.draft(address, turn=TurnId(7), reply_to=None, resume=None)
            await draft.show("Said anew")
            event = await reader.next()
            assert event is not None
            assert (event.name, event.data["text"]) == ("snapshot", "Said anew")
            await draft.abandon()


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
async def test_fifty_cuts_at_random_lose_nothing_and_repeat_nothing(seed: int) -> None:
    chance = random.Random(seed)
    async with (
        site.running(lambda _: WORDS, clock=HastyClock()) as chat,
        Proxy(chat.port, cuts=[(0, chance.randint(1, 700)) for _ in range(50)]) as proxy,
        visiting(chat) as client,
        client.reading() as steady,
    ):
        await client.post("q", "go")
        last = (await steady.until("draft"))[-1].id
        text, over = shown(steady.events), False
        while not over:
            for event in await _read_until_cut(client, last, proxy):
                text = _exactly(text, event)
                over = over or event.name == "ended"
                last = event.id or last
        assert text == WORDS.text
        assert proxy.cuts == 50


def _exactly(text: str, event: Event) -> str:
    """What a page has after this event, which must fit to the character."""
    if event.name == "draft":
        text += event.data["text"]
        assert characters(event.id) == len(text)
    elif event.name in {"snapshot", "message"}:
        assert event.data["text"].startswith(text)
        text = event.data["text"]
    assert WORDS.text.startswith(text)
    return text


async def _read_until_cut(client: Client, last: str, proxy: Proxy) -> list[Event]:
    events: list[Event] = []
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with client.reading(last=last, base=proxy.url + "/in/web") as reader:
            while event := await reader.next():
                events.append(event)
                if event.name == "ended":
                    break
    return events


async def test_a_quiet_line_is_kept_warm() -> None:
    async with (
        site.running(heartbeat=0.05) as chat,
        visiting(chat) as client,
        client.reading() as reader,
    ):
        await reader.heartbeat()
        await reader.heartbeat()


async def test_an_answer_is_watched_while_a_page_is_open() -> None:
    async with site.running() as chat, visiting(chat) as client:
        address = chat.address(client.visitor)
        assert not chat.adapter.watched(address)
        async with client.reading() as reader:
            await client.post("q", "hello")
            await reader.until("ended")
            assert chat.adapter.watched(address)
        await _wait_for(lambda: not chat.adapter.watched(address))


async def _wait_for(condition: Callable[[], bool]) -> None:
    """A page that goes is noticed by the server, not by us: look each time that anything ran."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_with_stream_off_answers_come_whole() -> None:
    async with (
        site.running(settings={"stream": False}) as chat,
        visiting(chat) as client,
        client.reading() as reader,
    ):
        await client.post("q", "one two three")
        events = await reader.until("ended")
        assert [event.name for event in events] == ["accepted", "message", "ended"]


async def test_the_oldest_of_too_many_pages_gives_way() -> None:
    async with (
        site.running() as chat,
        visiting(chat) as client,
        client.reading() as oldest,
        client.reading(),
        client.reading(),
        client.reading(),
        client.reading(),
        client.reading() as newest,
    ):
        (away,) = await oldest.until("away")
        assert away.name == "away"
        assert await oldest.next() is None
        await client.post("q", "hello")
        assert shown(await newest.until("ended")) == "hello"


async def test_a_page_that_reads_nothing_is_dropped_and_nobody_waits_for_it() -> None:
    async with site.running(heartbeat=0.1) as chat, visiting(chat) as client:
        address = chat.address(client.visitor)
        cookie = f"parley_web={next(iter(client.session.cookie_jar)).value}"
        _, writer = await asyncio.open_connection("127.0.0.1", chat.port, limit=1)
        request = f"GET /in/web/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        await _wait_for(lambda: chat.adapter.watched(address))
        draft = await chat.adapter.draft(address, turn=TurnId(7), reply_to=None, resume=None)
        async with asyncio.timeout(PATIENCE):
            size = 0
            while chat.adapter.watched(address):
                size += 200_000
                await draft.show("x" * size)
        await draft.abandon()
        writer.close()


async def test_closing_hangs_up_on_every_page() -> None:
    async with site.running() as chat, visiting(chat) as client, client.reading() as reader:
        await client.post("q", "hello")
        await reader.until("ended")
        await chat.adapter.close()
        assert await reader.next() is None
        async with client.reading() as late:
            assert await late.next() is None
