"""A stand-in for the Telegram Bot API, with the people in its chats."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web

from tests.peers.faults import Fault, Faults, holds
from tests.peers.log import Json, Log
from tests.peers.server import Exchange, Peer, Reply
from tests.peers.telegram_delivery import Courier, Poll, Redelivery, Waiting, Webhook
from tests.peers.telegram_faults import FAULTS
from tests.peers.telegram_methods import Methods
from tests.peers.telegram_rules import Flood, Refusal, check_webhook
from tests.peers.telegram_state import Chat, Chats, Draft, Shown, Version
from tests.peers.telegram_updates import Updates
from tests.peers.telegram_wire import loggable, read_params

TOKEN = "123456789:TEST-token-of-the-peer"
WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete "
    "the webhook first"
)
_IDS = {
    "chat": "chat_id",
    "message": "message_id",
    "draft": "draft_id",
    "thread": "message_thread_id",
}


class TelegramPeer(Peer):
    """The Bot API for one bot. `base_url` and `base_file_url` go into the client as they are.

    `strict=False` lets the bot write to chats that nobody introduced, for drivers that build
    updates elsewhere.
    """

    name = "telegram"

    def __init__(
        self,
        *,
        token: str = TOKEN,
        username: str = "parley_test_bot",
        flood: Flood | None = None,
        strict: bool = True,
        redelivery: Redelivery | None = None,
        log: Log | None = None,
        port: int = 0,
        keep: int | None = None,
    ) -> None:
        super().__init__(log=log, port=port, keep=keep)
        self.token = token
        self.faults: Faults[Fault] = Faults()
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Parley",
            "username": username,
        }
        self.chats = Chats(strict=strict)
        self.waiting = Waiting()
        self.poll = Poll()
        self.courier = Courier(self.log, self.waiting, redelivery or Redelivery())
        about = {"can_join_groups": True, "can_read_all_group_messages": False}
        self.methods = Methods({**self.bot, **about}, self.bot, self.chats, self.log, flood)
        self.updates = Updates(self.bot, lambda chat: self.chats.note(chat).next_id())
        self._table: dict[str, Callable[[Json], object]] = {
            **self.methods.table,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
        }

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls `base_url`."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """What python-telegram-bot calls `base_file_url`."""
        return f"{self.url}/file/bot"

    async def stop(self) -> None:
        """Deliver nothing more, answer nobody."""
        self.gone.set()
        self.poll.refuse("the peer stops")
        await self.courier.close()
        await super().stop()

    # -- what the people do ------------------------------------------------------------------

    def push(self, *updates: Json) -> None:
        """Something happened: it waits for the poller or is carried to the webhook."""
        for update in updates:
            self.note(update)
            if not self.waiting.admits(update):
                continue
            self.log.write("pushed", update_id=update["update_id"], update=update)
            self.waiting.add(update)
            if self.courier.webhook.url:
                self.courier.carry(update)
        self.poll.wake()

    def repeat(self, update: Json) -> None:
        """Hand an update to the poller once more, although it was confirmed."""
        self.waiting.again.append(update)
        self.poll.wake()

    async def deliver(self, update: Json, webhook: Webhook | None = None) -> int:
        """Post it, again until it is taken; the last HTTP status."""
        self.note(update)
        return await self.courier.insist(update, webhook or self.courier.webhook)

    async def post(self, update: Json, webhook: Webhook | None = None) -> int:
        """Post it exactly once; the HTTP status, 0 when the connection failed."""
        self.note(update)
        return await self.courier.post(update, webhook or self.courier.webhook)

    async def twins(
        self, update: Json, copies: int = 5, webhook: Webhook | None = None
    ) -> list[int]:
        """The same delivery over connections opened first, bodies released together."""
        self.note(update)
        return await self.courier.twins(update, webhook or self.courier.webhook, copies)

    def note(self, update: Json) -> None:
        """Let the people see in their chats what the update says."""
        content: Any = next((value for key, value in update.items() if key != "update_id"), None)
        if not isinstance(content, dict):
            return
        if "callback_query" in update:
            self.methods.queries.add(content["id"])
        if "chat" not in content:
            return
        chat = self.chats.note(content["chat"])
        if "my_chat_member" in update:
            chat.blocked = content["new_chat_member"]["status"] in ("kicked", "left")
        elif "message_id" in content:
            self._note_message(chat, content)

    def migrate(self, old: Json, new: Json) -> None:
        """From now on the old group's id is refused and names the new one."""
        self.chats.note(new)
        self.chats.note(old).moved_to = int(new["id"])

    # -- what the people see -----------------------------------------------------------------

    def texts(self, chat: Json | int) -> list[str]:
        """What the bot's messages say now, oldest first."""
        return [shown.text for shown in self.messages(chat)]

    def messages(self, chat: Json | int) -> list[Shown]:
        """The bot's messages that are still on the screen, oldest first."""
        known = self.chats.get(chat if isinstance(chat, int) else int(chat["id"]))
        return [] if known is None else known.ours()

    def drafts(self, chat: Json | int) -> list[Draft]:
        """Every draft that was ever shown there, ended ones included."""
        known = self.chats.get(chat if isinstance(chat, int) else int(chat["id"]))
        if known is None:
            return []
        known.fade(self.log.now())
        return known.drafts

    def as_json(self, shown: Shown) -> Json:
        """A message as the API shows it, for replies and button presses."""
        known = self.chats.get(shown.chat)
        assert known is not None
        return self.methods.as_json(known, shown)

    def calls(self, method: str) -> list[Exchange]:
        """Every call of a method, oldest first."""
        wanted = method.lower()
        return [exchange for exchange in self.exchanges if exchange.method.lower() == wanted]

    # -- the wire ----------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One call of a method, or the download of a file."""
        if request.path.startswith("/file/bot"):
            return self._download(request.path)
        token, _, method = request.path.removeprefix("/bot").partition("/")
        if not request.path.startswith("/bot") or not method:
            return self._refused(self.begin(request.path, {}), Refusal(404, "Not Found"))
        try:
            params = await read_params(request)
        except Refusal as refusal:
            return self._refused(self.begin(method, {}), refusal)
        exchange = self.begin(method, loggable(params), **_ids(params))
        fault = self.faults.take(method, params)
        if fault is not None:
            truth = partial(self._reply, token, method, params)
            return await self.go_wrong(request, exchange, fault, truth)
        if method.lower() == "getupdates" and token == self.token:
            return await self._get_updates(request, exchange, params)
        return self.send(exchange, self._reply(token, method, params))

    async def control(self, path: str, body: Json) -> object:
        """For a driver in another process: faults, webhook, updates, what is on the screens."""
        match path:
            case "faults":
                fault = FAULTS[body["name"]](**body.get("args", {}))
                when = holds(body["match"]) if "match" in body else None
                times = body.get("times", 1)
                self.faults.plan(fault, method=body.get("method"), when=when, times=times)
            case "waiting":
                return self.faults.waiting
            case "clear":
                self.faults.clear()
            case "push":
                self.push(*body["updates"])
            case "texts":
                return self.texts(int(body["chat"]))
            case "block":
                self.chats.note(body["chat"]).blocked = body.get("blocked", True)
            case "migrate":
                self.migrate(body["old"], body["new"])
            case _:
                return await super().control(path, body)
        return True

    def _reply(self, token: str, method: str, params: Json) -> Reply:
        try:
            return Reply(200, {"ok": True, "result": self._result(token, method, params)})
        except Refusal as refusal:
            return Reply(refusal.code, refusal.as_json())

    def _result(self, token: str, method: str, params: Json) -> object:
        if token != self.token:
            # A token that has not even the form of one is a wrong path to the real service.
            raise Refusal(401, "Unauthorized") if ":" in token else Refusal(404, "Not Found")
        if method.lower() == "getupdates":
            return self._take(params)
        known = self._table.get(method.lower())
        if known is None:
            raise Refusal(404, "Not Found")
        return known(params)

    async def _get_updates(
        self, request: web.BaseRequest, exchange: Exchange, params: Json
    ) -> web.StreamResponse:
        if self.courier.webhook.url:
            return self._refused(exchange, Refusal(409, WEBHOOK_IS_SET))
        self._confirm(params)
        seconds = min(max(float(params.get("timeout", 0)), 0.0), 50.0)
        try:
            batch = await self.poll.run(lambda: self._take(params), seconds)
        except Refusal as refusal:
            if self.gone.is_set():
                return self.hang_up(request, exchange)
            return self._refused(exchange, refusal)
        except asyncio.CancelledError:
            self.end(exchange, 0, closed_by="caller")
            raise
        return self.send(exchange, Reply(200, {"ok": True, "result": batch}))

    def _confirm(self, params: Json) -> None:
        if params.get("allowed_updates") is not None:
            self.waiting.allowed = list(params["allowed_updates"])
        confirmed = self.waiting.confirm(int(params.get("offset", 0)))
        if confirmed:
            self.log.write("acknowledged", update_ids=confirmed)

    def _take(self, params: Json) -> list[Json]:
        limit = min(max(int(params.get("limit", 100)), 1), 100)
        return self.waiting.take(max(int(params.get("offset", 0)), 0), limit)

    def _set_webhook(self, params: Json) -> bool:
        url = check_webhook(params)
        self.poll.refuse("terminated by setWebhook request")
        if params.get("drop_pending_updates"):
            self.waiting.updates.clear()
        if params.get("allowed_updates") is not None:
            self.waiting.allowed = list(params["allowed_updates"])
        secret = params.get("secret_token")
        self.courier.aim(Webhook(url, secret, int(params.get("max_connections", 40))))
        return True

    def _delete_webhook(self, params: Json) -> bool:
        if params.get("drop_pending_updates"):
            self.waiting.updates.clear()
        self.courier.aim(Webhook())
        return True

    def _get_webhook_info(self, params: Json) -> Json:
        del params
        webhook = self.courier.webhook
        info: Json = {
            "url": webhook.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.waiting.updates),
            "max_connections": webhook.max_connections,
        }
        if self.waiting.allowed:
            info["allowed_updates"] = self.waiting.allowed
        if self.courier.last_error is not None:
            info["last_error_message"] = self.courier.last_error
        return info

    def _download(self, path: str) -> web.StreamResponse:
        token, _, place = path.removeprefix("/file/bot").partition("/")
        exchange = self.begin("download", {"path": place})
        content = self.methods.files.get(place.removeprefix("files/"))
        if token != self.token or content is None:
            return self._refused(exchange, Refusal(404, "Not Found"))
        self.end(exchange, 200, size=len(content))
        return web.Response(body=content, content_type="application/octet-stream")

    def _refused(self, exchange: Exchange, refusal: Refusal) -> web.Response:
        return self.send(exchange, Reply(refusal.code, refusal.as_json()))

    def _note_message(self, chat: Chat, message: Json) -> None:
        thread = message.get("message_thread_id")
        if thread is not None and chat.topics is not None:
            chat.topics.add(thread)
        chat.last_id = max(chat.last_id, message["message_id"])
        if "migrate_to_chat_id" in message:
            chat.moved_to = message["migrate_to_chat_id"]
        version = Version(message.get("text") or message.get("caption") or "", self.log.now())
        chat.messages[message["message_id"]] = Shown(
            message["message_id"],
            chat.id,
            [version],
            message.get("from", {}),
            message.get("date", 0),
            ours=False,
            thread=thread,
        )


def _ids(params: Json) -> Json:
    """The ids that a checker of the log looks for, under one name each."""
    return {name: params[key] for name, key in _IDS.items() if key in params}
