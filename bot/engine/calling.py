"""Running the calls of a turn: side by side, journaled, and never twice what may happen once."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from bot.domain.conversation import Step, StepKind
from bot.domain.message import Message, Role, ToolCall, ToolResult
from bot.domain.model import Effect
from bot.domain.records import Unsure
from bot.domain.sentences import sentence
from bot.domain.tool import ToolContext
from bot.engine.persisting import persist
from bot.engine.replaying import UNKNOWN
from bot.engine.run import Run
from bot.engine.toolbox import Ended, call_key
from bot.ports import Activity, ActivityState

R = TypeVar("R", ToolResult, ToolResult | None)

LET_GO = 2.0
"""Seconds that a cancelled call has for its tidying; then nobody waits for it any more."""


class Calling:
    """The calls of one turn; what has come back stays readable when the turn is cancelled.

    `activities` is what a person may see of them, `notices` what they have to be told, `unsure`
    names those of which nobody knows whether they were done, `done` those that did something,
    also in an earlier run. `come_to` are the steps whose end this run knows, or makes itself:
    whatever else an earlier run has begun is not told by it.
    """

    def __init__(self, run: Run, *, changed: Callable[[], None]) -> None:
        self._run = run
        self._changed = changed
        self._calls: Sequence[ToolCall] = ()
        self._results: dict[int, ToolResult] = {}
        self.activities: list[Activity] = []
        self._doubted: set[tuple[str, str]] = set()
        self.notices: list[str] = []
        self.unsure: list[Unsure] = []
        self._done: dict[int, str] = {}
        self.come_to: set[int] = set()

    async def run(
        self,
        calls: Sequence[ToolCall],
        n: int,
        journal: Mapping[int, Step],
        *,
        approved: bool = False,
    ) -> tuple[Message, ...]:
        """Run the calls of one reply side by side, as the steps after `n`; their results in order.

        Raises:
            Fenced, Transient: the store's; a tool's own failures are results.
        """
        self._calls, self._results = calls, {}
        base = len(self.activities)
        self.activities += [
            Activity(call.name, call.arguments, ActivityState.RUNNING) for call in calls
        ]
        self._changed()
        try:
            async with asyncio.TaskGroup() as group:
                for i, call in enumerate(calls):
                    step = journal.get(n + 1 + i)
                    group.create_task(self._one(i, call, n + 1 + i, step, base, approved=approved))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return self._messages()

    @property
    def done(self) -> Sequence[str]:
        """The functions that have done something, in the order of their calls."""
        return [self._done[n] for n in sorted(self._done)]

    def came_back(self) -> tuple[Message, ...]:
        """Results for all calls of a reply that was cut short, where some have come back."""
        return self._messages() if self._results else ()

    def _messages(self) -> tuple[Message, ...]:
        now = self._run.clock.now()
        return tuple(
            Message(Role.TOOL, (self._results.get(i) or cancelled(call),), sent_at=now)
            for i, call in enumerate(self._calls)
        )

    async def _one(
        self, i: int, call: ToolCall, n: int, step: Step | None, base: int, *, approved: bool
    ) -> None:
        result = await self._result(i, call, n, step, approved=approved)
        self._results[i] = result
        state = ActivityState.FAILED if result.failed else ActivityState.DONE
        self.activities[base + i] = Activity(call.name, call.arguments, state, result.text)
        self._changed()

    async def _result(
        self, i: int, call: ToolCall, n: int, step: Step | None, *, approved: bool
    ) -> ToolResult:
        if step is not None and step.body is not None:
            self.come_to.add(n)
            return self._replayed(call, step, step.body)
        effect = self._effect(call, step)
        context = replace(self._run.context, key=call_key(self._run.turn.id, n, call))
        if effect is Effect.ONCE and (
            kept := await self._to_its_end(i, self._keep_back(n, call, context, step))
        ):
            return kept
        # Before it is noted: what was never begun by us must not look begun to the next one.
        await self._run.certain()
        if effect is not Effect.READ or approved:
            await self._note(Step(n, StepKind.TOOL, context.key, None), durable=True)
        await self._run.certain()
        self.come_to.add(n)
        carried_out = self._carry_out(n, call, context, effect, approved=approved)
        if effect is Effect.ONCE:
            # Once it has started it cannot be taken back.
            return await self._to_its_end(i, carried_out)
        running = asyncio.ensure_future(carried_out)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([running], timeout=LET_GO)
            raise

    async def _to_its_end(self, i: int, work: Coroutine[object, object, R]) -> R:
        """Its result; where the turn is cut meanwhile it is awaited, written down and kept."""
        running = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            if (result := running.result()) is not None:
                self._results[i] = result
            raise

    def _replayed(self, call: ToolCall, step: Step, body: str) -> ToolResult:
        (part,) = self._run.codec.decode_message(body).parts
        assert isinstance(part, ToolResult)
        self._did(step.n, part, self._effect(call, step))
        if step.key.endswith(UNKNOWN):
            self._doubt(call, step.key.removesuffix(UNKNOWN))
        return part

    async def _keep_back(
        self, n: int, call: ToolCall, context: ToolContext, step: Step | None
    ) -> ToolResult | None:
        """The result of a call that may happen once and is not run now; None: run it.

        It was begun before a crash (then it is asked about), or it is one of which this turn
        could not find out before whether it was done.
        """
        ended: Ended | None = None
        if step is not None:
            ended = await self._run.toolbox.begun(call, context, self._run.audience)
        if ended is None and _form(call) in self._doubted:
            ended = Ended(_not_again(call))
        self.come_to.add(n)
        if ended is None:
            return None
        return await self._record(n, context.key, call, ended, Effect.ONCE)

    async def _carry_out(
        self, n: int, call: ToolCall, context: ToolContext, effect: Effect, *, approved: bool
    ) -> ToolResult:
        ended = await self._run.toolbox.run(call, context, self._run.audience, approved=approved)
        return await self._record(n, context.key, call, ended, effect)

    async def _record(
        self, n: int, key: str, call: ToolCall, ended: Ended, effect: Effect
    ) -> ToolResult:
        """Write down how it ended; what may have had an effect, until the database takes it."""
        self._did(n, ended.result, effect)
        body = self._run.codec.encode_message(
            Message(Role.TOOL, (ended.result,), sent_at=self._run.clock.now())
        )
        step = Step(n, StepKind.TOOL, f"{key}{UNKNOWN}" if ended.unknown else key, body)
        if effect is Effect.READ:
            await self._note(step, durable=False)
        else:
            await persist(
                lambda: self._note(step, durable=True),
                clock=self._run.clock,
                observer=self._run.observer,
            )
        if ended.unknown:
            self._doubt(call, key)
        return ended.result

    async def _note(self, step: Step, *, durable: bool) -> None:
        run = self._run
        await run.journal.step(run.claim, run.turn.id, step, durable=durable)

    def _did(self, n: int, result: ToolResult, effect: Effect) -> None:
        if effect is not Effect.READ and not result.failed:
            self._done[n] = result.name

    def _effect(self, call: ToolCall, step: Step | None) -> Effect:
        spec = self._run.toolbox.spec(call.name)
        if spec is not None:
            return spec.effect
        # One that was begun had its tool then, and nobody is left to say what it did.
        return Effect.READ if step is None else Effect.ONCE

    def _doubt(self, call: ToolCall, key: str) -> None:
        """Nobody knows whether it was done: its person is told, and so is the operator."""
        self._doubted.add(_form(call))
        self.notices.append(sentence("once_unknown", self._run.locale, tool=call.name))
        self.unsure.append(Unsure(call.name, key))


def drawn(arguments: str) -> str | None:
    """A call's arguments as its person is shown them, and as they are run then; None: no JSON.

    One line, so that nothing in it can end the frame it is shown in; what cannot be seen is
    written out.
    """
    try:
        text = json.dumps(json.loads(arguments.strip() or "{}"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def done_before(names: Sequence[str], locale: str) -> str:
    """What was done by then; who is asked to say it again has to know, or it is done twice."""
    return sentence("done_before", locale, tools=", ".join(names)) if names else ""


def _form(call: ToolCall) -> tuple[str, str]:
    """What makes two calls the same one to their person."""
    return call.name, drawn(call.arguments) or call.arguments


def _not_again(call: ToolCall) -> ToolResult:
    text = f"{call.name} was not called again: whether it was done before is not known."
    return ToolResult(call.id, call.name, text, failed=True)


def cancelled(call: ToolCall) -> ToolResult:
    """The result of one that has none."""
    text = f"{call.name} was cancelled before it came to an end."
    return ToolResult(call.id, call.name, text, failed=True)
