"""The library's client on the process's one session, without its logs and its retries."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.failures import CallFailed, failure_of
from adapters.slack.settings import Settings
from bot import Ambiguous, Clock, Transient

Http = Callable[[], aiohttp.ClientSession]

_CONNECT = 5.0

_log = logging.getLogger("adapters.slack.library")
_log.propagate = False
_log.setLevel(logging.CRITICAL + 1)


def silence_the_libraries() -> None:
    """Their loggers write whole bodies: at DEBUG, at INFO for a bad signature, at ERROR."""
    for name in ("slack_sdk", "slack_bolt"):
        library = logging.getLogger(name)
        library.setLevel(logging.CRITICAL + 1)
        library.propagate = False


def silent_logger() -> logging.Logger:
    """For the libraries, where they ask for one."""
    return _log


@dataclass(slots=True)
class Seen:
    """What Slack's answers tell beside the point."""

    ahead: timedelta = field(default=timedelta(0))
    """How far Slack's clock is ahead of ours."""


class SharedClient(AsyncWebClient):
    """The library's client on the process's one session.

    It knows, when a call fails, whether the request had been written, and it writes no log.
    """

    def __init__(self, settings: Settings, http: Http, clock: Clock) -> None:
        super().__init__(
            token=settings.bot_token.get_secret_value(),
            base_url=settings.base_url,
            logger=silent_logger(),
            retry_handlers=[],
        )
        # The session knows about proxies; the library would not spare the loopback.
        self.proxy = None
        self.seen = Seen()
        self._http = http
        self._clock = clock
        self._within = settings.timeout.total_seconds()

    async def _request(
        self, *, http_verb: str, api_url: str, req_args: dict[str, Any]
    ) -> dict[str, Any]:
        """One call. Raises: CallFailed, with the error of ours that says what to do."""
        wanted = {"headers": req_args["headers"], "params": req_args.get("params")}
        if req_args.get("json") is not None:
            wanted["data"] = msgspec.json.encode(req_args["json"])
        else:
            wanted["data"] = req_args.get("data")
        status, headers, raw = await self.exchange(http_verb, api_url, **wanted)
        data = _object(raw)
        self._look_at(headers)
        failure = failure_of(status, headers, data)
        if failure is not None:
            raise CallFailed(failure)
        return {"data": data, "headers": headers, "status_code": status}

    async def exchange(self, method: str, url: str, **request: Any) -> tuple[int, Any, bytes]:
        """Write a request and read the whole answer, whatever it says.

        Raises:
            CallFailed: no answer: `Transient` when nothing was written, else `Ambiguous`.
        """
        limits = aiohttp.ClientTimeout(total=self._within, connect=min(_CONNECT, self._within))
        try:
            async with self._http().request(
                method, url, timeout=limits, allow_redirects=False, **request
            ) as answer:
                return answer.status, answer.headers, await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise CallFailed(Transient(f"no connection: {type(error).__name__}")) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CallFailed(Ambiguous(f"no answer: {type(error).__name__}")) from None

    def _look_at(self, headers: Any) -> None:
        date = headers.get("Date")
        if date is not None:
            try:
                self.seen.ahead = parsedate_to_datetime(date) - self._clock.now()
            except (TypeError, ValueError):
                return


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
