"""What the tests of this room ask with: requests, a scripted model, a model on a peer."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from bot.domain.conversation import ConversationId, TurnId
from bot.domain.message import Message, Reasoning, Role, Text
from bot.domain.model import (
    Delta,
    Facts,
    Finished,
    Reason,
    Request,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
)
from bot.models.closing import closing
from bot.models.openai import OpenAIModel
from bot.models.openai_client import OpenAIOptions
from bot.ports import Clock, Model
from tests.fakes import EPOCH, FakeClock

TOOL = ToolSpec(
    "get_time",
    "Tell the time somewhere.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def said(text: str, role: Role = Role.USER) -> Message:
    """One message of text."""
    return Message(role, (Text(text),), sent_at=EPOCH)


def asking(
    *messages: Message | str,
    tools: Sequence[ToolSpec] = (),
    watched: bool = True,
    within: float = 60,
    step: int = 1,
    rung: str = "",
    locale: str = "en",
) -> Request:
    """A request with these messages; plain strings are a person's."""
    whole = tuple(said(one) if isinstance(one, str) else one for one in messages or ("hello",))
    facts = Facts(
        tenant="default",
        audience="answer",
        conversation=ConversationId(1),
        person="p",
        turn=TurnId(1),
        step=step,
        rung=rung,
        locale=locale,
    )
    deadline = EPOCH + timedelta(seconds=within)
    return Request(whole, facts, deadline, tools=tuple(tools), watched=watched)


async def collect(model: Model, request: Request) -> list[Delta]:
    """Every delta of an answer."""
    return [delta async for delta in model.stream(request)]


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def thoughts_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Reasoning))


def calls_of(deltas: Sequence[Delta]) -> list[ToolCallDelta]:
    return [delta for delta in deltas if isinstance(delta, ToolCallDelta)]


def end_of(deltas: Sequence[Delta]) -> Finished:
    """The last delta, which has to be `Finished`."""
    last = deltas[-1]
    assert isinstance(last, Finished), last
    return last


@asynccontextmanager
async def speaking_to(
    base_url: str | None, clock: Clock | None = None, **options: Any
) -> AsyncIterator[OpenAIModel]:
    """A model on a stand-in, closed afterwards."""
    settings = {"name": "main", "model": "peer-model", "api_key": "sk-test", **options}
    model = OpenAIModel(OpenAIOptions(base_url=base_url, **settings), clock or FakeClock())
    try:
        yield model
    finally:
        await model.close()


ANSWER: tuple[Delta, ...] = (TextDelta("fine"), Finished(Reason.STOP, "leaf"))
"""What a scripted model says when all is well."""


class ScriptedModel:
    """A model that plays a list: deltas to say, an error to raise; then it says `ANSWER`."""

    def __init__(self, *plays: Exception | Sequence[Delta | Exception]) -> None:
        self._plays = list(plays)
        self.asked = 0
        self.closed = 0

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.asked += 1
        play = self._plays.pop(0) if self._plays else ANSWER
        try:
            for delta in [play] if isinstance(play, Exception) else play:
                if isinstance(delta, Exception):
                    raise delta
                yield delta
        finally:
            self.closed += 1


async def first_of(model: Model, request: Request) -> Delta:
    """The first delta; then the stream is closed, as a caller who was cancelled closes it."""
    async with closing(model.stream(request)) as deltas:
        async for delta in deltas:
            return delta
    raise AssertionError("the stream was empty")
