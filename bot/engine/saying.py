"""From a text to outbox rows: split by the adapter, written under the fence, handed to delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from bot.domain.conversation import Session, Turn, TurnId, TurnState
from bot.domain.message import Choice, Message, Outbound, Role, Text
from bot.domain.records import Claim, Finish, Head, Waiting
from bot.engine.beginning import keeps_question
from bot.engine.outbox import Delivery
from bot.engine.persisting import persist
from bot.engine.sessions import Sessions
from bot.ports import Adapter, Clock, Draft, Journal, Observer


class Kept(Enum):
    """What of a sentence of ours, and of what it answers, goes into the transcript."""

    BOTH = "both"
    ANSWER = "answer"
    NOTHING = "nothing"


class Sayings:
    """Ends turns: the only writer of `Finish`."""

    def __init__(
        self,
        *,
        journal: Journal,
        sessions: Sessions,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        observer: Observer,
        expires: timedelta,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._adapters = adapters
        self._clock = clock
        self._observer = observer
        self._expires = expires

    def pieces(
        self,
        head: Head,
        turn: TurnId,
        text: str,
        *,
        reply_to: str | None,
        choices: tuple[Choice, ...] = (),
    ) -> tuple[Outbound, ...]:
        """The answer as the platform takes it: one piece is one call."""
        if not text.strip():
            return ()
        whole = Outbound(
            key=str(turn),
            address=head.conversation.address,
            text=text,
            expires_at=head.now + self._expires,
            reply_to=None if head.conversation.direct else reply_to,
            choices=choices,
        )
        adapter = self._adapters.get(head.conversation.adapter)
        split = adapter.pieces(whole) if adapter is not None else (whole,)
        return tuple(replace(piece, key=f"{turn}/{i}") for i, piece in enumerate(split))

    async def say(
        self,
        claim: Claim,
        head: Head,
        rows: Sequence[Waiting],
        text: str,
        delivery: Delivery,
        *,
        state: TurnState,
        route: str,
        session: Session | None = None,
        kept: Kept = Kept.BOTH,
    ) -> None:
        """Answer rows with one sentence of ours, without a model.

        `route` tells a later run, after a crash, that this was no turn of a model.
        `kept` says what of it the transcript holds.
        """
        first, last = rows[0], rows[-1]
        if session is None:
            session = await self._sessions.current(claim, head, first.received_at)
        turn = Turn(
            id=TurnId(first.id),
            conversation=claim.conversation,
            session=session.n,
            sender=first.inbound.sender,
            inbounds=tuple(row.id for row in rows),
            now=head.now,
            audience=head.conversation.audience,
            state=state,
            route=route,
            keeps_question=keeps_question(head, rows),
        )
        await self._journal.start(claim, replace(turn, state=TurnState.THINKING), session)
        self._observer.turn_started(turn=turn.id, conversation=claim.conversation, attempt=1)
        said = [row.inbound.message for row in rows] if kept is Kept.BOTH else []
        answer = Message(Role.ASSISTANT, (Text(text),), sent_at=self._clock.now())
        lines = [*said, answer] if kept is not Kept.NOTHING else []
        pieces = self.pieces(head, turn.id, text, reply_to=last.inbound.message.platform_id)
        await self.write(
            claim,
            Finish(
                turn=turn,
                session=session,
                messages=numbered(lines, head.next_message),
                pieces=pieces,
                done=tuple(row.id for row in rows),
                sending_first=bool(pieces) and delivery.empty and not delivery.parked,
            ),
            delivery,
        )
        self.report_end(head, turn, first.received_at)

    def report_end(self, head: Head, turn: Turn, received_at: datetime) -> None:
        """Tell the operator how a turn has ended, and how long it took and was waited for."""
        self._observer.turn_ended(
            turn=turn.id,
            conversation=head.conversation.id,
            adapter=head.conversation.adapter,
            audience=turn.audience,
            state=turn.state.value,
            seconds=(self._clock.now() - turn.now).total_seconds(),
            waited=(turn.now - received_at).total_seconds(),
        )

    async def write(
        self, claim: Claim, finish: Finish, delivery: Delivery, draft: Draft | None = None
    ) -> None:
        """The finish of a turn, tried until the database takes it or the lane is lost."""
        if finish.sending_first:
            delivery.will_add(finish.turn.id, finish.pieces)
        rows = await persist(
            lambda: self._journal.finish(claim, finish), clock=self._clock, observer=self._observer
        )
        delivery.add(rows, draft)


def numbered(messages: Sequence[Message], first: int) -> tuple[Message, ...]:
    """The messages with the sequence numbers that they will have in the transcript."""
    return tuple(replace(message, id=first + i) for i, message in enumerate(messages))
