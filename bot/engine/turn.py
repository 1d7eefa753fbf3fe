"""One turn: ask the model, run what it calls for, ask again, until there is an answer."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.conversation import Step, TurnState
from bot.domain.message import Choice, Message, Role, Text, ToolCall
from bot.domain.model import Reason
from bot.domain.records import Approval
from bot.domain.sentences import sentence
from bot.engine.asking import Asking, NoAnswer, Reply
from bot.engine.calling import Calling, done_before, drawn
from bot.engine.outcome import Outcome
from bot.engine.replaying import ASKED
from bot.engine.run import Run
from bot.ports import Activity

APPROVAL_LIFE = timedelta(minutes=5)

Show = Callable[[str, Sequence[Activity]], None]


class Thinking:
    """Runs one turn's steps; what has come so far stays readable when it is cancelled."""

    def __init__(
        self, run: Run, *, watched: Callable[[], bool], show: Show, steps: Sequence[Step] = ()
    ) -> None:
        """`steps` is the journal of an earlier run; `watched` is asked at each model call."""
        self._run = run
        self._show = show
        self._messages: list[Message] = []
        self._replies: list[Message] = []
        self._growing = ""
        self._steps = {step.n: step for step in steps}
        self._asking = Asking(run, steps, watched=watched, grew=self._grew)
        self._calling = Calling(run, changed=self._changed)

    async def run(
        self, request: tuple[Message, ...], *, said: int, first: ToolCall | None = None
    ) -> Outcome:
        """Think until there is an answer, a refusal or a limit.

        `request` is the first prompt, of which the last `said` messages are this turn's own;
        `first` a call that its person has allowed.
        """
        limit = self._run.audience.deadline
        self._asking.begin(request, said=said, deadline=self._run.clock.now() + limit)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await self._steps_of(first)
        except TimeoutError:
            return self.failed("out_of_time")
        except NoAnswer as error:
            return self.failed(error.sentence)

    def let_go(self) -> None:
        """Nothing is asked of it any more: those it works with point back to it."""
        del self._asking, self._calling, self._show

    @property
    def come_to(self) -> Collection[int]:
        """The steps of an earlier run of which what it leaves behind tells already."""
        return self._calling.come_to

    def cut(self, mark: str) -> Outcome:
        """What a cancelled turn leaves behind: the text shown so far, marked, and what was done.

        Who orders a stop is told of it in any case; one that only yields may end without a word.
        """
        text, done = self._text(), self._done_before()
        if not text and mark == "stopped_mark":
            end = sentence("stopped", self._locale)
        else:
            end = sentence(mark, self._locale) if text or done else ""
        return self._outcome(TurnState.CANCELLED, _joined(end, done))

    def failed(self, name: str, state: TurnState = TurnState.FAILED) -> Outcome:
        """No answer: what was shown so far, why there is no more, and what was done by then."""
        end = sentence(name, self._locale)
        return self._outcome(state, _joined(end, self._done_before()))

    async def _steps_of(self, first: ToolCall | None) -> Outcome:
        n = 0
        if first is not None:
            asked = Message(Role.ASSISTANT, (first,), sent_at=self._run.clock.now())
            n = await self._run_calls(asked, n, approved=True)
        for _ in range(self._run.audience.max_steps):
            n += 1
            reply = await self._asking.reply(n, self._messages)
            self._replies.append(reply.message)
            self._growing = ""
            if not reply.message.calls:
                await self._asking.note(n, reply)
                return self._answered(reply)
            let_through = self._asking.was_let_through(n)
            question = None if let_through else self._question(reply.message.calls)
            await self._asking.note(n, reply, key=None if question is None else ASKED)
            if question is not None:
                return question
            n = await self._run_calls(reply.message, n)
        return self.failed("too_many_steps")

    async def _run_calls(self, asked: Message, n: int, *, approved: bool = False) -> int:
        """Run what a message calls for; the number of the last step used."""
        self._messages.append(asked)
        self._messages += await self._calling.run(asked.calls, n, self._steps, approved=approved)
        return n + len(asked.calls)

    def _question(self, calls: Sequence[ToolCall]) -> Outcome | None:
        for call in calls:
            question = self._run.toolbox.must_ask(
                call, self._run.audience, self._run.context.sender
            )
            if question is None:
                continue
            shown, run = drawn(question.arguments), drawn(question.run)
            if shown is not None and run is not None:
                return self._asked(call, shown, run)
        return None

    # ---- what it comes to --------------------------------------------------------------

    @property
    def _locale(self) -> str:
        return self._run.locale

    def _grew(self, text: str) -> None:
        self._growing += text
        self._changed()

    def _changed(self) -> None:
        self._show(self._text(), self._calling.activities)

    def _text(self) -> str:
        replies = (reply.text for reply in self._replies)
        return _joined(*self._calling.notices, *replies, self._growing)

    def _done_before(self) -> str:
        return done_before(self._calling.done, self._locale)

    def _answered(self, reply: Reply) -> Outcome:
        text = self._text()
        if reply.reason is Reason.FILTERED and not text:
            return self.failed("filtered", TurnState.REFUSED)
        end = ""
        if reply.reason in (Reason.LENGTH, Reason.FILTERED):
            end = _joined(sentence("cut_mark", self._locale), self._done_before())
        elif not text:
            end = _joined(sentence("empty_answer", self._locale), self._done_before())
        return self._outcome(TurnState.ANSWERED, end, last=reply.message)

    def _asked(self, call: ToolCall, shown: str, run: str) -> Outcome:
        text = sentence("approve", self._locale, tool=call.name, arguments=shown)
        approval = Approval(
            conversation=self._run.turn.conversation,
            sender=self._run.turn.sender.id,
            tool=call.name,
            arguments=run,
            expires_at=self._run.clock.now() + APPROVAL_LIFE,
        )
        choices = tuple(
            Choice(label, label)
            for label in (
                sentence("approve_yes", self._locale),
                sentence("approve_no", self._locale),
            )
        )
        return replace(self._outcome(TurnState.ANSWERED, text), approval=approval, choices=choices)

    def _outcome(self, state: TurnState, end: str, *, last: Message | None = None) -> Outcome:
        """What is said is everything so far and the end; the transcript holds each word once.

        `last` is the reply that the transcript ends with, also where it is empty.
        """
        messages = self._kept()
        loose = tuple(
            reply.text for reply in self._replies if not any(reply is one for one in messages)
        )
        closing = _joined(*self._calling.notices, *loose, self._growing, end)
        if last is not None:
            messages.append(_saying(last, closing))
        elif closing:
            now = self._run.clock.now()
            messages.append(Message(Role.ASSISTANT, (Text(closing),), sent_at=now))
        return Outcome(
            state,
            _joined(self._text(), end),
            tuple(messages),
            self._asking.usage,
            tuple(self._asking.spent),
            unsure=tuple(self._calling.unsure),
            loose=loose,
        )

    def _kept(self) -> list[Message]:
        """The replies whose calls have come back, and what they gave."""
        messages = list(self._messages)
        if messages and messages[-1].calls:
            # A reply whose calls were never answered would make the next request invalid.
            if came_back := self._calling.came_back():
                messages += came_back
            else:
                messages.pop()
        return messages


def _saying(message: Message, text: str) -> Message:
    kept = tuple(part for part in message.parts if not isinstance(part, Text))
    return replace(message, parts=(*kept, Text(text)))


def _joined(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text.strip())
