"""A stand-in for Slack: one workspace with its people, the Web API, and both ways of delivery."""

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from tests.peers.faults import Fault, Faults
from tests.peers.log import Json, Log
from tests.peers.server import Exchange, Peer, Reply
from tests.peers.slack_control import ORDERS, obey
from tests.peers.slack_delivery import Answer, Courier, Redelivery
from tests.peers.slack_events import ANN, BO, DIRECT, GENERAL, OTHERS, PRIVATE, RANDOM, Events
from tests.peers.slack_methods import Methods
from tests.peers.slack_rules import SCOPES, Refusal, Tiers
from tests.peers.slack_sockets import Sockets
from tests.peers.slack_state import Channel, Channels, Shown, Version, Whisper

BOT_TOKEN = "xoxb-1-test-token-of-the-peer"
APP_TOKEN = "xapp-1-A0PARLEY-test-token-of-the-peer"
SIGNING_SECRET = "signing-secret-of-the-peer"
BOT = "U0PARLEY"
TEAM = "T0TEAM"
GRANTED = (
    "app_mentions:read channels:history channels:read chat:write commands groups:history "
    "groups:read im:history mpim:history"
)
RESPONSES = 5


class SlackPeer(Peer):
    """One workspace. `api_url` goes into a client as it is.

    Payloads go to the sockets that are open, or to `courier.url` once that is set. `echo` sends
    the bot its own messages back, as Slack does. `now` is the time that ids and signatures tell.
    `strict=False` knows every chat that somebody names, for drivers that build events elsewhere.
    """

    name = "slack"

    def __init__(
        self,
        *,
        bot_token: str = BOT_TOKEN,
        app_token: str = APP_TOKEN,
        signing_secret: str = SIGNING_SECRET,
        scopes: str = GRANTED,
        app_scopes: str = "connections:write",
        socket_mode: bool = True,
        tiers: Tiers | None = None,
        redelivery: Redelivery | None = None,
        echo: bool = True,
        strict: bool = True,
        now: Callable[[], float] = time.time,
        log: Log | None = None,
        port: int = 0,
        keep: int | None = None,
    ) -> None:
        super().__init__(log=log, port=port, keep=keep)
        self.bot_token = bot_token
        self.app_token = app_token
        self.signing_secret = signing_secret
        self.socket_mode = socket_mode
        self.revoked = ""
        """The error that every call with the bot's token gets, once the app is gone."""
        self.faults: Faults[Fault] = Faults()
        self.bot: Json = {
            "user_id": BOT,
            "bot_id": "B0PARLEY",
            "app_id": "A0PARLEY",
            "team_id": TEAM,
            "team": "Example",
            "user": "parley",
            "url": "https://example.slack.com/",
        }
        self.scopes = set(scopes.split())
        self.app_scopes = set(app_scopes.split())
        self.channels = Channels(now, strict=strict)
        redelivery = redelivery or Redelivery()
        self.courier = Courier(self.log, signing_secret, now, redelivery)
        self.sockets = Sockets(self.log, self.bot["app_id"], redelivery)
        self.sockets.on_change = self.tell
        self.methods = Methods(self.bot, self.channels, self.log, scopes=self.scopes, tiers=tiers)
        self.methods.told = self._echo if echo else self.methods.told
        self.events = Events(self.bot, self.channels.ts, self.channels.get)
        self._now = now
        self._responses: dict[str, tuple[str, str, int]] = {}
        self._numbers = count(1)
        for channel in _people():
            self.channels.add(channel)

    @property
    def api_url(self) -> str:
        """What slack_sdk calls `base_url`."""
        return f"{self.url}/api/"

    async def stop(self) -> None:
        """Deliver nothing more, answer nobody."""
        self.gone.set()
        await self.courier.close()
        await self.sockets.close()
        await super().stop()

    # -- what the people do ------------------------------------------------------------------

    def say(
        self, text: str, *, channel: str = DIRECT, user: str = ANN, thread: str | None = None
    ) -> Json:
        """Somebody writes; what Slack tells the app about it is on its way. The first event."""
        said = self.events.message(text, channel=channel, user=user, thread=thread)
        self.note(said)
        found = self.channels.get(channel)
        if f"<@{BOT}>" in text and channel[0] != "D":
            twin = {k: v for k, v in said["event"].items() if k != "channel_type"}
            self.push(self.events.envelope({**twin, "type": "app_mention"}))
        if found is None or found.joined:
            self.push(said)
        return said

    def ask(self, text: str, **where: Any) -> Json:
        """Somebody names the bot in a channel."""
        return self.say(self.events.named(text), **{"channel": GENERAL, **where})

    def edit(self, said: Json, text: str) -> Json:
        """Somebody changes what they have said."""
        event = self.events.edited(said, text)
        self.push(event)
        return event

    def take_back(self, said: Json) -> Json:
        """Somebody deletes what they have said."""
        event = self.events.deleted(said)
        self.push(event)
        return event

    def command(self, text: str, **where: Any) -> Json:
        """Somebody types `/parley …`; the answer's address is a fresh one."""
        body = self.command_body(text, **where)
        self.push(body)
        return body

    def command_body(self, text: str, **where: Any) -> Json:
        """The form of a slash command, with a response URL that works."""
        body = self.events.command(text, **where)
        number = str(next(self._numbers))
        self._responses[number] = (body["channel_id"], body["user_id"], RESPONSES)
        return {**body, "response_url": f"{self.url}/response/{number}"}

    def press(self, shown: Shown, number: int = 0, *, user: str = ANN) -> Json:
        """Somebody presses a button."""
        body = self.events.press(shown, list(shown.versions[-1].blocks), number, user=user)
        self.push(body)
        return body

    def push(self, *bodies: Json) -> None:
        """Deliver in the background, by the way that the app has chosen."""
        for body in bodies:
            self.note(body)
            if self.courier.url:
                self.courier.carry(body)
            else:
                self.sockets.push(body)

    async def post(self, body: Json, **headers: str) -> Answer:
        """Post it exactly once."""
        self.note(body)
        return await self.courier.post(body, headers)

    async def deliver(self, body: Json) -> Answer:
        """Post it, again until it is taken or given up."""
        self.note(body)
        return await self.courier.insist(body)

    def note(self, body: Json) -> None:
        """Let the people see in their channels what an event says."""
        event = body.get("event") or {}
        channel = self.channels.get(str(event.get("channel", "")))
        if channel is None or event.get("type") not in ("message", "app_mention"):
            return
        if event.get("subtype") is None and "ts" in event:
            channel.messages.setdefault(event["ts"], self._shown(event, channel))

    # -- what the people see -----------------------------------------------------------------

    def messages(self, channel: str, thread: str | None = None) -> list[Shown]:
        """The bot's messages that are still on the screen, oldest first."""
        known = self.channels.get(channel)
        return [] if known is None else known.ours(thread)

    def texts(self, channel: str, thread: str | None = None) -> list[str]:
        """What they say now."""
        return [shown.text for shown in self.messages(channel, thread)]

    @property
    def whispers(self) -> list[Whisper]:
        """What single persons saw."""
        return self.methods.whispers

    def calls(self, method: str) -> list[Exchange]:
        """Every call of a method, oldest first."""
        return [exchange for exchange in self.exchanges if exchange.method == method]

    # -- the wire ----------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One call of a method, one socket, or an answer to a slash command."""
        if request.path == "/link":
            return await self.sockets.serve(request)
        if request.path.startswith("/response/"):
            return await self._response(request)
        method = request.path.removeprefix("/api/")
        if not request.path.startswith("/api/") or request.method not in ("POST", "GET"):
            return self._refuse(self.begin(request.path, {}), Refusal("unknown_method"))
        params = await _params(request)
        exchange = self.begin(method, params, channel=params.get("channel"))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        truth = partial(self._reply, method, token, params)
        fault = self.faults.take(method, params)
        if fault is not None:
            return await self.go_wrong(request, exchange, fault, truth)
        return self.send(exchange, truth())

    def send(self, exchange: Exchange, reply: Reply) -> web.Response:
        """An answer that tells the service's own time."""
        answer = super().send(exchange, reply)
        answer.headers["Date"] = formatdate(self._now(), usegmt=True)
        return answer

    async def control(self, path: str, body: Json) -> object:
        """For a driver in another process: faults, what is said, what is on the screens."""
        if path in ORDERS:
            return await obey(self, path, body)
        return await super().control(path, body)

    def _reply(self, method: str, token: str, params: Json) -> Reply:
        try:
            result = self._result(method, token, params)
        except Refusal as refusal:
            return Reply(refusal.status, refusal.as_json(), headers=refusal.headers)
        scopes = (("x-oauth-scopes", ",".join(sorted(self.scopes))),)
        return Reply(200, {"ok": True, **result}, headers=scopes)

    def _result(self, method: str, token: str, params: Json) -> Json:
        if method == "apps.connections.open":
            return self._open_socket(token)
        known = self.methods.table.get(method)
        if known is None:
            raise Refusal("unknown_method", req_method=method)
        if method == "functions.completeError" and token.startswith("xwfp-"):
            return known(params)
        if method != "api.test":
            self._authenticate(token)
        self.methods.require(SCOPES.get(method))
        return known(params)

    def _authenticate(self, token: str) -> None:
        if not token:
            raise Refusal("not_authed")
        if token.startswith("xapp-"):
            raise Refusal("not_allowed_token_type")
        if token != self.bot_token:
            raise Refusal("invalid_auth")
        if self.revoked:
            raise Refusal(self.revoked)

    def _open_socket(self, token: str) -> Json:
        if token.startswith("xoxb-"):
            raise Refusal("not_allowed_token_type")
        if token != self.app_token:
            raise Refusal("invalid_auth")
        if "connections:write" not in self.app_scopes:
            raise Refusal("missing_scope", needed="connections:write", provided="")
        if not self.socket_mode:
            raise Refusal("socket_mode_not_enabled")
        address = self.url.replace("http", "ws", 1)
        return {"url": f"{address}/link?ticket={self.sockets.ticket()}&app_id=A0PARLEY"}

    async def _response(self, request: web.BaseRequest) -> web.StreamResponse:
        number = request.path.removeprefix("/response/")
        body = msgspec.json.decode(await request.read(), type=dict[str, Any])
        exchange = self.begin("response", body)
        fault = self.faults.take("response", body)
        if fault is not None:
            return await self.go_wrong(request, exchange, fault, lambda: Reply(200, raw=b"ok"))
        channel, user, left = self._responses.get(number, ("", "", 0))
        if left <= 0:
            return self.send(exchange, Reply(404, {"ok": False, "error": "used_url"}))
        self._responses[number] = (channel, user, left - 1)
        blocks = tuple(body.get("blocks") or ())
        version = Version(body.get("text", ""), self.log.now(), blocks)
        self.methods.whisper(channel, user, version)
        return self.send(exchange, Reply(200, raw=b"ok", content_type="text/plain"))

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> web.Response:
        return self.send(exchange, Reply(refusal.status, refusal.as_json()))

    def _echo(self, channel: Channel, shown: Shown, what: str) -> None:
        if not channel.joined or not (self.courier.url or self.sockets.open):
            return
        message = self.methods.as_json(shown)
        before = {**message, "text": "before"} if what == "edited" else None
        self.push(self.events.own(message, channel.id, before))

    def _shown(self, event: Json, channel: Channel) -> Shown:
        version = Version(event.get("text") or "", self.log.now())
        return Shown(
            event["ts"],
            channel.id,
            [version],
            str(event.get("user", "")),
            ours=False,
            thread=event.get("thread_ts"),
        )


def _people() -> list[Channel]:
    both = {ANN, BO}
    return [
        Channel(DIRECT, "im", "directmessage", {ANN}),
        Channel("D0BO", "im", "directmessage", {BO}),
        Channel(OTHERS, "im", "directmessage", set(both), joined=False),
        Channel(GENERAL, "channel", "general", set(both)),
        Channel(RANDOM, "channel", "random", set(both), joined=False),
        Channel(PRIVATE, "group", "private", set(both)),
    ]


async def _params(request: web.BaseRequest) -> Json:
    params: Json = dict(request.query)
    raw = await request.read()
    if not raw:
        return params
    if request.content_type == "application/json":
        return params | msgspec.json.decode(raw, type=dict[str, Any])
    return params | dict(parse_qsl(raw.decode(), keep_blank_values=True))
