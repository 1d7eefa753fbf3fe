"""A stand-in for the WeChat platform: its API, its callbacks, and the people who follow."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from tests.peers.faults import Fault, Faults, answered, cut, garbage, hang, holds, late, page
from tests.peers.log import Json, Log
from tests.peers.server import Exchange, Peer, Reply
from tests.peers.wechat_courier import Console, Courier, Delivered, Event
from tests.peers.wechat_people import UNAVAILABLE, People, Person, Shown
from tests.peers.wechat_rules import Refusal, errcode
from tests.peers.wechat_tokens import Tokens

APP_ID = "wx0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "peertoken"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ORIGINAL_ID = "gh_0123456789ab"
ANN = "oAnn0000000000000000000000a1"
BEN = "oBen0000000000000000000000b2"

FAULTS: dict[str, Callable[..., Fault]] = {
    "errcode": errcode,
    "page": page,
    "garbage": garbage,
    "hang": hang,
    "cut": cut,
    "late": late,
    "answered": answered,
}


class WeChatPeer(Peer):
    """One official account on its platform.

    `patience` is how long a callback may take, in seconds of the wall clock; windows and tokens
    live in the log's time. `may_send` says whether the account was granted customer-service
    messages, `allowed_ip` whether our address stands on its whitelist.
    """

    name = "wechat"

    def __init__(
        self,
        *,
        app_id: str = APP_ID,
        secret: str = SECRET,
        token: str = TOKEN,
        aes_key: str = AES_KEY,
        patience: float = 5.0,
        may_send: bool = True,
        mode: str = "safe",
        epoch: Callable[[], int] | None = None,
        log: Log | None = None,
        port: int = 0,
        keep: int | None = None,
    ) -> None:
        super().__init__(log=log, port=port, keep=keep)
        self.faults: Faults[Fault] = Faults()
        self.people = People(self.log, may_send=may_send)
        self.tokens = Tokens(app_id, secret, self.people.now)
        console = Console(token, aes_key, app_id, ORIGINAL_ID, mode)
        self.courier = Courier(self.log, self.people, console, patience)
        if epoch is not None:
            self.courier.epoch = epoch  # type: ignore[method-assign]  # the time it lives in
        self.refused_ip: str | None = None
        self.files: dict[str, bytes] = {}
        self._ids = itertools.count(23_000_000_000_000_001)
        self._table: dict[str, Callable[[Json], object]] = {
            "message/custom/send": self.people.send,
            "message/custom/typing": self.people.typing,
            "customservice/getkflist": self._service_accounts,
            "getcallbackip": lambda params: {"ip_list": ["127.0.0.1"]},
        }

    async def stop(self) -> None:
        """Deliver nothing more, answer nobody."""
        self.gone.set()
        await self.courier.close()
        await super().stop()

    # -- what the people do ------------------------------------------------------------------

    def aim(self, *urls: str) -> None:
        """Deliver there from now on; with several, each try goes to the next of them."""
        self.courier.urls = urls

    def event(self, openid: str, kind: str, fields: Json, *, id: int | None = None) -> Event:
        """The XML of something that happens now, not delivered yet."""
        number = next(self._ids) if id is None else id
        body: Json = {
            "ToUserName": self.courier.console.original_id,
            "FromUserName": openid,
            "CreateTime": self.courier.now(),
            "MsgType": kind,
            **fields,
        }
        if kind != "event":
            body["MsgId"] = number
        parts = "".join(f"<{name}>{_value(value)}</{name}>" for name, value in body.items())
        return Event(openid, f"<xml>{parts}</xml>", f"{kind} {number}")

    def text(self, openid: str, text: str, *, id: int | None = None) -> Event:
        """A text that the person writes."""
        return self.event(openid, "text", {"Content": text}, id=id)

    async def say(self, openid: str, text: str) -> Delivered:
        """Write, and wait for what the platform makes of it."""
        return await self.push(self.text(openid, text))

    async def touch(self, openid: str, event: str, key: str = "") -> Delivered:
        """Follow, scan, press a button of the menu."""
        fields = {"Event": event, **({"EventKey": key} if key else {})}
        return await self.push(self.event(openid, "event", fields))

    def push(self, event: Event) -> "asyncio.Task[Delivered]":
        """It happened: its window opens now, and it is on its way."""
        person = self.people.note(event.openid)
        if "<Event><![CDATA[unsubscribe]]>" in event.xml:
            person.follows = False
        elif "<Event><![CDATA[subscribe]]>" in event.xml:
            person.follows = True
        self.people.did(event.openid, "touch" if "<Event>" in event.xml else "message")
        self.log.write("pushed", event=event.name, openid=event.openid)
        return self.courier.carry(event)

    # -- what the people see -----------------------------------------------------------------

    def person(self, openid: str) -> Person:
        """One of them."""
        return self.people.note(openid)

    def screen(self, openid: str) -> Sequence[Shown]:
        """Everything that was shown to them, oldest first."""
        return self.people.note(openid).screen

    def texts(self, openid: str) -> list[str]:
        """What the account said to them."""
        return [shown.text for shown in self.screen(openid) if shown.by != "platform"]

    def out_of_order(self, openid: str) -> int:
        """How often they read that the service is out of order."""
        return sum(shown.text == UNAVAILABLE for shown in self.screen(openid))

    def calls(self, method: str) -> list[Exchange]:
        """Every call of a method, oldest first."""
        return [exchange for exchange in self.exchanges if exchange.method == method]

    def refusals(self) -> list[int]:
        """Every errcode that was answered, faults included."""
        bodies = (entry.fields.get("body") for entry in self.log.of("outcome"))
        found = (_code_of(body) for body in bodies)
        return [code for code in found if code]

    # -- the wire ----------------------------------------------------------------------------

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One call of the API."""
        name = request.path.removeprefix("/cgi-bin/")
        if not request.path.startswith("/cgi-bin/"):
            return self.send(self.begin(request.path, {}), Reply(404, raw=b""))
        raw = await request.read()
        params: Json = dict(request.query)
        if name == "media/upload":
            params["size"] = len(raw)
        body, problem = _body_of(raw if name != "media/upload" else b"")
        exchange = self.begin(name, {**params, **body, "access_token": "…", "secret": "…"})
        truth = partial(self._reply, request.method, name, params, body, problem)
        fault = self.faults.take(name, body)
        if fault is not None:
            return await self.go_wrong(request, exchange, fault, truth)
        if name == "media/get":
            return self._download(exchange, params)
        return self.send(exchange, truth())

    def send(self, exchange: Exchange, reply: Reply) -> web.Response:
        """Every answer says what time it is at the platform."""
        answer = super().send(exchange, reply)
        answer.headers["Date"] = formatdate(self.courier.now(), usegmt=True)
        return answer

    async def control(self, path: str, body: Json) -> object:
        """For a driver in another process."""
        match path:
            case "faults":
                fault = FAULTS[body["name"]](**body.get("args", {}))
                when = holds(body["match"]) if "match" in body else None
                self.faults.plan(
                    fault, method=body.get("method"), when=when, times=body.get("times", 1)
                )
            case "aim":
                self.aim(*body["urls"])
            case "say":
                self.push(self.text(body["openid"], body["text"]))
            case "touch":
                fields = {"Event": body["event"], "EventKey": body.get("key", "")}
                self.push(self.event(body["openid"], "event", fields))
            case "texts":
                return self.texts(body["openid"])
            case "permit":
                self.people.may_send = bool(body["may_send"])
            case _:
                return await super().control(path, body)
        return True

    def _reply(
        self, method: str, name: str, params: Json, body: Json, problem: Refusal | None
    ) -> Reply:
        try:
            if problem is not None:
                raise problem
            return Reply(200, self._result(method, name, params, body))
        except Refusal as refusal:
            return Reply(200, refusal.as_json())

    def _result(self, method: str, name: str, params: Json, body: Json) -> object:
        if self.refused_ip is not None:
            raise Refusal(40164, ip=self.refused_ip)
        if name == "stable_token":
            if method != "POST":
                raise Refusal(43002)
            return self.tokens.stable(body)
        if name == "token":
            return self.tokens.old(params)
        self.tokens.check(str(params.get("access_token", "")))
        if name == "media/upload":
            return self._upload(params)
        known = self._table.get(name)
        if known is None:
            raise Refusal(-1)
        if name.startswith("message/") and method != "POST":
            raise Refusal(43002)
        return known(body)

    def _service_accounts(self, params: Json) -> Json:
        del params
        if not self.people.may_send:
            raise Refusal(48001)
        return {"kf_list": []}

    def _upload(self, params: Json) -> Json:
        if params.get("type") not in ("image", "voice", "video", "thumb"):
            raise Refusal(40004)
        id = f"media-{len(self.files) + 1}"
        self.files[id] = b"\0" * int(params["size"])
        return {"type": params["type"], "media_id": id, "created_at": self.courier.now()}

    def _download(self, exchange: Exchange, params: Json) -> web.Response:
        try:
            content = self._file(params)
        except Refusal as refusal:
            return self.send(exchange, Reply(200, refusal.as_json(), content_type="text/plain"))
        self.end(exchange, 200, size=len(content))
        return web.Response(body=content, content_type="image/jpeg")

    def _file(self, params: Json) -> bytes:
        self.tokens.check(str(params.get("access_token", "")))
        content = self.files.get(str(params.get("media_id")))
        if content is None:
            raise Refusal(40007)
        return content


def _body_of(raw: bytes) -> tuple[Json, Refusal | None]:
    if not raw:
        return {}, None
    try:
        body: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}, Refusal(47001)
    return (body, None) if isinstance(body, dict) else ({}, Refusal(47001))


def _code_of(body: object) -> int:
    if isinstance(body, str) and body.startswith("{"):
        body = msgspec.json.decode(body)
    return int(body.get("errcode", 0)) if isinstance(body, dict) else 0


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_value(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"<![CDATA[{text}]]>" if "]]>" not in text else escape(text)
