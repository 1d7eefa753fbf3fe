"""A tool's parameters, and what is known of their values."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bot.domain.model import ToolSpec
from bot.models.offline_contrast import Span
from bot.models.offline_words import FIGURES, Shape, Token, has_figure, tokens_of

EDGE = ""
"""The neighbour of a sentence's first and last word."""

_NUMBERS = {"integer", "number"}


@dataclass(slots=True)
class Slot:
    """One parameter and what is known of its values."""

    name: str
    type: str
    required: bool
    enum: tuple[Any, ...] = ()
    samples: list[tuple[str, ...]] = field(default_factory=list)
    inside: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    shapes: Counter[Shape] = field(default_factory=Counter)
    other_shapes: Counter[Shape] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    values: int = 0
    figures: int = 0
    longest: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    """In tokens: of values in letters, and of those in Chinese signs."""
    shortest: dict[bool, int] = field(default_factory=dict)
    phrases: int = 0
    has_small: bool = False
    starts: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)

    @property
    def is_figure(self) -> bool:
        """Whether nearly all known values have a figure in them."""
        if self.type in _NUMBERS:
            return True
        return self.values >= 2 and self.figures >= 0.8 * self.values

    def has_its_figure(self, value: Sequence[Token]) -> bool:
        """Whether a figure of a known kind is in it: a time of day is no price."""
        kinds = {shape for shape in FIGURES if self.shapes[shape]}
        if Shape.CODE in kinds:
            kinds.add(Shape.NUMBER)
        return any(token.shape in kinds for token in value)

    @property
    def is_free(self) -> bool:
        """Whether it takes a person's own words rather than names of things."""
        return not self.samples and self.phrases > 0

    def learn(self, tokens: Sequence[Token], span: Span | None = None) -> None:
        """Take these tokens as a value; with a span, also what stands around it."""
        start, end = span or (0, len(tokens))
        value = tokens[start:end]
        self.values += 1
        self.figures += has_figure(value)
        han = value[0].shape is Shape.HAN
        self.longest[han] = max(self.longest[han], len(value))
        self.shortest[han] = min(self.shortest.get(han, len(value)), len(value))
        named = any(token.shape in {Shape.NAME, *FIGURES} for token in value)
        self.phrases += len(value) > 1 and not named and value[0].shape is not Shape.HAN
        self.starts.add(value[0].stem)
        self.ends.add(value[-1].stem)
        self.has_small = self.has_small or any(token.shape is Shape.SMALL for token in value)
        self.inside.update({token.stem for token in tokens[start:end]})
        self.shapes.update(plain(token.shape) for token in tokens[start:end])
        self.pairs.update(pairs_of(tokens[start:end]))
        if span is not None:
            before, after = around(tokens, (start, end))
            self.before[before] += 1
            self.after[after] += 1


def around(tokens: Sequence[Token], span: Span) -> tuple[str, str]:
    """What stands before and behind a stretch; of a figure, only that it is one."""
    start, end = span
    return (
        _neighbour(tokens[start - 1]) if start else EDGE,
        _neighbour(tokens[end]) if end < len(tokens) else EDGE,
    )


def _neighbour(token: Token) -> str:
    return token.shape.value if token.shape in FIGURES else token.stem


def pairs_of(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Neighbouring stems: in Chinese a word is about two signs long."""
    for left, right in pairwise(tokens):
        yield left.stem, right.stem


def slots_of(spec: ToolSpec) -> list[Slot]:
    """The parameters in their order."""
    required = set(spec.parameters.get("required", ()))
    properties: Mapping[str, Mapping[str, Any]] = spec.parameters.get("properties", {})
    return [_slot(name, schema, required=name in required) for name, schema in properties.items()]


def _slot(name: str, schema: Mapping[str, Any], *, required: bool) -> Slot:
    choices = [schema, *schema.get("anyOf", ())]
    types = [one["type"] for one in choices if isinstance(one.get("type"), str)]
    enum = tuple(value for one in choices for value in one.get("enum", ()))
    slot = Slot(name, next((t for t in types if t != "null"), "string"), required, enum)
    items = schema.get("items", {})
    values = [value for one in (*choices, items) for value in one.get("examples", ())]
    for value in (*values, *enum):
        tokens = tokens_of(str(value)) if not isinstance(value, list | dict | bool) else []
        if tokens:
            slot.samples.append(tuple(token.stem for token in tokens))
            slot.learn(tokens)
    slot.samples.sort(key=len, reverse=True)
    return slot


def fits(slot: Slot, stems: Sequence[str], tokens: Sequence[Token], span: Span) -> bool:
    """Whether a stretch of an example is a value of this slot, as far as its schema says."""
    if slot.type in _NUMBERS and not slot.samples:
        return span[1] - span[0] == 1 and tokens[span[0]].shape is Shape.NUMBER
    return tuple(stems[slice(*span)]) in slot.samples


def plain(shape: Shape) -> Shape:
    """A capital letter makes no other kind of word."""
    return Shape.WORD if shape is Shape.NAME else shape
