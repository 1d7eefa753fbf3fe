"""What a chat completion looks like on the wire, whole or in chunks, and what it says; pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from bot.domain.conversation import Usage
from bot.domain.message import Reasoning
from bot.domain.model import Delta, Finished, Reason, TextDelta, ToolCallDelta
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.calls import Calls
from bot.models.failures import complaint_in, failure
from bot.models.lenient import read
from bot.models.sse import Splitter


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: Any = None
    thinking: Any = None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Part] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[_Call] | None = None


class _Details(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: int | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int | None = None
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None


class _Groq(msgspec.Struct, gc=False):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    x_groq: _Groq | None = None
    error: Any = None
    object: Any = None
    type: Any = None


# Not strict: a number in quotes is still a number.
_decode = msgspec.json.Decoder(_Chunk, strict=False).decode

_REASONS = {
    "stop": Reason.STOP,
    "tool_calls": Reason.TOOLS,
    "function_call": Reason.TOOLS,
    "length": Reason.LENGTH,
    "max_tokens": Reason.LENGTH,
    "content_filter": Reason.FILTERED,
    "sensitive": Reason.FILTERED,
    "safety": Reason.FILTERED,
}
# What some providers write where the reason should be, when they have failed.
_BROKEN = {"error", "network_error", "insufficient_system_resource"}
_FULL = "model_context_window_exceeded"
_NOTHING: tuple[Delta, ...] = ()


class Answer:
    """One answer as it arrives: text goes out at once, everything else is joined until the end."""

    __slots__ = ("_calls", "_reason", "_reasoning", "_rung", "_said", "_usage", "complete")

    def __init__(self, rung: str, *, step: int) -> None:
        self._rung = rung
        self._calls = Calls(step)
        self._reasoning: list[str] = []
        self._reason: str | None = None
        self._usage: _Usage | None = None
        self._said = False
        self.complete = False
        """A finish reason has come: only usage can follow."""

    @property
    def begun(self) -> bool:
        """Something of it has been handed out: nobody else can be asked for it any more."""
        return self._said

    def chunk(self, payload: bytes) -> tuple[Delta, ...]:
        """Read one event of a stream.

        Raises:
            Transient: it is broken, or tells of a passing error.
            Permanent: it tells of a lasting error or belongs to another API.
        """
        if payload.startswith(b"[DONE]"):
            return _NOTHING
        chunk = self._decoded(payload)
        if not chunk.choices:
            self._complain(payload, chunk)
            self._count(chunk)
            return _NOTHING
        self._count(chunk)
        choice = chunk.choices[0]
        text = self._take(choice.delta) if choice.delta is not None else ""
        if choice.finish_reason:
            self._reason = choice.finish_reason
            self.complete = True
        if chunk.error:
            self._complain(payload, chunk)
        if not text:
            return _NOTHING
        self._said = True
        return (TextDelta(text),)

    def whole(self, body: bytes) -> Iterator[Delta]:
        """Read an answer that was not streamed, with its end. Raises what `chunk` raises."""
        if body.lstrip()[:5] in {b"data:", b"event"}:
            yield from self._unasked_stream(body)
            return
        completion = self._decoded(body)
        self._complain(body, completion)
        if not completion.choices:
            raise Transient(f"{self._rung}: an answer without choices")
        self._count(completion)
        choice = completion.choices[0]
        self._reason = choice.finish_reason
        self.complete = True
        text = self._take(choice.message, whole=True) if choice.message is not None else ""
        if text:
            self._said = True
            yield TextDelta(text)
        yield from self.end()

    def end(self) -> Iterator[Delta]:
        """What was joined, and `Finished`.

        Raises:
            Transient: this is no whole answer.
        """
        if not self.complete:
            raise Transient(f"{self._rung}: the answer broke off")
        if self._reason in _BROKEN:
            raise Transient(f"{self._rung}: the answer ended as {self._reason}")
        reason = Reason.LENGTH if self._reason == _FULL else _REASONS.get(self._reason or "")
        # A call that was cut off by the limit or the filter is no call that anybody meant.
        cut = reason in {Reason.LENGTH, Reason.FILTERED}
        calls = [] if cut else self._calls.joined(self._rung)
        if calls:
            reason = Reason.TOOLS
        self._refuse_silence(reason)
        if self._reasoning:
            yield Reasoning("".join(self._reasoning))
        yield from (ToolCallDelta(*call) for call in calls)
        if self._usage is not None:
            yield _usage(self._usage)
        if reason is Reason.TOOLS and not calls:
            reason = Reason.STOP
        yield Finished(reason or Reason.STOP, self._rung)

    def _refuse_silence(self, reason: Reason | None) -> None:
        """An empty answer may be meant; these are not."""
        if self._said or self._calls:
            return
        if self._reason == _FULL:
            raise ContextTooLong(f"{self._rung}: the context was full before the answer")
        if reason is Reason.TOOLS or not self._reason:
            raise Transient(f"{self._rung}: an answer that says nothing")

    def _unasked_stream(self, body: bytes) -> Iterator[Delta]:
        splitter = Splitter()
        for payload in [*splitter.feed(body), *splitter.end()]:
            yield from self.chunk(payload)
        yield from self.end()

    def _decoded(self, payload: bytes) -> _Chunk:
        try:
            return read(_decode, payload)
        except msgspec.ValidationError:
            raise self._other_form(payload) from None
        except (msgspec.DecodeError, RecursionError):
            raise Transient(f"{self._rung}: the answer is not JSON; check base_url") from None

    def _other_form(self, payload: bytes) -> Exception:
        complaint = complaint_in(_plain(payload))
        if complaint is not None:
            return failure(self._rung, complaint)
        return Permanent(f"{self._rung}: the answer has another API's form; check base_url")

    def _complain(self, payload: bytes, chunk: _Chunk) -> None:
        """Raise what a body without choices tells, if it tells anything."""
        if chunk.choices and not chunk.error:
            return
        complaint = complaint_in(_plain(payload))
        if complaint is not None:
            raise failure(self._rung, complaint)
        foreign = isinstance(chunk.type, str) and chunk.type.startswith("response.")
        if foreign or chunk.object in {"response", "list"}:
            raise self._other_form(payload)

    def _count(self, chunk: _Chunk) -> None:
        usage = chunk.usage
        if usage is None and chunk.choices:
            usage = chunk.choices[0].usage
        if usage is None and chunk.x_groq is not None:
            usage = chunk.x_groq.usage
        if usage is not None:
            self._usage = usage

    def _take(self, message: _Message, *, whole: bool = False) -> str:
        """Keep what is joined later; return what is text now."""
        thought = message.reasoning_content or message.reasoning
        if thought and isinstance(thought, str):
            self._reasoning.append(thought)
        for call in message.tool_calls or ():
            function = call.function or _Function()
            if whole:
                self._calls.put(call.id, function.name, function.arguments)
            else:
                self._calls.add(call.index, call.id, function.name, function.arguments)
        content = message.content
        if isinstance(content, list):
            content = self._parts(content)
        if not content and isinstance(message.refusal, str):
            content = message.refusal
        return content or ""

    def _parts(self, parts: list[_Part]) -> str:
        for part in parts:
            if part.type == "thinking":
                self._reasoning.append(_text(part.thinking))
        return "".join(_text(part.text) for part in parts if part.type != "thinking")


def _plain(payload: bytes) -> object:
    try:
        decoded: object = read(msgspec.json.decode, payload)
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_text(item.get("text")) for item in value if isinstance(item, dict))
    return value if isinstance(value, str) else ""


def _usage(usage: _Usage) -> Usage:
    sent = usage.prompt_tokens or 0
    answered = usage.completion_tokens or 0
    # xAI leaves the reasoning out of completion_tokens; the total has it.
    answered = max(answered, (usage.total_tokens or 0) - sent)
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    cached = prompt.cached_tokens if prompt is not None else None
    reasoning = completion.reasoning_tokens if completion is not None else None
    return Usage(sent, answered, cached or usage.prompt_cache_hit_tokens or 0, reasoning or 0)
