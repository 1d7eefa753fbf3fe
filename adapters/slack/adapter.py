"""One Slack app in one installation, as the engine knows it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from adapters.slack.client import Client
from adapters.slack.dispatch import Dispatcher
from adapters.slack.draft import OPENING, EditedDraft, channel_of, standing
from adapters.slack.failures import Declined, WrongToken
from adapters.slack.limits import Pace, Rates
from adapters.slack.probe import Prober
from adapters.slack.reading import is_private
from adapters.slack.reception import Reception
from adapters.slack.render import Rendered, render
from adapters.slack.settings import Settings
from adapters.slack.sockets import Sockets
from adapters.slack.split import pieces
from adapters.slack.threads import Threads
from adapters.slack.watch import Watch
from adapters.slack.webhook import Webhook
from bot import (
    AdapterContext,
    Address,
    Ambiguous,
    ASGIApp,
    Backoff,
    Draft,
    Health,
    Outbound,
    Patience,
    Permanent,
    Receive,
    Sent,
    Transient,
    TurnId,
)

_WRONG_SETTINGS_WAIT = 60.0


class SlackAdapter:
    """Speaks as one bot; how it listens is decided by its two kinds below."""

    platform = "slack"
    patience = Patience.FEW_REFUSALS

    def __init__(self, settings: Settings, context: AdapterContext) -> None:
        rates = Rates(settings.channel_per_second, settings.updates_per_minute)
        self._settings = settings
        self._context = context
        self._watch = Watch()
        self._threads = Threads(context.tenant, context.transcript)
        self._client = Client(
            *(settings, context.http, context.clock, Pace(context.clock, rates)),
            must_be_sure=context.must_be_sure,
        )
        self._reception = Reception(
            context.name,
            client=self._client,
            threads=self._threads,
            watch=self._watch,
            external=settings.external,
            clock=context.clock,
            observer=context.observer,
        )
        self._beginning: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def account(self) -> str | None:
        """None: every event names its workspace."""
        return None

    # -- speaking ----------------------------------------------------------------------------

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        return pieces(outbound)

    async def send(self, piece: Outbound) -> Sent:
        address = piece.address
        rendered = render(piece.text, piece.choices, asked=piece.reply_to)
        try:
            if is_private(address):
                return await self._whisper(address, rendered, piece.key)
            sent = await self._client.post(address.chat, address.thread, rendered, piece.key)
        except WrongToken as error:
            self._watch.revoked = error.code
            raise
        except Declined as error:
            self._failed(address, error)
            raise
        self._watch.came_in(address.chat)
        self._threads.joined(address)
        return standing(*sent)

    async def _whisper(self, address: Address, rendered: Rendered, key: str) -> Sent:
        """Say it to one person: where the command was given, else in the channel, else alone."""
        assert address.thread is not None
        url = self._reception.reply_urls.get(address)
        if url is not None:
            try:
                await self._client.respond(url, rendered)
                return Sent()
            except Declined:
                self._reception.reply_urls.drop(address)  # used up, or older than half an hour
        try:
            return Sent(await self._client.whisper(address.chat, address.thread, rendered))
        except Declined as error:
            if not error.is_outside:
                raise
        return standing(*await self._client.post(address.thread, None, rendered, key))

    def _failed(self, address: Address, error: Declined) -> None:
        if error.is_outside and not is_private(address):
            self._watch.outside.put(address.chat, error.code)

    # -- looking for what was said -----------------------------------------------------------

    async def find(self, piece: Outbound, since: datetime) -> Sent | None:
        return await self._found(piece.address, piece.key, since)

    async def find_draft(self, address: Address, turn: TurnId, since: datetime) -> Sent | None:
        return await self._found(address, _draft_key(turn), since)

    async def _found(self, address: Address, key: str, since: datetime) -> Sent | None:
        if is_private(address):
            raise Permanent("what only one person has seen cannot be read again")
        ts = await self._client.find(address.chat, address.thread, key, since)
        return None if ts is None else standing(address.chat, ts)

    # -- growing -----------------------------------------------------------------------------

    def draft_is_message(self, address: Address) -> bool:
        return True

    def watched(self, address: Address) -> bool:
        return (
            self._settings.stream != "off"
            and not is_private(address)
            and not self._watch.revoked
            and address.chat not in self._watch.outside
        )

    async def draft(
        self,
        address: Address,
        *,
        turn: TurnId,
        reply_to: str | None,
        resume: Sent | None,
        opening: str = "",
    ) -> Draft:
        if resume is not None and resume.platform_id:
            return self._edited(channel_of(resume, address.chat), resume.platform_id)
        if is_private(address):
            raise Permanent("what only one person sees cannot be edited")
        if not self._client.pace.has_room():
            raise Permanent("the edits of this minute are used up")  # it is posted whole
        try:
            sent = await self._client.post(
                address.chat, address.thread, render(opening or OPENING), _draft_key(turn)
            )
        except Ambiguous as error:
            raise Permanent(str(error)) from None  # the answer itself will be sent all the same
        except Declined as error:
            self._failed(address, error)
            raise
        return self._edited(*sent)

    def _edited(self, channel: str, ts: str) -> Draft:
        return EditedDraft(channel, ts, client=self._client)

    # -- opening, closing, health ------------------------------------------------------------

    async def open(self) -> None:
        """Begin in the background: a platform that is down must not keep us from starting."""
        self._beginning = asyncio.create_task(self._introduce())

    async def close(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        await self._reception.close()

    async def _introduce(self) -> None:
        """Learn who we are; until then, Slack's own event for a mention names us."""
        backoff = Backoff()
        while True:
            try:
                self._reception.introduce(await self._client.me())
            except Transient as error:
                wait = backoff.next()
                if error.retry_after is not None:
                    wait = max(wait, error.retry_after.total_seconds())
            except Permanent as error:
                self._watch.revoked = error.code if isinstance(error, WrongToken) else ""
                wait = _WRONG_SETTINGS_WAIT
            else:
                return
            await self._context.clock.sleep(wait)

    async def probe(self) -> Health:
        prober = Prober(
            self.name,
            settings=self._settings,
            client=self._client,
            reception=self._reception,
            watch=self._watch,
            clock=self._context.clock,
            url=self._request_url(),
        )
        ok, said = await prober.look()
        detail = said.to(self._context.locale)
        return Health(self.name, ok=ok, detail=detail, checked_at=self._context.clock.now())

    def _request_url(self) -> str | None:
        public = self._context.public_url
        return None if public is None else f"{public.rstrip('/')}/in/{self.name}"

    def _dispatcher(self, receive: Receive) -> Dispatcher:
        return Dispatcher(
            self.name,
            reception=self._reception,
            receive=receive,
            web=self._client.web,
            observer=self._context.observer,
        )


def _draft_key(turn: TurnId) -> str:
    return f"draft/{turn}"


class SocketAdapter(SlackAdapter):
    """Keeps a socket open: needs no address that Slack can reach."""

    def __init__(self, settings: Settings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._sockets = Sockets(
            context.name,
            client=self._client,
            http=context.http,
            watch=self._watch,
            clock=context.clock,
            observer=context.observer,
            max_size=context.max_size,
            timeout=settings.timeout.total_seconds(),
        )

    async def listen(self, receive: Receive) -> None:
        await self._sockets.run(self._dispatcher(receive))


class HttpAdapter(SlackAdapter):
    """Is called by Slack, at `<public_url>/in/<name>`."""

    def __init__(self, settings: Settings, context: AdapterContext, secret: bytes) -> None:
        super().__init__(settings, context)
        self._webhook = Webhook(
            context.name,
            secret=secret,
            watch=self._watch,
            clock=context.clock,
            observer=context.observer,
            max_size=context.max_size,
        )

    def asgi(self, receive: Receive) -> ASGIApp:
        return self._webhook.app(self._dispatcher(receive))
