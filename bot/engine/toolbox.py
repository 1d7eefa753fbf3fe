"""Running the calls of a model: admission, time limits, capped results, what is journaled."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from bot.domain.address import Sender
from bot.domain.conversation import TurnId
from bot.domain.message import ToolCall, ToolResult
from bot.domain.model import ToolSpec
from bot.domain.tool import ToolContext
from bot.engine.audience import Audience
from bot.engine.tools import Tool
from bot.errors import ToolError, ToolRetry
from bot.policy.admission import OPERATOR, admitted, offered
from bot.policy.verdict import Allow, Ask, Verdict
from bot.ports import Clock, Observer

RESULT_LIMIT = 16_000
"""Characters of a result that a model is given; the rest would only push out the history."""

TIDYING = 0.5
"""Seconds that a call has to end once it is cancelled; a worse one must not hold up its lane."""


def call_key(turn: TurnId, step: int, call: ToolCall) -> str:
    """The idempotency key of a call: the same however often the turn is run."""
    try:
        arguments = json.dumps(json.loads(call.arguments), sort_keys=True, ensure_ascii=False)
    except ValueError:
        arguments = call.arguments
    text = f"{turn}\0{step}\0{call.name}\0{arguments}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Question:
    """A call that its person has to allow first."""

    call: ToolCall


class Toolbox:
    """The tools of this server; what is offered and run is decided by one function."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        clock: Clock,
        observer: Observer,
        known_roles: frozenset[str] = OPERATOR,
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self._tools = dict(tools)
        self._clock = clock
        self._observer = observer
        self._known_roles = known_roles
        self._timeout = timeout.total_seconds()

    def offered(self, audience: Audience, sender: Sender) -> tuple[ToolSpec, ...]:
        """What a model may be told of, for this audience and sender."""
        return offered(
            (tool.spec for tool in self._tools.values()),
            listed=audience.listed,
            roles=sender.roles,
            known_roles=self._known_roles,
        )

    def spec(self, name: str) -> ToolSpec | None:
        tool = self._tools.get(name)
        return tool.spec if tool else None

    def must_ask(self, call: ToolCall, audience: Audience, sender: Sender) -> Question | None:
        tool = self._tools.get(call.name)
        if tool is None:
            return None
        verdict = self._verdict(tool.spec, audience, sender)
        return Question(call) if isinstance(verdict, Ask) else None

    async def run(
        self, call: ToolCall, context: ToolContext, audience: Audience, *, approved: bool = False
    ) -> ToolResult:
        """The result, or a sentence for the model that says why there is none."""
        tool = self._tools.get(call.name)
        if tool is None:
            return self._refused(context, audience, call, "unknown", "There is no such function.")
        verdict = self._verdict(tool.spec, audience, context.sender, approved=approved)
        if not isinstance(verdict, Allow):
            return self._refused(
                context, audience, call, "refused", "This function is not allowed here."
            )
        started = self._clock.monotonic()
        outcome, text = await self._call(tool, call, context)
        self._observer.tool_ended(
            turn=context.turn,
            tool=call.name,
            outcome=outcome,
            seconds=self._clock.monotonic() - started,
            audience=audience.name,
        )
        return ToolResult(call.id, call.name, _capped(text), failed=outcome != "ok")

    async def lookup(self, call: ToolCall, context: ToolContext) -> ToolResult | None:
        """What became of a call that was begun, where its tool can say; None: nobody knows."""
        tool = self._tools.get(call.name)
        if tool is None or tool.lookup is None:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                text = await tool.lookup(context.key)
        except TimeoutError:
            return None
        except Exception as error:  # the call of a tool: somebody else's code
            self._observer.failed(place=f"tool {call.name} lookup", error=error)
            return None
        return None if text is None else ToolResult(call.id, call.name, _capped(text))

    async def _call(self, tool: Tool, call: ToolCall, context: ToolContext) -> tuple[str, str]:
        limit = tool.timeout if tool.timeout is not None else self._timeout
        late = partial(self._observer.late_result, tool=call.name)
        running = asyncio.ensure_future(tool.call(context, call.arguments, late=late))
        try:
            await asyncio.wait([running], timeout=limit)
            if not running.done():
                return "timeout", f"{call.name} gave no answer within {limit:g} seconds."
            return "ok", running.result()
        except ToolRetry as error:
            return "retry", str(error)
        except ToolError as error:
            return "failed", str(error)
        except Exception as error:  # the call of a tool: somebody else's code
            # The exception's text may hold anything, so the model learns only that it failed.
            self._observer.failed(place=f"tool {call.name}", error=error)
            return "error", f"{call.name} failed; go on without it."
        except asyncio.CancelledError:
            if not running.cancelled():
                raise
            return "error", f"{call.name} was cancelled; go on without it."
        finally:
            await _let_go(running, late)

    def _verdict(
        self, spec: ToolSpec, audience: Audience, sender: Sender, *, approved: bool = False
    ) -> Verdict:
        return admitted(
            spec,
            listed=audience.listed,
            roles=sender.roles,
            known_roles=self._known_roles,
            approved=approved,
        )

    def _refused(
        self, context: ToolContext, audience: Audience, call: ToolCall, outcome: str, text: str
    ) -> ToolResult:
        self._observer.tool_ended(
            turn=context.turn,
            # a name that a model made up is not a label of ours
            tool=call.name if call.name in self._tools else "unknown",
            outcome=outcome,
            seconds=0.0,
            audience=audience.name,
        )
        return ToolResult(call.id, call.name, text, failed=True)


async def _let_go(running: "asyncio.Future[str]", late: Callable[[], None]) -> None:
    """End a call that nobody wants any more; one that will not be cancelled is left to itself."""

    def ended(call: "asyncio.Future[str]") -> None:
        _ = call.cancelled() or call.exception()

    def came_back(call: "asyncio.Future[str]") -> None:
        ended(call)
        late()

    if running.done():
        return
    running.cancel()
    await asyncio.wait([running], timeout=TIDYING)
    if running.done():
        ended(running)
    else:
        running.add_done_callback(came_back)


def _capped(text: str) -> str:
    if len(text) <= RESULT_LIMIT:
        return text
    return f"{text[:RESULT_LIMIT]}\n[… {len(text) - RESULT_LIMIT} more characters were left out]"
