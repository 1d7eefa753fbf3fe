"""The adapter on the real engine: open calls, held answers, two nodes, a restart."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot import Inbound, Receipt, Receive
from bot.app.engine import Engine, build_engine
from bot.domain.model import Delta, Finished, Reason, Request, TextDelta
from bot.domain.records import OutboxState, Placement
from bot.engine.audience import Audience
from bot.store.codec import JsonCodec
from bot.store.memory import MemoryStore
from bot.store.memory_rows import Rows
from tests.adapters.wechat.line import Line, line
from tests.engine.house import RULES, ScriptedModel, http
from tests.fakes import RecordingObserver, until
from tests.peers.wechat import ANN

# Real seconds of open calls: not for every commit.
pytestmark = pytest.mark.slow


PLACE = Placement("default", "wechat", "customers")
SLOW = 7.0
"""Seconds: in the middle of the second call, which is open from 5 to 9."""
UNSENT = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.HELD, OutboxState.DEAD)


def engine_of(made: Line, model: ScriptedModel, rows: Rows, node: str = "one:1") -> Engine:
    """A node that speaks through this adapter."""
    store = MemoryStore(made.clock, rows)
    audience = Audience(
        name="customers",
        persona="You are kind.",
        model=model,
        listed=None,
        max_steps=8,
        deadline=timedelta(seconds=600),
        idle=timedelta(hours=2),
        window_messages=50,
        window_tokens=8000,
    )
    return build_engine(
        store=store,
        codec=JsonCodec(),
        adapters={"wechat": made.adapter},
        audiences={"": audience, "customers": audience},
        tools={},
        rules=replace(RULES, node=node, polls=True, locale="zh"),
        clock=made.clock,
        observer=RecordingObserver(),
        http=http,
    )


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[Engine]:
    """Until the block ends; the node is killed then, not drained."""
    await engine.runner.join()
    task = asyncio.ensure_future(engine.runner.run())
    try:
        yield engine
    finally:
        task.cancel()
        await asyncio.wait([task])


@dataclass
class Spoken:
    """A line whose calls go to the real engine."""

    line: Line
    rows: Rows
    model: ScriptedModel
    engine: Engine

    def will_say(self, text: str, after: float) -> None:
        """The model's next answer, after so many seconds of the line's time."""

        async def script(request: Request) -> AsyncGenerator[Delta, None]:
            await self.line.passes(after)
            yield TextDelta(text)
            yield Finished(Reason.STOP, "main")

        self.model.scripts.append(script)

    async def unsent(self) -> list[str]:
        """The states of what has not left."""
        store = MemoryStore(self.line.clock, self.rows)
        return [row.state.value for row in await store.outbox_rows(UNSENT)]

    async def rests(self, *states: str) -> None:
        """Return once nothing runs and exactly this has not left."""
        async with asyncio.timeout(20):
            while self.engine.runner.running or tuple(await self.unsent()) != states:
                await self.line.passes(0.5)


class Switch:
    """`Receive` that can be handed to another node."""

    def __init__(self) -> None:
        self.to: Receive | None = None

    async def __call__(self, inbound: Inbound, open_for: timedelta | None = None, /) -> Receipt:
        assert self.to is not None
        return await self.to(inbound, open_for)


@asynccontextmanager
async def spoken(*, may_send: bool = True) -> AsyncIterator[Spoken]:
    """One node, one adapter, one person."""
    rows, model, switch = Rows(), ScriptedModel(), Switch()
    async with line(may_send=may_send, receive=switch) as made:
        engine = engine_of(made, model, rows)
        switch.to = engine.intake(PLACE)
        async with running(engine):
            yield Spoken(made, rows, model, engine)


async def test_an_answer_in_time_is_the_reply() -> None:
    async with spoken() as house:
        done = await house.line.peer.say(ANN, "你好")
        assert (done.said, done.statuses) == ("you said: 你好", [200])
        await house.rests()
        assert house.line.peer.calls("message/custom/send") == []


async def test_a_slow_answer_is_a_message() -> None:
    async with spoken() as house:
        house.will_say("after some thought", after=SLOW)
        done = await house.line.peer.say(ANN, "hm?")
        assert (done.said, done.statuses) == (None, [200])
        await house.rests()
        assert house.line.peer.texts(ANN) == ["after some thought"]
        assert house.line.peer.refusals() == []


async def test_a_long_answer_is_one_reply_and_messages_in_order() -> None:
    async with spoken() as house:
        text = "".join(f"第{number}句话,说得清清楚楚。" for number in range(140))
        house.will_say(text, after=1)
        await house.line.peer.say(ANN, "everything, please")
        await house.rests()
        assert "".join(house.line.peer.texts(ANN)) == text
        assert [shown.by for shown in house.line.peer.screen(ANN)] == [
            *("reply", "message", "message")
        ]


async def test_without_permission_a_later_call_takes_it() -> None:
    async with spoken(may_send=False) as house:
        house.will_say("just in time", after=SLOW)
        done = await house.line.peer.say(ANN, "hm?")
        assert (done.statuses, done.said) == ([0, 200], "just in time")
        await house.rests()
        assert len(house.model.requests) == 1


async def test_what_came_too_late_is_held_and_both_are_answered_with_the_next_message() -> None:
    async with spoken(may_send=False) as house:
        house.will_say("the long answer", after=25)
        done = await house.line.peer.say(ANN, "a hard one")
        assert done.statuses == [0, 0, 200]
        assert done.said is not None
        assert "还在处理" in done.said
        await house.rests("held")
        house.will_say("the short answer", after=1)
        assert (await house.line.peer.say(ANN, "and?")).said == (
            "the long answer\n\nthe short answer"
        )
        await house.rests()
        assert house.line.peer.out_of_order(ANN) == 0


async def test_what_was_held_goes_back_until_a_later_call_can_take_both() -> None:
    async with spoken(may_send=False) as house:
        house.will_say("the first", after=25)
        await house.line.peer.say(ANN, "one")
        await house.rests("held")
        house.will_say("the second", after=SLOW)
        done = await house.line.peer.say(ANN, "two")
        assert (done.statuses, done.said) == ([0, 200], "the first\n\nthe second")
        await house.rests()


async def test_when_the_five_are_used_up_the_rest_waits_for_the_next_message() -> None:
    async with spoken() as house:
        peer = house.line.peer
        house.will_say("too late for its call", after=12)
        await peer.say(ANN, "hello")
        for number in range(5):
            await house.line.adapter.send(house.line.out(str(number)))
        await house.rests("held")
        assert (await peer.say(ANN, "go on")).said == "too late for its call\n\nyou said: go on"
        assert peer.refusals() == []
        await house.rests()


async def test_the_second_call_may_reach_another_node_and_the_first_may_die() -> None:
    switch_two = Switch()
    async with (
        spoken(may_send=False) as house,
        line(receive=switch_two, beside=house.line) as other,
    ):
        second = engine_of(other, house.model, house.rows, "two:2")
        switch_two.to = second.intake(PLACE)
        house.line.peer.aim(house.line.url, other.url)
        house.will_say("from wherever", after=SLOW)
        async with running(second):
            done = await house.line.peer.say(ANN, "hm?")
            assert (done.statuses, done.said) == ([0, 200], "from wherever")
            assert [attempt.url for attempt in done.attempts] == [house.line.url, other.url]
            await house.rests()
        assert len(house.model.requests) == 1


async def test_a_restart_between_two_calls_loses_nothing() -> None:
    switch = Switch()
    rows = Rows()
    async with line(may_send=False, receive=switch) as made:
        model = ScriptedModel()
        house = Spoken(made, rows, model, engine_of(made, model, rows))
        switch.to = house.engine.intake(PLACE)
        house.will_say("never heard", after=1000)
        house.will_say("after the restart", after=1)
        async with running(house.engine):
            waiting = asyncio.ensure_future(made.peer.say(ANN, "hm?"))
            await until(lambda: len(model.requests) == 1, 10)
        house.engine = engine_of(made, model, rows)
        switch.to = house.engine.intake(PLACE)
        async with running(house.engine):
            done = await waiting
            assert done.said == "after the restart"
            assert not done.failed
            await house.rests()
