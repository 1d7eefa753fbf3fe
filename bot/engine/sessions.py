"""Sessions: which one a turn belongs to, and the end of those that rest too long."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.conversation import Conversation, Ending, Session
from bot.domain.records import Claim, Head, IdleRule
from bot.engine.audience import Audience
from bot.ports import Observer
from bot.ports import Sessions as SessionsPort


class Sessions:
    """Begins and ends sessions; nothing here depends on whether the sweep ran."""

    def __init__(
        self,
        store: SessionsPort,
        observer: Observer,
        *,
        idle_of_adapter: Mapping[str, timedelta],
        audiences: Mapping[str, Audience],
    ) -> None:
        self._store = store
        self._observer = observer
        self._idle_of_adapter = idle_of_adapter
        self._audiences = audiences

    def idle(self, conversation: Conversation) -> timedelta:
        """An adapter's own rule, else the audience's."""
        audience = self._audiences.get(conversation.audience) or self._audiences[""]
        return self._idle_of_adapter.get(conversation.adapter, audience.idle)

    async def current(self, claim: Claim, head: Head, at: datetime) -> Session:
        """The session for a message that came in at `at`: the open one, or the next."""
        last = head.session
        if last is not None and not last.is_over(at, self.idle(head.conversation)):
            return last
        if last is not None and last.ended_at is None:
            await self._store.end_session(claim, last, Ending.IDLE)
            self._observer.session_ended(conversation=claim.conversation, by=Ending.IDLE.value)
        return self.following(claim, head, at)

    def following(self, claim: Claim, head: Head, at: datetime) -> Session:
        n = head.session.n + 1 if head.session is not None else 1
        return Session(claim.conversation, n, at, at, first=head.next_message)

    async def end(self, claim: Claim, session: Session, by: Ending) -> None:
        if session.ended_at is None:
            await self._store.end_session(claim, session, by)
            self._observer.session_ended(conversation=claim.conversation, by=by.value)

    def rules(self) -> Sequence[IdleRule]:
        """For the sweep: the same rules, the most particular first."""
        found = [
            IdleRule(idle.total_seconds(), adapter=name)
            for name, idle in sorted(self._idle_of_adapter.items())
        ]
        found += [
            IdleRule(audience.idle.total_seconds(), audience=name)
            for name, audience in sorted(self._audiences.items())
            if name
        ]
        return (*found, IdleRule(self._audiences[""].idle.total_seconds()))

    async def sweep(self) -> int:
        """End what has rested too long; how many."""
        ended = await self._store.sweep(self.rules())
        for session in ended:
            self._observer.session_ended(conversation=session.conversation, by=Ending.IDLE.value)
        return len(ended)
