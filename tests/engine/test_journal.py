"""What is finished is never done twice, and what was only begun is asked about, never guessed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot import Outbound, PluginError, Role, Tool, ToolContext, ToolFailed, Transient, tool
from bot.domain.conversation import StepKind
from bot.domain.model import Delta, Request
from tests.engine.house import RULES, Gate, House, ListPlatform, ScriptedModel, calls, says
from tests.engine.test_crashes import BrokenPlatform, Faulty, faulty, passing
from tests.fakes import FakeClock, RecordingObserver, until

PAY = calls(("pay", "{}"))
Found = Callable[[str], Awaitable[str | None]]


class Till:
    """A tool that may pay once; its first run hangs until the test lets it go."""

    def __init__(self, lookup: Callable[..., Any] | None = None, **options: Any) -> None:
        self.keys: list[str] = []
        self.begun, self.release = asyncio.Event(), asyncio.Event()

        @tool(effect="once", lookup=lookup, **options)
        async def pay(ctx: ToolContext) -> str:
            """Pay.

            Args:
                ctx: Who asks.
            """
            self.keys.append(ctx.key)
            self.begun.set()
            if len(self.keys) == 1:
                await self.release.wait()
            return "paid"

        self.tools: Sequence[Tool] = [pay]


def told(house: House) -> str:
    """What the model was told that the tool had given."""
    return str(house.model.requests[-1].messages[-1].parts[0].text)  # type: ignore[union-attr]  # a result


def outcomes(observer: RecordingObserver) -> list[str]:
    return [fact["outcome"] for fact in observer.named("tool_ended")]


async def test_what_may_happen_once_is_not_even_begun_by_a_node_that_lost_its_lease() -> None:
    till = Till()
    till.release.set()

    async def sleeps(request: Request) -> AsyncGenerator[Delta, None]:
        house.clock.advance(RULES.lease.total_seconds() + 1)
        async for delta in PAY(request):
            yield delta

    house = House(ScriptedModel(sleeps, says("Done.")), tools=till.tools)
    async with house.open():
        await house.say("pay")
        assert await house.has_sent(1) == ["Done."]
    assert len(till.keys) == 1


@asynccontextmanager
async def crashed_while_paying(till: Till, *after: Any) -> AsyncGenerator[House, None]:
    """The house that takes over from one that died in the middle of the call."""
    model = ScriptedModel(PAY, *after)
    house = House(model, tools=till.tools)
    async with house.open():
        await house.say("pay")
        await till.begun.wait()
        again = House(model, clock=house.clock, store=house.store, tools=till.tools)
        async with again.open():
            yield again
        till.release.set()


async def test_a_turn_that_is_run_again_goes_on_from_its_finished_replies_and_calls() -> None:
    runs: list[str] = []

    @tool(effect="idempotent")
    async def note(word: str) -> str:
        """Write it down.

        Args:
            word: What to write.
        """
        runs.append(word)
        return "noted"

    gate = Gate()
    model = ScriptedModel(calls(("note", '{"word": "x"}')), gate, says("The end."))
    house = House(model, tools=[note])
    async with house.open():
        await house.say("note x")
        await gate.reached.wait()
    again = House(model, clock=house.clock, store=house.store, tools=[note])
    async with again.open():
        assert await again.has_sent(1) == ["The end."]
    assert runs == ["x"]
    _, cut, resumed = model.requests
    # Asked what the run that died was asked last: the reply and the result stand as they were.
    assert [message.parts for message in resumed.messages] == [one.parts for one in cut.messages]
    assert resumed.messages[-1].role is Role.TOOL


async def test_what_the_tool_knows_about_its_key_is_the_result_and_it_does_not_run_again() -> None:
    async def lookup(key: str) -> str | None:
        return f"paid under {key}"

    till = Till(lookup)
    async with crashed_while_paying(till, says("Done.")) as house:
        assert await house.has_sent(1) == ["Done."]
        assert told(house) == f"paid under {till.keys[0]}"
    assert len(till.keys) == 1
    assert outcomes(house.observer) == ["ok"]


async def test_a_call_that_surely_never_happened_is_run_under_the_same_key() -> None:
    async def lookup(key: str) -> None:
        return None

    till = Till(lookup)
    async with crashed_while_paying(till, says("Done.")) as house:
        assert await house.has_sent(1) == ["Done."]
        assert told(house) == "paid"
    assert len(till.keys) == 2
    assert len(set(till.keys)) == 1


def asked_in_a_thread(key: str) -> str:
    """A plain function will do."""
    return f"found {key}"


async def asked_with_its_context(key: str, *, ctx: ToolContext) -> str:
    """It may need to know for whom."""
    assert ctx.key == key
    return f"found {key}"


@pytest.mark.parametrize("lookup", [asked_in_a_thread, asked_with_its_context])
async def test_a_lookup_may_be_a_plain_function_or_ask_for_its_context(
    lookup: Callable[..., Any],
) -> None:
    till = Till(lookup)
    async with crashed_while_paying(till, says("Done.")) as house:
        await house.has_sent(1)
        assert told(house) == f"found {till.keys[0]}"


@pytest.mark.parametrize("error", [None, ToolFailed("the bank is shut"), RuntimeError("a bug")])
async def test_where_nobody_can_tell_person_model_and_operator_are_told_so(
    error: Exception | None,
) -> None:
    async def lookup(key: str) -> str | None:
        assert error is not None
        raise error

    till = Till(None if error is None else lookup)
    async with crashed_while_paying(till, says("I am not sure.")) as house:
        (text,) = await house.has_sent(1)
        assert "“pay” and cannot tell whether it was done" in text
        assert text.endswith("I am not sure.")
        assert "is unknown" in told(house)
        assert outcomes(house.observer) == ["unknown"]
        health = await house.store.health()
        assert health.unsure == 1
        (unsure,) = await house.store.unsure_calls()
        assert (unsure.tool, unsure.key) == ("pay", till.keys[0])
    assert len(till.keys) == 1


async def test_a_doubt_is_told_by_the_run_that_ends_the_turn_whoever_had_it_first() -> None:
    model = ScriptedModel(PAY)
    store = Faulty(FakeClock())
    till, platform = Till(), BrokenPlatform()
    house = House(model, store=store, tools=till.tools)
    async with house.open():
        await house.say("pay")
        await till.begun.wait()
        model.scripts = [says("I am not sure.")]
        # the second run finds out that nobody knows, and does not come to its end
        platform.failures = 1
        again = House(model, clock=FakeClock(), store=store, tools=till.tools, platform=platform)
        async with again.open():
            await passing(again, lambda: platform.sent)
            assert "cannot tell whether it was done" in platform.texts[0]
            assert len(await store.unsure_calls()) == 1
        till.release.set()
    assert len(model.requests) == 2


async def test_a_call_that_gave_no_answer_in_its_time_may_have_been_done() -> None:
    till = Till(timeout=0.01)
    model = ScriptedModel(PAY, calls(("pay", "{}")), says("I stop here."))
    async with House(model, tools=till.tools).open() as house:
        await house.say("pay")
        (text,) = await house.has_sent(1)
        assert text.count("cannot tell whether it was done") == 1
        assert "was not called again" in told(house)
    assert len(till.keys) == 1


async def test_a_call_that_raised_by_surprise_may_have_been_done_unless_the_tool_knows_better() -> (
    None
):
    known: list[str | None] = ["paid after all", None]

    async def lookup(key: str) -> str | None:
        return known.pop(0)

    @tool(effect="once", lookup=lookup)
    async def pay() -> str:
        """Pay."""
        raise ConnectionError("cut off")

    model = ScriptedModel(PAY, says("Paid."), PAY, says("Not paid."))
    async with House(model, tools=[pay]).open() as house:
        await house.say("pay")
        assert await house.has_sent(1) == ["Paid."]
        assert told(house) == "paid after all"
        await house.say("pay again")
        assert (await house.has_sent(2))[1] == "Not paid."
        assert told(house) == "pay failed; go on without it."
        assert outcomes(house.observer) == ["ok", "error"]


async def test_what_a_tool_says_itself_about_its_failure_is_no_doubt() -> None:
    @tool(effect="once")
    async def pay() -> str:
        """Pay."""
        raise ToolFailed("the card was refused")

    async with House(ScriptedModel(PAY, says("Refused.")), tools=[pay]).open() as house:
        await house.say("pay")
        assert await house.has_sent(1) == ["Refused."]
        assert outcomes(house.observer) == ["failed"]


async def test_a_database_that_is_away_when_a_call_comes_back_does_not_make_it_unknown() -> None:
    till = Till()
    till.release.set()
    house, store = faulty(ScriptedModel(PAY, says("Paid.")), tools=till.tools)
    async with house.open():
        # the model's reply, that the call begins; then what came of it
        store.faults["step"] = [None, None, *[Transient("away")] * 3]
        await house.say("pay")
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["Paid."]
    assert len(till.keys) == 1
    assert outcomes(house.observer) == ["ok"]


async def test_an_answer_that_is_finished_is_not_asked_for_again_when_its_end_goes_wrong() -> None:
    platform = BrokenPlatform()
    platform.failures = 2
    async with House(ScriptedModel(says("Once.")), platform=platform).open() as house:
        await house.say("hello")
        await passing(house, lambda: platform.sent)
        assert platform.texts == ["Once."]
        assert len(house.model.requests) == 1


class LateToAsk(ListPlatform):
    """Fails to render the first question."""

    failures = 1

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        if outbound.choices and self.failures:
            self.failures -= 1
            raise RuntimeError("a bug in the buttons")
        return super().pieces(outbound)


async def test_a_reply_that_needs_a_yes_is_asked_about_after_a_crash_and_never_run_without() -> (
    None
):
    till = Till(needs_approval=True)
    platform = LateToAsk()
    async with House(ScriptedModel(PAY), tools=till.tools, platform=platform).open() as house:
        await house.say("pay")
        await passing(house, lambda: platform.sent)
        assert "Shall I do this?" in platform.texts[0]
        assert len(house.model.requests) == 1
    assert till.keys == []


async def test_a_function_is_called_when_its_run_is_written_down() -> None:
    durable: list[tuple[StepKind, bool]] = []

    class Watched(Faulty):
        async def step(self, claim: Any, turn: Any, step: Any, *, durable: bool) -> None:
            waits.append((step.kind, durable))
            await super().step(claim, turn, step, durable=durable)

    waits = durable

    @tool
    async def look() -> str:
        """Look."""
        return "seen"

    clock = FakeClock()
    model = ScriptedModel(calls(("look", "{}")), calls(("look", "{}")), says("Seen."))
    async with House(model, tools=[look], clock=clock, store=Watched(clock)).open() as house:
        await house.say("look")
        await house.has_sent(1)
        await until(lambda: len(durable) == 5)
    reply, call = StepKind.MODEL, StepKind.TOOL
    assert durable == [(reply, True), (call, False), (reply, True), (call, False), (reply, False)]


async def test_a_call_that_may_happen_once_is_on_disk_before_it_starts_and_when_it_has_ended() -> (
    None
):
    happened: list[str] = []

    class Watched(Faulty):
        async def step(self, claim: Any, turn: Any, step: Any, *, durable: bool) -> None:
            if step.kind is StepKind.TOOL:
                what = "begun" if step.body is None else "ended"
                happened.append(f"{what}, {'on disk' if durable else 'not waited for'}")
            await super().step(claim, turn, step, durable=durable)

    @tool(effect="once")
    async def pay() -> str:
        """Pay."""
        happened.append("paid")
        return "paid"

    clock = FakeClock()
    model = ScriptedModel(PAY, says("Done."))
    async with House(model, tools=[pay], clock=clock, store=Watched(clock)).open() as house:
        await house.say("pay")
        await house.has_sent(1)
    assert happened == ["begun, on disk", "paid", "ended, on disk"]


def test_a_lookup_that_could_never_be_asked_is_a_mistake_of_its_author() -> None:
    async def takes_nothing() -> str:
        return "?"

    with pytest.raises(PluginError, match="takes one argument, the call's key"):
        Till(takes_nothing)
    with pytest.raises(PluginError, match='for effect="once"'):

        @tool(effect="idempotent", lookup=asked_in_a_thread)
        async def note() -> str:
            """Write it down."""
            return "noted"


async def test_a_reply_is_kept_while_the_database_is_away_and_not_asked_for_again() -> None:
    till = Till()
    till.release.set()
    house, store = faulty(ScriptedModel(PAY, says("Paid.")), tools=till.tools)
    async with house.open():
        # the reply that calls; its call and what came of it; the reply that ends the turn
        store.faults["step"] = [Transient("away"), None, None, None, Transient("away")]
        store.faults["finish"] = [Transient("away")]
        await house.say("pay")
        await passing(house, lambda: house.platform.sent)
        assert house.platform.texts == ["Paid."]
        assert len(house.model.requests) == 2
    assert len(till.keys) == 1
