"""From waiting messages to a finished turn: start it, think, draft, and write the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.conversation import InboundId, Session, Turn, TurnState
from bot.domain.message import Message, Sent
from bot.domain.model import Facts
from bot.domain.records import Claim, Finish, Head, Waiting, person_key
from bot.domain.sentences import language_of
from bot.domain.tool import ToolContext
from bot.engine import prompt
from bot.engine.beginning import new_turn, too_late
from bot.engine.closing import clear_draft, close_draft
from bot.engine.drafting import Drafting
from bot.engine.lastwords import LastWords
from bot.engine.outbox import Delivery
from bot.engine.outcome import Outcome
from bot.engine.parts import Parts
from bot.engine.run import Run
from bot.engine.saying import numbered
from bot.engine.stopping import Cut
from bot.engine.turn import Thinking
from bot.errors import Fenced, Transient
from bot.ports import Activity, Drafts, Looks


class Answering:
    """One turn of one lane, from its row to its outbox rows."""

    def __init__(
        self,
        parts: Parts,
        claim: Claim,
        head: Head,
        rows: Sequence[Waiting],
        *,
        delivery: Delivery,
        locale: str,
    ) -> None:
        self._parts = parts
        self._claim = claim
        self._head = head
        self._rows = rows
        self._delivery = delivery
        self._locale = locale
        turn = head.turn
        self._audience = parts.audience(turn.audience if turn else head.conversation.audience)
        self._session: Session | None = None
        self._drafting: Drafting | None = None
        self._group: asyncio.TaskGroup | None = None
        self._thinking: Thinking | None = None
        self._outcome: Outcome | None = None
        self._is_thinking = self._is_over = False
        self.turn = head.turn or new_turn(claim, head, rows)

    @property
    def _said(self) -> list[Message]:
        return [row.inbound.message for row in self._rows]

    @property
    def _reply_to(self) -> str | None:
        if self._head.conversation.direct:
            return None
        return self._rows[-1].inbound.message.platform_id

    def too_late(self) -> str | None:
        """The sentence to end with where an answer, or doing what was allowed, comes too late."""
        return too_late(self._head, self._rows, self.turn, self._parts.limits.max_age)

    async def prepare(self, group: asyncio.TaskGroup) -> None:
        """Write the turn's row, and open what the person may watch."""
        head, parts = self._head, self._parts
        session = await parts.sessions.current(self._claim, head, self._rows[0].received_at)
        await self._start(session)
        parts.observer.turn_started(
            turn=self.turn.id, conversation=self._claim.conversation, attempt=self.turn.attempts
        )
        await self._look()
        self._group = group
        self._thinking = self._make_thinking()
        self._watched()

    async def _start(self, session: Session, *, counts: bool = True) -> None:
        before = self._head.turn.attempts if self._head.turn is not None else 0
        self.turn = replace(self.turn, session=session.n, attempts=before + counts)
        self._session = session
        await self._parts.journal.start(self._claim, self.turn, session)

    async def _look(self) -> None:
        """Find out who watches, where that takes a moment."""
        conversation = self._head.conversation
        adapter: object = self._parts.adapters.get(conversation.adapter)
        if isinstance(adapter, Looks) and not self._delivery.parked:
            await adapter.look(conversation.address)

    def _watched(self) -> bool:
        """Whether somebody watches; who comes in mid-turn is shown it from there on."""
        if self._drafting is None and self._group is not None:
            self._drafting = self._open_drafting()
            if self._drafting is not None:
                self._drafting.start(self._group)
        return self._drafting is not None

    def _open_drafting(self) -> Drafting | None:
        """What shows the growing text, where somebody watches and no open request waits."""
        conversation = self._head.conversation
        adapter: object = self._parts.adapters.get(conversation.adapter)
        if not isinstance(adapter, Drafts):
            return None
        if self._delivery.parked or not adapter.watched(conversation.address):
            return None
        return Drafting(
            platform=adapter,
            name=conversation.adapter,
            address=conversation.address,
            turn=self.turn.id,
            reply_to=self._reply_to,
            resume=self.turn.draft,
            lost_since=self._lost_since(),
            gate=self._delivery.all_left,
            sure=self._parts.sure,
            record=self._record_draft,
            unrecorded=self._parts.unrecorded,
            clock=self._parts.clock,
            observer=self._parts.observer,
        )

    def _lost_since(self) -> datetime | None:
        """When an earlier run began that may have opened a draft and not written it down."""
        is_again = self._head.turn is not None and self.turn.draft is None
        return self.turn.now if is_again else None

    async def think(self) -> None:
        """Come to an outcome; an unexpected error becomes one, too."""
        assert self._thinking is not None
        self._is_thinking = True
        try:
            self._outcome = await self._thinking.run(
                await self._prompt(),
                said=len(self._rows),
                first=self.turn.approved,
            )
        except (Fenced, Transient):
            raise
        except Exception as error:  # the lane around a turn: the last resort of a message
            self._parts.observer.failed(place="turn", error=error)
            self._outcome = self._thinking.failed("unexpected")
        finally:
            self._is_thinking = False
            if self._is_over:
                self.let_go()  # the lane went on while a call was awaited to its end

    async def finish(self, cut: Cut | None) -> int:
        """Write the end; how many rows beyond the turn's own it settled."""
        assert self._thinking is not None
        outcome = self._outcome
        extra: tuple[InboundId, ...] = ()
        if outcome is None and cut is None:
            # Foreign code has cancelled us by itself; nobody asked for it.
            outcome = self._thinking.failed("unexpected")
        elif outcome is None:
            assert cut is not None
            outcome, extra = self._thinking.cut(cut.mark), cut.done
        if self._head.steps:
            outcome = await self._last_words().added(
                outcome, self.turn, self._head.steps, but=self._thinking.come_to
            )
        await self._write(outcome, extra)
        return len(extra)

    def let_go(self) -> None:
        """Break the ring of callbacks: what a turn held goes with it, and waits for no collector.

        A turn holds its whole prompt; thousands of them waited for the collector at 100 a second.
        """
        if self._drafting is not None:
            self._drafting.leave()  # it was not handed over: whoever goes on shows its own
        self._drafting, self._is_over = None, True
        if self._thinking is not None and not self._is_thinking:
            self._thinking.let_go()
            self._thinking = None

    async def leave(self) -> None:
        """This server stops in mid-turn on purpose: that run does not count as a crash."""
        if self._session is not None:
            turn = replace(self.turn, attempts=self.turn.attempts - 1)
            await self._parts.journal.start(self._claim, turn, self._session)

    async def end_with(self, name: str) -> None:
        """End it with a sentence, without the model."""
        if self._head.turn is None:
            self._parts.observer.turn_started(
                turn=self.turn.id, conversation=self._claim.conversation, attempt=1
            )
        await self._end_with(name, TurnState.REFUSED)

    async def give_up(self) -> None:
        """The third crash with these messages in flight: say so, and let the lane go on."""
        await self._end_with("gave_up", TurnState.FAILED, dead=True)
        self._parts.observer.gave_up(
            turn=self.turn.id,
            conversation=self._claim.conversation,
            adapter=self._head.conversation.adapter,
            messages=len(self._rows),
        )

    async def _end_with(self, name: str, state: TurnState, *, dead: bool = False) -> None:
        head, parts = self._head, self._parts
        session = await parts.sessions.current(self._claim, head, self._rows[0].received_at)
        # Unless it is given up, a run like any other: a tool that is asked below may end the
        # process each time.
        await self._start(session, counts=not dead)
        # Whoever is asked what became of its call may be what has ended the process.
        words = self._last_words(asks=not dead)
        outcome = await words.of(self.turn, head.steps, name, state=state)
        await self._write(outcome, (), dead=dead)

    # ---- what it is made of --------------------------------------------------------------

    def _last_words(self, *, asks: bool = True) -> LastWords:
        given = self._parts, self._audience, self._context()
        return LastWords(*given, locale=self._locale, asks=asks)

    def _context(self) -> ToolContext:
        conversation = self._head.conversation
        return ToolContext(
            tenant=conversation.tenant,
            conversation=conversation.id,
            turn=self.turn.id,
            address=conversation.address,
            sender=self.turn.sender,
            audience=self._audience.name,
            locale=language_of(self._rows[-1].inbound.text, self._locale),
            now=self.turn.now,
            key="",
            http=self._parts.http,
        )

    def _make_thinking(self) -> Thinking:
        head, parts, turn = self._head, self._parts, self.turn
        conversation = head.conversation
        address = conversation.address
        facts = Facts(
            tenant=conversation.tenant,
            audience=self._audience.name,
            conversation=conversation.id,
            person=person_key(address.platform, address.account, turn.sender),
            turn=turn.id,
            roles=turn.sender.roles,
            locale=self._locale,
        )
        run = Run(
            turn=turn,
            claim=self._claim,
            audience=self._audience,
            toolbox=parts.toolbox,
            journal=parts.journal,
            codec=parts.codec,
            clock=parts.clock,
            observer=parts.observer,
            context=self._context(),
            facts=facts,
            certain=parts.certain,
        )
        return Thinking(run, watched=self._watched, show=self._show, steps=head.steps)

    def _show(self, text: str, activities: Sequence[Activity]) -> None:
        if self._watched() and self._drafting is not None:
            self._drafting.show(text, activities)

    async def _record_draft(self, sent: Sent) -> None:
        await self._parts.journal.draft(self._claim, self.turn.id, sent)
        self.turn = replace(self.turn, draft=sent)

    async def _prompt(self) -> tuple[Message, ...]:
        assert self._session is not None
        window = await prompt.remembered(
            self._parts.history,
            self._claim.conversation,
            first=self._session.first,
            limit=self._audience.window_messages,
        )
        return prompt.build(
            persona=self._audience.persona,
            now=self.turn.now,
            history=window,
            said=self._said,
            direct=self._head.conversation.direct,
            tokens=self._audience.window_tokens,
        )

    async def _write(
        self, outcome: Outcome, extra: tuple[InboundId, ...], *, dead: bool = False
    ) -> None:
        assert self._session is not None
        head, parts = self._head, self._parts
        pieces = parts.sayings.pieces(
            head, self.turn.id, outcome.text, reply_to=self._reply_to, choices=outcome.choices
        )
        own = tuple(row.id for row in self._rows)
        draft = await self._drafting.close() if self._drafting is not None else None
        finish = Finish(
            turn=_ended(self.turn, outcome),
            session=replace(self._session, active_at=parts.clock.now()),
            messages=numbered([*self._said, *outcome.messages], head.next_message),
            pieces=pieces,
            done=extra if dead else (*own, *extra),
            dead=own if dead else (),
            spent=outcome.spent,
            approval=outcome.approval,
            unsure=outcome.unsure,
            sending_first=bool(pieces) and self._delivery.empty and not self._delivery.parked,
        )
        await parts.sayings.write(self._claim, finish, self._delivery, draft)
        if draft is not None and not pieces:
            await close_draft(draft, parts.observer)
        elif self.turn.draft is not None and not pieces:
            # An earlier run has left one on the screen, and this one never came to take it up.
            await clear_draft(
                parts.adapters.get(head.conversation.adapter),
                head.conversation.address,
                self.turn.id,
                self.turn.draft,
                parts.observer,
            )
        self._drafting = None  # handed over, or closed
        parts.sayings.report_end(head, finish.turn, self._rows[0].received_at)


def _ended(turn: Turn, outcome: Outcome) -> Turn:
    asks = None if outcome.approval is None else outcome.approval.expires_at
    return replace(turn, state=outcome.state, usage=outcome.usage, asked_until=asks)
