"""Running the calls of a turn: side by side, journaled, and never twice what may happen once."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bot.domain.conversation import Step, StepKind, Turn
from bot.domain.message import Message, Role, ToolCall, ToolResult
from bot.domain.model import Effect
from bot.domain.records import Claim
from bot.domain.sentences import sentence
from bot.domain.tool import ToolContext
from bot.engine.audience import Audience
from bot.engine.toolbox import Toolbox, call_key
from bot.ports import Activity, ActivityState, Clock, Codec, Journal

LET_GO = 2.0
"""Seconds that a cancelled call has for its tidying; then nobody waits for it any more."""


class Calling:
    """The calls of one turn; what has come back stays readable when the turn is cancelled.

    `activities` is what a person may see of them, `notices` what they have to be told.
    """

    def __init__(
        self,
        *,
        turn: Turn,
        claim: Claim,
        audience: Audience,
        toolbox: Toolbox,
        journal: Journal,
        codec: Codec,
        clock: Clock,
        context: ToolContext,
        locale: str,
        changed: Callable[[], None],
    ) -> None:
        self._turn = turn
        self._claim = claim
        self._audience = audience
        self._toolbox = toolbox
        self._journal = journal
        self._codec = codec
        self._clock = clock
        self._context = context
        self._locale = locale
        self._changed = changed
        self._calls: Sequence[ToolCall] = ()
        self._results: dict[int, ToolResult] = {}
        self.activities: list[Activity] = []
        self.notices: list[str] = []

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

    def came_back(self) -> tuple[Message, ...]:
        """Results for all calls of a reply that was cut short, where some have come back."""
        return self._messages() if self._results else ()

    def _messages(self) -> tuple[Message, ...]:
        now = self._clock.now()
        return tuple(
            Message(Role.TOOL, (self._results.get(i) or _cancelled(call),), sent_at=now)
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
            (part,) = self._codec.decode_message(step.body).parts
            assert isinstance(part, ToolResult)
            return part
        key = call_key(self._turn.id, n, call)
        context = replace(self._context, key=key)
        spec = self._toolbox.spec(call.name)
        effect = spec.effect if spec else Effect.READ
        if step is not None and effect is Effect.ONCE:
            return await self._begun_once(call, context, n)
        if effect is not Effect.READ:
            started = Step(n, StepKind.TOOL, key, None)
            await self._journal.step(self._claim, self._turn.id, started, durable=True)
        running = asyncio.ensure_future(
            self._toolbox.run(call, context, self._audience, approved=approved)
        )
        try:
            result = await asyncio.shield(running)
        except asyncio.CancelledError:
            if effect is Effect.ONCE:
                # It has started and cannot be taken back: its end is awaited and written down.
                await asyncio.wait([running])
                self._results[i] = await self._record(n, key, running.result(), durable=True)
            else:
                running.cancel()
                await asyncio.wait([running], timeout=LET_GO)
            raise
        return await self._record(n, key, result, durable=effect is not Effect.READ)

    async def _begun_once(self, call: ToolCall, context: ToolContext, n: int) -> ToolResult:
        """A call that may happen once and was begun before a crash: ask, never repeat."""
        known = await self._toolbox.lookup(call, context)
        if known is None:
            self.notices.append(sentence("once_unknown", self._locale, tool=call.name))
            text = f"{call.name} was begun before an interruption; whether it was done is unknown."
            known = ToolResult(call.id, call.name, text, failed=True)
        return await self._record(n, context.key, known, durable=True)

    async def _record(self, n: int, key: str, result: ToolResult, *, durable: bool) -> ToolResult:
        body = self._codec.encode_message(Message(Role.TOOL, (result,), sent_at=self._clock.now()))
        step = Step(n, StepKind.TOOL, key, body)
        await self._journal.step(self._claim, self._turn.id, step, durable=durable)
        return result


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


def _cancelled(call: ToolCall) -> ToolResult:
    text = f"{call.name} was cancelled before it came to an end."
    return ToolResult(call.id, call.name, text, failed=True)
