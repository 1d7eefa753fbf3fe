"""A model behind the OpenAI protocol: OpenAI itself, Azure, and everyone who speaks it alike.

The vendor's client (`openai_client`) gives authentication, Azure's addresses and the transport;
what is sent and what comes back are ours (`openai_body`, `openai_wire`), because the client's typed
road costs a hundred times as much. What its exceptions mean stands in `openai_errors`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx2
import msgspec

from bot.domain.model import Delta, Finished, Reason, Request
from bot.domain.sentences import Said
from bot.errors import ParleyError, Permanent, Transient
from bot.models import openai_advice as advice
from bot.models.failures import Busy, NoRoom, PromptFiltered
from bot.models.gulps import source_of, until_next_gulp
from bot.models.openai_body import Settings, body_of
from bot.models.openai_client import OPENAI_URL, Bytes, OpenAIOptions, client_of
from bot.models.openai_errors import VENDOR_ERRORS, translated
from bot.models.openai_wire import Answer
from bot.models.presets import OPENAI, preset_for
from bot.models.seats import Seats
from bot.models.sse import Splitter
from bot.ports import Clock, Health

T = TypeVar("T")
_PATH = "/chat/completions"
_TOO_LATE = "no answer in time"
_TOO_SLOW = "no first token in time"
_LARGEST = 32 * 1024 * 1024
# A finish reason has come: usage follows at once or never.
_FOR_USAGE = 2.0
# A body read to its end gives its connection back to the pool; a slow end is not worth waiting.
_FOR_REUSE = 0.05
# As much as the vendor's client hands over at once: more is there already.
_FULL = 16 * 1024


@dataclass(frozen=True, slots=True)
class _Limits:
    """By the loop's clock: the first event, the first delta, the end of a streamed call."""

    event: float
    delta: float
    end: float


class OpenAIModel:
    """A `Model` (see ports) that also opens, closes and can be probed."""

    def __init__(self, options: OpenAIOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._azure = options.endpoint is not None
        self._place = "endpoint" if self._azure and options.base_url is None else "base_url"
        url = options.base_url or OPENAI_URL
        preset = OPENAI if self._azure else preset_for(url, options.preset)
        self._settings = Settings(
            options.model,
            preset,
            options.max_output_tokens,
            options.temperature,
            options.include_usage,
        )
        self._client = client_of(options)
        self._seats = Seats(options.connections, name=options.name)
        self._gap = options.gap.total_seconds()
        self._closed = False

    @property
    def name(self) -> str:
        """The configured name: it stands in `Finished.rung` and in every error."""
        return self._options.name

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`: streamed while somebody watches, in one piece otherwise."""
        if self._closed:
            raise Transient(f"{self.name}: closed")
        return self._streamed(request) if request.watched else self._whole(request)

    async def open(self) -> None:
        """Nothing to do: connections are made when they are needed."""

    async def close(self) -> None:
        """Let go of every connection."""
        self._closed = True
        await self._client.close()

    async def probe(self) -> Health:
        """Ask for the list of models: it needs the key and costs no token."""
        limit = _now() + 2 * self._options.connect.total_seconds()
        try:
            trouble = await self._trouble(limit)
        except Busy:
            trouble = None
        except NoRoom:
            trouble = advice.OF_FILES
        except Transient:
            trouble = advice.of_silence(self._place)
        except Permanent as error:
            trouble = advice.of_refusal(error, self._place)
        detail = self._options.model if trouble is None else trouble.to(self._options.locale)
        return Health(f"model {self.name}", trouble is None, detail, self._clock.now())

    async def _trouble(self, limit: float) -> Said | None:
        try:
            asking = self._client.get("/models", cast_to=httpx2.Response)
            found = await self._within(limit, _TOO_LATE, asking)
        except Permanent as error:
            if advice.is_not_found(error):
                return await self._trouble_without_list(limit)
            raise
        # Azure's is a list of what could be deployed.
        return None if self._azure else advice.of_list(found.content, self._options.model)

    async def _trouble_without_list(self, limit: float) -> Said | None:
        """Many compatible servers have none; without messages a question costs no token either."""
        body = {"model": self._options.model}
        asking = self._client.post(_PATH, cast_to=httpx2.Response, body=body)
        try:
            with suppress(Transient):
                await self._within(limit, _TOO_LATE, asking)
        except Permanent as error:
            if advice.is_not_found(error):
                return advice.of_not_found(self._place, "deployment" if self._azure else "model")
            raise
        return None

    async def _whole(self, request: Request) -> AsyncGenerator[Delta, None]:
        answer = Answer(self.name, step=request.facts.step)
        deltas: list[Delta]
        try:
            response = await self._answered(request)
            # All of it is read before any is handed out: what fails, fails before the first delta.
            deltas = list(answer.whole(response.content))
        except PromptFiltered:
            deltas = [Finished(Reason.FILTERED, self.name)]
        for delta in deltas:
            yield delta

    async def _answered(self, request: Request) -> httpx2.Response:
        due = self._until(request.first_due)
        async with self._seats.taken(due):
            asking = self._client.post(_PATH, cast_to=httpx2.Response, **self._payload(request))
            return await self._within(due, _TOO_LATE, asking)

    async def _streamed(self, request: Request) -> AsyncGenerator[Delta, None]:
        answer = Answer(self.name, step=request.facts.step)
        end, due = self._until(request.deadline), self._until(request.first_due)
        async with self._seats.taken(due):
            first = min(due, _now() + self._options.first_token.total_seconds())
            try:
                response = await self._begun(request, first)
                if not _streams(response):
                    for delta in answer.whole(await self._rest(response, due)):
                        yield delta
                    return
                limits = _Limits(first, due, end)
                async with aclosing(self._payloads(response, answer, limits)) as payloads:
                    async for payload in payloads:
                        for delta in answer.chunk(payload):
                            yield delta
                for delta in answer.end():
                    yield delta
            except PromptFiltered:
                yield Finished(Reason.FILTERED, self.name)

    async def _begun(self, request: Request, first: float) -> httpx2.Response:
        payload = self._payload(request)
        asking = self._client.post(_PATH, cast_to=bytes, stream=True, stream_cls=Bytes, **payload)
        stream: Bytes = await self._within(first, _TOO_SLOW, asking)
        return stream.response

    async def _rest(self, response: httpx2.Response, end: float) -> bytes:
        """The body of an answer that is no event stream, asked for or not."""
        async with aclosing(_chunks(response)) as chunks:
            return await self._within(end, _TOO_LATE, self._joined(chunks))

    async def _joined(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        body = bytearray()
        async for data in chunks:
            body += data
            if len(body) > _LARGEST:
                raise Permanent(f"{self.name}: the answer is too large")
        return bytes(body)

    async def _payloads(
        self, response: httpx2.Response, answer: Answer, limits: _Limits
    ) -> AsyncGenerator[bytes, None]:
        """The events of a stream. Comments and blank lines are no sign of life."""
        splitter = Splitter()
        limit, why = limits.event, _TOO_SLOW
        slow = False
        async with aclosing(_chunks(response)) as chunks:
            while True:
                data = await self._next(chunks, limit, why, complete=answer.complete)
                events = splitter.end() if data is None else splitter.feed(data)
                for event in events:
                    if event.startswith(b"[DONE]"):
                        await _read_out(chunks)
                        return
                    yield event
                if data is None:
                    return
                if events:
                    # What comes in one go has no first gulp, and no gulp ends in a full read.
                    if slow and not answer.complete and len(data) < _FULL:
                        await until_next_gulp(source_of(response.stream))
                    slow = True
                    wait = _FOR_USAGE if answer.complete else self._gap
                    end = limits.end if answer.begun else limits.delta
                    limit, why = min(end, _now() + wait), "the answer stopped growing"

    async def _next(
        self, chunks: AsyncGenerator[bytes, None], limit: float, why: str, *, complete: bool
    ) -> bytes | None:
        try:
            async with asyncio.timeout_at(limit):
                return await anext(chunks, None)
        except TimeoutError:
            trouble: ParleyError = Transient(f"{self.name}: {why}")
        except VENDOR_ERRORS as error:
            trouble = self._failure(error)
        if complete:
            return None  # the answer is whole; only its count is lost
        raise trouble

    async def _within(self, limit: float, why: str, answer: Awaitable[T]) -> T:
        """Wait no longer; what the vendor raises becomes ours.

        None of it is kept as a cause: its texts quote the request, the answer and the key.
        """
        try:
            async with asyncio.timeout_at(limit):
                return await answer
        except TimeoutError:
            trouble: ParleyError = Transient(f"{self.name}: {why}")
        except VENDOR_ERRORS as error:
            trouble = self._failure(error)
        raise trouble

    def _failure(self, error: Exception) -> ParleyError:
        return translated(error, self.name, self._clock.now(), place=self._place)

    def _until(self, time: datetime) -> float:
        """A time by the loop's clock."""
        return _now() + (time - self._clock.now()).total_seconds()

    def _payload(self, request: Request) -> dict[str, Any]:
        body = body_of(request, self._settings)
        # Azure's client reads the deployment from the body, so it has to see it as a dict.
        return {"body": body} if self._azure else {"content": msgspec.json.encode(body)}


def _streams(response: httpx2.Response) -> bool:
    """Servers that say nothing about the type are believed to have done as asked."""
    kind = response.headers.get("content-type", "").lower()
    return not kind.startswith(("application/json", "application/problem", "text/html"))


async def _chunks(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """The bytes of a body; leaving closes the connection at once unless all was read."""
    try:
        encoded = "content-encoding" in response.headers
        async for data in response.aiter_bytes() if encoded else response.aiter_raw():
            yield data
    finally:
        await response.aclose()


async def _read_out(chunks: AsyncGenerator[bytes, None]) -> None:
    with suppress(TimeoutError, *VENDOR_ERRORS):
        async with asyncio.timeout(_FOR_REUSE):
            async for _ in chunks:
                pass


def _now() -> float:
    return asyncio.get_running_loop().time()
