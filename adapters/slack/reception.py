"""What happens to a payload, however it came: read, counted, confirmed, handed to the engine."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from adapters.slack.client import Client, Identity
from adapters.slack.normalise import normalise
from adapters.slack.reading import Confirm, Here, Read, is_private
from adapters.slack.threads import Threads
from adapters.slack.watch import Watch
from adapters.slack.words import Me
from bot import (
    Address,
    Ambiguous,
    Clock,
    Inbound,
    Kind,
    Observer,
    Permanent,
    Receive,
    Recent,
    Transient,
)

ERRANDS = 100
"""Presses that may be confirmed at a time; nobody misses a hundred and first."""
NO_FUNCTION = "Parley offers no workflow steps"


class Reception:
    """Turns payloads into accepted messages. `me` is filled in once Slack has told it."""

    def __init__(
        self,
        name: str,
        *,
        client: Client,
        threads: Threads,
        watch: Watch,
        external: bool,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self.me = Me()
        self.reply_urls: Recent[Address, str] = Recent(1000)
        """Where a slash command can be answered, by the private address that it came from."""
        self._name = name
        self._client = client
        self._threads = threads
        self._watch = watch
        self._external = external
        self._clock = clock
        self._observer = observer
        self._errands: set[asyncio.Task[None]] = set()

    def introduce(self, identity: Identity) -> None:
        """Slack has told who we are."""
        users = self.me.users | {identity.user} - {""}
        self.me = Me(users, self.me.bots | {identity.bot} - {""}, names=users)

    async def take(self, body: Mapping[str, Any], here: Here, receive: Receive) -> None:
        """Handle one payload; on return it may be acknowledged.

        Raises:
            Transient: it is not on disk; it must come again.
        """
        if self._external and here.external:
            here = replace(here, external=False)
        read = normalise(body, here, self.me, self._clock.now())
        self._watch.heard(read.heard)
        meant = _bot_of(body)
        if meant and self.me.names:
            self._watch.misdirected = meant not in self.me.names
        self._note(read)
        inbound = await self._wanted(read)
        if inbound is not None:
            # Before it is stored: the answer may be there before the receipt is.
            self._remember_reply(read, inbound)
            await receive(inbound)
            self._remember(inbound)
        self._run_errands(read)

    async def close(self) -> None:
        """Give up what is still to be confirmed."""
        errands = tuple(self._errands)
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    # -- what is for us ----------------------------------------------------------------------

    async def _wanted(self, read: Read) -> Inbound | None:
        inbound, why = read.inbound, read.why
        if inbound is not None and read.follows and not inbound.addressed:
            inbound, why = await self._followed(inbound)
        elif inbound is not None and is_private(inbound.address):
            inbound = await self._placed(inbound, read)
        if inbound is None:
            self._observer.discarded(adapter=self._name, why=why)
        return inbound

    async def _followed(self, inbound: Inbound) -> tuple[Inbound | None, str]:
        """What names nobody is for us in threads where we take part."""
        if not await self._threads.includes_us(inbound.address):
            return None, "unaddressed"
        if inbound.kind in (Kind.MESSAGE, Kind.COMMAND):
            return replace(inbound, addressed=True), ""
        return inbound, ""

    async def _placed(self, inbound: Inbound, read: Read) -> Inbound:
        """Slack gives no slash commands in threads: where else could one have been meant?"""
        if inbound.kind is Kind.COMMAND and inbound.text == "/stop":
            last = await self._threads.last_of(inbound.sender, inbound.address)
            if last is not None:
                return replace(inbound, address=last, direct=read.chat is not None)
        if read.chat is not None and await self._threads.includes_us(read.chat):
            return replace(inbound, address=read.chat)
        return inbound

    # -- what is remembered ------------------------------------------------------------------

    def _note(self, read: Read) -> None:
        if read.left is not None:
            self._watch.outside.put(read.left, "removed")
        if read.revoked:
            self._watch.revoked = read.why

    def _remember_reply(self, read: Read, inbound: Inbound) -> None:
        if read.reply_url is not None and is_private(inbound.address):
            self.reply_urls.put(inbound.address, read.reply_url)

    def _remember(self, inbound: Inbound) -> None:
        if is_private(inbound.address):
            return
        self._watch.came_in(inbound.address.chat)
        if inbound.kind in (Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON) and inbound.addressed:
            self._threads.spoke(inbound.sender.id, inbound.address)

    # -- what is done beside -----------------------------------------------------------------

    def _run_errands(self, read: Read) -> None:
        if read.confirm is not None and read.inbound is not None:
            self._run(self._confirm(read.confirm, read.inbound))
        if read.function is not None:
            self._run(self._refuse(*read.function))

    async def _confirm(self, press: Confirm, inbound: Inbound) -> None:
        """Take the buttons away; if that fails, nothing is lost.

        Where others read along, only from under what answers the one who pressed: anybody else
        would take the choice from them.
        """
        try:
            if not (inbound.direct or await self._is_for(press, inbound)):
                return
            await self._client.take_buttons(press.channel, press.ts, press.text, press.blocks)
        except (Transient, Permanent, Ambiguous):
            return

    async def _is_for(self, press: Confirm, inbound: Inbound) -> bool:
        if press.asked is None:
            return False
        return await self._threads.said(inbound.sender, inbound.address, press.asked)

    async def _refuse(self, execution: str, token: str) -> None:
        """Tell a workflow that its step will not come; it would wait for days."""
        try:
            await self._client.refuse_function(execution, token, NO_FUNCTION)
        except (Transient, Permanent):
            return

    def _run(self, errand: Coroutine[None, None, None]) -> None:
        if len(self._errands) >= ERRANDS:
            errand.close()
            return
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _bot_of(body: Mapping[str, Any]) -> str:
    """The bot that an event is meant for; "" where Slack names none, or a whole organisation's."""
    named = body.get("authorizations")
    first = named[0] if isinstance(named, list) and named else None
    if not isinstance(first, Mapping) or not first.get("is_bot"):
        return ""
    user = first.get("user_id")
    return user if isinstance(user, str) and not first.get("is_enterprise_install") else ""
