"""What was filled into a tool's examples, found by holding the examples against each other."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from bot.models.offline_words import FIGURES, Shape, Token

Span = tuple[int, int]

_ALIKE = 0.4
_LONGEST = 6
_WORD = 2
"""Signs of a usual Chinese word."""
_WHOLE = 4
# What follows one of these is somebody or something.
_POINTERS = frozenset("向跟给对和把在从到于与为")


def contrasts(
    examples: Sequence[Sequence[Token]],
    taken: Sequence[Mapping[str, Span]],
    named: Collection[str],
    *,
    most: int,
) -> list[list[Span]]:
    """For each example up to `most` stretches that look filled in, in their order.

    `named` are the words of the tool's own name and description: they are never filled in. First
    what looks like a name or a figure; then where two examples that are alike differ; then
    words that no other example has.
    """
    replaced = _replaced(examples)
    found: list[list[Span]] = []
    for at, tokens in enumerate(examples):
        kept = list(taken[at].values())
        own: list[Span] = []
        for span in (*_named(tokens, kept), *replaced[at], *_rare(tokens, examples, named)):
            if len(own) < most and all(_apart(span, other) for other in (*kept, *own)):
                own.append(span)
        found.append(sorted(own))
    return found


def _named(tokens: Sequence[Token], kept: Sequence[Span]) -> Iterator[Span]:
    """Runs of names, figures, and of letters within Chinese."""
    marks = {Shape.NAME, *FIGURES}
    if _is_chinese(tokens):
        marks.add(Shape.WORD)
    taken = {at for span in kept for at in range(*span)}
    free = [at for at in range(len(tokens)) if at not in taken]
    yield from _runs([at for at in free if tokens[at].shape in marks])


def _replaced(examples: Sequence[Sequence[Token]]) -> list[list[Span]]:
    """Where two examples are alike but for a stretch, that stretch was filled in."""
    found: list[list[Span]] = [[] for _ in examples]
    stems = [[token.stem for token in tokens] for tokens in examples]
    for one, left in enumerate(stems):
        for other in range(one + 1, len(stems)):
            matcher = SequenceMatcher(None, left, stems[other], autojunk=False)
            if matcher.ratio() < _ALIKE:
                continue
            for kind, start, end, begin, stop in matcher.get_opcodes():
                if kind == "replace" and max(end - start, stop - begin) <= _LONGEST:
                    found[one].append((start, end))
                    found[other].append((begin, stop))
    return [
        sorted({_trimmed(span, tokens) for span in spans} - {(0, 0)}, key=_length)
        for spans, tokens in zip(found, examples, strict=True)
    ]


def _rare(
    tokens: Sequence[Token], examples: Sequence[Sequence[Token]], named: Collection[str]
) -> Iterator[Span]:
    alike = [one for one in examples if _is_chinese(one) == _is_chinese(tokens)]
    counts = Counter(stem for one in alike for stem in {token.stem for token in one})
    signs = _runs([at for at, token in enumerate(tokens) if token.shape is Shape.HAN])
    yield from (_word_of(run, tokens) for run in signs)
    yield from ((end - _WORD, end) for start, end in signs if end - start > _WORD)
    words = [
        at
        for at, token in enumerate(tokens)
        if token.shape is Shape.WORD and counts[token.stem] == 1 and token.stem not in named
    ]
    # The end of an English sentence is where the news is.
    yield from reversed(_runs(words))


def _word_of(run: Span, tokens: Sequence[Token]) -> Span:
    """The likeliest word of a run of signs: its beginning, or all of it at the end."""
    start, end = run
    pointed = start > 0 and tokens[start - 1].stem in _POINTERS
    last = end == len(tokens) or tokens[end].shape is Shape.MARK
    if last and start > 0 and not pointed and end - start <= _WHOLE:
        return run
    return start, min(end, start + _WORD)


def _trimmed(span: Span, tokens: Sequence[Token]) -> Span:
    start, end = span
    glue = {Shape.SMALL, Shape.MARK}
    while start < end and tokens[start].shape in glue:
        start += 1
    while end > start and tokens[end - 1].shape in glue:
        end -= 1
    return (start, end) if start < end else (0, 0)


def _is_chinese(tokens: Sequence[Token]) -> bool:
    return any(token.shape is Shape.HAN for token in tokens)


def _runs(places: Sequence[int]) -> list[Span]:
    runs: list[Span] = []
    for at in places:
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs


def _length(span: Span) -> int:
    return span[1] - span[0]


def _apart(one: Span, other: Span) -> bool:
    return one[1] <= other[0] or other[1] <= one[0]
