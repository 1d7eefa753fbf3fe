"""The kinds of work that wait at a lane, each done to its end: say, obey, amend, answer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.conversation import TurnId, TurnState
from bot.domain.message import Inbound, Kind, Message, Role
from bot.domain.records import Claim, Finish, Head, Waiting
from bot.domain.sentences import locale_of, sentence
from bot.engine.answer import Answering
from bot.engine.beginning import begun_with
from bot.engine.closing import clear_draft
from bot.engine.commands import Command
from bot.engine.moments import either
from bot.engine.obey import Obeying
from bot.engine.outbox import Delivery
from bot.engine.parts import Parts
from bot.engine.replaying import calls_under_way, doubts, used_by
from bot.engine.saying import Kept
from bot.engine.stopping import Running, Stops
from bot.engine.taking import COMMAND, SENTENCE, Amend, Obey, Say, Skip, Take, Wait, Work, is_said

MOST_RUNS = 3
"""A message that was in flight at this many crashes is poison (design section 7)."""


KEPT = {"busy": Kept.NOTHING, "interrupted": Kept.ANSWER}
"""Of others both sides are remembered. "busy" is said out of turn and would stand before what is
answered later; what was taken back has no words, but what it cut is answered by this sentence."""

LOOK_BACK = 100
"""Entries of the transcript among which the message stands whose turn was cut among its calls."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run of a turn that has begun here, and how many before it count as crashes."""

    turn: TurnId
    runs: int


class Working:
    """Does one piece of work of a lane that is held."""

    def __init__(self, parts: Parts, claim: Claim, *, stops: Stops, arrived: asyncio.Event) -> None:
        """`arrived` is set when something is accepted meanwhile."""
        self._parts = parts
        self._claim = claim
        self._stops = stops
        self._arrived = arrived
        self._waited = False
        self._begun: Begun | None = None

    def ended(self) -> Begun | None:
        """The run of a turn that was under way, if one was: it is over now, however it ended."""
        begun, self._begun = self._begun, None
        return begun

    async def do(self, work: Work, head: Head, delivery: Delivery, group: asyncio.TaskGroup) -> int:
        """How many waiting rows are done by it; 0 asks for a fresh look."""
        head = await self._with_question(head)
        match work:
            case Amend(rows):
                await self._amend(rows, head, delivery)
                return 0
            case Skip(rows):
                await self._parts.journal.skip(self._claim, [row.id for row in rows])
                self._stops.settled(rows)
                return len(rows)
            case Wait(seconds):
                await self._pause(seconds)
                return 0
            case Say(rows, name, values):
                await self._say(rows, name, dict(values), head, delivery)
                self._stops.settled(rows)
                return len(rows)
            case Obey(row, command):
                await self._obey(row, command, head, delivery)
                self._stops.settled((row,))
                return 1
            case Take(rows):
                return await self._answer(begun_with(head, rows), head, delivery, group)

    async def _with_question(self, head: Head) -> Head:
        """The head, with when and where the question was shown that somebody here may answer."""
        asks = head.approval
        if asks is None or all(row.inbound.sender.id != asks.sender for row in head.waiting):
            return head
        asked = await self._parts.lanes.asked(asks)
        return replace(head, approval=replace(asks, asked=asked))

    async def _amend(self, rows: Sequence[Waiting], head: Head, delivery: Delivery) -> None:
        for row in rows:
            name = row.inbound.message.platform_id
            if name is not None:
                taken_back = row.inbound.kind is Kind.RECALLED
                edited = None if taken_back else row.inbound.message
                await self._parts.inbox.amend(self._claim.conversation, name, edited)
        if self._parts.interrupts and await self._leaves_unanswered(rows, head):
            await self._say(rows, "interrupted", {}, head, delivery)
        else:
            await self._parts.journal.skip(self._claim, [row.id for row in rows])

    async def _leaves_unanswered(self, rows: Sequence[Waiting], head: Head) -> bool:
        """Whether what cut a turn before its first word is taken back: nothing answers it then.

        Only its own sender cuts a turn, and only a message of theirs makes up for it.
        """
        gone = {
            row.inbound.message.platform_id for row in rows if row.inbound.kind is Kind.RECALLED
        }
        said = [row.inbound for row in head.waiting if is_said(row.inbound)]
        left = {one.sender.id for one in said if one.message.platform_id not in gone}
        silent = {one.sender.id for one in said} - left
        if head.session is None or not silent:
            return False
        window = await self._parts.history.window(
            self._claim.conversation, first=head.session.first, limit=LOOK_BACK
        )
        return _asked_by(window) in silent

    async def _pause(self, seconds: float) -> None:
        """Wait for an album's other pictures, or for the person to finish typing."""
        self._arrived.clear()
        await either(self._parts.clock.sleep(seconds), self._arrived.wait())

    async def _say(
        self,
        rows: Sequence[Waiting],
        name: str,
        values: dict[str, str],
        head: Head,
        delivery: Delivery,
    ) -> None:
        last = rows[-1]
        text = sentence(name, self._locale(last.inbound), **values)
        await self._parts.sayings.say(
            self._claim,
            head,
            rows,
            text,
            delivery,
            state=TurnState.REFUSED,
            route=SENTENCE + name,
            kept=KEPT.get(name, Kept.BOTH),
        )

    async def _obey(self, row: Waiting, command: Command, head: Head, delivery: Delivery) -> None:
        obeying = Obeying(self._parts, self._claim, self._locale(row.inbound))
        denied = self._stops.denied(row)
        text, session = await obeying.do(row, command, head, denied)
        await self._parts.sayings.say(
            self._claim,
            head,
            (row,),
            text,
            delivery,
            state=TurnState.ANSWERED,
            route=COMMAND,
            session=session,
            kept=Kept.NOTHING,
        )

    async def _answer(
        self,
        rows: Sequence[Waiting],
        head: Head,
        delivery: Delivery,
        group: asyncio.TaskGroup,
    ) -> int:
        answering = Answering(
            self._parts,
            self._claim,
            head,
            rows,
            delivery=delivery,
            locale=self._locale(rows[-1].inbound),
        )
        runs = head.turn.attempts if head.turn is not None else 0
        if runs >= MOST_RUNS:
            await answering.give_up()
            return len(rows)
        self._begun = Begun(answering.turn.id, runs)
        if (late := answering.too_late()) is not None:
            await answering.end_with(late)
            return len(rows)
        if runs == MOST_RUNS - 1:
            return await self._answer_again(answering, rows, head, group)
        return await self._think(answering, rows, head, group)

    async def _answer_again(
        self, answering: Answering, rows: Sequence[Waiting], head: Head, group: asyncio.TaskGroup
    ) -> int:
        """The last run before it is given up: only beside what cannot have ended the process."""
        assert head.turn is not None
        quarantine = self._parts.quarantine
        if calls_under_way(head.turn, head.steps, self._parts.codec):
            with quarantine.suspect():
                return await self._think(answering, rows, head, group)
        if not self._waited:
            self._waited = True
            await quarantine.wait()
            return 0
        return await self._think(answering, rows, head, group)

    async def _think(
        self, answering: Answering, rows: Sequence[Waiting], head: Head, group: asyncio.TaskGroup
    ) -> int:
        try:
            return await self._thought(answering, rows, head, group)
        finally:
            answering.let_go()

    async def _thought(
        self, answering: Answering, rows: Sequence[Waiting], head: Head, group: asyncio.TaskGroup
    ) -> int:
        await answering.prepare(group)
        task: asyncio.Task[object] = group.create_task(answering.think())
        running = Running(answering.turn, rows[0].inbound, task)
        self._stops.begin(running, rows, head)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if self._parts.draining():
                await answering.leave()
            raise
        finally:
            self._stops.end()
        extra = await answering.finish(running.cut)
        return len(rows) + extra

    def _locale(self, inbound: Inbound) -> str:
        return locale_of(inbound.sender.locale, self._parts.locale)

    async def drop(self, head: Head) -> None:
        """End a turn whose messages are all gone (taken back, erased): nobody waits for it."""
        assert head.turn is not None
        session = head.session or self._parts.sessions.following(self._claim, head, head.now)
        usage, spent = used_by(head.steps)
        ended = replace(head.turn, state=TurnState.CANCELLED, usage=usage)
        unsure = tuple(doubts(head.turn, head.steps, self._parts.codec))
        finish = Finish(turn=ended, session=session, spent=spent, unsure=unsure)
        await self._parts.journal.finish(self._claim, finish)
        self._parts.sayings.report_end(head, ended, head.turn.now)
        adapter = self._parts.adapters.get(head.conversation.adapter)
        await clear_draft(
            adapter, head.conversation.address, ended.id, ended.draft, self._parts.observer
        )


def _asked_by(window: Sequence[Message]) -> str | None:
    """Whose words, or what was done for them, stand last with no answer under it."""
    if window and window[-1].role is Role.USER and not window[-1].text.strip():
        return None  # taken back as well
    for message in reversed(window):
        if message.role is Role.USER:
            return message.sender.id if message.sender is not None else None
        if message.role is Role.ASSISTANT and not message.calls:
            return None
    return None
