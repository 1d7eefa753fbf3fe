"""The library's requests over the process's one aiohttp session."""

from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from telegram.request import BaseRequest, RequestData

from adapters.telegram.failures import CallFailed, failure_of
from bot import Ambiguous, ParleyError, Permanent, Transient

_JSON = {"Content-Type": "application/json"}
_CONNECT = 5.0
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class SharedRequest(BaseRequest):
    """A request class that knows, when a call fails, whether the request had been written.

    Addresses hold the token: no error of the transport travels on, for some show the address.
    """

    __slots__ = ("_http", "_timeout")

    def __init__(self, http: Callable[[], aiohttp.ClientSession], timeout: float) -> None:
        self._http = http
        self._timeout = timeout

    @property
    def read_timeout(self) -> float | None:
        return self._timeout

    async def initialize(self) -> None:
        """The session is open as long as the process serves."""

    async def shutdown(self) -> None:
        """The session is closed by whoever opened it."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        *_: Any,
        **__: Any,
    ) -> tuple[int, bytes]:
        """One call, within our own limit of time.

        Raises:
            CallFailed: with the error of ours that says what to do.
        """
        body = b"" if request_data is None else msgspec.json.encode(request_data.parameters)
        status, answer = await self.exchange(method, url, body, self._timeout)
        failure = failure_of(status, answer)
        if failure is not None:
            raise CallFailed(failure)
        return status, answer

    async def exchange(
        self, method: str, url: str, body: bytes, within: float
    ) -> tuple[int, bytes]:
        """Write a request and read the whole answer, whatever it says.

        Raises:
            CallFailed: no answer: `Transient` when nothing was written, else `Ambiguous`.
        """
        limits = aiohttp.ClientTimeout(total=within, connect=min(_CONNECT, within))
        try:
            async with self._http().request(
                method, url, data=body, headers=_JSON, timeout=limits, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise CallFailed(Transient(f"no connection: {type(error).__name__}")) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CallFailed(Ambiguous(f"no answer: {type(error).__name__}")) from None

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library does it, but without a log entry that holds the payload."""
        try:
            return _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CallFailed(Ambiguous("an answer that is no JSON object")) from None

    async def download(self, url: str, limit: int) -> bytes:
        """A file's content.

        Raises:
            CallFailed: it is too large, gone, or could not be read to its end.
        """
        limits = aiohttp.ClientTimeout(total=3 * self._timeout, connect=_CONNECT)
        try:
            async with self._http().get(url, timeout=limits, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise CallFailed(_not_fetched(answer.status))
                content = await answer.content.read(limit + 1)
                while len(content) <= limit and not answer.content.at_eof():
                    content += await answer.content.read(limit + 1 - len(content))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise CallFailed(Transient(f"no file: {type(error).__name__}")) from None
        if len(content) > limit:
            raise CallFailed(Permanent(f"the file is larger than {limit} bytes"))
        return content


def _not_fetched(status: int) -> ParleyError:
    if 400 <= status < 500 and status != 429:
        return Permanent(f"the file is not there: HTTP {status}")
    return Transient(f"no file: HTTP {status}")
