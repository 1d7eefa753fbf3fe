"""The calls that we make, over the library's `Bot`, with our errors and our pace."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
    WebhookInfo,
)
from telegram import User as Person

from adapters.telegram.calls import Calls
from adapters.telegram.failures import CallFailed, Declined, failure_of
from adapters.telegram.limits import Pace
from adapters.telegram.marks import Rendered
from adapters.telegram.request import SharedRequest
from adapters.telegram.settings import Settings
from adapters.telegram.updates import ALLOWED
from bot import Ambiguous, Audio, Doubtful, File, Image, Permanent, Transient

Buttons = Sequence[Sequence[tuple[str, str]]]
Media = Image | Audio | File

_POLL_MARGIN = 10.0


def silence_the_library() -> None:
    """Its loggers write message text (at DEBUG, and at CRITICAL for what it cannot read)."""
    library = logging.getLogger("telegram")
    library.setLevel(logging.CRITICAL + 1)
    library.propagate = False


class Polled(msgspec.Struct):
    """The answer to getUpdates, each update as it came."""

    result: list[msgspec.Raw] = []


class Client:
    """One bot's calls. Chats are numbers here; a group that has moved is followed.

    `must_be_sure` is asked right before each one that shows something: a process may be frozen
    behind any wait, and its turns have gone on elsewhere when it wakes up.
    """

    def __init__(
        self,
        settings: Settings,
        http: Callable[[], aiohttp.ClientSession],
        pace: Pace,
        must_be_sure: Callable[[], None],
    ) -> None:
        silence_the_library()
        self.pace = pace
        self._must_be_sure = must_be_sure
        self._settings = settings
        self._http = http
        self._token = settings.token.get_secret_value()
        self._request = SharedRequest(http, settings.timeout.total_seconds())
        self._bot = Bot(
            self._token,
            base_url=f"{settings.base_url}/bot",
            base_file_url=f"{settings.base_url}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        self._preview = LinkPreviewOptions(is_disabled=not settings.previews)
        self._calls = Calls(pace)
        self._polled = msgspec.json.Decoder(Polled)

    # -- speaking ----------------------------------------------------------------------------

    async def send_text(
        self,
        chat: int,
        thread: int | None,
        rendered: Rendered,
        *,
        reply_to: int | None = None,
        buttons: Buttons = (),
    ) -> int:
        """A new message; its id. Raises what `Adapter.send` raises."""

        async def send(chat: int, rendered: Rendered) -> Message:
            self._must_be_sure()
            return await self._bot.send_message(
                chat,
                rendered.text,
                message_thread_id=thread,
                link_preview_options=self._preview,
                reply_parameters=_reply(reply_to),
                reply_markup=_markup(buttons),
                api_kwargs=_entities(rendered),
            )

        return (await self._calls.say(chat, rendered, send)).message_id

    async def send_media(
        self,
        chat: int,
        thread: int | None,
        media: Media,
        caption: Rendered,
        *,
        reply_to: int | None = None,
        buttons: Buttons = (),
    ) -> int:
        """A picture, sound or file that Telegram knows by id or can fetch; its message's id."""
        method, name = _method_of(self._bot, media)

        async def send(chat: int, caption: Rendered) -> Message:
            self._must_be_sure()
            return await method(
                chat,
                **{name: media.ref},
                caption=caption.text or None,
                message_thread_id=thread,
                reply_parameters=_reply(reply_to),
                reply_markup=_markup(buttons),
                api_kwargs=_entities(caption, "caption_entities"),
            )

        return (await self._calls.say(chat, caption, send)).message_id

    async def edit_text(
        self, chat: int, message: int, rendered: Rendered, *, buttons: Buttons = ()
    ) -> None:
        """Another text in its place; that it says so already is as good.

        Raises:
            Transient: also where the answer was lost: an edit can be made again.
        """

        async def edit(chat: int, rendered: Rendered) -> object:
            self._must_be_sure()
            return await self._bot.edit_message_text(
                rendered.text,
                chat_id=chat,
                message_id=message,
                link_preview_options=self._preview,
                reply_markup=_markup(buttons),
                api_kwargs=_entities(rendered),
            )

        try:
            await self._calls.say(chat, rendered, edit)
        except Declined as error:
            if not error.is_unchanged:
                raise
        except (Ambiguous, Doubtful) as error:
            raise Transient(str(error)) from None

    async def show_draft(
        self, chat: int, thread: int | None, draft: int, rendered: Rendered
    ) -> None:
        """The growing text of a private chat; it fades by itself."""

        async def show(chat: int, rendered: Rendered) -> object:
            self._must_be_sure()
            return await self._bot.send_message_draft(
                chat,
                draft,
                rendered.text,
                message_thread_id=thread,
                api_kwargs=_entities(rendered),
            )

        try:
            await self._calls.say(chat, rendered, show)
        except (Ambiguous, Doubtful) as error:
            raise Transient(str(error)) from None

    async def delete(self, chat: int, message: int) -> None:
        """Take one of our messages off the screen."""
        await self._calls.follow(chat, lambda chat: self._bot.delete_message(chat, message))

    async def confirm_press(self, press: str) -> None:
        """Stop the button's spinner."""
        await self._calls.ask(self._bot.answer_callback_query(press))

    async def take_buttons(self, chat: int, message: int) -> None:
        """A choice is made once."""
        await self._calls.follow(
            chat, lambda chat: self._bot.edit_message_reply_markup(chat, message, reply_markup=None)
        )

    # -- asking ------------------------------------------------------------------------------

    async def me(self) -> Person:
        """Who we are."""
        return await self._calls.ask(self._bot.get_me())

    async def set_webhook(self, url: str, secret: str) -> None:
        """Let updates be posted there."""
        await self._calls.ask(
            self._bot.set_webhook(
                url,
                secret_token=secret,
                allowed_updates=ALLOWED,
                max_connections=self._settings.max_connections,
                drop_pending_updates=False,
            )
        )

    async def delete_webhook(self) -> None:
        """Let updates wait for us to ask; none of them is dropped."""
        await self._calls.ask(self._bot.delete_webhook(drop_pending_updates=False))

    async def webhook(self) -> WebhookInfo:
        """Where updates go, and what was wrong with the last one."""
        return await self._calls.ask(self._bot.get_webhook_info())

    async def poll(self, offset: int) -> Sequence[msgspec.Raw]:
        """Updates from `offset` on, each as it came: one that is malformed spoils no other.

        The library's own `get_updates` reads a batch as a whole or not at all.
        """
        seconds = int(self._settings.poll.total_seconds())
        wanted: dict[str, object] = {"timeout": seconds, "limit": 100, "allowed_updates": ALLOWED}
        if offset:
            wanted["offset"] = offset
        return await self._calls.ask(self._get_updates(msgspec.json.encode(wanted), seconds))

    async def _get_updates(self, wanted: bytes, seconds: int) -> Sequence[msgspec.Raw]:
        url = f"{self._settings.base_url}/bot{self._token}/getUpdates"
        status, body = await self._request.exchange("POST", url, wanted, seconds + _POLL_MARGIN)
        failure = failure_of(status, body)
        if failure is not None:
            raise CallFailed(failure)
        return self._polled.decode(body).result

    async def fetch(self, file: str) -> bytes:
        """A file's content, up to the size that the configuration allows."""
        limit = self._settings.max_file
        found = await self._calls.ask(self._bot.get_file(file))
        if (found.file_size or 0) > limit:
            raise Permanent(f"the file is larger than {limit} bytes")
        if not found.file_path:
            raise Permanent("Telegram names no place for this file")
        return await self._calls.ask(self._request.download(found.file_path, limit))


def _reply(message: int | None) -> ReplyParameters | None:
    if message is None:
        return None
    return ReplyParameters(message, allow_sending_without_reply=True)


def _markup(buttons: Buttons) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(label, callback_data=data) for label, data in row]
            for row in buttons
        ]
    )


def _entities(rendered: Rendered, name: str = "entities") -> dict[str, Any] | None:
    # The library would build an object for each; the wire takes ours as they are.
    return {name: rendered.entities} if rendered.entities else None


def _method_of(bot: Bot, media: Media) -> tuple[Callable[..., Awaitable[Message]], str]:
    if isinstance(media, Image):
        return bot.send_photo, "photo"
    if isinstance(media, Audio):
        return bot.send_audio, "audio"
    return bot.send_document, "document"
