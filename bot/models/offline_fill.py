"""Cut a tool's arguments out of what a person said."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from typing import Any

from bot.models.offline_contrast import Span
from bot.models.offline_slots import Slot, around
from bot.models.offline_template import Template
from bot.models.offline_words import FIGURES, Shape, Token, number_of, tokens_of

# Every combination is weighed: few candidates where there are many parameters.
_CANDIDATES = 8
_MANY = 3
_FEWER = 4
_ALIKE = 2
_LONGEST = 40
_AROUND = 0.8
_IN_ORDER = 0.6
# Two arguments side by side are more likely one that was torn apart.
_TORN = 3.0
# An argument that may be left out has to be more than just possible.
_SURE = 1.5
_NUMBERS = {"integer": int, "number": float}


@dataclass(frozen=True, slots=True)
class Filled:
    """Arguments, where they stood, how sure they are, and which ones are missing."""

    arguments: dict[str, Any]
    spans: dict[str, Span]
    score: float
    missing: tuple[str, ...]
    placed: bool
    """Every argument that could be anything stands where the examples have one."""
    figures: float
    """The share of the sentence that arguments take which are figures by their nature."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    span: Span
    score: float


def fill(template: Template, text: str, tokens: Sequence[Token]) -> Filled:
    """The best way to give each parameter its own stretch of the sentence, or none."""
    choices = {
        slot.name: found
        for slot in template.slots
        if (found := _different(_candidates(template, slot, tokens)))
    }
    if len(choices) > _MANY:
        choices = {name: found[:_FEWER] for name, found in choices.items()}
    best = _best(template, choices, [token.stem for token in tokens])
    slots = {slot.name: slot for slot in template.slots}
    arguments: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for name, candidate in best.items():
        value = _value(slots[name], text, tokens, candidate.span)
        if value is not None:
            arguments[name] = value
            spans[name] = candidate.span
    missing = tuple(s.name for s in template.slots if s.required and s.name not in arguments)
    ordered = {name: arguments[name] for name in slots if name in arguments}
    figures = sum(end - start for name, (start, end) in spans.items() if slots[name].is_figure)
    return Filled(
        ordered,
        spans,
        sum(best[name].score for name in spans),
        missing,
        all(_is_placed(slots[name], tokens, span) for name, span in spans.items()),
        figures / max(1, len(tokens)),
    )


def _is_placed(slot: Slot, tokens: Sequence[Token], span: Span) -> bool:
    start, end = span
    if slot.is_figure or tuple(token.stem for token in tokens[start:end]) in slot.samples:
        return True
    before, after = around(tokens, span)
    # Chinese puts the word that tells before the argument or behind it, English before it.
    han = tokens[start].shape is Shape.HAN
    return slot.before[before] > 0 or (han and slot.after[after] > 0)


def _candidates(template: Template, slot: Slot, tokens: Sequence[Token]) -> list[_Candidate]:
    """Every stretch that could be this argument, the likeliest first."""
    if not slot.values and not slot.required and not slot.is_figure:
        return []
    scores = [template.score(slot, tokens, at) for at in range(len(tokens))]
    found: list[_Candidate] = []
    for start in range(len(tokens)):
        if not _may_edge(slot, tokens[start], slot.starts):
            continue
        total = 0.0
        for end in range(start + 1, min(len(tokens), start + _LONGEST) + 1):
            total += scores[end - 1]
            if not _may_edge(slot, tokens[end - 1], slot.ends):
                continue
            if not _type_fits(slot, tokens[start:end]):
                continue
            score = total + _context(slot, tokens, (start, end))
            score += template.likeness(slot, tokens[start:end])
            if score > (0.0 if slot.required else _SURE):
                found.append(_Candidate((start, end), score))
    return sorted(found, key=lambda one: (-one.score, one.span[0] - one.span[1]))


def _different(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best ones, but not eight ways to cut the same words."""
    kept: list[_Candidate] = []
    for candidate in candidates:
        alike = sum(not _apart(candidate.span, other.span) for other in kept)
        if alike < _ALIKE and len(kept) < _CANDIDATES:
            kept.append(candidate)
    return kept


def _may_edge(slot: Slot, token: Token, edges: Collection[str]) -> bool:
    """Whether an argument may begin or end with this."""
    if token.shape is Shape.MARK:
        return False
    if token.stem in edges:
        return True
    if slot.is_figure and slot.type == "string":
        known = slot.inside[token.stem] > 0 and token.shape is not Shape.SMALL
        return known or token.shape in FIGURES or token.shape is Shape.SIGN
    return token.shape is not Shape.SMALL or (slot.is_free and not token.stem.isascii())


def _type_fits(slot: Slot, value: Sequence[Token]) -> bool:
    stems = tuple(token.stem for token in value)
    if slot.type in _NUMBERS:
        return len(value) == 1 and value[0].shape is Shape.NUMBER
    if slot.enum:
        return stems in slot.samples
    if slot.is_figure and not slot.has_its_figure(value) and stems not in slot.samples:
        return False
    return slot.type in {"string", "array"}


def _context(slot: Slot, tokens: Sequence[Token], span: Span) -> float:
    before, after = around(tokens, span)
    return _AROUND * ((slot.before[before] > 0) + (slot.after[after] > 0))


def _best(
    template: Template, choices: Mapping[str, Sequence[_Candidate]], stems: Sequence[str]
) -> dict[str, _Candidate]:
    """The choice of stretches that do not overlap with the highest sum."""
    best: dict[str, _Candidate] = {}
    best_score = 0.0
    for picked in _pickings(list(choices.items())):
        score = sum(candidate.score for candidate in picked.values())
        score += _order_bonus(template, picked)
        score += template.belonging({name: one.span for name, one in picked.items()}, stems)
        if score > best_score:
            best, best_score = picked, score
    return best


def _pickings(
    choices: Sequence[tuple[str, Sequence[_Candidate]]],
) -> Iterator[dict[str, _Candidate]]:
    if not choices:
        yield {}
        return
    name, candidates = choices[0]
    for rest in _pickings(choices[1:]):
        yield rest
        for candidate in candidates:
            if all(_apart(candidate.span, other.span) for other in rest.values()):
                yield {name: candidate, **rest}


def _apart(one: Span, other: Span) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]


def _order_bonus(template: Template, picked: Mapping[str, _Candidate]) -> float:
    bonus = 0.0
    for one, other in combinations(picked, 2):
        forward = picked[one].span < picked[other].span
        pair = (one, other) if forward else (other, one)
        bonus += _IN_ORDER * (template.order[pair] > template.order[pair[::-1]])
        touch = picked[pair[0]].span[1] == picked[pair[1]].span[0]
        bonus -= _TORN * (touch and pair not in template.touching)
    return bonus


def _value(slot: Slot, text: str, tokens: Sequence[Token], span: Span) -> Any:
    raw = text[tokens[span[0]].start : tokens[span[1] - 1].end]
    if slot.enum:
        return _enumerated(slot, tokens, span)
    if slot.type in _NUMBERS:
        return _number(raw, slot.type)
    return [raw] if slot.type == "array" else raw


def _enumerated(slot: Slot, tokens: Sequence[Token], span: Span) -> Any:
    stems = [token.stem for token in tokens[slice(*span)]]
    for value in slot.enum:
        if [token.stem for token in tokens_of(str(value))] == stems:
            return value
    return None


def _number(raw: str, kind: str) -> int | float | None:
    value = number_of(raw)
    # A row of more than 308 digits is infinite as a float.
    if value is None or not isfinite(value):
        return None
    return int(value) if kind == "integer" or value.is_integer() else value
