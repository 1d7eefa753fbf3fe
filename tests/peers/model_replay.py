"""A recording from a file, as it is served."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.peers.log import Json
from tests.peers.model_answers import Replay
from tests.peers.server import Reply

EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Tape:
    """A recorded stream, as the writes that serve it."""

    writes: tuple[bytes, ...]


def load(replay: Replay) -> Tape | Reply:
    """What the file holds: a stream, an error with its status and headers, or a plain body.

    Read at every request: recordings are not part of this repository and may not be there.
    """
    raw = replay.path.read_bytes()
    if replay.path.name.endswith(".sse.txt"):
        return Tape(tuple(_chopped(raw, replay.chop)))
    data: Any = msgspec.json.decode(raw)
    if isinstance(data, dict) and "status" in data and "body" in data:
        return _error(data)
    if isinstance(data, dict) and "deltas" in data:
        return Tape(tuple(_chopped(b"".join(_chunks(data["deltas"])), replay.chop)))
    return Reply(replay.status, raw=raw)


def _error(data: Json) -> Reply:
    headers = {key.lower(): str(value) for key, value in data.get("headers", {}).items()}
    kind = headers.pop("content-type", "application/json")
    body = data["body"]
    raw = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Reply(data["status"], raw=raw, content_type=kind, headers=tuple(headers.items()))


def _chunks(deltas: list[Json]) -> Iterator[bytes]:
    """Recorded deltas without their envelopes, as a stream that ends as it should."""
    head = {"id": "chatcmpl-tape", "object": "chat.completion.chunk", "created": 1, "model": "tape"}
    for delta in deltas:
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    yield _event({**head, "choices": [last]})
    yield b"data: [DONE]\n\n"


def _event(chunk: Json) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def _chopped(raw: bytes, size: int | None) -> Iterator[bytes]:
    if size is None:
        yield raw
        return
    for start in range(0, len(raw), size):
        yield raw[start : start + size]
