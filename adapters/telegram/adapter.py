"""One Telegram bot, as the engine knows it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from telegram import WebhookInfo

from adapters.telegram.advice import (
    of_call,
    of_token,
)
from adapters.telegram.client import Client
from adapters.telegram.draft import OPENING, EditedDraft, FadingDraft, Renewals
from adapters.telegram.failures import WrongToken
from adapters.telegram.limits import Pace, Rates
from adapters.telegram.mentions import Me
from adapters.telegram.reception import Reception
from adapters.telegram.render import keyboard, render
from adapters.telegram.settings import Settings
from adapters.telegram.split import pieces
from bot import (
    AdapterContext,
    Address,
    Ambiguous,
    Audio,
    Backoff,
    Doubtful,
    Draft,
    File,
    Health,
    Image,
    Outbound,
    Part,
    Permanent,
    Said,
    Sent,
    Transient,
    TurnId,
)

T = TypeVar("T")
_WRONG_SETTINGS_WAIT = 60.0


class TelegramAdapter:
    """Speaks as one bot; how it listens is decided by its two kinds in `listening`."""

    platform = "telegram"

    def __init__(self, settings: Settings, context: AdapterContext) -> None:
        rates = Rates(settings.per_second, settings.chat_per_second, settings.group_per_minute)
        self._settings = settings
        self._context = context
        pace = Pace(context.clock, rates)
        self._client = Client(settings, context.http, pace, context.must_be_sure)
        me = Me(int(settings.account))
        self._reception = Reception(
            context.name,
            me,
            client=self._client,
            tenant=context.tenant,
            transcript=context.transcript,
            observer=context.observer,
        )
        self._renewals = Renewals(context.clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._known = asyncio.Event()
        self._fading = settings.stream == "draft"

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def account(self) -> str:
        return self._settings.account

    # -- speaking ----------------------------------------------------------------------------

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        return pieces(outbound)

    async def send(self, piece: Outbound) -> Sent:
        chat, thread = _place(piece.address)
        reply_to = _number(piece.reply_to) if chat < 0 else None
        buttons = keyboard(piece.choices)
        rendered = render(piece.text)
        await self._client.pace.final(chat)
        for part in piece.attachments:
            if isinstance(part, Image | Audio | File):
                message = await self._client.send_media(
                    chat, thread, part, rendered, reply_to=reply_to, buttons=buttons
                )
                return Sent(str(message))
        message = await self._client.send_text(
            chat, thread, rendered, reply_to=reply_to, buttons=buttons
        )
        return Sent(str(message))

    # -- growing -----------------------------------------------------------------------------

    def draft_is_message(self, address: Address) -> bool:
        return not (self._fading and _is_private(address))

    def watched(self, address: Address) -> bool:
        return self._settings.stream != "off" and self._reception.can_reach(address.chat)

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        chat, thread = _place(address)
        known = _number(resume.platform_id) if resume is not None else None
        if known is not None:
            return self._edited(chat, known)
        if not self.draft_is_message(address):
            return self._faded(chat, thread, turn)
        await self._client.pace.final(chat)
        try:
            message = await self._client.send_text(
                chat,
                thread,
                render(opening or OPENING),
                reply_to=_number(reply_to) if chat < 0 else None,
            )
        except (Ambiguous, Doubtful) as error:
            # It may stand there: opened again it would be there twice, and one stays half.
            raise Permanent(str(error)) from None  # the answer itself will be sent all the same
        return self._edited(chat, message)

    def _edited(self, chat: int, message: int) -> Draft:
        return EditedDraft(chat, message, client=self._client)

    def _faded(self, chat: int, thread: int | None, turn: TurnId) -> Draft:
        draft = FadingDraft(
            (chat, thread),
            turn,
            client=self._client,
            send=self.send,
            clock=self._context.clock,
            unsupported=self._without_fading,
        )
        self._renewals.keep(draft)
        return draft

    def _without_fading(self) -> None:
        """An older server knows no drafts: from the next answer on they are edited messages."""
        self._fading = False

    # -- fetching, opening, closing ----------------------------------------------------------

    async def fetch(self, part: Part) -> bytes:
        """Raises: Transient, or Permanent when it is gone, too large or no file at all."""
        if not isinstance(part, Image | Audio | File):
            raise Permanent("there is nothing to fetch for this part")
        return await self._client.fetch(part.ref)

    async def open(self) -> None:
        """Begin in the background: a platform that is down must not keep us from starting."""
        self._tasks = [
            asyncio.create_task(self._renewals.run()),
            asyncio.create_task(self._begin()),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._reception.close()

    async def _begin(self) -> None:
        await self._introduced()

    async def _introduced(self) -> None:
        """Return once our own user name is known, however long the platform is away."""
        if self._known.is_set():
            return
        name = (await self._insist(self._client.me)).username
        self._reception.me = Me(int(self.account), name)
        self._known.set()

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        backoff = Backoff()
        while True:
            try:
                return await call()
            except Transient as error:
                wait = backoff.next()
                if error.retry_after is not None:
                    wait = max(wait, error.retry_after.total_seconds())
            except Permanent:
                wait = _WRONG_SETTINGS_WAIT
            self._context.observer.listening(adapter=self.name, alive=False)
            await self._context.clock.sleep(wait)

    # -- health ------------------------------------------------------------------------------

    async def probe(self) -> Health:
        try:
            me = await self._client.me()
            problem = self._problem(await self._client.webhook())
        except WrongToken:
            return self._health(of_token(self.name), ok=False)
        except (Transient, Permanent) as error:
            return self._health(of_call(error, self.name), ok=False)
        if problem is not None:
            return self._health(problem, ok=False)
        mode = self._settings.mode
        return self._health(
            Said(f"@{me.username} by {mode}", f"@{me.username}，方式 {mode}"), ok=True
        )

    def _health(self, said: Said, *, ok: bool) -> Health:
        detail = said.to(self._context.locale)
        return Health(self.name, ok=ok, detail=detail, checked_at=self._context.clock.now())

    def _problem(self, webhook: WebhookInfo) -> Said | None:
        """What is wrong with how updates come, and what to do; None when nothing is."""
        return None


def _place(address: Address) -> tuple[int, int | None]:
    chat = _number(address.chat)
    if chat is None:
        raise Permanent("this is no Telegram chat")
    return chat, None if address.thread is None else _number(address.thread)


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _is_private(address: Address) -> bool:
    # Groups and channels have negative ids.
    return not address.chat.startswith("-")
