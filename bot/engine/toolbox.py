"""Running the calls of a model: admission, time limits, capped results, what is journaled."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import TypeVar

from bot.domain.address import Sender
from bot.domain.conversation import TurnId
from bot.domain.message import ToolCall, ToolResult
from bot.domain.model import Effect, ToolSpec
from bot.domain.tool import ToolContext
from bot.engine.arguments import Used
from bot.engine.audience import Audience
from bot.engine.tools import Tool, TriedToLeave
from bot.engine.underway import UnderWay
from bot.errors import ToolError, ToolRetry
from bot.policy.admission import OPERATOR, admitted, offered
from bot.policy.verdict import Allow, Ask, Verdict
from bot.ports import Clock, Observer

R = TypeVar("R")

RESULT_LIMIT = 16_000
"""Characters of a result that a model is given; the rest would only push out the history."""

TIDYING = 0.5
"""Seconds that a call has to end once it is cancelled; a worse one must not hold up its lane."""


def call_key(turn: TurnId, step: int, call: ToolCall) -> str:
    """The idempotency key of a call: the same however often the turn is run."""
    try:
        arguments = json.dumps(json.loads(call.arguments), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        arguments = call.arguments
    text = f"{turn}\0{step}\0{call.name}\0{arguments}"
    # Half an emoji is no character, and yet a model may write it.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


_UNSAID = frozenset({"timeout", "error"})
"""How a call ends of which its author said nothing."""


class Doubt(Enum):
    """What is known of a call that was begun when no result of it is there."""

    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended; `unknown` where nobody can say whether it was done."""

    result: ToolResult
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A call that its person has to allow first: the arguments as they are shown, and as run."""

    call: ToolCall
    arguments: str
    run: str


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
        self._under_way: UnderWay[_Run] = UnderWay()

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
        """Nobody is asked about arguments that the function would not take: `run` says so."""
        tool = self._tools.get(call.name)
        if tool is None or not isinstance(self._verdict(tool.spec, audience, sender), Ask):
            return None
        used = self._as_used(tool, call)
        return Question(call, used.shown, used.run) if isinstance(used, Used) else None

    async def run(
        self, call: ToolCall, context: ToolContext, audience: Audience, *, approved: bool = False
    ) -> Ended:
        """The result, or a sentence for the model that says why there is none."""
        tool = self._tools.get(call.name)
        if tool is None:
            return self._refused(context, audience, call, "missing", "There is no such function.")
        verdict = self._verdict(tool.spec, audience, context.sender, approved=approved)
        if isinstance(verdict, Ask) and isinstance(used := self._as_used(tool, call), _Run):
            return self._told(call, context, audience, used, self._clock.monotonic())
        if not isinstance(verdict, Allow):
            return self._refused(
                context, audience, call, "refused", "This function is not allowed here."
            )
        started = self._clock.monotonic()
        if tool.spec.effect is not Effect.ONCE:
            run = await self._call(tool, call, context)
        else:
            with self._under_way.tell(context.key) as tell:
                run = await self._call_once(tool, call, context)
                tell(run)
        return self._told(call, context, audience, run, started)

    async def begun(
        self, call: ToolCall, context: ToolContext, audience: Audience, *, asks: bool = True
    ) -> Ended | None:
        """How a call of an earlier run ended that nothing more was heard of.

        None: it surely never happened, so it may be run. It is not run here in any case, and
        unless this `asks` no code of its tool is.
        """
        tool = self._tools.get(call.name)
        started = self._clock.monotonic()
        run = await self._under_way.end_of(context.key)
        if run is not None:
            # It outlived its lane: whoever looked for it now would not find it, and make it again.
            return self._told(call, context, audience, run, started)
        if tool is None or not asks:
            return self._told(call, context, audience, _known(call, Doubt.UNKNOWN), started)
        found = await self._found(tool, context)
        if found is Doubt.NEVER:
            return None
        return self._told(call, context, audience, _known(call, found), started)

    async def _call_once(self, tool: Tool, call: ToolCall, context: ToolContext) -> "_Run":
        run = await self._call(tool, call, context)
        if run.outcome not in _UNSAID:
            return run
        # Its author did not say that it failed: it may have been done all the same.
        return await self._settled(tool, call, context, run)

    async def _settled(
        self, tool: Tool, call: ToolCall, context: ToolContext, run: "_Run"
    ) -> "_Run":
        found = await self._found(tool, context)
        # What is still under way in a thread may yet happen, whatever is known now.
        return run if found is Doubt.NEVER and run.is_over else _known(call, found)

    async def _found(self, tool: Tool, context: ToolContext) -> "str | Doubt":
        """What the tool itself knows about the call with this key."""
        if tool.lookup is None:
            return Doubt.UNKNOWN
        place = f"tool {tool.name} lookup"
        # A task of its own: one that cancels itself must not look like the end of its turn.
        asking = asyncio.ensure_future(tool.look_up(context))
        try:
            await asyncio.wait([asking], timeout=self._timeout)
        finally:
            is_late = not asking.done()
            await _let_go(asking, _nobody_waits)
        if is_late:
            self._observer.failed(place=place, error=TimeoutError("it gave no answer in time"))
            return Doubt.UNKNOWN
        try:
            text = asking.result()
        except (asyncio.CancelledError, GeneratorExit):  # foreign code has ended itself
            return Doubt.UNKNOWN
        except TriedToLeave as error:
            self._observer.failed(place=place, error=error.__cause__ or error)
            return Doubt.UNKNOWN
        except ToolError:
            return Doubt.UNKNOWN
        except Exception as error:  # the call of a tool: somebody else's code
            self._observer.failed(place=place, error=error)
            return Doubt.UNKNOWN
        return Doubt.NEVER if text is None else text

    async def _call(self, tool: Tool, call: ToolCall, context: ToolContext) -> "_Run":
        limit = tool.timeout if tool.timeout is not None else self._timeout
        late = partial(self._observer.late_result, tool=call.name)
        running = asyncio.ensure_future(tool.call(context, call.arguments, late=late))
        try:
            await asyncio.wait([running], timeout=limit)
        except asyncio.CancelledError:
            await _let_go(running, late)
            raise
        if not running.done():
            is_over = await _let_go(running, late) and not tool.is_threaded
            return _Run("timeout", f"{call.name} gave no answer within {limit:g} seconds.", is_over)
        text = self._came_to(call, running.result)
        return _Run("ok", text) if isinstance(text, str) else text

    def _as_used(self, tool: Tool, call: ToolCall) -> "Used | _Run":
        """The arguments with the defaults, or why the function cannot be called with them."""
        return self._came_to(call, partial(tool.as_used, call.arguments))

    def _came_to(self, call: ToolCall, result: Callable[[], R]) -> "R | _Run":
        try:
            return result()
        except (asyncio.CancelledError, GeneratorExit):  # foreign code has ended itself
            return _Run("error", f"{call.name} was cancelled; go on without it.")
        except TriedToLeave as error:
            self._observer.failed(place=f"tool {call.name}", error=error.__cause__ or error)
            return _Run("error", str(error))
        except ToolRetry as error:
            return _Run("retry", str(error))
        except ToolError as error:
            return _Run("failed", str(error))
        except Exception as error:  # the call of a tool: somebody else's code
            # The exception's text may hold anything, so the model learns only that it failed.
            self._observer.failed(place=f"tool {call.name}", error=error)
            return _Run("error", f"{call.name} failed; go on without it.")

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
    ) -> Ended:
        run = _Run(outcome, text)
        return self._told(call, context, audience, run, self._clock.monotonic())

    def _told(
        self,
        call: ToolCall,
        context: ToolContext,
        audience: Audience,
        run: "_Run",
        started: float,
    ) -> Ended:
        self._observer.tool_ended(
            turn=context.turn,
            # a name that a model made up is not a label of ours
            tool=call.name if call.name in self._tools else "unknown",
            outcome=run.outcome,
            seconds=self._clock.monotonic() - started,
            audience=audience.name,
        )
        text = _capped(_whole(run.text))
        result = ToolResult(call.id, call.name, text, failed=run.outcome != "ok")
        return Ended(result, unknown=run.outcome == "unknown")


@dataclass(frozen=True, slots=True)
class _Run:
    """What came of running a call; `is_over` is false for one that nobody could stop."""

    outcome: str
    text: str
    is_over: bool = True


def _known(call: ToolCall, found: "str | Doubt") -> _Run:
    if isinstance(found, Doubt):
        return _Run(
            "unknown",
            f"{call.name} was begun, and whether it was done is unknown. Do not call it again; "
            "tell the person to check.",
        )
    return _Run("ok", found)


def _nobody_waits() -> None:
    """A lookup that was given up may say what it likes."""


async def _let_go(running: "asyncio.Future[R]", late: Callable[[], None]) -> bool:
    """End a call that nobody wants any more; False: it will not be cancelled, and goes on."""

    def ended(call: "asyncio.Future[R]") -> None:
        _ = call.cancelled() or call.exception()

    def came_back(call: "asyncio.Future[R]") -> None:
        ended(call)
        late()

    if not running.done():
        running.cancel()
        await asyncio.wait([running], timeout=TIDYING)
    if running.done():
        ended(running)
        return True
    running.add_done_callback(came_back)
    return False


def _whole(text: str) -> str:
    """Without halves of characters: nothing could write them down, nor send them to a model."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _capped(text: str) -> str:
    if len(text) <= RESULT_LIMIT:
        return text
    return f"{text[:RESULT_LIMIT]}\n[… {len(text) - RESULT_LIMIT} more characters were left out]"
