"""From a text to outbox rows: split by the adapter, written under the fence, handed to delivery."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from bot.domain.conversation import Session, Turn, TurnId, TurnState
from bot.domain.message import Choice, Message, Outbound, Role, Text
from bot.domain.records import Claim, Finish, Head, OutboxRow, Waiting
from bot.engine.outbox import Delivery
from bot.engine.sessions import Sessions
from bot.errors import Transient
from bot.ports import Adapter, Clock, Journal, Observer

T = TypeVar("T")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


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
        remembered: bool = True,
    ) -> None:
        """Answer rows with one sentence of ours, without a model.

        `route` tells a later run, after a crash, that this was no turn of a model.
        `remembered` puts what was said and the sentence into the transcript.
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
        )
        await self._journal.start(claim, replace(turn, state=TurnState.THINKING), session)
        said = [row.inbound.message for row in rows]
        answer = Message(Role.ASSISTANT, (Text(text),), sent_at=self._clock.now())
        messages = numbered([*said, answer], head.next_message) if remembered else ()
        pieces = self.pieces(head, turn.id, text, reply_to=last.inbound.message.platform_id)
        await self.write(
            claim,
            Finish(
                turn=turn,
                session=session,
                messages=messages,
                pieces=pieces,
                done=tuple(row.id for row in rows),
                sending_first=bool(pieces) and delivery.empty and not delivery.parked,
            ),
            delivery,
        )

    async def write(self, claim: Claim, finish: Finish, delivery: Delivery) -> Sequence[OutboxRow]:
        """The finish of a turn, tried until the database takes it or the lane is lost."""
        rows = await self.persist(lambda: self._journal.finish(claim, finish))
        delivery.add(rows)
        return rows

    async def persist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Repeat a write while the database is away: what was answered must not be lost."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await write()
            except Transient as error:
                self._observer.failed(place="store", error=error)
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def numbered(messages: Sequence[Message], first: int) -> tuple[Message, ...]:
    """The messages with the sequence numbers that they will have in the transcript."""
    return tuple(replace(message, id=first + i) for i, message in enumerate(messages))
