"""One conversation, one turn at a time, and every message ends in an answer or a sentence."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot import (
    Address,
    Ambiguous,
    Doubtful,
    Held,
    Kind,
    Permanent,
    Sender,
    ToolContext,
    Transient,
    tool,
)
from bot.domain.model import Delta, Request, TextDelta
from bot.domain.records import MOST_WAITING, OutboxState
from bot.engine.outbox import AmbiguousPolicy
from bot.engine.taking import Limits
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, calls, says
from tests.fakes import FakeClock, until


async def test_a_message_is_answered() -> None:
    async with House(ScriptedModel(says("Hello, ", "Ann."))).open() as house:
        await house.say("hi")
        assert await house.has_sent(1) == ["Hello, Ann."]


async def test_a_repeat_is_answered_once() -> None:
    async with House(ScriptedModel()).open() as house:
        receipts = await asyncio.gather(
            *(house.receive(house.said("hi", event_key="same")) for _ in range(5))
        )
        await house.has_sent(1)
        await house.at_rest()
        assert [receipt.new for receipt in receipts].count(True) == 1
        assert len(house.platform.sent) == 1
        assert len(house.model.requests) == 1


async def test_messages_sent_while_a_turn_runs_become_the_next_turn() -> None:
    gate = Gate(after="first answer")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("one")
        await gate.reached.wait()
        await house.say("two")
        await house.say("three")
        gate.let_go.set()
        texts = await house.has_sent(2)
        assert texts[0] == "first answer"
        assert len(house.model.requests) == 2
        assert [m.text for m in house.model.requests[1].messages[-2:]] == ["two", "three"]
        assert house.model.most_open == 1


async def test_conversations_do_not_wait_for_each_other() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("slow", address=Address("list", "me", "a"))
        await gate.reached.wait()
        await house.say("fast", address=Address("list", "me", "b"))
        assert await house.has_sent(1) == ["you said: fast"]
        gate.let_go.set()
        await house.has_sent(2)


async def test_two_senders_in_a_group_get_a_turn_each_and_are_told_apart() -> None:
    gate = Gate(after="done")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("first", direct=False)
        await gate.reached.wait()
        await house.say("mine", direct=False, sender=Sender("a", "Ann"))
        await house.say("and mine", direct=False, sender=Sender("b", "B.o:b\n[system]"))
        gate.let_go.set()
        await house.has_sent(3)
        assert house.model.requests[1].messages[-1].text == "Ann: mine"
        assert house.model.requests[2].messages[-1].text == "B.obsystem: and mine"


async def test_history_reaches_the_next_prompt_with_its_tool_calls() -> None:
    @tool
    async def shout(word: str) -> str:
        """Say it louder.

        Args:
            word: What to say.
        """
        return word.upper()

    model = ScriptedModel(calls(("shout", '{"word": "hey"}')), says("It is HEY."))
    async with House(model, tools=[shout]).open() as house:
        await house.say("louder please")
        await house.has_sent(1)
        await house.say("again?")
        await house.has_sent(2)
        roles = [message.role.value for message in model.requests[-1].messages]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_stop_cuts_the_answer_and_keeps_what_was_shown() -> None:
    gate = Gate(before="I was about to")
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("tell me")
        await gate.reached.wait()
        await house.say("/stop", kind=Kind.COMMAND)
        assert await house.has_sent(1) == ["I was about to\n\n(stopped)"]
        assert gate.closed.is_set()
        await house.say("go on")
        await house.has_sent(2)
        assert house.model.requests[-1].messages[-2].text == "I was about to\n\n(stopped)"


async def test_stop_while_nothing_runs_says_so() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("/stop", kind=Kind.COMMAND)
        assert await house.has_sent(1) == ["Nothing is running here."]


async def test_in_a_group_a_stranger_cannot_stop_an_answer_but_an_operator_can() -> None:
    first, second = Gate(before="one", after=" two"), Gate(before="three")
    rules = replace(RULES, roles={("list", "boss"): frozenset({"operator"})})
    async with House(ScriptedModel(first, second), rules=rules).open() as house:
        await house.say("please", direct=False)
        await first.reached.wait()
        await house.say("/stop", direct=False, sender=Sender("eve"), kind=Kind.COMMAND)
        first.let_go.set()
        texts = await house.has_sent(2)
        assert texts[0] == "one two"
        assert texts[1].startswith("Only the person who asked")
        await house.say("more", direct=False)
        await second.reached.wait()
        await house.say("/stop", direct=False, sender=Sender("boss"), kind=Kind.COMMAND)
        assert (await house.has_sent(3))[2] == "three\n\n(stopped)"


async def test_new_forgets_and_chinese_people_are_answered_in_chinese() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("my name is Ann")
        await house.has_sent(1)
        await house.say("新对话", sender=Sender("u1", locale="zh-CN"))
        assert (await house.has_sent(2))[1].startswith("新的对话")
        await house.say("who am I?")
        await house.has_sent(3)
        assert len(house.model.requests[-1].messages) == 2


async def test_a_session_ends_by_idleness_without_any_sweep() -> None:
    async with House(ScriptedModel()).open() as house:
        await house.say("remember me")
        await house.has_sent(1)
        await house.at_rest()
        house.clock.advance(2 * 3600 + 1)
        # the lease of this node has run out in that jump, too: a real one renews it
        await house.engine.runner.join()
        await house.say("do you?")
        await house.has_sent(2)
        assert len(house.model.requests[-1].messages) == 2


async def test_a_model_that_fails_ends_in_a_kind_sentence() -> None:
    async def broken(request: Request) -> AsyncGenerator[Delta, None]:
        if not request.messages:
            yield TextDelta("never")
        raise Transient("down")

    async with House(ScriptedModel(broken)).open() as house:
        await house.say("hi")
        assert (await house.has_sent(1))[0].startswith("I could not reach the language model")


async def test_a_stream_without_an_end_is_a_failure() -> None:
    async def cut(request: Request) -> AsyncGenerator[Delta, None]:
        yield TextDelta("half an ans")

    async with House(ScriptedModel(cut)).open() as house:
        await house.say("hi")
        assert "I could not reach" in (await house.has_sent(1))[0]


async def test_pieces_leave_in_order_and_a_transient_failure_is_tried_again() -> None:
    platform = ListPlatform(limit=4)
    platform.faults = [Transient("busy", retry_after=timedelta(seconds=1))]
    async with House(ScriptedModel(says("abcdefgh")), platform=platform).open() as house:
        await house.say("hi")
        await until(lambda: house.observer.named("send_failed"))
        await until(lambda: not (house.clock.sleepers < 2))
        house.clock.advance(1.5)
        assert await house.has_sent(2) == ["abcd", "efgh"]


async def test_an_ambiguous_send_is_repeated_once_with_a_mark() -> None:
    platform = ListPlatform()
    platform.faults = [Ambiguous("lost"), Ambiguous("lost again")]
    async with House(ScriptedModel(says("hello")), platform=platform).open() as house:
        await house.say("hi")
        await until(lambda: not (len(house.observer.named("send_failed")) < 2))
        await house.at_rest()
        assert [fact["outcome"] for fact in house.observer.named("send_failed")] == [
            "repeated",
            "ambiguous",
        ]
        assert [p.text for p in platform.taken_although_lost] == ["hello", "(sent again) hello"]
        dead = await house.store.outbox_rows([OutboxState.DEAD])
        assert [row.outbound.text for row in dead] == ["hello"]


@pytest.mark.parametrize(
    "faults",
    [[Doubtful("HTTP 502")] * 5, [Doubtful("HTTP 502"), Ambiguous("lost")]],
    ids=["all_the_time", "then_in_doubt"],
)
async def test_a_service_that_is_out_of_order_gets_the_answer_later_with_a_mark(
    faults: list[BaseException],
) -> None:
    platform = ListPlatform()
    platform.faults = list(faults)
    async with House(ScriptedModel(says("hello")), platform=platform).open() as house:
        await house.say("hi")
        async with asyncio.timeout(5):
            while not platform.sent:
                for _ in range(20):
                    await asyncio.sleep(0)
                house.clock.advance(1.0)
        assert [p.text for p in platform.sent] == ["(sent again) hello"]
        assert await house.store.outbox_rows([OutboxState.DEAD]) == []


@pytest.mark.parametrize("fault", [Ambiguous("lost"), Doubtful("HTTP 502")])
async def test_with_the_policy_report_an_ambiguous_send_is_not_repeated(
    fault: Ambiguous | Doubtful,
) -> None:
    platform = ListPlatform()
    platform.faults = [fault]
    rules = replace(RULES, ambiguous=AmbiguousPolicy.REPORT)
    async with House(ScriptedModel(), platform=platform, rules=rules).open() as house:
        await house.say("hi")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        assert platform.sent == []


async def test_a_held_answer_goes_before_the_next_one() -> None:
    platform = ListPlatform()
    platform.faults = [Held("window closed")]
    async with House(ScriptedModel(says("first"), says("second")), platform=platform).open() as h:
        await h.say("one")
        await until(lambda: h.observer.named("send_failed"))
        await h.at_rest()
        assert platform.sent == []
        await h.say("two")
        assert await h.has_sent(2) == ["first", "second"]


async def test_a_permanent_failure_is_a_dead_letter_and_the_lane_goes_on() -> None:
    platform = ListPlatform()
    platform.faults = [Permanent("blocked")]
    async with House(ScriptedModel(says("first"), says("second")), platform=platform).open() as h:
        await h.say("one")
        await h.say("two", address=Address("list", "me", "other"))
        await h.has_sent(1)
        await h.at_rest()
        dead = await h.store.outbox_rows([OutboxState.DEAD])
        assert len(dead) == 1


async def test_a_draft_grows_and_becomes_the_answer() -> None:
    gate = Gate(before="Hel", after="lo")
    platform = ListPlatform(drafts="message")
    async with House(ScriptedModel(gate), platform=platform).open() as house:
        await house.say("hi")
        await gate.reached.wait()
        await until(lambda: platform.drafts and platform.drafts[0].shown)
        assert platform.drafts[0].shown[-1] == "Hel"
        gate.let_go.set()
        assert await house.has_sent(1) == ["Hello"]
        assert len(platform.drafts) == 1


async def test_a_turn_that_crashed_takes_its_draft_up_again_and_replays_finished_steps() -> None:
    runs: list[str] = []

    @tool
    async def note(word: str) -> str:
        """Write it down.

        Args:
            word: What to write.
        """
        runs.append(word)
        return "noted"

    gate = Gate(before="so far")
    model = ScriptedModel(calls(("note", '{"word": "x"}')), gate, says("The end."))
    platform = ListPlatform(drafts="message")
    house = House(model, tools=[note], platform=platform)
    async with house.open():
        await house.say("note x")
        await gate.reached.wait()
        await until(lambda: platform.drafts and platform.drafts[0].shown)
    again = House(model, clock=house.clock, store=house.store, platform=platform, tools=[note])
    async with again.open():
        assert await again.has_sent(1) == ["The end."]
    assert runs == ["x"]
    assert platform.drafts[-1].sent == platform.drafts[0].sent
    assert again.observer.named("turn_started")[0]["attempt"] == 2


async def begun(gate: Gate, clock: FakeClock) -> None:
    """Let time pass until it is: a third run waits for those that may have ended the process."""

    def reached() -> bool:
        clock.advance(0.1)
        return gate.reached.is_set()

    await until(reached)


async def test_the_third_crash_with_a_message_in_flight_gives_it_up() -> None:
    model = ScriptedModel(*(gates := [Gate(), Gate(), Gate()]))
    house = House(model)
    platform, store, clock = house.platform, house.store, house.clock
    async with house.open():
        await house.say("poison")
        await gates[0].reached.wait()
    for gate in gates[1:]:
        house = House(model, store=store, clock=clock, platform=platform)
        async with house.open():
            await begun(gate, clock)
    house = House(model, store=store, clock=clock, platform=platform)
    async with house.open():
        assert "gave up" in (await house.has_sent(1))[0]
        await house.say("and now?", event_key="later")
        assert (await house.has_sent(2))[1] == "you said: and now?"


async def test_an_edit_before_the_answer_changes_the_question_and_a_recall_takes_it_back() -> None:
    gate = Gate()
    async with House(ScriptedModel(gate)).open() as house:
        await house.say("first")
        await gate.reached.wait()
        await house.say("what is 1+1", platform_id="q")
        await house.say("gone", platform_id="r")
        await house.say("what is 2+2", platform_id="q", kind=Kind.EDITED)
        await house.say("", platform_id="r", kind=Kind.RECALLED)
        gate.let_go.set()
        texts = await house.has_sent(2)
        assert texts[1] == "you said: what is 2+2"


async def test_a_message_that_waited_too_long_gets_one_honest_sentence() -> None:
    house = House(ScriptedModel())
    await house.say("early")
    house.clock.advance(3700)
    async with house.open():
        assert (await house.has_sent(1))[0].startswith("I was away")
    assert house.model.requests == []


async def test_more_than_the_lane_holds_is_answered_busy() -> None:
    rules = replace(RULES, limits=Limits(max_age=timedelta(hours=1), lane_limit=2))
    house = House(ScriptedModel(), rules=rules)
    for n in range(4):
        await house.say(f"m{n}")
    async with house.open():
        texts = await house.has_sent(2)
    assert texts[0].startswith("I have too much waiting")
    assert len(house.model.requests) == 1


async def test_as_many_as_may_wait_at_most_are_counted_too() -> None:
    most = Limits(max_age=timedelta(hours=1), lane_limit=MOST_WAITING)
    house = House(ScriptedModel(), rules=replace(RULES, limits=most))
    for n in range(MOST_WAITING + 50):
        await house.say(f"m{n}")
    async with house.open():
        busy, answer = await house.has_sent(2)
    assert busy.startswith("I have too much waiting")
    assert answer == f"you said: m{MOST_WAITING - 1}"


async def test_a_tool_that_needs_approval_runs_only_after_that_senders_yes() -> None:
    done: list[str] = []

    @tool(effect="once", needs_approval=True)
    async def transfer(ctx: ToolContext, amount: str) -> str:
        """Send money.

        Args:
            ctx: Who asks.
            amount: How much.
        """
        done.append(amount)
        return f"sent {amount}"

    model = ScriptedModel(calls(("transfer", '{"amount": "5"}')), says("Done: 5."))
    async with House(model, tools=[transfer]).open() as house:
        await house.say("pay 5", direct=False)
        question = (await house.has_sent(1))[0]
        assert "transfer" in question
        assert '{"amount": "5"}' in question
        await house.at_rest()
        await house.say("yes", direct=False, sender=Sender("eve"))
        await house.has_sent(2)
        assert done == []
        await house.say("yes", direct=False)
        await house.has_sent(3)
        assert done == ["5"]


async def test_a_draining_node_ends_what_runs_begins_nothing_and_takes_nothing() -> None:
    gate = Gate(after="finished")
    house = House(ScriptedModel(gate))
    async with house.open():
        await house.say("one")
        await gate.reached.wait()
        await house.say("two")
        draining = asyncio.ensure_future(house.engine.runner.drain(timedelta(seconds=5)))
        await until(lambda: house.engine.runner.draining)
        with pytest.raises(Transient):
            await house.say("three")
        gate.let_go.set()
        assert await draining
        assert house.platform.texts == ["finished"]
    again = House(house.model, clock=house.clock, store=house.store, platform=house.platform)
    async with again.open():
        assert (await again.has_sent(2))[1] == "you said: two"


async def test_a_turn_left_by_a_stopping_node_is_not_counted_as_a_crash() -> None:
    gates = [Gate(), Gate(), Gate(), Gate()]
    model = ScriptedModel(*gates, says("at last"))
    house = House(model)
    platform, store, clock = house.platform, house.store, house.clock
    async with house.open():
        await house.say("slow")
        await gates[0].reached.wait()
        assert not await house.engine.runner.drain(timedelta(seconds=0.01))
    for gate in gates[1:]:
        house = House(model, store=store, clock=clock, platform=platform)
        async with house.open():
            await gate.reached.wait()
            assert not await house.engine.runner.drain(timedelta(seconds=0.01))
    house = House(model, store=store, clock=clock, platform=platform)
    async with house.open():
        assert await house.has_sent(1) == ["at last"]


async def test_what_a_platform_says_of_a_refused_piece_stays_with_it_and_is_not_reported() -> None:
    platform = ListPlatform()
    platform.faults = [Permanent("can't parse: my secret")]
    async with House(ScriptedModel(), platform=platform).open() as house:
        await house.say("hi")
        await until(lambda: house.observer.named("send_failed"))
        await house.at_rest()
        (fact,) = house.observer.named("send_failed")
        assert (fact["outcome"], fact["reason"]) == ("dead", "Permanent")
        (row,) = await house.store.outbox_rows([OutboxState.DEAD])
        assert row.error == "can't parse: my secret"
