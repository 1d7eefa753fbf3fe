"""What the platform calls: the URL check, and every message and event. Raw ASGI."""

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from adapters.wechat.crypto import Cipher, Forged, Signer, sealed
from adapters.wechat.envelope import MAX_BODY, Unreadable, encrypted_in, fields_of
from adapters.wechat.guard import Delivery, Guard
from adapters.wechat.normalise import Read, normalise
from adapters.wechat.reception import Answer, Reception
from adapters.wechat.settings import Settings
from bot import ASGIApp, Clock, Observer, Receive, Rejected, Transient, body_of, give_bare

ACK = b"success"
"""Anything else than this, an empty body or a reply shows the person an error."""
LETTING_GO = 10.0
"""Seconds to wait for the platform to give up a call; it does after five."""
RETRY_AFTER = 2
LOOKS = 24
"""Turns of the loop in which a closed connection comes to light, with room: a server that had too
much to do has not read yet that the platform hung up, and what is written then nobody reads."""

OWN_ECHO = "parley-asks-itself"
"""What our own probe sends in the platform's place; it is no sign that the platform calls."""

_ECHO = re.compile(r"[0-9A-Za-z_-]{1,128}")

_Scope = MutableMapping[str, Any]
_Incoming = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Outgoing = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Query:
    """What the platform writes behind the question mark."""

    timestamp: str
    nonce: str
    signature: str
    sealed_signature: str
    echo: str

    @classmethod
    def of(cls, scope: _Scope) -> "_Query":
        raw: bytes = scope.get("query_string", b"")
        if len(raw) > 4096:
            raise Rejected(414, "query")
        try:
            pairs = parse_qsl(raw.decode("ascii"), max_num_fields=32, errors="strict")
        except (UnicodeDecodeError, ValueError):
            raise Rejected(400, "query") from None
        found = dict(reversed(pairs))
        names = ("timestamp", "nonce", "signature", "msg_signature", "echostr")
        return cls(*(found.get(name, "") for name in names))


class Webhook:
    """Proves who calls before it parses what they say.

    `called` and `rejected` remember, for the probe, what has come since the start.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        guard: Guard,
        reception: Reception,
        clock: Clock,
        observer: Observer,
    ) -> None:
        key = settings.aes_key
        self.called = False
        self.rejected: Counter[str] = Counter()
        self._name = name
        self._settings = settings
        self._signer = Signer(settings.token.get_secret_value())
        self._cipher = None if key is None else Cipher(key.get_secret_value(), settings.app_id)
        self._guard = guard
        self._reception = reception
        self._clock = clock
        self._observer = observer

    def app(self, receive: Receive) -> ASGIApp:
        """The application for one engine."""

        async def serve(scope: _Scope, incoming: _Incoming, outgoing: _Outgoing) -> None:
            if scope["type"] != "http":
                return
            try:
                await self._serve(scope, incoming, outgoing, receive)
            except Rejected as error:
                self.rejected[error.why] += 1
                self._observer.rejected(adapter=self._name, why=error.why)
                await _write(outgoing, error.status)
            except Transient:
                # Not on disk: it must not be acknowledged, and the platform comes again.
                await _write(outgoing, 503, headers=((b"retry-after", b"%d" % RETRY_AFTER),))

        return serve

    async def _serve(
        self, scope: _Scope, incoming: _Incoming, outgoing: _Outgoing, receive: Receive
    ) -> None:
        match scope["method"]:
            case "GET":
                await _write(outgoing, 200, self._echo(_Query.of(scope)))
            case "POST":
                await self._post(scope, incoming, outgoing, receive)
            case _:
                raise Rejected(405, "method")

    # -- the URL check -----------------------------------------------------------------------

    def _echo(self, query: _Query) -> bytes:
        if query.sealed_signature and self._cipher is not None:
            self._check(query.sealed_signature, query.timestamp, query.nonce, query.echo)
            self._check_time(query)
            echo = self._decrypted(query.echo)
        else:
            self._check(query.signature, query.timestamp, query.nonce)
            self._check_time(query)
            echo = query.echo
        if not _ECHO.fullmatch(echo):
            raise Rejected(400, "echo")
        self.called = self.called or echo != OWN_ECHO
        return echo.encode()

    # -- messages and events -----------------------------------------------------------------

    async def _post(
        self, scope: _Scope, incoming: _Incoming, outgoing: _Outgoing, receive: Receive
    ) -> None:
        begun = self._clock.monotonic()
        query = _Query.of(scope)
        if query.signature:
            self._check(query.signature, query.timestamp, query.nonce)
        self._check_time(query)
        body = await body_of(scope, incoming, MAX_BODY)
        if body is None:
            return
        read = self._read(query, body)
        delivery = self._admitted(query, read)
        hung_up, stopping = asyncio.Event(), asyncio.Event()
        watching = asyncio.create_task(_watch(incoming, hung_up, stopping))
        try:
            answer = await self._reception.take(read, receive, delivery, begun, hung_up)
            if answer.silent or not await self._is_there(hung_up, answer.until):
                await answer.report(False)  # noqa: FBT003  # nothing was written, nor will be
                await self._let_go(hung_up, stopping, outgoing)
            else:
                delivery.answered = True
                await self._answer(answer, outgoing)
                await answer.report(True)  # noqa: FBT003  # it was written
        finally:
            watching.cancel()

    async def _answer(self, answer: Answer, outgoing: _Outgoing) -> None:
        if not answer.xml:
            await _write(outgoing, 200, ACK)
            return
        body = answer.xml
        if self._cipher is not None:
            body = sealed(
                answer.xml,
                self._signer,
                self._cipher,
                timestamp=str(int(self._clock.now().timestamp())),
                nonce=secrets.token_hex(8),
            )
        await _write(outgoing, 200, body.encode(), b"application/xml; charset=utf-8")

    async def _is_there(self, hung_up: asyncio.Event, until: float | None) -> bool:
        """Whether the platform still listens, by all that the network has brought up to now.

        The looking itself takes its time where there is too much to do.
        """
        for _ in range(LOOKS):
            if hung_up.is_set() or (until is not None and self._clock.monotonic() > until):
                return False
            await self._clock.sleep(0)
        return True

    async def _let_go(
        self, hung_up: asyncio.Event, stopping: asyncio.Event, outgoing: _Outgoing
    ) -> None:
        """Say nothing until the platform hangs up: that is what makes it come again."""
        limit = asyncio.ensure_future(self._clock.sleep(LETTING_GO))
        waits = [limit, *(asyncio.ensure_future(one.wait()) for one in (hung_up, stopping))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not hung_up.is_set():
            await _write(outgoing, 503)

    def _read(self, query: _Query, body: bytes) -> Read:
        try:
            fields = fields_of(self._opened(query, body))
        except Unreadable:
            raise Rejected(400, "unreadable") from None
        self.called = True
        return normalise(fields, self._settings.app_id, self._settings.language)

    def _opened(self, query: _Query, body: bytes) -> str:
        """The text that the platform has signed."""
        encrypted = encrypted_in(body) if self._cipher is not None else None
        if encrypted is not None:
            self._check(query.sealed_signature, query.timestamp, query.nonce, encrypted)
            return self._decrypted(encrypted)
        # In plaintext mode the signature does not cover the body: one captured address lets
        # anybody write anything in anybody's name.
        if not self._settings.allow_plaintext:
            raise Rejected(403, "plaintext")
        if not query.signature:
            raise Rejected(403, "signature")
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise Rejected(400, "unreadable") from None

    def _admitted(self, query: _Query, read: Read) -> Delivery:
        delivery = self._guard.admit(
            query.timestamp, query.nonce, openid=read.openid, key=read.key, created=read.created
        )
        if delivery is None:
            raise Rejected(403, "replayed")
        return delivery

    def _decrypted(self, encrypted: str) -> str:
        assert self._cipher is not None
        try:
            return self._cipher.decrypt(encrypted)
        except Forged:
            raise Rejected(403, "sealed for another") from None

    def _check(self, signature: str, *parts: str) -> None:
        if not self._signer.agrees(signature, *parts):
            raise Rejected(403, "signature")

    def _check_time(self, query: _Query) -> None:
        if not self._guard.is_fresh(query.timestamp):
            raise Rejected(403, "stale")


async def _watch(incoming: _Incoming, hung_up: asyncio.Event, stopping: asyncio.Event) -> None:
    while (message := await incoming())["type"] != "http.disconnect":
        pass
    # When it is our own server that ends, the platform still listens for what is ready.
    (stopping if message.get("stopping") else hung_up).set()


async def _write(
    outgoing: _Outgoing,
    status: int,
    body: bytes = b"",
    kind: bytes = b"text/plain; charset=utf-8",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    if status == 405:
        headers = (*headers, (b"allow", b"GET, POST"))
    fixed = [(b"content-type", kind)]
    if body:
        fixed.append((b"x-content-type-options", b"nosniff"))
    await give_bare(outgoing, status, body, *fixed, *headers)
