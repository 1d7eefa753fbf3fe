"""Which words of a sentence are a tool's arguments, learned from the tool's own examples.

An example is a template with the arguments filled in. The schema's `examples` and `enum` say
what an argument looks like; where they say nothing, the difference between two examples does.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise, permutations
from math import log

from bot.domain.model import ToolSpec
from bot.models.offline_contrast import Span, contrasts
from bot.models.offline_slots import Slot, fits, pairs_of, plain, slots_of
from bot.models.offline_words import Shape, Token, tokens_of

_NAMED = 1.6
_NEAR = 0.6
_FORWARD = 0.6
_PER_WORD = 0.8
# Between an argument's words, not at its ends.
_GLUE = {Shape.SMALL, Shape.MARK}


class Template:
    """A tool's examples with their arguments cut out, and the slots that were learned from them."""

    def __init__(self, spec: ToolSpec) -> None:
        self.slots = slots_of(spec)
        described = tokens_of(f"{spec.name.replace('_', ' ')} {spec.description}")
        self.named = frozenset(token.stem for token in described)
        self.twins = _twins(self.slots)
        self.examples = [tokens_of(text) for text in spec.examples]
        self.outside_pairs: Counter[tuple[str, str]] = Counter()
        self.foreign: frozenset[tuple[str, str]] = frozenset()
        self.foreign_words: frozenset[str] = frozenset()
        """What other tools' examples are made of names no argument of this one either."""
        self.order: Counter[tuple[str, str]] = Counter()
        self.touching: set[tuple[str, str]] = set()
        """Arguments that stand side by side with nothing between them."""
        self.rests: list[list[Token]] = []
        self._learn()

    def score(self, slot: Slot, tokens: Sequence[Token], at: int) -> float:
        """How much a word looks like a part of this argument, above or below zero."""
        token = tokens[at]
        within, without = slot.inside[token.stem], slot.outside[token.stem]
        if token.shape in _GLUE and not within:
            small = -0.2 if slot.is_free else -1.0
            return -3.0 if token.shape is Shape.MARK else small
        if token.shape is Shape.HAN:
            return self._score_sign(slot, tokens, at)
        if within or without:
            known = _clip(log((within + 0.2) / (without + 0.2)), 2.5)
            if token.shape is Shape.SMALL:
                # It may stand inside, which makes nothing an argument.
                known = min(known, 0.2)
        elif slot.is_figure and token.shape is Shape.WORD:
            known = -2.0
        elif token.stem in self.foreign_words:
            known = -1.0
        else:
            known = self._by_shape(slot, token.shape)
        return known + (0.5 if token.shape is Shape.NAME else 0.0)

    def _score_sign(self, slot: Slot, tokens: Sequence[Token], at: int) -> float:
        """A Chinese sign alone says little; with its neighbour it is a word."""
        if _asks(tokens, at):
            return -2.0
        around = list(pairs_of(tokens[max(0, at - 1) : at + 2]))
        if any(pair in slot.pairs for pair in around):
            return 2.0
        if any(pair in self.outside_pairs or pair in self.foreign for pair in around):
            return -2.0
        within, without = slot.inside[tokens[at].stem], slot.outside[tokens[at].stem]
        if within or without:
            return max(-0.4, _clip(log((within + 0.2) / (without + 0.2)), 1.2))
        return -1.0 if slot.is_figure else self._by_shape(slot, Shape.HAN)

    def likeness(self, slot: Slot, value: Sequence[Token]) -> float:
        """How much a whole stretch is unlike the values that are known; zero or less."""
        stems = tuple(token.stem for token in value)
        if stems in slot.samples:
            return 1.0
        unlike = 0.0
        if slot.is_free:
            return unlike
        han = value[0].shape is Shape.HAN
        least = slot.shortest.get(han, 0)
        if len(value) < least:
            unlike -= _PER_WORD * 2 * (least - len(value))
        if not slot.has_small and slot.values:
            unlike -= 2.0 * sum(token.shape is Shape.SMALL for token in value)
        usual = slot.longest[han] or max(slot.longest.values())
        # A name in Chinese signs may well be five of them: as one foreign word would be.
        more = len(value) - usual - (3 if han else 1)
        return unlike - _PER_WORD * max(0, more) * (usual > 0)

    def _by_shape(self, slot: Slot, shape: Shape) -> float:
        kind = plain(shape)
        if slot.values > 2 and not slot.shapes[kind]:
            return -1.5
        inside = (slot.shapes[kind] + 0.5) / (slot.shapes.total() + 3)
        outside = (slot.other_shapes[kind] + 0.5) / (slot.other_shapes.total() + 3)
        return _clip(log(inside / outside), 2.0)

    def _learn(self) -> None:
        marked = [self._marks(tokens) for tokens in self.examples]
        loose = [s for s in self.slots if s.required and not s.samples and s.type == "string"]
        if loose:
            self._contrast(marked, loose)
        for tokens, marks in zip(self.examples, marked, strict=True):
            self._take(tokens, marks)

    def _take(self, tokens: Sequence[Token], marks: Mapping[str, Span]) -> None:
        taken: set[int] = set()
        for slot in self.slots:
            if slot.name in marks:
                span = marks[slot.name]
                taken.update(range(*span))
                slot.learn(tokens, span)
        for one, other in combinations(marks, 2):
            pair = (one, other) if marks[one] < marks[other] else (other, one)
            self.order[pair] += 1
            if marks[pair[0]][1] == marks[pair[1]][0]:
                self.touching.add(pair)
        self.rests.append([token for at, token in enumerate(tokens) if at not in taken])
        for slot in self.slots:
            own = range(*marks.get(slot.name, (0, 0)))
            # What a twin holds could as well be held here.
            twins = [marks[t.name] for t in self._twins_of(slot) if t.name in marks]
            spared = {at for span in twins for at in range(*span)}.union(own)
            rest = [token for at, token in enumerate(tokens) if at not in spared]
            slot.outside.update({token.stem for token in rest})
            slot.other_shapes.update(plain(token.shape) for token in rest)
        for left, right in zip(range(len(tokens)), range(1, len(tokens)), strict=False):
            if left not in taken and right not in taken:
                self.outside_pairs[tokens[left].stem, tokens[right].stem] += 1

    def _marks(self, tokens: Sequence[Token]) -> dict[str, Span]:
        """Where the samples of the schema stand in an example; numbers go to number slots."""
        free = [True] * len(tokens)
        stems = [token.stem for token in tokens]
        found: dict[str, list[Span]] = {}
        for size in range(len(tokens), 0, -1):
            for start in range(len(tokens) - size + 1):
                span = (start, start + size)
                for name, twins in self.twins.items():
                    spans = found.setdefault(name, [])
                    room = len(spans) < len(twins) and all(free[slice(*span)])
                    if room and fits(twins[0], stems, tokens, span):
                        spans.append(span)
                        free[slice(*span)] = [False] * size
        return self._dealt(found, stems)

    def _dealt(self, found: Mapping[str, list[Span]], stems: Sequence[str]) -> dict[str, Span]:
        """Every stretch to its slot; between twins, the assignment that reads best."""
        alone = (name for name, spans in found.items() if spans and len(self.twins[name]) == 1)
        marks = {name: found[name][0] for name in alone}
        for name, spans in found.items():
            names = [slot.name for slot in self.twins[name]]
            if len(names) > 1 and spans:
                orders = permutations(names)
                ways = [{**marks, **dict(zip(one, spans, strict=False))} for one in orders]
                marks = max(ways, key=lambda way: self.belonging(way, stems))
        return marks

    def belonging(self, marks: Mapping[str, Span], stems: Sequence[str]) -> float:
        """How well twins stand where they should.

        Slots of one kind are told apart as people tell them apart: by a word that is part of the
        parameter's name (from, to), by standing next to the parameter that comes before it in
        the signature, else by their order.
        """
        total = 0.0
        for twins in self.twins.values():
            names = [slot.name for slot in twins if slot.name in marks]
            if len(twins) < 2 or not names:
                continue
            for name in names:
                start = marks[name][0]
                total += _NAMED * (start > 0 and stems[start - 1] in name.lower().split("_"))
            if twins[0].name in marks:
                anchor = self._before(twins[0].name)
                if anchor in marks:
                    total -= _NEAR * _distance(marks[anchor], marks[twins[0].name])
            total += _FORWARD * sum(marks[one] < marks[other] for one, other in pairwise(names))
        return total

    def _twins_of(self, slot: Slot) -> list[Slot]:
        return next(twins for twins in self.twins.values() if any(slot is twin for twin in twins))

    def _before(self, name: str) -> str:
        names = [slot.name for slot in self.slots]
        at = names.index(name)
        return names[at - 1] if at else ""

    def _contrast(self, marked: list[dict[str, Span]], loose: list[Slot]) -> None:
        """Parameters that the schema does not show: the examples have to tell them."""
        found = contrasts(self.examples, marked, self.named, most=len(loose))
        for marks, spans in zip(marked, found, strict=True):
            marks.update({slot.name: span for slot, span in zip(loose, spans, strict=False)})


def _twins(slots: Sequence[Slot]) -> dict[str, list[Slot]]:
    """Slots that the same values fit, under the name of the first; most slots stand alone."""
    twins: dict[object, list[Slot]] = {}
    for slot in slots:
        twins.setdefault(tuple(slot.samples) or slot.name, []).append(slot)
    return {group[0].name: group for group in twins.values()}


def _distance(one: Span, other: Span) -> int:
    return max(one[0] - other[1], other[0] - one[1], 0)


def _asks(tokens: Sequence[Token], at: int) -> bool:
    """A sign on both sides of a 不 or 没 is how Chinese asks whether."""
    for middle in (at - 1, at + 1):
        if 0 < middle < len(tokens) - 1 and tokens[middle].stem in {"不", "没"}:
            return tokens[middle - 1].stem == tokens[middle + 1].stem
    return False


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
