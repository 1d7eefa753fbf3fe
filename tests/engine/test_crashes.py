"""What goes wrong inside a lane stays there: it is tried again, told, and never stands still."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot import Address, Held, Kind, Outbound, Permanent, ToolContext, Transient, tool
from bot.domain.model import Delta, Request, TextDelta
from bot.domain.records import OutboxRow, OutboxState
from bot.engine.taking import Limits
from bot.store.memory import MemoryStore
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, calls, says
from tests.fakes import FakeClock, until


class Faulty(MemoryStore):
    """A store whose methods fail as a test says: by name, the errors of its next calls."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.faults: dict[str, list[Exception | None]] = {}
        self.stands_in: dict[str, list[Any]] = {}

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in {"faults", "stands_in"}:
            return found
        if self.stands_in.get(name):
            return self.stands_in[name].pop(0)
        if not self.faults.get(name):
            return found

        async def failing(*args: Any, **kwargs: Any) -> Any:
            fault = self.faults[name].pop(0)
            if fault is not None:
                raise fault
            return await found(*args, **kwargs)

        return failing


def faulty(model: ScriptedModel, **values: Any) -> tuple[House, Faulty]:
    clock = FakeClock()
    store = Faulty(clock)
    return House(model, clock=clock, store=store, **values), store


async def passing(house: House, condition: Any) -> None:
    """Let time pass, a little at a time, until it holds."""

    def look() -> bool:
        house.clock.advance(0.1)
        return bool(condition())

    await until(look)


class BrokenPlatform(ListPlatform):
    """A platform whose rendering fails so many times."""

    failures = 0

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a bug in the rendering")
        return super().pieces(outbound)


async def test_a_bug_at_the_end_of_a_turn_is_tried_again_and_the_conversation_goes_on() -> None:
    platform = BrokenPlatform()
    platform.failures = 1
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await passing(house, lambda: platform.sent)
        await house.say("still there?")
        await passing(house, lambda: len(platform.sent) > 1)
        assert platform.texts == ["you said: hello", "you said: still there?"]


async def test_a_bug_that_stays_ends_in_the_apology_for_what_was_given_up() -> None:
    platform = BrokenPlatform()
    platform.failures = 3
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await passing(house, lambda: platform.sent)
        assert "gave up" in platform.texts[0]


async def test_a_lane_that_cannot_even_apologise_rests_and_tries_again_later() -> None:
    platform = BrokenPlatform()
    platform.failures = 6
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await passing(house, lambda: platform.failures <= 2 and not house.engine.runner.running)
        assert platform.sent == []
        await passing(house, lambda: platform.sent)
        assert "gave up" in platform.texts[0]


async def test_a_model_that_cancels_itself_is_a_failure_and_not_the_end_of_the_lane() -> None:
    async def cancels(request: Request) -> AsyncGenerator[Delta, None]:
        if not request.messages:
            yield TextDelta("never")
        raise asyncio.CancelledError

    async with House(ScriptedModel(cancels)).open() as house:
        await house.say("hello")
        assert "went wrong" in (await house.has_sent(1))[0]
        await house.say("and now?")
        assert (await house.has_sent(2))[1] == "you said: and now?"


async def test_a_platform_that_cancels_its_own_send_leaves_it_in_doubt_and_the_lane_goes_on() -> (
    None
):
    platform = ListPlatform()
    platform.faults = [asyncio.CancelledError()]
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await house.has_sent(1)
        await house.say("and now?")
        assert await house.has_sent(2) == ["(sent again) you said: hello", "you said: and now?"]
        assert [fact["reason"] for fact in house.observer.named("send_failed")] == ["unexpected"]
        assert [fact["place"] for fact in house.observer.named("failed")] == ["send list"]


async def test_a_platform_that_cancels_itself_while_it_looks_is_not_the_end_of_the_lane() -> None:
    class Cancelling(ListPlatform):
        times = 1

        async def look(self, address: Address) -> None:
            if self.times:
                self.times -= 1
                raise asyncio.CancelledError

    platform = Cancelling(drafts="fading")
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await passing(house, lambda: platform.sent)
        assert platform.texts == ["you said: hello"]
        assert [fact["place"] for fact in house.observer.named("failed")] == ["lane"]


async def test_a_database_that_is_away_in_mid_turn_does_not_count_as_a_crash() -> None:
    @tool(effect="idempotent")
    async def note(word: str) -> str:
        """Write it down.

        Args:
            word: What to write.
        """
        return word

    model = ScriptedModel(*[calls(("note", '{"word": "x"}'))] * 6, says("Noted."))
    house, store = faulty(model, tools=[note])
    async with house.open():
        store.faults["step"] = [None, Transient("away")] * 5
        await house.say("note it")
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["Noted."]
        assert {fact["attempt"] for fact in house.observer.named("turn_started")} == {1}


async def test_a_database_that_is_away_at_the_end_of_a_turn_loses_no_answer() -> None:
    house, store = faulty(ScriptedModel())
    async with house.open():
        store.faults["finish"] = [Transient("away")] * 3
        await house.say("hello")
        await passing(house, lambda: house.platform.sent)
        await house.at_rest()
        assert house.platform.texts == ["you said: hello"]
        assert len(house.model.requests) == 1


async def test_a_piece_that_waits_long_is_sent_when_its_time_comes_with_nothing_else_going_on() -> (
    None
):
    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=timedelta(seconds=40))]
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        for _ in range(100):
            await asyncio.sleep(0)
        house.clock.advance(4)
        for _ in range(10):
            await asyncio.sleep(0)
            house.clock.advance(4)
        assert await house.has_sent(1) == ["you said: hello"]


async def test_a_piece_that_was_taken_by_another_hand_is_looked_for_again_at_once() -> None:
    class Snatching(MemoryStore):
        snatched = False

        async def take(self, claim: Any, row: OutboxRow) -> OutboxRow:
            if not self.snatched:
                self.snatched = True
                # a slot has taken it since the head was read, and did not send it
                line = self._rows.outbox[row.conversation, row.turn, row.piece]
                kept, line.row = line.row, replace(line.row, state=line.row.state.DEAD)
                try:
                    return await super().take(claim, row)
                finally:
                    line.row = kept
            return await super().take(claim, row)

    clock = FakeClock()
    platform = ListPlatform(limit=5)
    async with House(
        ScriptedModel(says("abcdefgh")), clock=clock, store=Snatching(clock), platform=platform
    ).open() as house:
        await house.say("hello")
        assert await house.has_sent(2) == ["abcde", "fgh"]


async def test_a_turn_goes_on_although_a_piece_of_the_one_before_is_gone() -> None:
    """Else a call that may happen once would be looked for, not found, and made beside itself."""
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

    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=timedelta(seconds=5))]
    model = ScriptedModel(says("never shown"), calls(("book", "{}")), says("done"))
    async with House(model, platform=platform, tools=[book]).open() as house:
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.say("two")
        await until(lambda: begun)
        (row,) = await house.store.outbox_rows([OutboxState.QUEUED])
        assert await house.store.outbox_drop(row.conversation, row.turn, row.piece)
        for _ in range(10):
            house.clock.advance(1)
            for _ in range(20):
                await asyncio.sleep(0)
        go_on.set()
        assert await house.has_sent(1) == ["done"]
        assert len(begun) == 1
        assert [fact["attempt"] for fact in house.observer.named("turn_started")] == [1, 1]


async def test_a_sentence_that_a_crash_interrupted_is_said_and_not_made_a_turn() -> None:
    rules = replace(RULES, limits=Limits(max_age=RULES.limits.max_age, lane_limit=1))
    house, store = faulty(ScriptedModel(), rules=rules)
    store.faults["finish"] = [Permanent("crash")]
    await house.say("one")
    await house.say("two")
    async with house.open():
        await passing(house, lambda: len(house.platform.sent) > 1)
        assert house.platform.texts[0].startswith("I have too much waiting")
        assert house.platform.texts[1] == "you said: one"
        assert len(house.model.requests) == 1


async def test_a_command_that_a_crash_interrupted_is_obeyed_and_not_asked_of_a_model() -> None:
    house, store = faulty(ScriptedModel())
    async with house.open():
        store.faults["finish"] = [Permanent("crash")]
        await house.say("/new", kind=Kind.COMMAND)
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts[0].startswith("A new conversation")
        assert house.model.requests == []


async def test_more_silent_notices_than_one_look_shows_do_not_hide_what_stands_behind_them() -> (
    None
):
    house = House(ScriptedModel())
    for n in range(200):
        await house.say("", kind=Kind.FEEDBACK, event_key=f"f{n}")
    await house.say("hello")
    async with house.open():
        assert await house.has_sent(1) == ["you said: hello"]


async def test_a_call_whose_record_is_fenced_ends_its_turn_in_silence() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    @tool
    async def slow(ctx: ToolContext) -> str:
        """Take long.

        Args:
            ctx: Who asks.
        """
        begun.set()
        await release.wait()
        return "late"

    house = House(ScriptedModel(calls(("slow", "{}")), says("from the second")), tools=[slow])
    async with house.open():
        await house.say("go")
        await begun.wait()
        again = House(house.model, clock=house.clock, store=house.store, tools=[slow])
        async with again.open():
            await until(lambda: again.engine.runner.running)
            release.set()
            assert await again.has_sent(1) == ["from the second"]
        assert house.platform.sent == []
        assert house.observer.named("failed") == []


async def test_an_accept_whose_bringer_is_gone_still_wakes_its_lane() -> None:
    class Slow(MemoryStore):
        gate = asyncio.Event()

        async def accept(self, *args: Any, **kwargs: Any) -> Any:
            accepted = await super().accept(*args, **kwargs)
            await self.gate.wait()
            return accepted

    clock = FakeClock()
    async with House(ScriptedModel(), clock=clock, store=Slow(clock)).open() as house:
        await until(lambda: house.clock.sleepers)
        bringing = asyncio.ensure_future(house.say("hello"))
        for _ in range(20):
            await asyncio.sleep(0)
        bringing.cancel()
        assert await house.has_sent(1) == ["you said: hello"]


async def test_a_piece_that_comes_due_while_the_next_turn_thinks_leaves_before_it_ends() -> None:
    gate = Gate(after="second")
    platform = ListPlatform()
    platform.faults = [Transient("busy", retry_after=timedelta(seconds=5))]
    async with House(ScriptedModel(says("first"), gate), platform=platform).open() as house:
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        await house.say("two")
        await gate.reached.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        house.clock.advance(6)
        assert await house.has_sent(1) == ["first"]
        gate.let_go.set()
        assert await house.has_sent(2) == ["first", "second"]


async def test_a_held_answer_outlives_the_ordinary_expiry() -> None:
    platform = ListPlatform()
    platform.faults = [Held("window closed"), Transient("busy")]
    house = House(ScriptedModel(says("first"), says("second")), platform=platform)
    async with house.open():
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
    house.clock.advance(2 * 3600)
    again = House(house.model, clock=house.clock, store=house.store, platform=platform)
    async with again.open():
        await again.say("two", event_key="later")
        await passing(again, lambda: len(platform.sent) > 1)
        assert platform.texts == ["first", "second"]


async def test_a_moved_chat_is_moved_by_the_repeat_when_the_first_delivery_failed() -> None:
    house, store = faulty(ScriptedModel())
    old, new = Address("list", "me", "old"), Address("list", "me", "new")
    async with house.open():
        await house.say("remember", address=old)
        await house.has_sent(1)
        store.faults["move"] = [Transient("away")]
        notice = house.said("", kind=Kind.MOVED, address=old, moved_to=new)
        try:
            await house.receive(notice)
        except Transient:
            await house.receive(notice)
        await house.say("again", address=new)
        await house.has_sent(2)
        said = [message.text for message in house.model.requests[-1].messages]
        assert "remember" in said


async def test_nobody_waits_longer_than_its_expiry_for_a_platform_that_says_much_later() -> None:
    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=timedelta(hours=10))]
    house = House(ScriptedModel(says("first"), says("second")), platform=platform)
    async with house.open():
        await house.say("one")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
    house.clock.advance(1800)
    again = House(house.model, clock=house.clock, store=house.store, platform=platform)
    async with again.open():
        await again.say("two", event_key="later")
        await until(lambda: len(again.model.requests) > 1)
        for _ in range(50):
            await asyncio.sleep(0)
    house.clock.advance(1801)
    last = House(house.model, clock=house.clock, store=house.store, platform=platform)
    async with last.open():
        assert await last.has_sent(1) == ["second"]
        assert last.observer.named("send_failed")[0]["outcome"] == "expired"
