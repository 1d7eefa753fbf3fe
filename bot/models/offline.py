"""The model that needs no network: it picks a tool by its examples, and says honestly what it is.

Deterministic, and ignorant of any tool: everything it knows of one stands in its `ToolSpec`.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bot.domain.message import Message, Role, ToolResult
from bot.domain.model import (
    Delta,
    Finished,
    Reason,
    Request,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
)
from bot.models.offline_match import Match, Matcher
from bot.models.offline_words import Language, language_of
from bot.ports import Clock

_SENTENCES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "standing_in": "The usual language model cannot be reached just now; "
        "I am standing in for it.",
        "no_model": "No language model is configured here yet, "
        "so there are only a few things I understand.",
        "few_things": "On my own I understand only a few things.",
        "hello": "Hello!",
        "ask": "You could ask, for example:",
        "nothing": "There is nothing that I could do without one.",
        "more": "I can do that, but I need to know a little more. Ask it like this, for example:",
        "sorry": "I am sorry, that did not work.",
        "result": "The result is {text}",
        "done": "Done.",
    },
    "zh": {
        "standing_in": "平时的语言模型暂时连不上，我先替它回答。",
        "no_model": "这里还没有配置语言模型，所以我只听得懂几类问题。",
        "few_things": "我自己只听得懂几类问题。",
        "hello": "您好！",
        "ask": "您可以这样问，例如：",
        "nothing": "没有语言模型，我暂时什么也做不了。",
        "more": "这个我可以做，但还需要再多知道一点。您可以这样问，例如：",
        "sorry": "抱歉，没有成功。",
        "result": "结果是 {text}",
        "done": "好了。",
    },
}
_GREETING = re.compile(
    r"(hi|hello|hey|good (morning|afternoon|evening|day)|greetings)\b"
    r"|[您你大家]+好|嗨|哈喽|早上好|下午好|晚上好",
    re.IGNORECASE,
)
# Whole messages that bring a tool nothing new: politeness, and commands that there are none of.
_NO_FOLLOW_UP = re.compile(
    rf"({_GREETING.pattern}|thanks|thank you|thx|ok|okay|bye|谢谢[您你]?|多谢|好的?|再见)\W*|/.*",
    re.IGNORECASE | re.DOTALL,
)
# A few words at a time, or as much in signs, line breaks included.
_PIECES = {"en": re.compile(r"\s*(?:\S+\s*){1,3}"), "zh": re.compile(r".{1,6}", re.DOTALL)}
_GAP: Mapping[Language, str] = {"en": " ", "zh": ""}
"""Between two sentences."""
_PACE = 0.02
_EXAMPLES = 4
_SPEAKABLE = 300
_KEPT = 16
_LONGEST = 600
_AT_ONCE = 3


class OfflineModel:
    """A `Model` without a model. `standing_in` when it is a rung below a real one."""

    def __init__(self, clock: Clock, *, name: str = "offline", standing_in: bool = False) -> None:
        self._clock = clock
        self._name = name
        self._standing_in = standing_in
        self._matchers: dict[tuple[Any, ...], Matcher] = {}

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`; while somebody watches, the words come a few at a time."""
        # What a tool can do is said in a line; the work on more would stop the loop.
        spoken = _last_said(request.messages)[:_LONGEST]
        language = language_of(spoken, request.facts.locale)
        results = _results(request.messages)
        if results:
            text = "\n".join(_reported(result, language) for result in results)
        else:
            matches = self._matches(request, spoken)
            if matches and not any(match.filled.missing for match in matches):
                for call in _calls(request, matches):
                    yield call
                yield Finished(Reason.TOOLS, self._name)
                return
            text = self._honest(request.tools, matches, spoken, language)
        if self._standing_in:
            text = f"{_say('standing_in', language)}\n\n{text}"
        async for delta in self._spoken(text, request, language):
            yield delta
        yield Finished(Reason.STOP, self._name)

    def _matches(self, request: Request, spoken: str) -> list[Match]:
        if not request.tools or not spoken:
            return []
        matcher = self._matcher(request.tools)
        several = [matcher.best(sentence) for sentence in _sentences(spoken)[:_AT_ONCE]]
        whole = [match for match in several if match and not match.filled.missing]
        if len(whole) == len(several) > 1 and len({m.spec.name for m in whole}) > 1:
            return whole
        best = matcher.best(spoken) or self._follow_up(request, matcher, spoken)
        return [best] if best else []

    def _follow_up(self, request: Request, matcher: Matcher, spoken: str) -> Match | None:
        if _NO_FOLLOW_UP.fullmatch(spoken.strip()):
            return None
        earlier = [call for message in request.messages for call in message.calls]
        return matcher.follow_up(spoken, earlier[-1].name) if earlier else None

    def _matcher(self, tools: Sequence[ToolSpec]) -> Matcher:
        """Prepared once for each set of tools that is offered to somebody."""
        key = tuple((tool.name, tool.description, tool.examples) for tool in tools)
        if key not in self._matchers:
            if len(self._matchers) >= _KEPT:
                self._matchers.pop(next(iter(self._matchers)))
            self._matchers[key] = Matcher(tools)
        return self._matchers[key]

    def _honest(
        self, tools: Sequence[ToolSpec], matches: Sequence[Match], spoken: str, language: Language
    ) -> str:
        """Why there is no answer, and what there is instead."""
        if matches:
            examples = _examples([matches[0].spec], language, most=2)
            return f"{_say('more', language)}\n{examples}"
        first = "few_things" if self._standing_in else "no_model"
        gap = _GAP[language]
        greeting = f"{_say('hello', language)}{gap}" if _GREETING.match(spoken.strip()) else ""
        examples = _examples(tools, language)
        rest = f"{_say('ask', language)}\n{examples}" if examples else _say("nothing", language)
        return f"{greeting}{_say(first, language)}{gap}{rest}"

    async def _spoken(
        self, text: str, request: Request, language: Language
    ) -> AsyncGenerator[Delta, None]:
        if not request.watched:
            yield TextDelta(text)
            return
        for piece in _PIECES[language].findall(text):
            yield TextDelta(piece)
            await self._clock.sleep(_PACE)


def _say(name: str, language: Language) -> str:
    return _SENTENCES[language][name]


def _last_said(messages: Sequence[Message]) -> str:
    """What the person said last, without the name that marks a speaker in a group."""
    for message in reversed(messages):
        if message.role is Role.USER:
            name, mark, rest = message.text.partition(": ")
            spoken_by = message.sender.name if message.sender is not None else ""
            return rest if mark and name and name in spoken_by else message.text
    return ""


def _results(messages: Sequence[Message]) -> list[ToolResult]:
    """The results that came since the last calls, if nothing was said after them."""
    found: list[ToolResult] = []
    for message in reversed(messages):
        if message.role is not Role.TOOL:
            break
        found += [part for part in message.parts if isinstance(part, ToolResult)]
    return found[::-1]


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[?!？！。;；])\s*|\n+", text) if part.strip()]


def _calls(request: Request, matches: Sequence[Match]) -> Iterator[ToolCallDelta]:
    facts = request.facts
    for number, match in enumerate(matches, start=1):
        arguments = msgspec.json.encode(match.filled.arguments).decode()
        id = f"offline_{facts.turn}_{facts.step}_{number}"
        yield ToolCallDelta(id, match.spec.name, arguments)


def _reported(result: ToolResult, language: Language) -> str:
    """A tool's result as a person would say it."""
    text = result.text.strip()
    if result.failed:
        # A tool says in a sentence what was wrong; anything longer is not for people.
        told = text if len(text) <= _SPEAKABLE and "Traceback" not in text else ""
        # A reason in Chinese was asked for by the person's locale: not two languages in one answer.
        spoken = "zh" if language_of(told, language) == "zh" else language
        return f"{_say('sorry', spoken)}{_GAP[spoken]}{told}".rstrip()
    if not text:
        return _say("done", language)
    plain = _from_json(text)
    if plain is not None:
        return plain
    # A word or a number alone is no answer that anybody would give.
    alone = len(text.split()) == 1 and language_of(text, "en") == "en"
    return _say("result", language).format(text=text) if alone else text


def _from_json(text: str) -> str | None:
    """Objects and lists as lines of words; None for what is no JSON."""
    if text[0] not in "[{":
        return None
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return "\n".join(_lines(value))


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"- {key}: {_flat(inner)}"
    elif isinstance(value, list):
        for inner in value:
            yield f"- {_flat(inner)}"


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(inner) for inner in value)
    return "–" if value is None else str(value)


def _examples(tools: Sequence[ToolSpec], language: Language, *, most: int = 1) -> str:
    """A few things to ask, in the person's language, from every tool in turn."""
    lines = [
        example
        for tool in tools
        for example in [e for e in tool.examples if language_of(e, "en") == language][:most]
    ]
    quoted = (f"- “{line}”" for line in lines[:_EXAMPLES])
    return "\n".join(quoted)
