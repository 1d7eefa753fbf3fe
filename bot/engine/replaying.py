"""What an earlier run of a turn has left in its journal: what it used, what it had begun."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.domain.conversation import Step, StepKind, Turn, Usage
from bot.domain.message import Message, Role, ToolCall, ToolResult
from bot.domain.records import Spent, Unsure
from bot.errors import Permanent
from bot.ports import Codec

UNKNOWN = "?"
"""Ends the key of a call's step of which nobody knows whether it was done."""

ASKED = "asked"
"""The key of a model's reply whose calls need a yes first: it has not been let through."""

NAMELESS = "?"
"""The function of a call that was begun, where the reply that asked for it cannot be read."""


def legible(steps: Sequence[Step], codec: Codec) -> tuple[Step, ...]:
    """The journal; a call whose result cannot be read was begun, and no more is known of it."""
    return tuple(
        replace(step, key=step.key.removesuffix(UNKNOWN), body=None)
        if step.kind is StepKind.TOOL and _result(step, codec) is None
        else step
        for step in steps
    )


def used_by(steps: Sequence[Step]) -> tuple[Usage, tuple[Spent, ...]]:
    """What the model calls of a journal have used."""
    usage, spent = Usage(), []
    for step in steps:
        used = step.usage
        if step.kind is StepKind.MODEL:
            usage += used
            spent.append(Spent(step.rung, used.input, used.output, used.cached, 1))
    return usage, tuple(spent)


def calls_under_way(turn: Turn, steps: Sequence[Step], codec: Codec) -> bool:
    """Whether functions were being run when the earlier run ended."""
    finished = {step.n for step in steps if step.kind is StepKind.TOOL and step.body is not None}
    return not finished.issuperset(_calls(turn, steps, codec))


def begun_calls(turn: Turn, steps: Sequence[Step], codec: Codec) -> Iterator[tuple[ToolCall, Step]]:
    """The calls that have a step, finished or not, in the order of the journal."""
    calls = _calls(turn, steps, codec)
    for step in sorted(steps, key=lambda step: step.n):
        if step.kind is StepKind.TOOL:
            yield calls.get(step.n) or _unasked(_result(step, codec)), step


def doubts(turn: Turn, steps: Sequence[Step], codec: Codec) -> Iterator[Unsure]:
    """The calls that may have changed something, and nobody knows whether they did."""
    for call, step in begun_calls(turn, steps, codec):
        if step.body is None or step.key.endswith(UNKNOWN):
            yield Unsure(call.name, step.key.removesuffix(UNKNOWN))


def replies(turn: Turn, steps: Sequence[Step], codec: Codec) -> Iterator[tuple[int, Message]]:
    """The replies whose calls have been let through; the calls' steps follow these numbers.

    One that cannot be read is passed over: the turn ends there when it is run again.
    """
    if turn.approved is not None:
        yield 0, Message(Role.ASSISTANT, (turn.approved,), sent_at=turn.now)
    for step in steps:
        is_reply = step.kind is StepKind.MODEL and step.key != ASKED
        if is_reply and (said := _read(step, codec)) is not None:
            yield step.n, said


def _calls(turn: Turn, steps: Sequence[Step], codec: Codec) -> dict[int, ToolCall]:
    """The calls that have been let through, by the number of their step."""
    return {
        n + 1 + i: call
        for n, asked in replies(turn, steps, codec)
        for i, call in enumerate(asked.calls)
    }


def _unasked(result: ToolResult | None) -> ToolCall:
    """A call of which only its own step is left."""
    return ToolCall("", NAMELESS, "") if result is None else ToolCall(result.call, result.name, "")


def _result(step: Step, codec: Codec) -> ToolResult | None:
    message = _read(step, codec)
    part = message.parts[0] if message is not None and len(message.parts) == 1 else None
    return part if isinstance(part, ToolResult) else None


def _read(step: Step, codec: Codec) -> Message | None:
    """What a step holds; None where it is not there, or cannot be read."""
    try:
        return None if step.body is None else codec.decode_message(step.body)
    except Permanent:
        return None
