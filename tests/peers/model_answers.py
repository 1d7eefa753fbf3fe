"""What the model peer says: answers, their flaws, the dialect they are spoken in, and scripts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.peers.log import Json


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them."""

    prompt: int
    completion: int
    reasoning: int = 0
    cached: int = 0

    def as_json(self) -> Json:
        """The object on the wire."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; `arguments` as an object, or as the very text to send."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def text(self) -> str:
        """The arguments as a model writes them."""
        if isinstance(self.arguments, str):
            return self.arguments
        return msgspec.json.encode(self.arguments).decode()


class FlawKind(StrEnum):
    """How an answer that began well goes wrong."""

    CUT = "cut"
    CUT_UTF8 = "cut_utf8"
    CUT_JSON = "cut_json"
    TRICKLE = "trickle"
    AS_JSON = "as_json"
    AS_TEXT = "as_text"
    MALFORMED = "malformed"
    STALL = "stall"
    ERROR = "error"
    EMPTY_CHOICES = "empty_choices"
    NULL_CHOICES = "null_choices"
    HUGE_LINE = "huge_line"
    NO_FINISH = "no_finish"
    NO_DONE = "no_done"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A flaw and the chunk before which it shows; chunk 0 is the one that carries the role."""

    kind: FlawKind
    at: int = 2
    every: float = 1.0
    """Seconds from byte to byte, where they trickle."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        return str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says to one request."""

    text: str = ""
    calls: Sequence[Call] = ()
    reasoning: str = ""
    finish: str | None = None
    """None: `tool_calls` when there are calls, else `stop`."""
    usage: Usage | None = None
    """None: counted from the request and the text."""
    chunks: int | None = None
    """Into how many pieces the text is streamed; None: four characters each."""
    pace: float = 0.0
    """Seconds between chunks; 0: all in one write."""
    first: float = 0.0
    """Seconds until the first chunk, or until an unstreamed answer."""
    waits: Mapping[int, asyncio.Event] = field(default_factory=dict)
    """Before chunk n, wait for this; 0 also holds back an unstreamed answer."""
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A recording served as it stands: `.sse.txt` as a stream, `.json` as a body."""

    path: Path
    status: int = 200
    chop: int | None = None
    """Cut the bytes into writes of this size, wherever that falls."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How this provider differs from the first one."""

    usage: Literal["asked", "always", "never", "in_choice"] = "asked"
    tool_index: Literal["right", "absent", "from_one"] = "right"
    tool_names: Literal["once", "repeated", "empty", "null"] = "once"
    """What later deltas of one call carry as id and name."""
    tool_type: Literal["function", "absent"] = "function"
    no_arguments: Literal["{}", ""] = "{}"
    content: Literal["text", "list"] = "text"
    reasoning: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    reasoning_back: Literal["free", "demanded"] = "free"
    """Demanded: on the running turn's tool calls it must come back, on older ones it must not."""
    first_choices: Literal["full", "empty"] = "full"
    """Empty: a chunk with the prompt's filter results and no choices comes first."""
    framing: Literal["lf", "crlf", "tight"] = "lf"
    """Tight: no space after `data:`."""
    comments: Literal["none", "each"] = "none"
    """Each: a keep-alive comment before every chunk."""


@dataclass(slots=True)
class Asked:
    """One request to the model and how it went; times are monotonic microseconds."""

    number: int
    path: str
    body: Json
    at: int
    answer: Answer | Replay | None = None
    refused: str | None = None
    first_at: int | None = None
    ended_at: int | None = None
    closed_at: int | None = None
    """When the caller hung up before the end."""
    chunks: int = 0
    """How many were written."""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[Json]:
        """The history that was sent."""
        return list(self.body.get("messages") or ())

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.body.get("stream"))

    @property
    def last(self) -> Json:
        """The newest message."""
        return self.messages[-1]

    @property
    def last_user(self) -> str:
        """The text of the newest message of a person."""
        for message in reversed(self.messages):
            if message["role"] == "user":
                return text_of(message)
        return ""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that were offered."""
        return [tool["function"]["name"] for tool in self.body.get("tools") or ()]

    @property
    def results(self) -> list[str]:
        """What the tools said since the model spoke last."""
        found: list[str] = []
        for message in reversed(self.messages):
            if message["role"] != "tool":
                break
            found.append(text_of(message))
        return found[::-1]


Script = Callable[[Asked], Answer | Replay]


def text_of(message: Json) -> str:
    """A message's text, also when its content is a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def echo() -> Script:
    """Say back what the person said, with a token that no other answer has."""
    numbers = count(1)

    def script(asked: Asked) -> Answer:
        return Answer(text=f"You said: {asked.last_user} [answer-{next(numbers)}]")

    return script


def always(answer: Answer | Replay) -> Script:
    """The same to everybody."""
    return lambda asked: answer


def in_turn(*answers: Answer | Replay, then: Script | None = None) -> Script:
    """One after the other; afterwards as `then` says, or an echo."""
    left = list(answers)
    after = then or echo()
    return lambda asked: left.pop(0) if left else after(asked)


def tool_then_answer(*calls: Call, say: Callable[[list[str]], str] = "; ".join) -> Script:
    """Call these tools at once, then answer with what they said."""

    def script(asked: Asked) -> Answer:
        if asked.results:
            return Answer(text=say(asked.results))
        return Answer(calls=calls)

    return script


def by_words(table: Mapping[str, Script | Answer | Replay], otherwise: Script) -> Script:
    """The first entry whose words stand in what the person said."""

    def script(asked: Asked) -> Answer | Replay:
        for words, then in table.items():
            if words in asked.last_user:
                return then if isinstance(then, Answer | Replay) else then(asked)
        return otherwise(asked)

    return script


def words(number: int) -> str:
    """A text of so many short words, about one token each."""
    return " ".join(f"word{position:03}" for position in range(number))
