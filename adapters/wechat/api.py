"""The calls that we make to the platform, over the process's one HTTP session.

The library's client is synchronous, waits for ever, and on a refused token fetches new ones
without end; here a refused token is fetched anew once, and every call has a limit.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import msgspec

from adapters.wechat.advice import of_code
from adapters.wechat.failures import (
    STALE_TOKENS,
    TYPING_ALREADY,
    Misconfigured,
    NotPermitted,
    ServiceOff,
    outcome_of,
    unreadable,
)
from adapters.wechat.settings import Settings
from bot import Ambiguous, Clock, ParleyError, Permanent, Transient

Answered = TypeVar("Answered")
_CONNECT = 5.0
_EARLY = 300.0
"""The platform hands out the next token five minutes before the last one ends."""
_BETWEEN_FORCED = 30.0
_LONGEST_BETWEEN_FORCED = 3 * 3600.0
_LONGEST_JSON = 1_000_000
_SEND = "message/custom/send"


class _Answer(msgspec.Struct):
    errcode: int = 0
    errmsg: str = ""


class _Token(msgspec.Struct):
    access_token: str = ""
    expires_in: float = 0.0
    errcode: int = 0
    errmsg: str = ""


class _Reached(msgspec.Struct):
    """An HTTP answer as it came."""

    status: int
    body: bytes
    kind: str = ""


class Client:
    """One account's calls. `skew` is how far our clock is ahead of the platform's, once known."""

    def __init__(
        self,
        settings: Settings,
        http: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        must_be_sure: Callable[[], None] = lambda: None,
    ) -> None:
        """`must_be_sure` is asked right before a message is sent.

        A process may be frozen while it waits for a token, and its turns go on elsewhere.
        """
        self.skew: float | None = None
        self._settings = settings
        self._http = http
        self._clock = clock
        self._must_be_sure = must_be_sure
        self._token = ""
        self._ends_at = 0.0
        self._forced_at: float | None = None
        self._forced_wait = _BETWEEN_FORCED
        self._fetching = asyncio.Lock()

    # -- speaking ----------------------------------------------------------------------------

    async def send(self, openid: str, message: Mapping[str, object]) -> None:
        """A customer-service message. Raises what `Adapter.send` raises."""
        body = {"touser": openid, **message}
        await self._call(_SEND, body, safe_to_repeat=False)

    async def typing(self, openid: str) -> None:
        """Show that an answer is being written.

        Raises:
            NotPermitted: the account may not; it cannot send customer-service messages either.
        """
        body = {"touser": openid, "command": "Typing"}
        await self._call("message/custom/typing", body, tolerated=TYPING_ALREADY)

    # -- asking ------------------------------------------------------------------------------

    async def may_send(self) -> bool | None:
        """Whether the account may send customer-service messages; None: this does not tell.

        Test accounts (测试号) have no list of service accounts, and send all the same.

        Raises:
            Transient, Permanent: it could not be asked.
        """
        try:
            await self._call("customservice/getkflist", None)
        except ServiceOff:
            return None
        except NotPermitted:
            return False
        return True

    async def fetch(self, media: str) -> bytes:
        """A picture or recording that a person sent; kept by the platform for three days."""
        reached = await self._reach("media/get", None, extra={"media_id": media})
        if not 200 <= reached.status < 300 or _is_an_answer(reached.kind):
            self._raise_for(reached, frozenset())
            raise Permanent("WeChat has no file under this id")
        return reached.body

    # -- what all of them share --------------------------------------------------------------

    async def _call(
        self,
        name: str,
        body: Mapping[str, object] | None,
        *,
        tolerated: frozenset[int] = frozenset(),
        safe_to_repeat: bool = True,
    ) -> None:
        try:
            reached = await self._reach(name, body)
            self._raise_for(reached, tolerated)
        except Ambiguous as error:
            if safe_to_repeat:
                raise Transient(str(error)) from None
            raise

    async def _reach(
        self,
        name: str,
        body: Mapping[str, object] | None,
        extra: Mapping[str, str] | None = None,
    ) -> _Reached:
        """One call under a token; where that is refused, one more under the next."""
        token = await self._current()
        self._be_sure_for(name)
        reached = await self._exchange(name, body, {"access_token": token, **(extra or {})})
        if _code_of(reached) in STALE_TOKENS:
            token = await self._renewed(token)
            self._be_sure_for(name)
            reached = await self._exchange(name, body, {"access_token": token, **(extra or {})})
        if _code_of(reached) not in STALE_TOKENS:
            self._forced_wait = _BETWEEN_FORCED
        return reached

    def _be_sure_for(self, name: str) -> None:
        if name == _SEND:
            self._must_be_sure()

    def _raise_for(self, reached: _Reached, tolerated: frozenset[int]) -> None:
        answer = _read(reached, _Answer)
        if answer.errcode and answer.errcode not in tolerated:
            raise outcome_of(answer.errcode, answer.errmsg)

    async def _current(self) -> str:
        if self._token and self._clock.monotonic() < self._ends_at:
            return self._token
        async with self._fetching:
            if not self._token or self._clock.monotonic() >= self._ends_at:
                await self._fetch_token(force=False)
            return self._token

    async def _renewed(self, refused: str) -> str:
        """Another token than the refused one; only where the platform insists is it forced."""
        async with self._fetching:
            if self._token == refused:
                await self._fetch_token(force=False)
            if self._token == refused and self._may_force():
                self._forced_at = self._clock.monotonic()
                self._forced_wait = min(2 * self._forced_wait, _LONGEST_BETWEEN_FORCED)
                await self._fetch_token(force=True)
            return self._token

    def _may_force(self) -> bool:
        # Twenty times a day and never twice within 30 s: more often, the platform refuses. Where
        # it does not help, it is tried ever less often, so that the day's twenty last.
        if self._forced_at is None:
            return True
        return self._clock.monotonic() - self._forced_at >= self._forced_wait

    async def _fetch_token(self, *, force: bool) -> None:
        wanted = {
            "grant_type": "client_credential",
            "appid": self._settings.app_id,
            "secret": self._settings.app_secret.get_secret_value(),
            "force_refresh": force,
        }
        try:
            answer = _read(await self._exchange("stable_token", wanted, {}), _Token)
        except (Ambiguous, Permanent) as error:
            # Permanent is only what is wrong with this call: what waits for a token is not.
            raise Transient(str(error)) from None
        if answer.errcode or not answer.access_token:
            self._token = ""
            raise _refused_token(answer.errcode, answer.errmsg)
        self._token = answer.access_token
        # One that ends within the five minutes is followed by the next at once.
        left = answer.expires_in - _EARLY if answer.expires_in > _EARLY else answer.expires_in / 2
        self._ends_at = self._clock.monotonic() + max(left, 1.0)

    async def _exchange(
        self, name: str, body: Mapping[str, object] | None, params: Mapping[str, str]
    ) -> _Reached:
        """Write a request and read the whole answer.

        No error of the transport travels on: some show the address, and that holds the token.

        Raises:
            Transient: nothing was written. Ambiguous: it was, and nobody knows the rest.
        """
        seconds = self._settings.timeout.total_seconds()
        limits = aiohttp.ClientTimeout(total=seconds, connect=min(_CONNECT, seconds))
        # The platform shows \u4f60 as it stands: the body must be real UTF-8, as msgspec writes it.
        raw = None if body is None else msgspec.json.encode(body)
        try:
            async with self._http().request(
                "GET" if raw is None else "POST",
                f"{self._settings.base_url}/cgi-bin/{name}",
                params=dict(params),
                data=raw,
                headers=None if raw is None else {"Content-Type": "application/json"},
                timeout=limits,
                allow_redirects=False,
            ) as answer:
                content = await _bounded(answer, self._settings.max_file)
                self._compare_clocks(answer.headers.get("Date"))
                return _Reached(answer.status, content, answer.headers.get("Content-Type", ""))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Transient(f"no connection: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Ambiguous(f"no answer: {type(error).__name__}") from None

    def _compare_clocks(self, date: str | None) -> None:
        try:
            theirs = None if date is None else parsedate_to_datetime(date)
        except ValueError:
            return
        if theirs is not None and theirs.tzinfo is not None:
            self.skew = (self._clock.now() - theirs).total_seconds()


async def _bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    content = b""
    async for part in answer.content.iter_chunked(65536):
        content += part
        if len(content) > limit:
            raise Permanent(f"the file is larger than {limit} bytes")
    return content


def _read(reached: _Reached, kind: type[Answered]) -> Answered:
    """The platform's own JSON; anything else comes from something between us.

    Raises:
        Transient, Permanent: the call did nothing. Ambiguous: nobody knows what became of it.
    """
    try:
        if 200 <= reached.status < 300:
            return msgspec.json.decode(reached.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Ambiguous(f"HTTP {reached.status} and no answer that can be read") from None
    raise unreadable(reached.status)


def _is_an_answer(kind: str) -> bool:
    return kind.partition(";")[0].strip() in ("application/json", "text/plain")


def _code_of(reached: _Reached) -> int:
    if len(reached.body) > _LONGEST_JSON or not reached.body.lstrip().startswith(b"{"):
        return 0
    try:
        return msgspec.json.decode(reached.body, type=_Answer).errcode
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


def _refused_token(code: int, reason: str) -> ParleyError:
    advice = of_code(code, reason)
    if advice is not None:
        wait = timedelta(minutes=10) if code == 45009 else timedelta(minutes=1)
        return Misconfigured(code, advice, wait)
    outcome = outcome_of(code, reason)
    # Without a token nothing leaves, but what waits may leave later.
    return outcome if isinstance(outcome, Transient) else Transient(f"no token: errcode {code}")
