"""How a bot hears: it asks for updates, or is called with them."""

import hashlib
import hmac

from telegram import WebhookInfo

from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.advice import (
    of_other_webhook,
    of_polling,
    of_waiting,
    of_webhook_in_the_way,
)
from adapters.telegram.polling import Polling
from adapters.telegram.settings import Settings
from adapters.telegram.webhook import Webhook
from bot import AdapterContext, ASGIApp, Receive, Said


class PollingAdapter(TelegramAdapter):
    """Asks for updates: needs no address that Telegram can reach."""

    def __init__(self, settings: Settings, context: AdapterContext) -> None:
        super().__init__(settings, context)
        self._polling = Polling(
            context.name,
            client=self._client,
            reception=self._reception,
            listeners=context.listeners,
            clock=context.clock,
            observer=context.observer,
        )

    async def listen(self, receive: Receive) -> None:
        await self._polling.run(receive, self._introduced)

    def _problem(self, webhook: WebhookInfo) -> Said | None:
        if webhook.url:
            return of_webhook_in_the_way()
        trouble = self._polling.trouble
        return of_polling(trouble) if trouble else None


class WebhookAdapter(TelegramAdapter):
    """Is called with updates, at `<public_url>/in/<name>`."""

    def __init__(self, settings: Settings, context: AdapterContext, url: str) -> None:
        super().__init__(settings, context)
        self._url = url
        self._made: bytes | None = None
        self._webhook = Webhook(
            context.name,
            reception=self._reception,
            secret=self._secret,
            observer=context.observer,
            max_size=context.max_size,
        )

    def asgi(self, receive: Receive) -> ASGIApp:
        return self._webhook.app(receive)

    async def _begin(self) -> None:
        await self._insist(self._register)
        self._context.observer.listening(adapter=self.name, alive=True)
        await self._introduced()

    async def _register(self) -> None:
        await self._client.set_webhook(self._url, (await self._secret()).decode())

    async def _secret(self) -> bytes:
        """The configured one, or one that every node makes alike from the server's own."""
        given = self._settings.webhook_secret
        if given is not None:
            return given.get_secret_value().encode()
        if self._made is None:
            what = f"telegram webhook {self.name} {self.account}".encode()
            made = hmac.new(await self._context.secret(), what, hashlib.sha256)
            self._made = made.hexdigest().encode()
        return self._made

    def _problem(self, webhook: WebhookInfo) -> Said | None:
        if webhook.url != self._url:
            return of_other_webhook(self._url)
        waiting, reason = webhook.pending_update_count, webhook.last_error_message
        return of_waiting(waiting, self._url, reason) if waiting and reason else None
