"""How an answer becomes bytes: the chunks of a stream, or one body."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from tests.peers.log import Json, wall_us
from tests.peers.model_answers import Answer, Call, Dialect, Flaw, FlawKind, Usage

HUGE = 1024 * 1024
DONE = b"[DONE]"
STREAM_ERROR: Json = {
    "error": {
        "message": "The server had an error while processing your request.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
}
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Head:
    """What is the same in every chunk of one answer."""

    id: str
    model: str
    dialect: Dialect
    asked_usage: bool

    def as_json(self, kind: str) -> Json:
        """The first fields of a chunk or a body."""
        created = wall_us() // 1_000_000
        return {"id": self.id, "object": kind, "created": created, "model": self.model}


def body_of(answer: Answer, head: Head, usage: Usage) -> Json:
    """The whole answer as one object."""
    choices: list[Json] | None = [
        {
            "index": 0,
            "message": _message(answer, head),
            "logprobs": None,
            "finish_reason": finish_of(answer),
        }
    ]
    if answer.flaw is not None and answer.flaw.kind is FlawKind.EMPTY_CHOICES:
        choices = []
    if answer.flaw is not None and answer.flaw.kind is FlawKind.NULL_CHOICES:
        choices = None
    body: Json = {**head.as_json("chat.completion"), "choices": choices}
    return body if head.dialect.usage == "never" else {**body, "usage": usage.as_json()}


def frames_of(answer: Answer, head: Head, usage: Usage) -> list[bytes]:
    """Every event of the stream, `[DONE]` last, the flaw in its place."""
    payloads = [*_opening(head), *_payloads(answer, head, usage)]
    flawed = list(_with_flaw(payloads, answer.flaw, head))
    return [_frame(payload, head.dialect) for payload in flawed]


def finish_of(answer: Answer) -> str:
    """Why the answer ends."""
    if answer.finish is not None:
        return answer.finish
    return "tool_calls" if answer.calls else "stop"


def pieces_of(text: str, number: int | None) -> list[str]:
    """The text in so many pieces of even size; by default of four characters."""
    if not text:
        return []
    number = max(1, number if number is not None else -(-len(text) // 4))
    edges = [len(text) * i // number for i in range(number + 1)]
    return [text[start:end] for start, end in pairwise(edges)]


def cut_inside_a_character(frame: bytes) -> bytes:
    """The frame up to the middle of its first wide character; one is lent if it has none."""
    for position, byte in enumerate(frame):
        if byte >= 0xC0:
            return frame[: position + 1]
    return b'data: {"choices":[{"index":0,"delta":{"content":"\xe4\xbd'


def cut_inside_arguments(frame: bytes) -> bytes:
    """The frame up to the middle of a tool call's arguments; half of it where it has none."""
    before, found, after = frame.partition(b'"arguments":"')
    if not found:
        return frame[: len(frame) // 2]
    return before + found + after[: after.find(b'"}') // 2]


def _payloads(answer: Answer, head: Head, usage: Usage) -> Iterator[bytes]:
    around = _Around(head)
    yield around.delta({"role": "assistant", "content": ""})
    for piece in pieces_of(answer.reasoning, None):
        yield around.delta(_reasoning(piece, head.dialect))
    yield from around.contents(pieces_of(answer.text, answer.chunks))
    for delta in _tool_deltas(answer.calls, head):
        yield around.delta({"tool_calls": [delta]})
    yield around.finish(finish_of(answer), usage)
    wanted = head.dialect.usage == "always" or (head.dialect.usage == "asked" and head.asked_usage)
    if wanted:
        yield _encode(
            {**head.as_json("chat.completion.chunk"), "choices": [], "usage": usage.as_json()}
        )
    yield DONE


class _Around:
    """Encodes only once what never changes: a hundred chunks cost next to nothing."""

    def __init__(self, head: Head) -> None:
        self._head = head
        start = _encode(head.as_json("chat.completion.chunk"))[:-1]
        usage = b',"usage":null' if head.dialect.usage == "asked" and head.asked_usage else b""
        self._before = start + b',"choices":[{"index":0,"delta":'
        self._after = b',"logprobs":null,"finish_reason":null}]' + usage + b"}"

    def delta(self, delta: Json) -> bytes:
        return self._before + _encode(delta) + self._after

    def contents(self, pieces: Sequence[str]) -> Iterator[bytes]:
        if self._head.dialect.content == "list":
            for piece in pieces:
                yield self.delta({"content": [{"type": "text", "text": piece}]})
            return
        before, after = self._before + b'{"content":', b"}" + self._after
        for piece in pieces:
            yield before + _encode(piece) + after

    def finish(self, reason: str, usage: Usage) -> bytes:
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": reason}
        chunk = {**self._head.as_json("chat.completion.chunk"), "choices": [choice]}
        if self._head.dialect.usage == "in_choice":
            chunk["usage"] = usage.as_json()
        return _encode(chunk)


def _opening(head: Head) -> Iterator[bytes]:
    if head.dialect.first_choices == "empty":
        filters = [{"prompt_index": 0, "content_filter_results": {}}]
        empty = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
        yield _encode({**empty, "prompt_filter_results": filters})


def _reasoning(piece: str, dialect: Dialect) -> Json:
    if dialect.content == "list":
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": piece}]}
        return {"content": [thought]}
    return {dialect.reasoning: piece}


def _tool_deltas(calls: Sequence[Call], head: Head) -> Iterator[Json]:
    dialect = head.dialect
    for number, call in enumerate(calls):
        place = _place(number, dialect)
        id = _call_id(call, number, head)
        text = _arguments(call, dialect)
        # Without an index the calls of one answer can be told apart only when each comes whole.
        whole = dialect.tool_index == "absent" and len(calls) > 1
        first, *rest = [text] if whole else ["", *pieces_of(text, 3)]
        kind = {"type": "function"} if dialect.tool_type == "function" else {}
        yield {**place, "id": id, **kind, "function": {"name": call.name, "arguments": first}}
        for piece in rest:
            yield _later_delta(place, id, call.name, piece, dialect)


def _later_delta(place: Json, id: str, name: str, piece: str, dialect: Dialect) -> Json:
    match dialect.tool_names:
        case "once":
            return {**place, "function": {"arguments": piece}}
        case "repeated":
            named = {"name": name, "arguments": piece}
            return {**place, "id": id, "type": "function", "function": named}
        case "empty":
            return {**place, "id": "", "function": {"name": "", "arguments": piece}}
        case "null":
            return {**place, "id": None, "function": {"name": None, "arguments": piece}}


def _place(number: int, dialect: Dialect) -> Json:
    match dialect.tool_index:
        case "right":
            return {"index": number}
        case "from_one":
            return {"index": number + 1}
        case "absent":
            return {}


def _call_id(call: Call, number: int, head: Head) -> str:
    return call.id if call.id is not None else f"call_{head.id.removeprefix('chatcmpl-')}_{number}"


def _arguments(call: Call, dialect: Dialect) -> str:
    return dialect.no_arguments if call.text == "{}" else call.text


def _message(answer: Answer, head: Head) -> Json:
    dialect = head.dialect
    content: object = answer.text if answer.text or not answer.calls else None
    if dialect.content == "list" and answer.text:
        content = [{"type": "text", "text": answer.text}]
    message: Json = {"role": "assistant", "content": content, "refusal": None}
    if answer.reasoning:
        message |= {dialect.reasoning: answer.reasoning}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(call, number, head),
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call, dialect)},
            }
            for number, call in enumerate(answer.calls)
        ]
    return message


def _with_flaw(payloads: list[bytes], flaw: Flaw | None, head: Head) -> Iterator[bytes]:
    if flaw is None:
        yield from payloads
        return
    if flaw.kind is FlawKind.NOTHING:
        return
    for index, payload in enumerate(payloads):
        if flaw.kind is FlawKind.NO_DONE and payload is DONE:
            return
        if flaw.kind is FlawKind.NO_FINISH and _finishes(payload):
            continue
        if index == flaw.at:
            yield from _odd(flaw, head)
            if flaw.kind is FlawKind.ERROR:
                return
        yield payload


def _odd(flaw: Flaw, head: Head) -> Iterator[bytes]:
    base = head.as_json("chat.completion.chunk")
    match flaw.kind:
        case FlawKind.MALFORMED:
            yield b'{"id":"chatcmpl-broken","choices":[{"index":0,"del'
        case FlawKind.ERROR:
            yield _encode(STREAM_ERROR)
        case FlawKind.EMPTY_CHOICES:
            yield _encode({**base, "choices": []})
        case FlawKind.NULL_CHOICES:
            yield _encode({**base, "choices": None})
        case FlawKind.HUGE_LINE:
            yield _encode({**base, "choices": [], "obfuscation": "x" * HUGE})
        case _:
            return


def _finishes(payload: bytes) -> bool:
    return b'"delta":{},' in payload


def _frame(payload: bytes, dialect: Dialect) -> bytes:
    comment = b": keep-alive\n\n" if dialect.comments == "each" else b""
    match dialect.framing:
        case "lf":
            return comment + b"data: " + payload + b"\n\n"
        case "tight":
            return comment + b"data:" + payload + b"\n\n"
        case "crlf":
            return comment.replace(b"\n", b"\r\n") + b"data: " + payload + b"\r\n\r\n"
