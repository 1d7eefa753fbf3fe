"""A node keeps its lease, goes on under a new epoch when it has lost it, and yields its name."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from bot import Outbound, ToolContext, Transient, tool
from bot.domain.model import Delta, Request
from bot.domain.records import Claim, Node, OutboxState
from bot.engine.runner import LeaseLost
from bot.store.memory import MemoryStore
from tests.engine.house import Gate, House, ListPlatform, Script, ScriptedModel, calls, says
from tests.fakes import FakeClock, until

LEASE = 15.0


async def passing(house: House, count: int) -> list[str]:
    """What was sent, once so much was and nothing waits to be; a second passes at a time."""

    def over() -> bool:
        house.clock.advance(1.0)
        return len(house.platform.sent) >= count and not house.engine.runner.running

    unsent = [OutboxState.QUEUED, OutboxState.SENDING]
    async with asyncio.timeout(10):
        while await house.store.outbox_rows(unsent) or not over():  # noqa: ASYNC110  # no event
            await asyncio.sleep(0)
    return house.platform.texts


class AwayStore(MemoryStore):
    """A store whose database can be away for everything that a node does about its lease."""

    away = False

    async def renew(self, node: Node, *rest: object) -> bool:
        if self.away:
            raise Transient("away")
        return await super().renew(node, *rest)  # type: ignore[arg-type]

    async def rejoin(self, node: Node, *rest: object) -> Node | None:
        if self.away:
            raise Transient("away")
        return await super().rejoin(node, *rest)  # type: ignore[arg-type]


async def test_a_node_that_slept_longer_than_its_lease_begins_its_turns_again() -> None:
    gate = Gate(after="too late")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("hello")
        await gate.reached.wait()
        first = house.engine.runner.node
        house.clock.advance(LEASE + 5)
        assert await house.has_sent(1) == ["you said: hello"]
        await house.at_rest()
        assert gate.closed.is_set()
        assert house.engine.runner.node == Node(first.name, first.epoch + 1)
        await house.say("and now?")
        assert (await house.has_sent(2))[1] == "you said: and now?"


class RefusingStore(MemoryStore):
    """Says when it has refused to renew a lease that was over."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.refused = asyncio.Event()

    async def renew(self, node: Node, *rest: object) -> bool:
        kept = await super().renew(node, *rest)  # type: ignore[arg-type]
        if not kept:
            self.refused.set()
        return kept


@pytest.mark.parametrize("fault", [None, Transient("busy")])
async def test_a_send_that_was_under_way_when_a_lease_ran_out_is_known_and_not_repeated(
    fault: Transient | None,
) -> None:
    clock = FakeClock()
    store = RefusingStore(clock)
    house = House(ScriptedModel(), clock=clock, store=store)
    reached, answered = asyncio.Event(), asyncio.Event()

    async def wire(piece: Outbound) -> None:
        reached.set()
        await answered.wait()

    house.platform.before_send = wire
    house.platform.faults = [] if fault is None else [fault]
    async with house.open():
        first = house.engine.runner.node
        await house.say("hello")
        await reached.wait()
        clock.advance(LEASE + 5)
        await store.refused.wait()
        await _a_while()  # its turns are being stopped
        answered.set()
        await until(lambda: house.engine.runner.node.epoch == first.epoch + 1)
        assert await passing(house, 1) == ["you said: hello"]
        assert "repeated" not in [one["outcome"] for one in house.observer.named("send_failed")]


async def test_a_send_that_does_not_end_is_cut_off_with_its_lease_and_in_doubt() -> None:
    clock = FakeClock()
    house = House(ScriptedModel(), clock=clock)
    reached = asyncio.Event()

    async def wire(piece: Outbound) -> None:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    house.platform.before_send = wire
    async with house.open():
        await house.say("hello")
        await reached.wait()
        clock.advance(LEASE + 5)
        assert await house.has_sent(1) == ["(sent again) you said: hello"]


async def test_a_node_that_slept_is_not_sure_of_its_lanes_until_it_has_asked() -> None:
    async with House(ScriptedModel()).open() as house:
        await until(lambda: house.clock.sleepers)
        seen = [house.engine.runner.sure]
        house.clock.advance(LEASE * 2 / 3)
        seen.append(house.engine.runner.sure)
        await until(lambda: house.engine.runner.sure)
        assert seen == [True, False]


async def test_a_database_that_is_away_for_longer_than_the_lease_is_waited_for() -> None:
    clock = FakeClock()
    store = AwayStore(clock)
    gate = Gate()
    async with House(ScriptedModel(gate), clock=clock, store=store).open() as house:
        await house.say("hello")
        await gate.reached.wait()
        store.away = True
        for _ in range(4):
            clock.advance(LEASE / 3 + 0.1)
            await asyncio.sleep(0)
        await gate.closed.wait()
        store.away = False
        await until(lambda: _sent_after(clock, house))
        assert house.platform.texts == ["you said: hello"]


async def test_a_lease_that_is_old_when_a_slow_start_ends_is_renewed_before_anything_else() -> None:
    house = House(ScriptedModel())
    runner, clock = house.engine.runner, house.clock
    await runner.join()
    first = runner.node
    clock.advance(LEASE * 0.9)
    running = asyncio.ensure_future(runner.run())
    try:
        await house.say("hello")
        await house.has_sent(1)
        clock.advance(LEASE * 0.2)
        await _a_while()
        # It is still the first lease: nobody could have taken what was begun under it.
        assert runner.node == first
        assert runner.sure
    finally:
        running.cancel()
        await asyncio.wait([running])


class HangingStore(MemoryStore):
    """Its first answer to a renewal is a refusal, its next one never comes."""

    asks = 0

    async def renew(self, node: Node, *rest: object) -> bool:
        self.asks += 1
        if self.asks == 1:
            raise Transient("away")
        await asyncio.Event().wait()
        return True


async def test_turns_end_before_the_lease_does_however_late_a_renewal_begins_to_hang() -> None:
    clock = FakeClock()
    gate = Gate()
    store = HangingStore(clock)
    async with House(ScriptedModel(gate), clock=clock, store=store).open() as house:
        await house.say("hello")
        await gate.reached.wait()
        clock.advance(LEASE / 3)
        await until(lambda: store.asks == 1)
        await _a_while()  # it sleeps until its next try
        clock.advance(LEASE / 3 - 0.1)
        await until(lambda: store.asks == 2)
        assert not gate.closed.is_set()
        clock.advance(0.2)
        await gate.closed.wait()
        assert clock.monotonic() < LEASE


class LateStore(MemoryStore):
    """One of its answers comes late: what it did, it did in time."""

    def __init__(self, clock: FakeClock, late: str) -> None:
        super().__init__(clock)
        self.done, self.tell = asyncio.Event(), asyncio.Event()
        self._late = late

    async def window(self, *args: Any, **more: Any) -> Any:
        return await self._told("window", await super().window(*args, **more))

    async def finish(self, *args: Any, **more: Any) -> Any:
        return await self._told("finish", await super().finish(*args, **more))

    async def step(self, *args: Any, **more: Any) -> Any:
        await super().step(*args, **more)
        return await self._told("step", None)

    async def _told(self, what: str, answer: Any) -> Any:
        if what == self._late and not self.tell.is_set():
            self.done.set()
            await self.tell.wait()
        return answer


@pytest.mark.parametrize("late", ["window", "step", "finish"])
async def test_who_wakes_up_behind_his_lease_asks_calls_and_sends_nothing_any_more(
    late: str,
) -> None:
    clock = FakeClock()
    store = LateStore(clock, late)
    sure: list[bool] = []

    @tool(effect="idempotent")
    async def note(ctx: ToolContext) -> str:
        """Note it."""
        sure.append(house.engine.runner.sure)
        return "noted"

    async def wire(piece: Outbound) -> None:
        sure.append(house.engine.runner.sure)

    def asked(script: Script) -> Script:
        def told(request: Request) -> AsyncGenerator[Delta, None]:
            sure.append(house.engine.runner.sure)
            return script(request)

        return told

    scripts = [calls(("note", "{}"))] * (late == "step") + [says("done")] * 2
    model = ScriptedModel(*map(asked, scripts))
    house = House(model, clock=clock, store=store, tools=[note])
    house.platform.before_send = wire
    async with house.open():
        await house.say("hello")
        await store.done.wait()
        clock.advance(LEASE + 5)
        store.tell.set()
        assert "done" in (await house.has_sent(1))[0]
        assert sure
        assert all(sure)


async def test_who_wakes_up_behind_his_lease_with_an_answer_in_hand_leaves_its_draft() -> None:
    clock = FakeClock()
    store, gate = LateStore(clock, "finish"), Gate("half", " and whole")
    platform = ListPlatform(drafts="fading")
    house = House(ScriptedModel(gate), clock=clock, store=store, platform=platform)
    async with house.open():
        await house.say("hello")
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        gate.let_go.set()
        await store.done.wait()
        clock.advance(LEASE + 5)
        store.tell.set()
        assert await house.has_sent(1) == ["half and whole"]
        assert [draft.left for draft in platform.drafts] == [True]


@pytest.mark.slow  # turns that do not stop are waited for five seconds
async def test_a_call_that_outlives_the_lease_is_waited_for_and_not_made_beside_itself() -> None:
    begun: list[str] = []
    go_on = asyncio.Event()

    async def found(key: str) -> str | None:
        return None

    @tool(effect="once", lookup=found)
    async def book(ctx: ToolContext) -> str:
        """Book."""
        begun.append(ctx.key)
        await go_on.wait()
        return "booked"

    clock = FakeClock()
    store = AwayStore(clock)
    model = ScriptedModel(calls(("book", "{}")), says("done"))
    async with House(model, clock=clock, store=store, tools=[book]).open() as house:
        first = house.engine.runner.node
        await house.say("hello")
        await until(lambda: begun)
        store.away = True
        for _ in range(2):
            clock.advance(LEASE / 3 + 0.1)
            await _a_while()
        store.away = False
        await until(lambda: house.engine.runner.node != first, seconds=20)
        await until(lambda: len(house.observer.named("turn_started")) > 1)
        await _a_while()
        go_on.set()
        assert await house.has_sent(1) == ["done"]
        assert len(begun) == 1


async def test_turns_that_end_because_the_database_is_away_are_no_crashes_however_often() -> None:
    clock = FakeClock()
    store = AwayStore(clock)
    gates = [Gate(before="I think ") for _ in range(4)]
    async with House(ScriptedModel(*gates), clock=clock, store=store).open() as house:
        await house.say("hello")
        for gate in gates:
            await until(lambda gate=gate: _reached_after(clock, gate))  # type: ignore[misc]
            store.away = True
            await until(lambda gate=gate: _closed_after(clock, gate))  # type: ignore[misc]
            store.away = False
        await until(lambda: _says_after(clock, house, "you said: hello"))


async def test_turns_that_end_because_the_node_slept_are_poison_when_it_happens_again() -> None:
    gates = [Gate(before="I think ") for _ in range(4)]
    async with House(ScriptedModel(*gates)).open() as house:
        await house.say("hello")
        for gate in gates[:3]:
            await until(lambda gate=gate: _reached_after(house.clock, gate))  # type: ignore[misc]
            house.clock.advance(LEASE + 5)
        await until(lambda: _says_after(house.clock, house, "something went wrong each time"))
        assert not gates[3].reached.is_set()


async def test_nothing_is_begun_under_a_lease_that_could_not_be_renewed() -> None:
    clock = FakeClock()
    store = AwayStore(clock)
    async with House(ScriptedModel(), clock=clock, store=store).open() as house:
        await until(lambda: clock.sleepers)
        store.away = True
        for _ in range(2):
            clock.advance(LEASE / 3 + 0.1)
            await _a_while()
        await house.say("hello")
        await _a_while()
        assert not house.model.requests
        store.away = False
        await until(lambda: _sent_after(clock, house))
        assert house.platform.texts == ["you said: hello"]


class SlowStore(AwayStore):
    """Its claims find lanes, and are told late."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.claimed, self.tell = asyncio.Event(), asyncio.Event()

    async def claim(self, node: Node, limit: int) -> Sequence[Claim]:
        found = await super().claim(node, limit)
        if found:
            self.claimed.set()
            await self.tell.wait()
        return found


async def test_lanes_that_were_claimed_under_a_lease_that_is_lost_by_now_are_not_run() -> None:
    clock = FakeClock()
    store = SlowStore(clock)
    async with House(ScriptedModel(), clock=clock, store=store).open() as house:
        await house.say("hello")
        await store.claimed.wait()
        store.away = True
        for _ in range(2):
            clock.advance(LEASE / 3 + 0.1)
            await _a_while()
        store.tell.set()
        await _a_while()
        assert not house.engine.runner.running
        assert not house.model.requests
        store.away = False
        await until(lambda: _sent_after(clock, house))
        assert house.platform.texts == ["you said: hello"]


class ForgetfulStore(MemoryStore):
    """A database that lost, in a crash, what it had not been asked to wait for."""

    def crash(self) -> None:
        """Claims and beginnings of turns: nobody waits for those (design, section 8)."""
        self._rows.turns.clear()
        for lane in self._rows.lanes.values():
            lane.node, lane.wake_at = None, self._clock.now()


async def test_a_lane_whose_claim_the_database_lost_is_not_run_beside_itself() -> None:
    clock, gate = FakeClock(), Gate(after="of the first run")
    store = ForgetfulStore(clock)
    async with House(ScriptedModel(gate), clock=clock, store=store).open() as house:
        await house.say("hello")
        await gate.reached.wait()
        store.crash()
        house.engine.runner.ring()
        await until(lambda: _sent_after(clock, house))
        assert house.platform.texts == ["you said: hello"]
        assert house.model.most_open == 1


async def _a_while() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def _reached_after(clock: FakeClock, gate: Gate) -> bool:
    clock.advance(0.2)
    return gate.reached.is_set()


def _closed_after(clock: FakeClock, gate: Gate) -> bool:
    clock.advance(0.2)
    return gate.closed.is_set()


def _says_after(clock: FakeClock, house: House, words: str) -> bool:
    clock.advance(0.2)
    return any(words in text for text in house.platform.texts)


def _sent_after(clock: FakeClock, house: House) -> bool:
    clock.advance(0.2)
    return bool(house.platform.sent)


async def test_a_node_whose_name_another_process_took_stops() -> None:
    house = House(ScriptedModel())
    await house.engine.runner.join()
    running = asyncio.ensure_future(house.engine.runner.run())
    await house.store.join(house.engine.runner.node.name, house.engine.runner._lease)
    await until(lambda: house.clock.sleepers)
    house.clock.advance(LEASE)
    async with asyncio.timeout(5):
        with pytest.raises(LeaseLost, match=rf" {house.engine.runner.node.name};.* `server\.node`"):
            await running
