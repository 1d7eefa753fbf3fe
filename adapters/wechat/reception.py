"""What happens to a callback: stored, greeted, answered in its own call, or let go."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta

from adapters.wechat.api import Client
from adapters.wechat.failures import NotPermitted
from adapters.wechat.guard import Delivery
from adapters.wechat.normalise import Opens, Read
from adapters.wechat.passive import HUNG_UP, Call, Collected, Passive
from adapters.wechat.permission import Permission
from adapters.wechat.render import reply, text_reply
from adapters.wechat.settings import Settings
from adapters.wechat.windows import Windows
from bot import (
    Ambiguous,
    Clock,
    Held,
    Inbound,
    Kind,
    Observer,
    Permanent,
    Receipt,
    Receive,
    Transient,
)

GREETING = {"zh": "您好！有什么可以帮您？", "en": "Hello! What can I do for you?"}
TYPING_AFTER = 1.0
"""Seconds without an answer after which the person sees that one is being written."""
_ERRANDS = 200
_SPOKEN = frozenset({Kind.MESSAGE, Kind.COMMAND, Kind.BUTTON})


async def _nothing(written: bool) -> None:  # noqa: FBT001  # the one thing it is told
    """There is nothing to report."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the platform: a reply's XML, an acknowledgement, or no answer at all.

    `report` is told whether it was written while somebody listened. What it carries must not be
    written after `until`, by the clock's monotonic time; None: it carries nothing.
    """

    xml: str = ""
    silent: bool = False
    until: float | None = None
    report: Callable[[bool], Awaitable[None]] = _nothing


class Reception:
    """Turns callbacks into accepted messages, and pieces of answers into replies."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        client: Client,
        windows: Windows,
        permission: Permission,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._name = name
        self._settings = settings
        self._client = client
        self._windows = windows
        self._permission = permission
        self._clock = clock
        self._observer = observer
        self._passive = Passive(clock, settings.language)
        self._errands: set[asyncio.Task[None]] = set()

    async def take(
        self,
        read: Read,
        receive: Receive,
        delivery: Delivery,
        begun: float,
        hung_up: asyncio.Event,
    ) -> Answer:
        """Handle one delivery; on return its message, if it has one, is on disk.

        Raises:
            Transient: it is not; it must come again.
        """
        inbound = read.inbound
        if inbound is None:
            self._observer.discarded(adapter=self._name, why=read.why)
            if read.left:
                self._windows.close(read.openid)
            return Answer()
        until = begun + self._settings.reply_within.total_seconds()
        spoken = inbound.kind in _SPOKEN
        receipt = await self._accept(receive, inbound, until, opens=spoken)
        self._open(read, inbound, new=receipt.new)
        if not spoken:
            return self._greeting(read)
        typing = self._run(self._show_typing(read.openid)) if receipt.new else None
        call = Call(delivery, until, hung_up)
        collected = await self._passive.collect(receipt, call, self._may_send_later)
        if typing is not None and collected.piece is not None:
            typing.cancel()
        return self._reply(read, receipt, collected, until + HUNG_UP)

    def _open(self, read: Read, inbound: Inbound, *, new: bool) -> None:
        """Note what the person's deed allows.

        A message that was here before may be news to this process: another node had the first
        delivery of it, or the word that it was stored was lost.
        """
        if read.opens is Opens.MESSAGE:
            at, known = inbound.message.sent_at, self._windows.opened_at(read.openid)
            if new or known is None or known < at:
                self._windows.open(read.openid, read.opens, at)
        elif read.opens is not None and new:
            self._windows.open(read.openid, read.opens)

    async def close(self) -> None:
        """Give up what is only decoration."""
        errands = tuple(self._errands)
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    async def _accept(
        self, receive: Receive, inbound: Inbound, until: float, *, opens: bool
    ) -> Receipt:
        """Store it, trying while the call is open: a 503 would show the person an error."""
        while True:
            rest = until - self._clock.monotonic()
            try:
                return await receive(inbound, timedelta(seconds=max(rest, 0.0)) if opens else None)
            except Transient as error:
                after = error.retry_after
                wait = 0.2 if after is None else after.total_seconds()
                if wait >= rest:
                    raise
            await self._clock.sleep(wait)

    def _may_send_later(self) -> bool:
        return self._permission.known is True

    def _greeting(self, read: Read) -> Answer:
        if not read.greets:
            return Answer()
        own = self._settings.greeting
        text = GREETING[self._settings.language] if own is None else own
        if not text.strip():
            return Answer()
        xml = text_reply(text, account=read.account, openid=read.openid, at=self._now())
        return Answer(xml)

    def _reply(self, read: Read, receipt: Receipt, collected: Collected, until: float) -> Answer:
        async def report(written: bool) -> None:  # noqa: FBT001  # the one thing it is told
            await self._passive.report(receipt, collected, written=written)

        if collected.silent:
            return Answer(silent=True, report=report)
        self._windows.replied(read.openid)
        frame = {"account": read.account, "openid": read.openid}
        if collected.piece is not None:
            at = self._now()
            xml = reply(collected.piece, collected.text, **frame, at=at)
            return Answer(xml, until=until, report=report)
        if collected.text:
            return Answer(text_reply(collected.text, **frame, at=self._now()), report=report)
        return Answer(report=report)

    async def _show_typing(self, openid: str) -> None:
        """Decoration, but for one thing: whether it is permitted tells what else is."""
        known = self._permission.known
        if known is False:
            return
        if known:
            await self._clock.sleep(TYPING_AFTER)
        try:
            await self._client.typing(openid)
        except NotPermitted:
            self._permission.found(allowed=False)
        except (Transient, Permanent, Ambiguous, Held):
            return
        else:
            self._permission.found(allowed=True)

    def _run(self, errand: Coroutine[None, None, None]) -> "asyncio.Task[None] | None":
        if len(self._errands) >= _ERRANDS:
            errand.close()
            return None
        task = asyncio.create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
