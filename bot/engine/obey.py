"""Doing what a command asks, and the sentence that says so."""

from datetime import timedelta

from bot.domain.conversation import Ending, Session
from bot.domain.records import USAGE_DAYS, Claim, Head, Waiting
from bot.domain.sentences import sentence
from bot.engine.commands import Command
from bot.engine.parts import Parts
from bot.engine.taking import OPERATOR
from bot.errors import PartlyDone


class Obeying:
    """One command of one person, on a lane that is held."""

    def __init__(self, parts: Parts, claim: Claim, locale: str) -> None:
        self._parts = parts
        self._claim = claim
        self._locale = locale

    async def do(
        self, row: Waiting, command: Command, head: Head, denied: str | None
    ) -> tuple[str, Session]:
        """Carry it out; the sentence to say and the session that goes on from here."""
        session = await self._parts.sessions.current(self._claim, head, row.received_at)
        match command:
            case Command.NEW:
                return await self._new(row, head, session)
            case Command.FORGET:
                return await self._forget(row, head, session)
            case Command.STOP:
                return self._say(denied or "nothing_to_stop"), session
            case Command.USAGE:
                return await self._usage(row), session
            case Command.START:
                return self._say("greeting") + "\n\n" + self._help(row, head), session
            case Command.HELP:
                return self._help(row, head), session

    async def _new(self, row: Waiting, head: Head, session: Session) -> tuple[str, Session]:
        if not head.conversation.direct and OPERATOR not in row.inbound.sender.roles:
            return self._say("operators_only"), session
        return self._say("new_session"), await self._next(row, head, Ending.COMMAND)

    async def _forget(self, row: Waiting, head: Head, session: Session) -> tuple[str, Session]:
        sender = row.inbound.sender
        direct = head.conversation.direct
        whose = None if direct else sender
        said = self._say("forgotten") if direct else self._say("forgotten_yours")
        try:
            await self._parts.erasure.forget(self._claim, whose, order=row.id)
        except PartlyDone as error:
            # Nobody finds it here any more. Who waited for room on the disk would wait in silence.
            self._parts.observer.failed(place="forget", error=error)
            said += "\n\n" + self._say("traces_left")
        if not direct:
            return said, session
        return said, await self._next(row, head, Ending.FORGOTTEN)

    async def _next(self, row: Waiting, head: Head, by: Ending) -> Session:
        if head.session is not None:
            await self._parts.sessions.end(self._claim, head.session, by)
        return self._parts.sessions.following(self._claim, head, row.received_at)

    async def _usage(self, row: Waiting) -> str:
        used = await self._parts.upkeep.usage(
            conversation=self._claim.conversation,
            sender=None,
            since=row.received_at - timedelta(days=USAGE_DAYS),
        )
        return sentence(
            "usage", self._locale, turns=used.turns, input=used.input, output=used.output
        )

    def _help(self, row: Waiting, head: Head) -> str:
        audience = self._parts.audience(head.conversation.audience)
        offered = self._parts.toolbox.offered(audience, row.inbound.sender)
        text = self._say("help")
        if offered:
            names = ", ".join(spec.name for spec in offered)
            text += "\n\n" + sentence("help_tools", self._locale, tools=names)
        return text

    def _say(self, name: str) -> str:
        return sentence(name, self._locale)
