"""Ending a turn whose earlier run began something, and saying what was done by then."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.domain.conversation import Step, Turn, TurnState
from bot.domain.message import Message, Role, Text, ToolCall, ToolResult
from bot.domain.model import Effect
from bot.domain.records import Unsure
from bot.domain.sentences import sentence
from bot.domain.tool import ToolContext
from bot.engine.audience import Audience
from bot.engine.calling import cancelled, done_before
from bot.engine.outcome import Outcome
from bot.engine.parts import Parts
from bot.engine.replaying import UNKNOWN, begun_calls, replies, used_by
from bot.engine.toolbox import Ended


class LastWords:
    """What a turn of several runs ends with; its journal goes with it, so it is said now."""

    def __init__(
        self,
        parts: Parts,
        audience: Audience,
        context: ToolContext,
        *,
        locale: str,
        asks: bool = True,
    ) -> None:
        """Unless it `asks`, no code of a tool is run: what was only begun is not known then."""
        self._parts = parts
        self._audience = audience
        self._context = context
        self._locale = locale
        self._asks = asks

    async def of(
        self, turn: Turn, steps: Sequence[Step], name: str, *, state: TurnState
    ) -> Outcome:
        """Sentence `name`, without the model, and what the earlier runs did."""
        text = sentence(name, self._locale)
        usage, spent = used_by(steps)
        return await self.added(
            Outcome(state, text, (self._said(text),), usage, spent), turn, steps
        )

    async def added(
        self, outcome: Outcome, turn: Turn, steps: Sequence[Step], *, but: Collection[int] = ()
    ) -> Outcome:
        """The outcome, and what earlier runs did that cannot be taken back.

        Who is asked to say it again has to know, or it would be done twice; the model is told as
        well. Of the steps `but` the outcome tells already.
        """
        ends: dict[int, Ended] = {}
        done, unsure = list[str](), list[Unsure]()
        for call, step in begun_calls(turn, steps, self._parts.codec):
            ended = None if step.n in but else await self._end_of(call, step)
            if ended is None:
                continue
            ends[step.n] = ended
            if ended.unknown:
                unsure.append(Unsure(call.name, step.key.removesuffix(UNKNOWN)))
            elif not ended.result.failed and not self._only_reads(call):
                done.append(call.name)
        lines = [done_before(done, self._locale)]
        lines += [sentence("once_unknown", self._locale, tool=one.tool) for one in unsure]
        kept, closing = _split(outcome.messages)
        for message in self._replayed(turn, steps, ends, but):
            kept.append(_speechless(message) if message.text in outcome.loose else message)
        if any(lines):
            closing = [self._said(_joined(*(one.text for one in closing), *lines))]
        return replace(
            outcome,
            text=_joined(outcome.text, *lines),
            messages=(*kept, *closing),
            unsure=(*outcome.unsure, *unsure),
        )

    async def _end_of(self, call: ToolCall, step: Step) -> Ended | None:
        """How it ended; None: it changed nothing."""
        if step.body is not None:
            (part,) = self._parts.codec.decode_message(step.body).parts
            assert isinstance(part, ToolResult)
            return Ended(part, unknown=step.key.endswith(UNKNOWN))
        if self._only_reads(call):
            return None
        context = replace(self._context, key=step.key)
        return await self._parts.toolbox.begun(call, context, self._audience, asks=self._asks)

    def _only_reads(self, call: ToolCall) -> bool:
        spec = self._parts.toolbox.spec(call.name)
        return spec is not None and spec.effect is Effect.READ

    def _replayed(
        self,
        turn: Turn,
        steps: Sequence[Step],
        ends: Mapping[int, Ended],
        but: Collection[int],
    ) -> Iterator[Message]:
        """The replies that this run has not come to, with what their calls gave."""
        now = self._parts.clock.now()
        for n, asked in replies(turn, steps, self._parts.codec):
            numbers = range(n + 1, n + 1 + len(asked.calls))
            if any(i in but for i in numbers) or not any(i in ends for i in numbers):
                continue
            yield asked
            for i, call in zip(numbers, asked.calls, strict=True):
                result = ends[i].result if i in ends else cancelled(call)
                yield Message(Role.TOOL, (result,), sent_at=now)

    def _said(self, text: str) -> Message:
        return Message(Role.ASSISTANT, (Text(text),), sent_at=self._parts.clock.now())


def _speechless(message: Message) -> Message:
    """Its words stand in the closing message already."""
    return replace(message, parts=tuple(p for p in message.parts if not isinstance(p, Text)))


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def _split(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """What happened, and the words that close it, if there are any."""
    if messages and messages[-1].role is Role.ASSISTANT and not messages[-1].calls:
        return list(messages[:-1]), [messages[-1]]
    return list(messages), []
