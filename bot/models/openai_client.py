"""The vendor's client, made from our options; every limit of its transport is given as a number."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
from openai import AsyncAzureOpenAI, AsyncOpenAI, AsyncStream, DefaultAioHttpClient

OPENAI_URL = "https://api.openai.com/v1"
SPARE = 16
"""Connections beyond the calls: for probes, and for those that are just being closed."""


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """Which model, where, and how long to wait for it. `name` is the configured name.

    With `endpoint` it is Azure, and `model` is the deployment; a `base_url` beside it is used
    instead of it. `first_token` and `gap` hold for streamed calls; any call has the time that its
    request gives it, which is a part of the turn's where another model could answer, too.
    """

    name: str
    model: str
    api_key: str | None = None
    base_url: str | None = None
    endpoint: str | None = None
    api_version: str | None = None
    preset: str = "auto"
    max_output_tokens: int | None = None
    temperature: float | None = None
    include_usage: bool = True
    connect: timedelta = timedelta(seconds=5)
    first_token: timedelta = timedelta(seconds=20)
    gap: timedelta = timedelta(seconds=30)
    connections: int = 1000
    """Calls at once; whoever comes later waits for one of them to be over."""
    locale: str = "en"
    """In which a probe says what it finds."""


class Bytes(AsyncStream[bytes]):
    """The client's seam for streams: it hands over the response, we read its bytes."""

    def __init__(
        self, *, cast_to: Any, response: httpx2.Response, client: Any, options: Any = None
    ) -> None:
        del cast_to, client, options
        self.response = response


def client_of(options: OpenAIOptions) -> AsyncOpenAI:
    """The client of the place that the options name; it never tries again by itself."""
    connect = options.connect.total_seconds()
    connections = options.connections + SPARE
    http = DefaultAioHttpClient(
        # As numbers: None would silently mean aiohttp's own limit of 100.
        limits=httpx2.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
        ),
        # `pool` is the time for a whole new connection, its address found included; nobody waits
        # here for a free one (`Seats`). Reading is bounded by our own budgets, which know a first
        # token from a gap.
        timeout=httpx2.Timeout(connect=connect, pool=connect, write=30.0, read=None),
    )
    # Local servers take no key, but the client insists on one.
    key = options.api_key or "none"
    if options.endpoint is None:
        url = options.base_url or OPENAI_URL
        return AsyncOpenAI(api_key=key, base_url=url, max_retries=0, http_client=http)
    # The deployment is not fixed here: the client reads it from the body of each request.
    version = options.api_version
    if options.base_url is not None:
        return AsyncAzureOpenAI(
            api_key=key,
            base_url=options.base_url,
            api_version=version,
            max_retries=0,
            http_client=http,
        )
    return AsyncAzureOpenAI(
        api_key=key,
        azure_endpoint=options.endpoint,
        api_version=version,
        max_retries=0,
        http_client=http,
    )
