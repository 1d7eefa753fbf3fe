"""What a later run finds: its own marks, an old question, a turn that nobody waits for any more."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot import (
    Address,
    Ambiguous,
    Kind,
    Outbound,
    Sender,
    Sent,
    ToolContext,
    ToolFailed,
    Transient,
    tool,
)
from bot.domain.records import OutboxState
from bot.engine.taking import Limits
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, calls, says
from tests.engine.test_crashes import faulty, passing
from tests.fakes import until

LATE = RULES.limits.max_age + timedelta(minutes=1)
PAY = calls(("pay", "{}"))


async def after_a_crash(house: House, **values: Any) -> House:
    """Another process over the same database, later."""
    return House(
        house.model, clock=house.clock, store=house.store, platform=house.platform, **values
    )


# ---- sends that never touched the wire ---------------------------------------------------------


BOB = Sender("u2", "Bob")


async def test_what_was_marked_and_never_sent_leaves_unmarked_when_the_database_is_back() -> None:
    house, store = faulty(ScriptedModel(says("first"), says("second")))
    await house.say("hello")
    await house.say("and I", sender=BOB)
    async with house.open():
        # the end of the first turn is written; then the database is away before it is sent
        store.faults["head"] = [None, Transient("away"), Transient("away")]
        await passing(house, lambda: len(house.platform.sent) == 2)
        await house.at_rest()
        assert house.platform.texts == ["first", "second"]
        assert house.observer.named("send_failed") == []
        assert store.faults["head"] == []


async def test_an_end_that_was_written_although_nobody_heard_of_it_is_no_doubt() -> None:
    house, store = faulty(ScriptedModel())
    finish = store.finish

    async def lost(*args: Any) -> Any:
        await finish(*args)
        raise Transient("the answer of the commit was lost")

    async with house.open():
        store.stands_in["finish"] = [lost]
        await house.say("hello")
        await passing(house, lambda: house.platform.sent)
        await house.at_rest()
        assert house.platform.texts == ["you said: hello"]
        assert house.observer.named("send_failed") == []
        assert len(house.model.requests) == 1


async def test_what_the_platform_has_is_written_down_however_long_the_database_is_away() -> None:
    house, store = faulty(ScriptedModel())
    async with house.open():
        store.faults["sent"] = [Transient("away")] * 5
        await house.say("hello")
        await passing(house, lambda: house.observer.named("sent"))
        await house.at_rest()
        assert house.platform.texts == ["you said: hello"]
        assert await store.outbox_rows([OutboxState.SENT])


async def test_a_piece_that_the_platform_refused_for_now_leaves_unmarked_after_an_outage() -> None:
    platform = ListPlatform()
    platform.faults = [Transient("busy")]
    house, store = faulty(ScriptedModel(), platform=platform)
    async with house.open():
        store.faults["put_back"] = [Transient("away")] * 3
        await house.say("hello")
        await passing(house, lambda: platform.sent)
        assert platform.texts == ["you said: hello"]


async def test_what_another_process_may_have_sent_meanwhile_is_in_doubt_for_all() -> None:
    """The first process knows that it did not send; the second one held the lane in between."""
    sending = asyncio.Event()

    async def dies(piece: Outbound) -> None:
        sending.set()
        await asyncio.Event().wait()

    house, store = faulty(ScriptedModel(says("first"), says("second")))
    await house.say("hello")
    await house.say("and I", sender=BOB)
    async with house.open():
        store.faults["head"] = [None, *[Transient("away")] * 50]
        await until(lambda: len(store.faults["head"]) < 50)
        store.faults["head"] = []
        other = await after_a_crash(house)
        other.platform.before_send = dies
        async with other.open():
            await sending.wait()
        # and now the first one again: its own memory says that it never touched the wire
        other.platform.before_send = None
        await house.engine.runner.join()
        house.engine.runner.ring()
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["second"]
        outcomes = [
            fact["outcome"] for one in (other, house) for fact in one.observer.named("send_failed")
        ]
        assert outcomes == ["repeated", "ambiguous"]


async def test_a_piece_that_was_repeated_is_not_repeated_again_after_a_crash() -> None:
    platform = ListPlatform()
    platform.faults = [Ambiguous("no answer")]
    repeating = asyncio.Event()

    async def stands_still(piece: Outbound) -> None:
        if platform.taken_although_lost:
            repeating.set()
            await asyncio.Event().wait()

    platform.before_send = stands_still
    house = House(ScriptedModel(), platform=platform)
    async with house.open():
        await house.say("hello")
        await repeating.wait()
    platform.before_send = None
    again = await after_a_crash(house)
    async with again.open():
        await until(lambda: again.observer.named("send_failed"))
        await again.at_rest()
    assert [fact["outcome"] for fact in again.observer.named("send_failed")] == ["ambiguous"]
    assert platform.sent == []


# ---- what a turn was begun with ---------------------------------------------------------------


async def test_a_turn_that_is_taken_up_takes_its_own_messages_and_not_what_came_since() -> None:
    gate = Gate()
    house = House(ScriptedModel(gate))
    async with house.open():
        await house.say("one")
        await gate.reached.wait()
        await house.say("two")
    again = await after_a_crash(house)
    async with again.open():
        assert await again.has_sent(2) == ["you said: one", "you said: two"]


# ---- what nobody waits for any more ------------------------------------------------------------


async def crashed_in(house: House, reached: asyncio.Event) -> None:
    """It says something, and its process dies when the turn has come so far."""
    async with house.open():
        await house.say("go")
        await reached.wait()


async def test_a_turn_that_is_taken_up_very_late_ends_in_a_sentence_instead() -> None:
    gate = Gate()
    house = House(ScriptedModel(gate, says("stale")))
    await crashed_in(house, gate.reached)
    house.clock.advance(LATE.total_seconds())
    again = await after_a_crash(house)
    async with again.open():
        (text,) = await again.has_sent(1)
        assert text.startswith("I was interrupted while I answered this")
        await again.say("and now?", event_key="later")
        assert (await again.has_sent(2))[1] == "stale"
        told = [message.text for message in again.model.requests[-1].messages]
        assert text in told
    states = [fact["state"] for fact in again.observer.named("turn_ended")]
    assert states == ["refused", "answered"]


async def test_one_that_is_taken_up_in_time_is_answered() -> None:
    gate = Gate()
    house = House(ScriptedModel(gate, says("fresh")))
    await crashed_in(house, gate.reached)
    house.clock.advance(600)
    again = await after_a_crash(house)
    async with again.open():
        assert await again.has_sent(1) == ["fresh"]


async def test_one_that_stands_half_on_the_screen_is_finished_however_late_it_is() -> None:
    gate = Gate(before="half ")
    platform = ListPlatform(drafts="message")
    house = House(ScriptedModel(gate, says("the whole")), platform=platform)
    async with house.open():
        await house.say("go")
        await gate.reached.wait()
        await until(lambda: platform.drafts and platform.drafts[0].shown)
    house.clock.advance(LATE.total_seconds())
    again = await after_a_crash(house)
    async with again.open():
        assert await again.has_sent(1) == ["the whole"]


@pytest.mark.parametrize(("outcome", "words"), [("paid", "done this already: pay."), ("", "")])
async def test_who_is_asked_to_say_it_again_learns_what_was_done_already(
    outcome: str, words: str
) -> None:
    @tool(effect="once")
    async def pay() -> str:
        """Pay."""
        if not outcome:
            raise ToolFailed("no money")
        return outcome

    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    gate = Gate()
    both = calls(("pay", "{}"), ("look", "{}"))
    house = House(ScriptedModel(both, gate), tools=[pay, look])
    await crashed_in(house, gate.reached)
    house.clock.advance(LATE.total_seconds())
    again = await after_a_crash(house, tools=[pay, look])
    async with again.open():
        (text,) = await again.has_sent(1)
        assert text.endswith(words or "please send it again.")
        assert "look" not in text


async def test_what_was_only_begun_is_told_as_unknown_by_whoever_ends_the_turn() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    @tool(effect="once")
    async def pay() -> str:
        """Pay."""
        begun.set()
        await release.wait()
        return "paid"

    house = House(ScriptedModel(PAY), tools=[pay])
    async with house.open():
        await house.say("pay")
        await begun.wait()
        house.clock.advance(LATE.total_seconds())
        again = await after_a_crash(house, tools=[pay])
        async with again.open():
            (text,) = await again.has_sent(1)
            assert "“pay” and cannot tell whether it was done" in text
            assert [one.tool for one in await again.store.unsure_calls()] == ["pay"]
        release.set()


# ---- a yes has an age too ----------------------------------------------------------------------


class Till:
    """Pays after a yes."""

    def __init__(self) -> None:
        self.paid: list[str] = []

        @tool(effect="once", needs_approval=True)
        async def pay(ctx: ToolContext) -> str:
            """Pay.

            Args:
                ctx: Who asks.
            """
            self.paid.append(ctx.key)
            return "paid"

        self.tools = [pay]


async def asked(till: Till, *more: Any) -> House:
    house = House(ScriptedModel(PAY, *more), tools=till.tools)
    async with house.open():
        await house.say("pay")
        await house.has_sent(1)
        await house.at_rest()
    return house


@pytest.mark.parametrize(("waited", "paid"), [(299, 1), (301, 0)])
async def test_a_yes_that_was_said_in_time_and_read_too_late_does_nothing_and_says_so(
    waited: float, paid: int
) -> None:
    till = Till()
    house = await asked(till, says("Paid."))
    house.clock.advance(200)
    await house.say("yes")
    house.clock.advance(waited)
    again = await after_a_crash(house, tools=till.tools)
    async with again.open():
        text = (await again.has_sent(2))[1]
    assert len(till.paid) == paid
    assert text == "Paid." if paid else "read your yes too late" in text
    ended = again.observer.named("turn_ended")
    assert len(again.observer.named("turn_started")) == len(ended) == 1


async def test_a_call_that_was_allowed_does_not_run_hours_later_after_a_crash() -> None:
    till = Till()
    house = await asked(till)
    store = house.store
    died = asyncio.Event()

    async def dies(*args: Any, **values: Any) -> None:
        died.set()
        await asyncio.Event().wait()

    step = store.step
    store.step = dies  # type: ignore[method-assign]  # the process dies before its first step
    yes = await after_a_crash(house, tools=till.tools)
    async with yes.open():
        await yes.say("yes", event_key="yes")
        await died.wait()
    store.step = step  # type: ignore[method-assign]  # a new process
    house.clock.advance(3 * 3600)
    again = await after_a_crash(house, tools=till.tools)
    async with again.open():
        assert "read your yes too late" in (await again.has_sent(2))[1]
    assert till.paid == []


# ---- sentences are turns too -------------------------------------------------------------------


async def test_a_sentence_is_reported_like_every_other_turn() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("/help", kind=Kind.COMMAND)
        await house.has_sent(1)
        await house.at_rest()
        (started,) = house.observer.named("turn_started")
        (ended,) = house.observer.named("turn_ended")
        assert started["attempt"] == 1
        assert ended["state"] == "answered"
        assert started["turn"] == ended["turn"]


async def test_what_is_set_aside_as_too_much_does_not_stand_before_older_words_in_the_history() -> (
    None
):
    rules = replace(RULES, limits=Limits(max_age=RULES.limits.max_age, lane_limit=2))
    house = House(ScriptedModel(), rules=rules)
    people = [Sender("u1", "Ann"), Sender("u2", "Bob"), Sender("u3", "Cid")]
    for n, sender in enumerate(people):
        await house.say(f"word {n}", sender=sender, direct=False)
    async with house.open():
        texts = await house.has_sent(3)
        assert texts[0].startswith("I have too much waiting")
        await house.at_rest()
        entries = await house.store.page(
            "default", Address("list", "me", "room"), before=None, limit=50
        )
        said = [entry.message.text for entry in entries]
        assert [text for text in said if text.startswith("word")] == ["word 0", "word 1"]


# ---- chats move --------------------------------------------------------------------------------


async def test_what_waits_to_be_sent_goes_to_where_the_chat_has_moved() -> None:
    old, new = Address("list", "me", "old"), Address("list", "me", "new")
    platform = ListPlatform()
    platform.faults = [Transient("flood", retry_after=timedelta(seconds=30))]
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hello", address=old)
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        await house.receive(house.said("", kind=Kind.MOVED, address=old, moved_to=new))
        await passing(house, lambda: platform.sent)
        assert [piece.address for piece in platform.sent] == [new]


async def test_a_draft_of_an_answer_that_expired_is_taken_off_the_screen() -> None:
    platform = ListPlatform(drafts="message")
    platform.faults = [Transient("busy", retry_after=timedelta(seconds=30))]
    house = House(ScriptedModel(says("an answer")), platform=platform)
    async with house.open():
        await house.say("hello")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
    house.clock.advance(2 * 3600)
    again = await after_a_crash(house)
    async with again.open():
        await until(lambda: again.observer.named("send_failed"))
        await again.at_rest()
        assert again.observer.named("send_failed")[0]["outcome"] == "expired"
        assert platform.drafts[-1].sent == Sent(f"d{platform.drafts[0].turn}")
        assert platform.drafts[-1].abandoned
    assert platform.texts == []
