"""What the exceptions of the vendor's client, its transport and the socket mean for our callers."""

import errno
from collections.abc import Iterator
from datetime import datetime

import aiohttp
import httpx2
import openai

from bot.errors import ParleyError, Permanent, Transient
from bot.models.failures import NoRoom, complaint_of, failure, retry_after

VENDOR_ERRORS = (
    openai.OpenAIError,
    openai.InvalidWebhookSignatureError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    aiohttp.ClientError,
    aiohttp.http_exceptions.HttpProcessingError,
    OSError,
    UnicodeError,
)
"""Everything that the vendor's client, its transport or the socket below may raise.

A `UnicodeError` is the socket's for a host that can be no name at all: `a..b`.
"""
_NO_ADDRESS = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, aiohttp.InvalidURL, UnicodeError)

NO_PLACE = "is no address"
NO_KEY = "api_key holds a character that no key has"
NO_FILES = "this process may open no more files or connections; raise its limit (LimitNOFILE)"
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_UNREACHED = (
    (aiohttp.ClientConnectorDNSError, "its host has no address"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientConnectorSSLError, "no TLS could be spoken with it"),
    (ConnectionRefusedError, "nobody listens at its address"),
    (aiohttp.ClientConnectorError, "it could not be connected to"),
)
"""The narrowest first: the first that fits is said."""


def translated(
    error: Exception, name: str, now: datetime, *, place: str = "base_url"
) -> ParleyError:
    """What one of `VENDOR_ERRORS` means for our callers; `place` is the setting of the address."""
    if isinstance(error, openai.APIStatusError):
        response = error.response
        wait = retry_after(response.headers, now)
        return failure(name, complaint_of(response.status_code, response.content, wait))
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
        return Permanent(f"{name}: {NO_KEY}")
    if isinstance(error, _NO_ADDRESS):
        return Permanent(f"{name}: {place} {NO_PLACE}")
    if any(getattr(one, "errno", None) in _NO_FILES for one in _causes(error)):
        return NoRoom(f"{name}: {NO_FILES}")
    if isinstance(error, openai.APITimeoutError):
        return Transient(f"{name}: {_why_late(error)}")
    if isinstance(error, (openai.OpenAIError, ValueError)) and not isinstance(
        error, openai.APIError
    ):
        return Permanent(f"{name}: {type(error).__name__}")
    return Transient(f"{name}: {type(error).__name__}")


def _why_late(error: BaseException) -> str:
    """The vendor's client calls every connection that could not be made a time-out."""
    causes = tuple(_causes(error))
    for kind, why in _UNREACHED:
        if any(isinstance(one, kind) for one in causes):
            return why
    return "timed out"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
