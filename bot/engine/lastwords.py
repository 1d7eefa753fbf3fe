"""Ending a turn without asking the model any more, and saying what it had done by then."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.conversation import Step, Turn, TurnState
from bot.domain.message import Message, Role, Text, ToolCall, ToolResult
from bot.domain.model import Effect
from bot.domain.records import Unsure
from bot.domain.sentences import sentence
from bot.domain.tool import ToolContext
from bot.engine.audience import Audience
from bot.engine.outcome import Outcome
from bot.engine.parts import Parts
from bot.engine.replaying import UNKNOWN, begun_calls, used_by


class LastWords:
    """The sentence that a turn of several runs ends with."""

    def __init__(self, parts: Parts, audience: Audience, context: ToolContext) -> None:
        self._parts = parts
        self._audience = audience
        self._context = context

    async def of(
        self, turn: Turn, steps: Sequence[Step], name: str, *, state: TurnState, locale: str
    ) -> Outcome:
        """Sentence `name`, and what earlier runs did that cannot be taken back.

        Who is asked to say it again has to know, or it would be done twice.
        """
        done: list[str] = []
        unsure: list[Unsure] = []
        for call, step in begun_calls(turn, steps, self._parts.codec):
            was_done = await self._was_done(call, step)
            if was_done is None:
                unsure.append(Unsure(call.name, step.key.removesuffix(UNKNOWN)))
            elif was_done:
                done.append(call.name)
        lines = [sentence(name, locale)]
        if done:
            lines.append(sentence("done_before", locale, tools=", ".join(done)))
        lines += [sentence("once_unknown", locale, tool=one.tool) for one in unsure]
        text = "\n\n".join(lines)
        usage, spent = used_by(steps)
        said = Message(Role.ASSISTANT, (Text(text),), sent_at=self._parts.clock.now())
        return Outcome(state, text, (said,), usage, spent, unsure=tuple(unsure))

    async def _was_done(self, call: ToolCall, step: Step) -> bool | None:
        """Whether it changed something; None: nobody knows."""
        spec = self._parts.toolbox.spec(call.name)
        if spec is not None and spec.effect is Effect.READ:
            return False
        if step.body is not None:
            if step.key.endswith(UNKNOWN):
                return None
            (part,) = self._parts.codec.decode_message(step.body).parts
            return isinstance(part, ToolResult) and not part.failed
        context = replace(self._context, key=step.key)
        ended = await self._parts.toolbox.begun(call, context, self._audience)
        if ended is None:
            return False
        return None if ended.unknown else True
