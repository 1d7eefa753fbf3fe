"""One turn: ask the model, run what it calls for, ask again, until there is an answer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.conversation import Step, StepKind, Turn, TurnState, Usage
from bot.domain.message import Choice, Message, Part, Reasoning, Role, Text, ToolCall
from bot.domain.model import (
    Facts,
    Finished,
    Reason,
    Request,
    TextDelta,
    ToolCallDelta,
)
from bot.domain.records import Approval, Claim, Spent
from bot.domain.sentences import sentence
from bot.domain.tool import ToolContext
from bot.engine import prompt
from bot.engine.audience import Audience
from bot.engine.calling import Calling, drawn
from bot.engine.toolbox import Toolbox
from bot.errors import ContextTooLong, Permanent, Transient
from bot.ports import Activity, Clock, Codec, Journal, Observer

APPROVAL_LIFE = timedelta(minutes=5)

Show = Callable[[str, Sequence[Activity]], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn came to: what is said, what the transcript keeps, what it used."""

    state: TurnState
    text: str
    messages: tuple[Message, ...] = ()
    usage: Usage = field(default=Usage())
    spent: tuple[Spent, ...] = ()
    approval: Approval | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reply:
    """One finished model call."""

    message: Message
    reason: Reason
    usage: Usage
    rung: str


class _NoAnswer(Exception):
    """The model gave none; `sentence` tells the person why. Never a failure of the store."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sentence = name


class Thinking:
    """Runs one turn's steps; what has come so far stays readable when it is cancelled."""

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
        observer: Observer,
        context: ToolContext,
        facts: Facts,
        watched: bool,
        show: Show,
        steps: Sequence[Step] = (),
    ) -> None:
        """`steps` is the journal of an earlier run."""
        self._turn = turn
        self._claim = claim
        self._audience = audience
        self._toolbox = toolbox
        self._journal = journal
        self._codec = codec
        self._clock = clock
        self._observer = observer
        self._context = context
        self._facts = facts
        self._watched = watched
        self._show = show
        self._messages: list[Message] = []
        self._texts: list[str] = []
        self._growing = ""
        # What an earlier run has used stays used, however this one ends.
        self._steps = {step.n: step for step in steps}
        self._usage, spent = used_by(steps)
        self._spent: list[Spent] = list(spent)
        self._rung = ""
        self._request: tuple[Message, ...] = ()
        self._said = 0
        self._halved = False
        self._deadline = turn.now
        self._calling = Calling(
            turn=turn,
            claim=claim,
            audience=audience,
            toolbox=toolbox,
            journal=journal,
            codec=codec,
            clock=clock,
            context=context,
            locale=facts.locale,
            changed=self._changed,
        )

    async def run(
        self, request: tuple[Message, ...], *, said: int, first: ToolCall | None = None
    ) -> Outcome:
        """Think until there is an answer, a refusal or a limit.

        `request` is the first prompt, of which the last `said` messages are this turn's own;
        `first` a call that its person has allowed.
        """
        self._request, self._said = request, said
        self._deadline = self._clock.now() + self._audience.deadline
        try:
            async with asyncio.timeout(self._audience.deadline.total_seconds()):
                return await self._run(first)
        except TimeoutError:
            return self.failed("out_of_time")
        except _NoAnswer as error:
            return self.failed(error.sentence)

    def cut(self, mark: str) -> Outcome:
        """What a cancelled turn leaves behind: the text shown so far, marked."""
        text = self._text()
        body = f"{text}\n\n{sentence(mark, self._locale)}" if text else ""
        return self._outcome(TurnState.CANCELLED, body)

    def failed(self, name: str, state: TurnState = TurnState.FAILED) -> Outcome:
        """No answer: what was shown so far, and the sentence that says why there is no more."""
        return self._outcome(state, _joined(self._text(), sentence(name, self._locale)))

    async def _run(self, first: ToolCall | None) -> Outcome:
        n = 0
        if first is not None:
            asked = Message(Role.ASSISTANT, (first,), sent_at=self._clock.now())
            n = await self._run_calls(asked, n, approved=True)
        for _ in range(self._audience.max_steps):
            n += 1
            reply = await self._reply(n)
            self._texts.append(reply.message.text)
            self._growing = ""
            if not reply.message.calls:
                return self._answered(reply)
            if n not in self._steps:
                # Only now: a call that was journaled had been let through when it was made.
                question = self._question(reply.message.calls)
                if question is not None:
                    return question
                await self._note(n, reply)
            n = await self._run_calls(reply.message, n)
        return self.failed("too_many_steps")

    async def _run_calls(self, asked: Message, n: int, *, approved: bool = False) -> int:
        """Run what a message calls for; the number of the last step used."""
        self._messages.append(asked)
        self._messages += await self._calling.run(asked.calls, n, self._steps, approved=approved)
        return n + len(asked.calls)

    def _question(self, calls: Sequence[ToolCall]) -> Outcome | None:
        for call in calls:
            if self._toolbox.must_ask(call, self._audience, self._context.sender):
                arguments = drawn(call.arguments)
                # Where they are no JSON nobody can agree to them: the toolbox refuses the call.
                if arguments is not None:
                    return self._asking(call, arguments)
        return None

    # ---- the model ---------------------------------------------------------------------

    async def _reply(self, n: int) -> _Reply:
        step = self._steps.get(n)
        if step is not None and step.kind is StepKind.MODEL and step.body is not None:
            self._rung = step.rung
            message = self._codec.decode_message(step.body)
            return _Reply(message, Reason(step.key), step.usage, step.rung)
        try:
            reply = await self._asked(n)
        except Transient as error:
            raise _NoAnswer("model_unreachable") from error
        except Permanent as error:
            raise _NoAnswer("model_refused") from error
        self._rung = reply.rung
        return reply

    async def _asked(self, n: int) -> _Reply:
        try:
            return await self._ask(n)
        except ContextTooLong:
            if self._halved:
                raise
        # once, with half of the history, and for the turn's later steps as well
        self._halved = True
        self._request = prompt.halved(self._request, self._said)
        return await self._ask(n)

    async def _ask(self, n: int) -> _Reply:
        request = Request(
            messages=(*self._request, *self._messages),
            facts=replace(self._facts, step=n, rung=self._rung),
            deadline=self._deadline,
            tools=self._toolbox.offered(self._audience, self._context.sender),
            watched=self._watched,
        )
        started = self._clock.monotonic()
        first: float | None = None
        text: list[str] = []
        parts: list[Part] = []
        thoughts: list[str] = []
        usage, finished = Usage(), None
        outcome = "failed"
        try:
            async with aclosing(self._audience.model.stream(request)) as deltas:  # type: ignore[type-var]  # every Model.stream is an async generator
                async for delta in deltas:
                    if first is None:
                        first = self._clock.monotonic() - started
                    match delta:
                        case TextDelta():
                            text.append(delta.text)
                            self._growing += delta.text
                            self._changed()
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
            self._observer.model_called(
                turn=self._turn.id,
                rung="" if finished is None else finished.rung,
                outcome=outcome,
                seconds=self._clock.monotonic() - started,
                first=first,
                input=usage.input,
                output=usage.output,
            )
        said = "".join(text)
        whole: list[Part] = [Reasoning("".join(thoughts))] if thoughts else []
        if said or not parts:
            whole.append(Text(said))
        message = Message(Role.ASSISTANT, (*whole, *parts), sent_at=self._clock.now())
        return _Reply(message, finished.reason, usage, finished.rung)

    def _spend(self, usage: Usage, finished: Finished | None) -> None:
        """Count one call; also a stream that broke or was cancelled after it told its usage."""
        if finished is not None or usage != Usage():
            rung = self._rung if finished is None else finished.rung
            self._usage += usage
            self._spent.append(Spent(rung, usage.input, usage.output, usage.cached, 1))

    async def _note(self, n: int, reply: _Reply) -> None:
        body = self._codec.encode_message(reply.message)
        step = Step(n, StepKind.MODEL, reply.reason.value, body, reply.usage, reply.rung)
        await self._journal.step(self._claim, self._turn.id, step, durable=False)

    # ---- what it comes to --------------------------------------------------------------

    @property
    def _locale(self) -> str:
        return self._facts.locale

    def _changed(self) -> None:
        self._show(self._text(), self._calling.activities)

    def _text(self) -> str:
        return _joined(*self._calling.notices, *self._texts, self._growing)

    def _answered(self, reply: _Reply) -> Outcome:
        text = self._text()
        if reply.reason is Reason.FILTERED and not text:
            return self.failed("filtered", TurnState.REFUSED)
        if reply.reason in (Reason.LENGTH, Reason.FILTERED):
            text = _joined(text, sentence("cut_mark", self._locale))
        elif not text:
            text = sentence("empty_answer", self._locale)
        self._messages.append(_said(reply.message, None if reply.message.text.strip() else text))
        return self._outcome(TurnState.ANSWERED, text, closed=True)

    def _asking(self, call: ToolCall, arguments: str) -> Outcome:
        text = sentence("approve", self._locale, tool=call.name, arguments=arguments)
        approval = Approval(
            conversation=self._turn.conversation,
            sender=self._turn.sender.id,
            tool=call.name,
            arguments=arguments,
            expires_at=self._clock.now() + APPROVAL_LIFE,
        )
        choices = tuple(
            Choice(label, label)
            for label in (
                sentence("approve_yes", self._locale),
                sentence("approve_no", self._locale),
            )
        )
        said = self._outcome(TurnState.ANSWERED, _joined(self._text(), text))
        return replace(said, approval=approval, choices=choices)

    def _outcome(self, state: TurnState, text: str, *, closed: bool = False) -> Outcome:
        messages = list(self._messages)
        if messages and messages[-1].calls:
            # A reply whose calls were never answered would make the next request invalid.
            if came_back := self._calling.came_back():
                messages += came_back
            else:
                messages.pop()
        if text and not closed:
            messages.append(Message(Role.ASSISTANT, (Text(text),), sent_at=self._clock.now()))
        return Outcome(state, text, tuple(messages), self._usage, tuple(self._spent))


def _said(message: Message, instead: str | None) -> Message:
    if instead is None:
        return message
    kept = tuple(part for part in message.parts if not isinstance(part, Text))
    return replace(message, parts=(*kept, Text(instead)))


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def used_by(steps: Sequence[Step]) -> tuple[Usage, tuple[Spent, ...]]:
    """What the model calls of a journal have used."""
    usage, spent = Usage(), []
    for step in steps:
        used = step.usage
        if step.kind is StepKind.MODEL:
            usage += used
            spent.append(Spent(step.rung, used.input, used.output, used.cached, 1))
    return usage, tuple(spent)
