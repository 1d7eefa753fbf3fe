"""How the platform calls: signed, sealed, five seconds of patience, three times, new each time."""

import asyncio
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

import aiohttp

from tests.peers.log import Log, wall_us
from tests.peers.wechat_crypto import BadReply, Seal, signature
from tests.peers.wechat_people import UNAVAILABLE, People
from tests.peers.wechat_replies import Reply, read_reply

ENCRYPTED = re.compile(r"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>")


@dataclass(frozen=True, slots=True)
class Console:
    """What an operator has entered at mp.weixin.qq.com; `mode` is safe, plaintext or both."""

    token: str
    aes_key: str
    app_id: str
    original_id: str
    mode: str = "safe"


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it goes over the wire."""

    query: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a person did: the fields of the XML, and the same of them for every try."""

    openid: str
    xml: str
    name: str


@dataclass(slots=True)
class Attempt:
    """One delivery; status 0 says that no answer came in time."""

    status: int
    body: bytes = b""
    seconds: float = 0.0
    url: str = ""


@dataclass(slots=True)
class Delivered:
    """What became of an event; `said` is what the person was shown in reply."""

    attempts: list[Attempt] = field(default_factory=list)
    said: str | None = None
    media: str = ""
    failed: bool = False

    @property
    def statuses(self) -> list[int]:
        """Of each try."""
        return [attempt.status for attempt in self.attempts]


class Courier:
    """Carries events to the account's server. `patience` is in seconds of the wall clock.

    `fresh` says whether each try is signed anew; nobody outside knows which it is, so a correct
    server takes both. `paced`: a try that fails at once is followed by the next only when its
    patience would have been over, so that a server can be started again in between.
    """

    def __init__(self, log: Log, people: People, console: Console, patience: float) -> None:
        self.console = console
        self.patience = patience
        self.fresh = True
        self.paced = False
        self.urls: Sequence[str] = ()
        self.skew = 0
        self._log = log
        self._people = people
        self._tasks: set[asyncio.Task[Delivered]] = set()
        self._tried = 0

    # -- what is written ---------------------------------------------------------------------

    def now(self) -> int:
        """Seconds since 1970 by the platform's clock."""
        return self.epoch() + self.skew

    def epoch(self) -> int:
        """The time that the peer lives in; replaced where it runs faster than ours."""
        return wall_us() // 1_000_000

    def signed(self, xml: str, *, timestamp: int | None = None, nonce: str | None = None) -> Signed:
        """The request for an event, in the mode of the console."""
        console = self.console
        stamp = str(self.now() if timestamp is None else timestamp)
        nonce = nonce or secrets.token_hex(5)
        query = {
            "signature": signature(console.token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "openid": "o",
        }
        if console.mode == "plaintext":
            return Signed(urlencode(query), xml.encode())
        encrypted = self._seal().close(xml)
        query["encrypt_type"] = "aes"
        query["msg_signature"] = signature(console.token, stamp, nonce, encrypted)
        sealed = f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>"
        to = f"<ToUserName><![CDATA[{console.original_id}]]></ToUserName>"
        plain = xml.removeprefix("<xml>").removesuffix("</xml>") if console.mode == "both" else to
        return Signed(urlencode(query), f"<xml>{plain}{sealed}</xml>".encode())

    # -- how it is carried -------------------------------------------------------------------

    def carry(self, event: Event) -> "asyncio.Task[Delivered]":
        """Deliver in the background."""
        task = asyncio.create_task(self.deliver(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def deliver(self, event: Event) -> Delivered:
        """Up to three tries; then the person is told that the service is out of order."""
        done = Delivered()
        first = self.signed(event.xml)
        for number in range(3):
            request = self.signed(event.xml) if self.fresh and number else first
            attempt = await self.post(request, event.name)
            done.attempts.append(attempt)
            if attempt.status == 0 or attempt.status >= 500:
                if self.paced and number < 2:
                    await asyncio.sleep(max(0.0, self.patience - attempt.seconds))
                continue
            self._take(event, attempt, done)
            return done
        self._fail(event, done)
        return done

    async def post(self, request: Signed, name: str = "", url: str | None = None) -> Attempt:
        """One try over a connection of its own, cut when the patience is over."""
        where = url or self.urls[self._tried % len(self.urls)]
        self._tried += 1
        self._log.write("delivery", event=name, url=where)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        attempt = Attempt(0, url=where)
        timeout = aiohttp.ClientTimeout(total=self.patience)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    f"{where}?{request.query}",
                    data=request.body,
                    headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
                ) as answer,
            ):
                attempt.body = await answer.read()
                attempt.status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            pass  # it is tried again; the status stays 0
        attempt.seconds = loop.time() - begun
        self._log.write("delivered", event=name, status=attempt.status, seconds=attempt.seconds)
        return attempt

    async def twins(self, event: Event, copies: int, *, same: bool = False) -> list[Attempt]:
        """The same event over several connections at once; `same`: the very same request."""
        first = self.signed(event.xml)
        requests = [first if same else self.signed(event.xml) for _ in range(copies)]
        return await asyncio.gather(*(self.post(request, event.name) for request in requests))

    async def verify(self, url: str) -> tuple[int, bytes]:
        """The check that an operator starts by saving the URL: signed, never sealed."""
        stamp, nonce, echo = str(self.now()), secrets.token_hex(5), str(secrets.randbelow(10**19))
        query = {
            "signature": signature(self.console.token, stamp, nonce),
            "echostr": echo,
            "timestamp": stamp,
            "nonce": nonce,
        }
        timeout = aiohttp.ClientTimeout(total=self.patience)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}?{urlencode(query)}") as answer,
        ):
            body = await answer.read()
            verified = answer.status == 200 and body == echo.encode()
            self._log.write("verified", url=urlsplit(url).path, ok=verified)
            return answer.status, body

    async def close(self) -> None:
        """Deliver nothing more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- what comes back ---------------------------------------------------------------------

    def _take(self, event: Event, attempt: Attempt, done: Delivered) -> None:
        if attempt.status == 200 and attempt.body in (b"", b"success"):
            return
        try:
            reply = self.read(event, attempt)
        except BadReply as error:
            self._log.write("bad_reply", event=event.name, why=str(error))
            self._fail(event, done)
            return
        done.said, done.media = reply.text, reply.media
        self._people.show(event.openid, reply.text, "reply", reply.media)

    def read(self, event: Event, attempt: Attempt, account: str = "") -> Reply:
        """The reply in an answer, from our account unless another is named. Raises: BadReply."""
        if attempt.status != 200:
            raise BadReply(f"HTTP {attempt.status}")
        text = attempt.body.decode(errors="replace")
        if self.console.mode != "plaintext":
            text = self._opened(text)
        account = account or self.console.original_id
        return read_reply(text, openid=event.openid, account=account)

    def _opened(self, text: str) -> str:
        encrypted = ENCRYPTED.search(text)
        parts = dict(re.findall(r"<(\w+)>(?:<!\[CDATA\[)?([^<\]]*)", text))
        if encrypted is None or not {"MsgSignature", "TimeStamp", "Nonce"} <= parts.keys():
            raise BadReply("not sealed")
        wanted = signature(self.console.token, parts["TimeStamp"], parts["Nonce"], encrypted[1])
        if wanted != parts["MsgSignature"]:
            raise BadReply("wrongly signed")
        return self._seal().open(encrypted[1])

    def _fail(self, event: Event, done: Delivered) -> None:
        done.failed = True
        if "<Event>" not in event.xml:
            # Nobody waits for an answer to an event; it fails in silence.
            self._people.show(event.openid, UNAVAILABLE, "platform")

    def _seal(self) -> Seal:
        return Seal(self.console.aes_key, self.console.app_id)


def with_console(console: Console, **changes: str) -> Console:
    """The console after an operator has changed something there."""
    return replace(console, **changes)
