"""One WeChat official account, as the engine knows it."""

from collections.abc import Sequence

from adapters.wechat.api import Client
from adapters.wechat.failures import NotPermitted, QuotaUsed, Unfollowed, WindowClosed
from adapters.wechat.guard import Guard
from adapters.wechat.normalise import PLATFORM, Opens
from adapters.wechat.permission import Permission
from adapters.wechat.probe import Probe
from adapters.wechat.reception import Reception
from adapters.wechat.render import message
from adapters.wechat.settings import Settings
from adapters.wechat.split import pieces
from adapters.wechat.webhook import Webhook
from adapters.wechat.windows import Windows
from bot import (
    AdapterContext,
    Address,
    Ambiguous,
    ASGIApp,
    Audio,
    File,
    Health,
    Held,
    Image,
    Outbound,
    Part,
    Patience,
    Permanent,
    Receive,
    Role,
    Sent,
    Transient,
)

_LOOKED_AT = 10
"""Lines of a transcript in which the person's newest message is looked for."""


class WeChatAdapter:
    """Answers in the platform's own calls while they are open, and by messages where it may."""

    platform = PLATFORM
    # It calls three times within fifteen seconds, and never again.
    patience = Patience.NONE

    def __init__(self, settings: Settings, context: AdapterContext) -> None:
        clock, configured = context.clock, settings.customer_service
        self._settings = settings
        self._context = context
        self._client = Client(settings, context.http, clock, context.must_be_sure)
        self._windows = Windows(clock)
        self._permission = Permission(
            configured=None if configured == "auto" else configured, clock=clock
        )
        self._guard = Guard(clock)
        self._reception = Reception(
            context.name,
            settings,
            client=self._client,
            windows=self._windows,
            permission=self._permission,
            clock=clock,
            observer=context.observer,
        )
        self._webhook = Webhook(
            context.name,
            settings,
            guard=self._guard,
            reception=self._reception,
            clock=clock,
            observer=context.observer,
        )
        self._probe = Probe(
            context,
            settings,
            client=self._client,
            guard=self._guard,
            webhook=self._webhook,
            permission=self._permission,
        )

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def account(self) -> str:
        return self._settings.app_id

    def asgi(self, receive: Receive) -> ASGIApp:
        return self._webhook.app(receive)

    # -- speaking ----------------------------------------------------------------------------

    def pieces(self, outbound: Outbound) -> Sequence[Outbound]:
        """Where messages may be sent, as many as the settings allow; else the one of a call.

        What is left of the person's five is not asked: another node may know of a newer window, and
        what does not go now is held for their next message, where a text cut here would be gone.
        """
        most = 1 if self._permission.known is False else self._settings.max_pieces
        return pieces(outbound, most=most, language=self._settings.language)

    async def send(self, piece: Outbound) -> Sent:
        """A customer-service message.

        Raises:
            Held: also where the account may send none; the person's next message takes it along.
        """
        openid = piece.address.chat
        if self._permission.known is False:
            raise Held("the account may not send customer-service messages")
        if self._windows.left(openid) == 0 and not await self._wrote_since(piece.address):
            raise Held("nothing more may be sent until the person writes")
        if pause := self._windows.pause(openid):
            await self._context.clock.sleep(pause)
        self._windows.spend(openid)
        try:
            await self._client.send(openid, message(piece))
        except NotPermitted:
            self._windows.refund(openid)
            self._permission.found(allowed=False)
            raise
        except (WindowClosed, QuotaUsed, Unfollowed):
            self._windows.close(openid)
            raise
        except (Transient, Permanent):
            self._windows.refund(openid)
            raise
        except Ambiguous:
            raise  # it may have been shown, so its place is used
        self._permission.found(allowed=True)
        return Sent()

    async def _wrote_since(self, address: Address) -> bool:
        """Whether the person has written to another node since the window known here began."""
        opened_at = self._windows.opened_at(address.chat)
        page = await self._context.transcript.page(
            self._context.tenant, address, before=None, limit=_LOOKED_AT
        )
        wrote = [entry.message.sent_at for entry in page if entry.message.role is Role.USER]
        if not wrote or opened_at is None or wrote[-1] <= opened_at:
            return False
        self._windows.open(address.chat, Opens.MESSAGE, wrote[-1])
        return self._windows.left(address.chat) != 0

    # -- fetching, opening, closing ----------------------------------------------------------

    async def fetch(self, part: Part) -> bytes:
        """Raises: Transient, or Permanent when it is gone, too large or no file at all."""
        if not isinstance(part, Image | Audio | File) or not part.ref:
            raise Permanent("there is nothing to fetch for this part")
        try:
            return await self._client.fetch(part.ref)
        except Ambiguous as error:
            raise Transient(str(error)) from None

    async def open(self) -> None:
        """There is nothing to connect: the platform calls."""

    async def close(self) -> None:
        await self._reception.close()

    # -- health ------------------------------------------------------------------------------

    async def probe(self) -> Health:
        return await self._probe.run()
