"""What the model says in fault runs: every mark that waits for an answer, and calls on demand.

A person writes `ma1x2 look stamp`: the model calls `look`, then `stamp`, then answers with the
mark. Several waiting messages of one turn are answered together.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.faults.marks import END, WORDS, Mark, marks_in
from tests.peers.log import Json
from tests.peers.model_answers import Answer, Asked, Call, text_of

TOOLS = ("look", "enter", "stamp", "hostile", "stubborn")
CHUNKS = 8


@dataclass(frozen=True, slots=True)
class Block:
    """The end of a request that has no answer yet: what was said, and the rounds of calls."""

    said: tuple[str, ...]
    rounds: int
    called: tuple[tuple[str, str], ...] = ()
    """The calls of this turn so far, each with the mark that it was made for."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Whom the answer is for."""
        return marks_in("\n".join(self.said))

    @property
    def odd(self) -> str | None:
        """How the model is to misbehave, if it is."""
        words = " ".join(self.said).split()
        return next((word[4:] for word in words if word.startswith("odd:")), None)

    def calls(self) -> list[Call]:
        """What the next round of tools is; empty when it is time to answer."""
        return [
            Call(tool, {"mark": str(mark)} | ({"how": how} if how else {}))
            for line in self.said
            for mark, (tool, how) in zip(marks_in(line), self._wanted(line), strict=False)
        ]

    def _wanted(self, line: str) -> Iterator[tuple[str, str]]:
        wishes = [word for word in line.split() if word.partition(":")[0] in TOOLS]
        if len(wishes) > self.rounds:
            tool, _, how = wishes[self.rounds].partition(":")
            yield tool, how


def block_of(messages: Sequence[Json]) -> Block:
    """What the newest turn of a request is about."""
    said: list[str] = []
    called: list[tuple[str, str]] = []
    rounds = 0
    for message in reversed(messages):
        if message["role"] == "assistant":
            if not message.get("tool_calls"):
                break
            rounds += 1
            functions = [call["function"] for call in message["tool_calls"]]
            called += [(one["name"], str(mark)) for one in functions for mark in _meant(one)]
        elif message["role"] == "user":
            said.append(text_of(message))
    return Block(tuple(reversed(said)), rounds, tuple(called))


def _meant(function: Json) -> tuple[Mark, ...]:
    """Whom a call is for; nobody where what it was given cannot be read."""
    try:
        given = json.loads(function["arguments"])
    except ValueError:
        return ()
    return marks_in(str(given.get("mark"))) if isinstance(given, dict) else ()


@dataclass(slots=True)
class Hold:
    """The answer to this mark in this round stands still before this chunk of its stream."""

    mark: Mark
    at: int
    round: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    reached: bool = False


@dataclass(slots=True)
class Speaker:
    """The script, and what its driver may change about it from outside."""

    seed: int = 0
    pause: float = 0.05
    """Mean seconds until the first word."""
    pace: float = 0.0
    """Seconds between chunks."""
    size: int = 10
    """Words of filler in an answer."""
    holds: list[Hold] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        block = block_of(asked.messages)
        calls = block.calls()
        waits = self._held(block)
        # The same for the same request, whoever asks: a turn that is run again hears the same.
        chance = random.Random(f"{self.seed} {block}")
        first = min(chance.expovariate(1 / self.pause), 20 * self.pause) if self.pause else 0.0
        if (odd := block.odd) is not None:
            return self._odd(odd, block)
        if calls:
            return Answer(calls=calls, first=first, waits=waits if 0 in waits else {})
        text = self._text(block)
        return Answer(text=text, first=first, pace=self.pace, chunks=CHUNKS, waits=waits)

    def _text(self, block: Block) -> str:
        filler = " ".join(word for _ in range(-(-self.size // 10)) for word in WORDS)
        return f"On {' '.join(map(str, block.marks))}: {filler} {END}"

    def _odd(self, odd: str, block: Block) -> Answer:
        """What models say that they should not."""
        mark, text = str(block.marks[0]), self._text(block)
        again = Call("look", {"mark": mark})
        match odd:
            case "length":
                return Answer(text=text, finish="length")
            case "filtered":
                return Answer(finish="content_filter")
            case "nothing":
                return Answer()
            case "loop":
                return Answer(calls=[again])
            case _ if block.rounds:
                return Answer(text=text)
            case "unknown":
                return Answer(calls=[Call("no_such_tool", {"mark": mark})])
            case "json":
                return Answer(calls=[Call("look", f'{{"mark": "{mark}')])
            case "twins":
                return Answer(calls=[replace(again, id="same"), replace(again, id="same")])
            case _:
                raise ValueError(odd)

    def _held(self, block: Block) -> dict[int, asyncio.Event]:
        for hold in self.holds:
            if hold.mark in block.marks and hold.round == block.rounds:
                hold.reached = True
                self.holds.remove(hold)
                return {hold.at: hold.released}
        return {}
