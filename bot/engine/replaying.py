"""What an earlier run of a turn has left in its journal: what it used, what it had begun."""

from collections.abc import Iterator, Sequence

from bot.domain.conversation import Step, StepKind, Turn, Usage
from bot.domain.message import Message, Role, ToolCall
from bot.domain.records import Spent, Unsure
from bot.ports import Codec

UNKNOWN = "?"
"""Ends the key of a call's step of which nobody knows whether it was done."""

ASKED = "asked"
"""The key of a model's reply whose calls need a yes first: it has not been let through."""


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
    by_number = {step.n: step for step in steps}
    for n, call in sorted(_calls(turn, steps, codec).items()):
        found = by_number.get(n)
        if found is not None and found.kind is StepKind.TOOL:
            yield call, found


def doubts(turn: Turn, steps: Sequence[Step], codec: Codec) -> Iterator[Unsure]:
    """The calls that may have changed something, and nobody knows whether they did."""
    for call, step in begun_calls(turn, steps, codec):
        if step.body is None or step.key.endswith(UNKNOWN):
            yield Unsure(call.name, step.key.removesuffix(UNKNOWN))


def replies(turn: Turn, steps: Sequence[Step], codec: Codec) -> Iterator[tuple[int, Message]]:
    """The replies whose calls have been let through; the calls' steps follow these numbers."""
    if turn.approved is not None:
        yield 0, Message(Role.ASSISTANT, (turn.approved,), sent_at=turn.now)
    for step in steps:
        if step.kind is StepKind.MODEL and step.body is not None and step.key != ASKED:
            yield step.n, codec.decode_message(step.body)


def _calls(turn: Turn, steps: Sequence[Step], codec: Codec) -> dict[int, ToolCall]:
    """The calls that have been let through, by the number of their step."""
    return {
        n + 1 + i: call
        for n, asked in replies(turn, steps, codec)
        for i, call in enumerate(asked.calls)
    }
