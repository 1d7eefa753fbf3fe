"""The road between nodes: who looks, what grows, what is said, and how often anybody looks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot import Address, Elsewhere, Transient
from bot.domain.conversation import ConversationId
from bot.domain.records import NewSignal, Signal, SignalKind
from bot.engine.hearing import AFTER_FAILURE, LOOK_BUSY, LOOK_IDLE, LOOK_LIVELY, MARGIN
from bot.engine.signalling import MOST_WAITING, PACE, RENEW, Signalling
from bot.engine.watching import GONE, REMEMBERED, STILL
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.fakes import FakeClock, RecordingObserver

ROOM, HALL = Address("list", "me", "room"), Address("list", "me", "hall")


class CountingStore(MemoryStore):
    """Says how often it was asked, and fails when a test wants it to."""

    def __init__(self, clock: FakeClock, rows: Rows) -> None:
        super().__init__(clock, rows)
        self.looks = 0
        self.put: list[NewSignal] = []
        self.batches = 0
        self.away = False

    async def signals(self, after: int, **values: Any) -> Sequence[Signal]:
        self.looks += 1
        if self.away:
            raise Transient("away")
        return await super().signals(after, **values)

    async def put_signals(self, signals: Sequence[NewSignal]) -> None:
        if self.away:
            raise Transient("away")
        self.batches += 1
        self.put += signals
        await super().put_signals(signals)


@dataclass
class Node:
    """One node's end of the road, and what it heard."""

    store: CountingStore
    road: Signalling
    observer: RecordingObserver
    busy: bool = False
    hints: int = 0
    hailed: list[ConversationId] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    no_heads: int = 0
    """So many looks at a lane fail."""

    @property
    def elsewhere(self) -> Elsewhere:
        return self.road.elsewhere("default")

    def watch(self, address: Address = ROOM) -> Callable[[], None]:
        return self.elsewhere.watch(address, self.heard.append)

    async def obey(self, conversation: ConversationId) -> None:
        if self.no_heads:
            self.no_heads -= 1
            raise Transient("away")
        self.hailed.append(conversation)

    def hint(self) -> None:
        self.hints += 1

    def put_of(self, kind: SignalKind) -> int:
        return sum(new.kind is kind for new in self.store.put)


class Road:
    """Nodes over the same rows, in the same time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.rows = Rows()
        self._group: asyncio.TaskGroup | None = None
        self._running: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Road"]:
        async with asyncio.TaskGroup() as group:
            self._group = group
            yield self
            for task in self._running.values():
                task.cancel()

    def node(self, name: str) -> Node:
        assert self._group is not None
        store, observer = CountingStore(self.clock, self.rows), RecordingObserver()
        road = Signalling(store, node=name, clock=self.clock, observer=observer)
        node = Node(store, road, observer)
        running = road.run(obey=node.obey, busy=lambda: node.busy, hint=node.hint)
        self._running[name] = self._group.create_task(running)
        return node

    async def end(self, name: str) -> None:
        """That node stops."""
        task = self._running.pop(name)
        task.cancel()
        await asyncio.wait([task])

    async def passes(self, seconds: float) -> None:
        """Let so much time pass, and everybody do what they do meanwhile."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            for _ in range(20):
                await asyncio.sleep(0)
            self.clock.advance(min(0.05, end - self.clock.monotonic()))
        for _ in range(20):
            await asyncio.sleep(0)


async def test_who_looks_on_one_node_is_known_on_the_other_until_they_leave() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        close = x.watch()
        await road.passes(LOOK_IDLE)
        assert y.elsewhere.watched(ROOM)
        assert not y.elsewhere.watched(HALL)
        assert not x.elsewhere.watched(ROOM), "here is not elsewhere"
        assert not y.road.elsewhere("other").watched(ROOM), "another tenant's room is another"
        await road.passes(GONE * 2)
        assert y.elsewhere.watched(ROOM), "it is renewed"
        close()
        await road.passes(LOOK_IDLE)
        assert not y.elsewhere.watched(ROOM)


async def test_nobody_looks_any_more_from_a_node_that_died() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        await road.end("x")
        assert y.elsewhere.watched(ROOM)
        await road.passes(GONE + RENEW)
        assert not y.elsewhere.watched(ROOM)


async def test_a_growing_text_is_told_at_its_pace_and_only_its_newest() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        text = ""
        for n in range(100):
            text += f"{n} "
            y.elsewhere.grow(ROOM, text)
            await road.passes(0.04)
        await road.passes(1)
        assert x.heard[-1] == text
        assert y.put_of(SignalKind.TEXT) <= 4 / PACE + 2
        assert len(x.heard) > 10, "it is seen to grow"
        assert x.heard == sorted(x.heard, key=len)


async def test_texts_of_many_conversations_leave_together() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        rooms = [Address("list", "me", f"room {n}") for n in range(20)]
        for room in rooms:
            x.watch(room)
        await road.passes(LOOK_IDLE)
        before = y.store.batches
        for n in range(50):
            for room in rooms:
                y.elsewhere.grow(room, f"{room.chat} {n}")
            await road.passes(0.04)
        assert y.store.batches - before <= 2 / PACE + 2
        await road.passes(1)
        assert set(x.heard[-20:]) == {f"{room.chat} 49" for room in rooms}


async def test_what_nobody_watches_is_not_told() -> None:
    async with Road().open() as road:
        road.node("x")
        y = road.node("y")
        y.elsewhere.grow(ROOM, "a")
        y.elsewhere.say(ROOM, "b")
        await road.passes(1)
        assert y.store.put == []


async def test_who_comes_in_the_middle_is_told_what_has_grown_and_what_was_just_said() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        y.elsewhere.say(ROOM, "long ago", lasting=True)
        await road.passes(REMEMBERED + 1)
        y.elsewhere.say(ROOM, "just now", lasting=True)
        y.elsewhere.say(ROOM, "in passing")
        y.elsewhere.say(HALL, "elsewhere", lasting=True)
        y.elsewhere.grow(ROOM, "so far")
        x.watch()
        await road.passes(LOOK_IDLE + LOOK_LIVELY)
        assert x.heard == ["just now", "so far"]


async def test_who_watches_is_known_to_the_turn_that_begins_right_after() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        await road.passes(1)
        x.watch()
        await x.elsewhere.told()
        await y.elsewhere.look()
        assert y.elsewhere.watched(ROOM)
        at = road.clock.monotonic()
        await x.elsewhere.told()
        assert road.clock.monotonic() == at, "nothing waits"


async def test_nobody_waits_for_long_while_the_database_is_away() -> None:
    async with Road().open() as road:
        x = road.node("x")
        await road.passes(1)
        x.store.away = True
        x.watch()
        async with asyncio.timeout(5):
            await x.elsewhere.told()
            await x.elsewhere.look()


async def test_what_was_said_arrives_whole_and_in_order_and_ends_what_grew() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        y.elsewhere.grow(ROOM, "half")
        y.elsewhere.grow(ROOM, "half and")
        y.elsewhere.grow(ROOM, None)
        for n in range(5):
            y.elsewhere.say(ROOM, str(n))
        await road.passes(1)
        assert x.heard == ["0", "1", "2", "3", "4"]


async def test_an_order_reaches_every_other_node_within_a_second() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        y.busy = True
        await road.passes(LOOK_IDLE)
        x.road.hail("default", ROOM)
        await road.passes(0.7)
        assert y.hailed == [0]
        await road.passes(10)
        assert y.hailed == [0], "once"
        assert x.hailed == [], "not ourselves"
        assert x.hints == 1, "the others are asked to look"


async def test_a_bell_has_it_read_at_once_but_never_all_the_time() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        await road.passes(1)
        x.road.hail("default", ROOM)
        await road.passes(0.05)
        y.road.ring()
        await road.passes(0.05)
        assert y.hailed == [0]
        before = y.store.looks
        for _ in range(100):
            y.road.ring()
            await road.passes(0.01)
        assert y.store.looks - before <= 12


async def test_an_idle_node_looks_seldom_and_one_with_pages_not_much_more_often() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(30)
        y_before, x_before = y.store.looks, x.store.looks
        await road.passes(60)
        assert y.store.looks - y_before <= 31
        assert x.store.looks - x_before <= 61
        assert y.store.batches == 0


async def test_an_id_that_comes_to_light_after_a_higher_one_is_read_all_the_same() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        y.busy = True
        await road.passes(1)
        x.road.hail("default", ROOM)
        await road.passes(0)
        late = road.rows.signals.pop()
        x.road.hail("default", HALL)
        await road.passes(0.7)
        assert len(y.hailed) == 1
        road.rows.signals.insert(0, late)
        await road.passes(0.7)
        assert len(y.hailed) == 2


async def test_a_node_that_starts_reads_nothing_that_is_long_over() -> None:
    async with Road().open() as road:
        x = road.node("x")
        x.road.hail("default", ROOM)
        await road.passes(GONE + 1)
        x.road.hail("default", HALL)
        await road.passes(1)
        y = road.node("y")
        await road.passes(1)
        assert len(y.hailed) == 1


async def test_while_the_database_is_away_nothing_breaks_and_it_goes_on_afterwards() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        y.store.away = x.store.away = True
        y.elsewhere.say(ROOM, "meanwhile")
        await road.passes(5)
        assert {one["place"] for one in y.observer.named("failed")} == {"signals"}
        y.store.away = x.store.away = False
        await road.passes(5)
        y.elsewhere.say(ROOM, "afterwards")
        await road.passes(2)
        assert x.heard == ["meanwhile", "afterwards"]


async def test_a_text_that_could_not_be_left_is_told_although_it_grows_no_more() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        y.store.away = True
        y.elsewhere.grow(ROOM, "so far")
        await road.passes(3)
        y.store.away = False
        await road.passes(3)
        assert x.heard == ["so far"]


async def test_who_looks_and_could_not_say_so_is_shown_what_has_grown_so_far() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        y.elsewhere.grow(ROOM, "so far")
        await road.passes(1)
        x.store.away = True
        x.watch()
        await road.passes(3)
        x.store.away = False
        await road.passes(3)
        assert x.heard == ["so far"]


async def test_a_renewal_counts_as_the_first_word_of_who_was_not_known() -> None:
    async with Road().open() as road:
        x = road.node("x")
        x.watch()
        await road.passes(1)
        road.rows.signals.clear()  # nobody else has read that it opened
        y = road.node("y")
        y.elsewhere.grow(ROOM, "so far")
        await road.passes(RENEW + LOOK_IDLE)
        assert x.heard == ["so far"]
        await road.passes(RENEW * 2)
        assert x.heard == ["so far"], "later ones are no news"


async def test_the_last_word_of_a_node_that_stops_is_still_told() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        x.watch()
        await road.passes(LOOK_IDLE)
        y.elsewhere.say(ROOM, "goodbye")
        await road.end("y")
        await road.passes(1)
        assert x.heard == ["goodbye"]


async def test_words_of_another_version_are_passed_over() -> None:
    async with Road().open() as road:
        y = road.node("y")
        for body in ("", "{}", "[1, 2]\n", '["x"]\n', '["x", "nowhere"]\n'):
            await y.store.put_signals([NewSignal(SignalKind.STOP, "default", ROOM, body)])
        await road.passes(LOOK_IDLE)
        assert y.hailed == []
        assert y.observer.named("failed") == []


async def test_who_begins_to_watch_looks_often_from_that_moment() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        await road.passes(LOOK_IDLE + LOOK_LIVELY)
        x.watch()
        await x.elsewhere.told()
        await y.elsewhere.look()
        y.elsewhere.grow(ROOM, "soon")
        await road.passes(LOOK_LIVELY * 2)
        assert x.heard == ["soon"]


async def test_an_order_whose_lane_could_not_be_looked_at_is_tried_again() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        await road.passes(LOOK_IDLE)
        y.busy, y.no_heads = True, 2
        x.road.hail("default", ROOM)
        x.road.hail("default", HALL)
        await road.passes((AFTER_FAILURE + LOOK_BUSY) * 3)
        assert len(y.hailed) == 2
        await road.passes(MARGIN * 2)
        assert len(y.hailed) == 2, "once each"


# ---- more than can be told -------------------------------------------------------------------

MANY = [Address("list", "me", f"room {n}") for n in range(MOST_WAITING + 100)]


@pytest.mark.slow  # a thousand pages
async def test_no_more_than_so_much_is_kept_while_the_database_is_away_and_orders_the_longest() -> (
    None
):
    async with Road().open() as road:
        x = road.node("x")
        await road.passes(1)
        x.store.away = True
        x.road.hail("default", ROOM)
        for room in MANY:
            x.watch(room)
        await road.passes(RENEW * 10)
        x.store.away = False
        await road.passes(RENEW - 1)
        again = [new for new in x.store.put if new.body.endswith(STILL)]
        assert len(x.store.put) - len(again) <= MOST_WAITING
        assert len(again) <= len(MANY), "each page is renewed once, not once for each round"
        assert x.store.put[0].kind is SignalKind.STOP, "orders leave first, and are lost last"


@pytest.mark.slow  # a thousand pages
async def test_pages_are_known_elsewhere_however_many_there_are() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        await road.passes(1)
        for room in MANY:
            x.watch(room)
        await road.passes(RENEW + LOOK_IDLE)
        assert all(y.elsewhere.watched(room) for room in MANY)
        await road.passes(GONE)
        assert all(y.elsewhere.watched(room) for room in MANY), "they are renewed"


async def test_a_page_that_was_closed_while_the_database_was_away_is_not_renewed() -> None:
    async with Road().open() as road:
        x, y = road.node("x"), road.node("y")
        close = x.watch()
        await road.passes(LOOK_IDLE)
        x.store.away = True
        await road.passes(RENEW + 1)
        close()
        x.store.away = False
        await road.passes(AFTER_FAILURE + LOOK_IDLE)
        assert not y.elsewhere.watched(ROOM)
        assert x.store.put[-1].body.endswith("closed")
