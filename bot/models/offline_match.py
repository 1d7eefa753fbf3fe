"""Which tool a sentence asks for, by what its words share with the tools' examples."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt

from bot.domain.model import ToolSpec
from bot.models.offline_fill import Filled, fill
from bot.models.offline_template import Template
from bot.models.offline_words import Shape, Token, tokens_of

Feature = tuple[str, ...]

ENOUGH = 0.32
"""Below this a sentence asks for none of the tools."""

_SMALL, _WORD = "small", "word"
_SMALL_WEIGHT = 0.3
_PAIR_WEIGHT = 0.6
_BEGINNING = 4
_BEGINNING_WEIGHT = 0.4
_HAN_WEIGHT = 0.35
_DESCRIBED = 0.5
# Nobody needs more words for what a tool can do, and the work grows with them.
_LONGEST = 60
_SHORT = 6
_USUAL = 3
_NEARLY = 0.7
_EXACT = 0.75
_SHAPES = (Shape.NUMBER, Shape.SIGN, Shape.CLOCK, Shape.CODE)


@dataclass(frozen=True, slots=True)
class Match:
    """A tool, how well it fits, and the arguments found for it."""

    spec: ToolSpec
    score: float
    filled: Filled


class Known:
    """One tool, prepared: its template, and which features its examples have how often."""

    def __init__(self, spec: ToolSpec) -> None:
        self.spec = spec
        self.template = Template(spec)
        self.examples = [dict(features_of(rest)) for rest in self.template.rests]
        self.counts = Counter(name for example in self.examples for name in example)
        described = tokens_of(f"{spec.name.replace('_', ' ')} {spec.description}")
        self.described = {name for name, _ in features_of(described) if name[0] == _WORD}
        # One more than there are, as if some example were still to come.
        many = len(spec.examples) + 2
        self.shapes = {
            shape: (1 + sum(_has(tokens, shape) for tokens in self.template.examples)) / many
            for shape in _SHAPES
        }


class Matcher:
    """The tools of one audience, ready to be matched."""

    def __init__(self, specs: Sequence[ToolSpec]) -> None:
        self._tools = [Known(spec) for spec in specs]
        for tool in self._tools:
            _introduce(tool, [other for other in self._tools if other is not tool])
        owners = Counter(name for tool in self._tools for name in tool.counts)
        self._idf = {
            name: log(1 + (len(self._tools) + 1) / (count + 0.5)) for name, count in owners.items()
        }
        # A word that no tool knows weighs as much as one that half of them know.
        self._unknown = log(3)

    def best(self, text: str) -> Match | None:
        """The tool that the sentence asks for, if it asks for any."""
        likely = [match for match in self.ranked(text) if match.score >= ENOUGH]
        if not likely:
            return None
        # Rather the one that can be called than a slightly likelier one that cannot.
        whole = (match for match in likely if not match.filled.missing)
        second = next(whole, likely[0])
        return second if second.score >= _NEARLY * likely[0].score else likely[0]

    def follow_up(self, text: str, tool: str) -> Match | None:
        """The same tool again, when a short sentence only brings new arguments for it."""
        tokens = tokens_of(text)
        known = next((known for known in self._tools if known.spec.name == tool), None)
        if known is None or len(tokens) > _SHORT:
            return None
        match = self._match(known, text, tokens)
        return match if match.filled.arguments else None

    def ranked(self, text: str) -> list[Match]:
        """Every tool, the likeliest first."""
        tokens = tokens_of(text)[:_LONGEST]
        matches = [self._match(tool, text, tokens) for tool in self._tools]
        return sorted(matches, key=lambda match: -match.score)

    def _match(self, tool: Known, text: str, tokens: Sequence[Token]) -> Match:
        filled = fill(tool.template, text, tokens)
        taken = {at for span in filled.spans.values() for at in range(*span)}
        rest = dict(features_of([t for at, t in enumerate(tokens) if at not in taken]))
        like = self._likest(tool, rest)
        words = 0.55 * like + 0.45 * self._known(tool, rest)
        score = words + 0.12 * _shapes_fit(tool, tokens) + 0.5 * filled.figures
        if filled.missing:
            score *= 0.7
        if not filled.placed:
            score *= 0.8
        if not self._means(tool, rest) and not filled.figures:
            # Small words alone mean something only where they are all of an example.
            exact = like > _EXACT and filled.arguments and filled.placed
            score *= 1.0 if exact and not filled.missing else 0.3
        return Match(tool.spec, score, filled)

    def _means(self, tool: Known, rest: Mapping[Feature, float]) -> bool:
        """Whether any word with a meaning of its own speaks for this tool."""
        return any(
            name[0] == _WORD and (tool.counts[name] or name in tool.described) for name in rest
        )

    def _weight(self, name: Feature, weight: float) -> float:
        return weight * self._idf.get(name, self._unknown)

    def _likest(self, tool: Known, rest: Mapping[Feature, float]) -> float:
        """How much the sentence shares with the example that is most like it."""
        own = sum(self._weight(*item) for item in rest.items())
        best = 0.0
        for example in tool.examples:
            shared = sum(self._weight(name, rest[name]) for name in example if name in rest)
            whole = sum(self._weight(*item) for item in example.items())
            if own and whole:
                best = max(best, shared / sqrt(own * whole))
            elif not own and not whole:
                best = 1.0
        return best

    def _known(self, tool: Known, rest: Mapping[Feature, float]) -> float:
        """How much of the sentence the tool's examples know at all, one or the other."""
        own = shared = 0.0
        for name, weight in rest.items():
            weighed = self._weight(name, weight)
            own += weighed
            if tool.counts[name]:
                shared += weighed * min(1.0, 0.5 + 0.2 * tool.counts[name])
            elif name in tool.described:
                shared += weighed * _DESCRIBED
        return shared / own if own else 0.5


def _introduce(tool: Known, others: Sequence[Known]) -> None:
    """Let a tool's template know of what the others are asked with."""
    template = tool.template
    template.foreign = frozenset(pair for other in others for pair in other.template.outside_pairs)
    words = (name for other in others for name in other.counts if other.counts[name] >= _USUAL)
    template.foreign_words = frozenset(name[1] for name in words if name[0] == _WORD)


def features_of(tokens: Sequence[Token]) -> Iterator[tuple[Feature, float]]:
    """What is compared: stems, neighbouring stems; of Chinese mostly neighbouring signs.

    What consists of small words alone is kept apart: it says how something is asked, not what.
    """
    kept = [token for token in tokens if token.shape is not Shape.MARK]
    for token in kept:
        if token.shape is Shape.SMALL:
            yield (_SMALL, token.stem), _SMALL_WEIGHT
        elif token.shape is Shape.HAN:
            yield (_WORD, token.stem), _HAN_WEIGHT
        elif token.shape in {Shape.WORD, Shape.NAME}:
            yield (_WORD, token.stem), 1.0
            if len(token.stem) >= _BEGINNING:
                # the short and the long form of a word, and the parts of a joined one
                yield (_WORD, f"{token.stem[:_BEGINNING]}…"), _BEGINNING_WEIGHT
    for left, right in pairwise(kept):
        shapes = {left.shape, right.shape}
        if shapes == {Shape.SMALL}:
            yield (_SMALL, left.stem, right.stem), _SMALL_WEIGHT
        elif Shape.HAN not in shapes:
            yield (_WORD, left.stem, right.stem), _PAIR_WEIGHT
        elif left.end == right.start:
            yield (_WORD, left.stem, right.stem), 1.0


def _has(tokens: Sequence[Token], shape: Shape) -> bool:
    return any(token.shape is shape for token in tokens)


def _shapes_fit(tool: Known, tokens: Sequence[Token]) -> float:
    """Whether figures and signs are where the tool's examples have them; from -1 to 1."""
    fit = 0.0
    for shape in _SHAPES:
        chance = tool.shapes[shape]
        fit += log(chance if _has(tokens, shape) else 1 - chance) - log(0.5)
    return max(-1.0, min(1.0, fit / 2))
