"""How an answer leaves the model peer: at its pace, held back, cut short, noticed when unheard."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from tests.peers.log import Json
from tests.peers.model_answers import Answer, Asked, Flaw, FlawKind, Usage
from tests.peers.model_replay import EVENT_STREAM, Tape
from tests.peers.model_stream import (
    HUGE,
    STREAM_ERROR,
    Head,
    body_of,
    cut_inside_a_character,
    cut_inside_arguments,
    finish_of,
    frames_of,
)
from tests.peers.server import Exchange, Peer, Reply

# Those after which nothing of the answer is left to say.
_STOPPING = frozenset(
    {FlawKind.CUT, FlawKind.CUT_UTF8, FlawKind.CUT_JSON, FlawKind.TRICKLE, FlawKind.STALL}
)
_MISLABELLED = {FlawKind.AS_JSON: "application/json", FlawKind.AS_TEXT: "text/plain"}
_STREAM_HEADERS = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-cache"}


class Speech:
    """Says one answer to one request."""

    def __init__(
        self, peer: Peer, request: web.BaseRequest, exchange: Exchange, asked: Asked
    ) -> None:
        self._peer = peer
        self._request = request
        self._exchange = exchange
        self._asked = asked

    async def stream(self, answer: Answer, head: Head, usage: Usage) -> web.StreamResponse:
        """The answer in chunks."""
        frames = frames_of(answer, head, usage)
        flaw = answer.flaw
        stops = flaw is not None and flaw.kind in _STOPPING
        last = min(flaw.at, len(frames) - 1) if flaw is not None and stops else len(frames)
        response = web.StreamResponse(headers=_STREAM_HEADERS)
        if flaw is not None and flaw.kind in _MISLABELLED:
            response.content_type = _MISLABELLED[flaw.kind]
        response.enable_chunked_encoding()
        await response.prepare(self._request)
        rest = await self._paced(response, frames[:last], answer)
        if flaw is not None and stops:
            await response.write(rest)
            return await self._stop(response, flaw, frames[last])
        self._asked.chunks = len(frames)
        self._ended(200, finish=finish_of(answer), usage=usage)
        # What is left goes out together with the end: an unpaced answer is a single write.
        await response.write_eof(rest)
        return response

    async def whole(self, answer: Answer, head: Head, usage: Usage) -> web.StreamResponse:
        """The answer as one body."""
        if answer.first:
            await self._peer.pause(answer.first)
        if 0 in answer.waits:
            await answer.waits[0].wait()
        self._asked.first_at = self._peer.log.now()
        body = body_of(answer, head, usage)
        if answer.flaw is not None:
            return await self._flawed_body(body, answer.flaw)
        self._ended(200, finish=finish_of(answer), usage=usage)
        return web.json_response(body=msgspec.json.encode(body))

    async def tape(self, tape: Tape) -> web.StreamResponse:
        """A recorded stream, byte for byte."""
        response = web.StreamResponse(headers=_STREAM_HEADERS)
        response.enable_chunked_encoding()
        await response.prepare(self._request)
        self._asked.first_at = self._peer.log.now()
        for write in tape.writes:
            await response.write(write)
            # Each write is to arrive on its own, not glued to the next by the loop.
            await asyncio.sleep(0)
        self._ended(200)
        await response.write_eof()
        return response

    def closed(self) -> None:
        """The caller hung up before the end."""
        if self._exchange.status is not None:
            return
        self._asked.closed_at = self._peer.log.now()
        self._peer.end(self._exchange, 0, closed_by="caller", chunks=self._asked.chunks)

    async def _paced(
        self, response: web.StreamResponse, frames: Sequence[bytes], answer: Answer
    ) -> bytes:
        """Write what has its time; the rest, for which nothing has to be waited, comes back."""
        loop = asyncio.get_running_loop()
        due = loop.time() + answer.first
        kept: list[bytes] = []
        if answer.first or answer.waits:
            await response.write(b"")
        for index, frame in enumerate(frames):
            wait = due - loop.time()
            due += answer.pace
            held = answer.waits.get(index)
            if wait > 0 or held is not None:
                await _flush(response, kept)
                await asyncio.sleep(max(wait, 0))
            if held is not None:
                await held.wait()
            kept.append(frame)
            if self._asked.first_at is None:
                self._asked.first_at = self._peer.log.now()
            if answer.pace:
                await _flush(response, kept)
            self._asked.chunks = index + 1
        return b"".join(kept)

    async def _stop(
        self, response: web.StreamResponse, flaw: Flaw, frame: bytes
    ) -> web.StreamResponse:
        if flaw.kind is FlawKind.CUT_UTF8:
            await response.write(cut_inside_a_character(frame))
        if flaw.kind is FlawKind.CUT_JSON:
            await response.write(cut_inside_arguments(frame))
        if flaw.kind is FlawKind.TRICKLE:
            await self._trickle(response, frame, flaw)
        if flaw.kind is FlawKind.STALL:
            await self._peer.pause(None)
        self._peer.end(self._exchange, 200, cut=flaw.name, chunks=self._asked.chunks)
        self._hang_up()
        return response

    async def _flawed_body(self, body: Json, flaw: Flaw) -> web.StreamResponse:
        whole = msgspec.json.encode(body)
        match flaw.kind:
            case kind if kind in _STOPPING:
                return await self._part_of_body(whole, flaw)
            case FlawKind.AS_TEXT:
                text = Reply(200, raw=whole, content_type=_MISLABELLED[flaw.kind])
                return self._peer.send(self._exchange, text)
            case FlawKind.MALFORMED:
                whole = whole[: len(whole) // 2]
            case FlawKind.NOTHING:
                whole = b""
            case FlawKind.ERROR:
                whole = msgspec.json.encode(STREAM_ERROR)
            case FlawKind.HUGE_LINE:
                whole = msgspec.json.encode({**body, "obfuscation": "x" * HUGE})
            case FlawKind.NO_FINISH:
                (choice,) = body["choices"]
                finished = {**choice, "finish_reason": None}
                whole = msgspec.json.encode({**body, "choices": [finished]})
            case _:  # what is wrong with its choices is wrong already; the rest is a stream's
                pass
        return self._peer.send(self._exchange, Reply(200, raw=whole))

    async def _part_of_body(self, whole: bytes, flaw: Flaw) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(whole)
        await response.prepare(self._request)
        text = flaw.kind is FlawKind.CUT_UTF8
        await response.write(cut_inside_a_character(whole) if text else whole[: len(whole) // 2])
        if flaw.kind is FlawKind.STALL:
            await self._peer.pause(None)
        if flaw.kind is FlawKind.TRICKLE:
            await self._trickle(response, whole[len(whole) // 2 : -1], flaw)
        self._peer.end(self._exchange, 200, cut=flaw.name)
        self._hang_up()
        return response

    async def _trickle(self, response: web.StreamResponse, rest: bytes, flaw: Flaw) -> None:
        for byte in rest:
            await response.write(bytes([byte]))
            await self._peer.pause(flaw.every)

    def _ended(self, status: int, *, finish: str = "", usage: Usage | None = None) -> None:
        counted = {} if usage is None else {"usage": usage.as_json()}
        self._peer.end(self._exchange, status, finish=finish, chunks=self._asked.chunks, **counted)

    def _hang_up(self) -> None:
        # Not an abort: what was written must still arrive before the end that is missing.
        if self._request.transport is not None:
            self._request.transport.close()


async def _flush(response: web.StreamResponse, kept: list[bytes]) -> None:
    if kept:
        await response.write(b"".join(kept))
        kept.clear()
