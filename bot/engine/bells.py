"""Whoever waits for an answer on this very node is told at once; the store stays the truth."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bot.domain.conversation import ConversationId, InboundId, Session, Step, Turn, TurnId
from bot.domain.message import Sent
from bot.domain.records import Claim, Finish, OutboxRow
from bot.ports import Journal


class Bells:
    """One bell for each conversation that somebody waits at."""

    def __init__(self) -> None:
        self._waiting: dict[ConversationId, list[asyncio.Event]] = {}

    @contextmanager
    def at(self, conversation: ConversationId) -> Iterator[asyncio.Event]:
        """A bell that rings when something is answered there, until the block ends."""
        bell = asyncio.Event()
        here = self._waiting.setdefault(conversation, [])
        here.append(bell)
        try:
            yield bell
        finally:
            here.remove(bell)
            if not here:
                self._waiting.pop(conversation, None)

    def ring(self, conversation: ConversationId) -> None:
        """There is something new."""
        for bell in self._waiting.get(conversation, ()):
            bell.set()


class RingingJournal:
    """A journal that rings when messages are settled."""

    def __init__(self, journal: Journal, bells: Bells) -> None:
        self._journal = journal
        self._bells = bells

    async def start(self, claim: Claim, turn: Turn, session: Session) -> None:
        await self._journal.start(claim, turn, session)

    async def step(self, claim: Claim, turn: TurnId, step: Step, *, durable: bool) -> None:
        await self._journal.step(claim, turn, step, durable=durable)

    async def draft(self, claim: Claim, turn: TurnId, sent: Sent) -> None:
        await self._journal.draft(claim, turn, sent)

    async def finish(self, claim: Claim, finish: Finish) -> Sequence[OutboxRow]:
        rows = await self._journal.finish(claim, finish)
        self._bells.ring(claim.conversation)
        return rows

    async def skip(self, claim: Claim, done: Sequence[InboundId]) -> None:
        await self._journal.skip(claim, done)
        self._bells.ring(claim.conversation)
