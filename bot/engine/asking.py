"""Asking the model: one reply after the other, journaled, so that a later run has them already."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.conversation import Step, StepKind, Usage
from bot.domain.message import Message, Part, Reasoning, Role, Text, ToolCall
from bot.domain.model import Finished, Reason, Request, TextDelta, ToolCallDelta
from bot.domain.records import Spent
from bot.engine import prompt
from bot.engine.persisting import persist
from bot.engine.replaying import ASKED, used_by
from bot.engine.run import Run
from bot.errors import ContextTooLong, Permanent, Transient


@dataclass(frozen=True, slots=True)
class Reply:
    """One finished model call."""

    message: Message
    reason: Reason
    usage: Usage
    rung: str


class NoAnswer(Exception):
    """The model gave none; `sentence` tells the person why. Never a failure of the store."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sentence = name


class Asking:
    """The model calls of one turn; what they used stays counted, however the turn ends."""

    def __init__(
        self,
        run: Run,
        steps: Sequence[Step],
        *,
        watched: Callable[[], bool],
        grew: Callable[[str], None],
    ) -> None:
        """`steps` is the journal of an earlier run; `grew` hears each piece of text.

        `watched` says whether anybody watches now: a page may open between two calls.
        """
        self._run = run
        self._watched = watched
        self._grew = grew
        self._steps = {step.n: step for step in steps}
        self.usage, spent = used_by(steps)
        self.spent: list[Spent] = list(spent)
        self._rung = ""
        self._request: tuple[Message, ...] = ()
        self._said = 0
        self._halved = False
        self._deadline = run.turn.now

    def begin(self, request: tuple[Message, ...], *, said: int, deadline: datetime) -> None:
        """The first prompt, of which the last `said` messages are this turn's own."""
        self._request, self._said, self._deadline = request, said, deadline

    def was_let_through(self, n: int) -> bool:
        """Whether an earlier run has run this reply's calls: it is not asked about again."""
        return n in self._steps and self._steps[n].key != ASKED

    async def reply(self, n: int, messages: Sequence[Message]) -> Reply:
        """The model's reply, from the journal where it is there.

        Raises:
            NoAnswer: the model gave none.
        """
        step = self._steps.get(n)
        if step is not None and step.kind is StepKind.MODEL and step.body is not None:
            self._rung = step.rung
            message = self._run.codec.decode_message(step.body)
            reason = Reason.TOOLS if step.key == ASKED else Reason(step.key)
            return Reply(message, reason, step.usage, step.rung)
        try:
            reply = await self._asked(n, messages)
        except Transient as error:
            raise NoAnswer("model_unreachable") from error
        except Permanent as error:
            raise NoAnswer("model_refused") from error
        self._rung = reply.rung
        return reply

    async def _asked(self, n: int, messages: Sequence[Message]) -> Reply:
        try:
            return await self._ask(n, messages)
        except ContextTooLong:
            if self._halved:
                raise
        # once, with half of the history, and for the turn's later steps as well
        self._halved = True
        self._request = prompt.halved(self._request, self._said)
        return await self._ask(n, messages)

    async def _ask(self, n: int, messages: Sequence[Message]) -> Reply:
        run = self._run
        await run.certain()
        request = Request(
            messages=(*self._request, *messages),
            facts=replace(run.facts, step=n, rung=self._rung),
            deadline=self._deadline,
            tools=run.toolbox.offered(run.audience, run.context.sender),
            watched=self._watched(),
            shortened=self._halved,
        )
        started = run.clock.monotonic()
        first: float | None = None
        text: list[str] = []
        parts: list[Part] = []
        thoughts: list[str] = []
        usage, finished = Usage(), None
        outcome = "failed"
        try:
            async with aclosing(run.audience.model.stream(request)) as deltas:  # type: ignore[type-var]  # every Model.stream is an async generator
                async for delta in deltas:
                    if first is None:
                        first = run.clock.monotonic() - started
                    match delta:
                        case TextDelta():
                            text.append(delta.text)
                            self._grew(delta.text)
                        case ToolCallDelta():
                            parts.append(ToolCall(delta.id, delta.name, delta.arguments))
                        case Reasoning():
                            thoughts.append(delta.text)
                        case Usage():
                            usage = delta
                        case Finished():
                            finished = delta
            if finished is None:
                raise Transient("the answer ended without an end mark")
            outcome = finished.reason.value
        finally:
            self._spend(usage, finished)
            run.observer.model_called(
                turn=run.turn.id,
                rung="" if finished is None else finished.rung,
                outcome=outcome,
                seconds=run.clock.monotonic() - started,
                first=first,
                input=usage.input,
                output=usage.output,
            )
        said = "".join(text)
        whole: list[Part] = [Reasoning("".join(thoughts))] if thoughts else []
        if said or not parts:
            whole.append(Text(said))
        message = Message(Role.ASSISTANT, (*whole, *parts), sent_at=run.clock.now())
        return Reply(message, finished.reason, usage, finished.rung)

    def _spend(self, usage: Usage, finished: Finished | None) -> None:
        """Count one call; also a stream that broke or was cancelled after it told its usage."""
        if finished is not None or usage != Usage():
            rung = self._rung if finished is None else finished.rung
            self.usage += usage
            self.spent.append(Spent(rung, usage.input, usage.output, usage.cached, 1))

    async def note(self, n: int, reply: Reply, *, key: str | None = None) -> None:
        """Journal a reply: a later run does not ask for it again.

        One that calls functions is written by every run and waited for, and with it the turn's
        row: a function that ends the process must find its run counted, or it would end it for
        ever.
        """
        if n in self._steps and not reply.message.calls:
            return
        run = self._run
        body = run.codec.encode_message(reply.message)
        step = Step(n, StepKind.MODEL, key or reply.reason.value, body, reply.usage, reply.rung)
        if reply.message.calls:
            await persist(
                lambda: run.journal.step(run.claim, run.turn.id, step, durable=True),
                clock=run.clock,
                observer=run.observer,
            )
            return
        try:
            await run.journal.step(run.claim, run.turn.id, step, durable=False)
        except Transient as error:
            # The end of the turn comes next, and it is tried until the database takes it.
            run.observer.failed(place="store", error=error)
