"""A long text in pieces that each fit into one message and read well alone. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from adapters.telegram.blocks import Block, blocks
from adapters.telegram.marks import clean
from adapters.telegram.render import CAPTION_LIMIT, TEXT_LIMIT, render
from bot import REPEAT_ROOM, Audio, Citation, File, Image, Outbound

TRIES = 8
"""How many places of one kind are looked at before the next kind is."""
AHEAD = 1500
"""How much of what follows a cut is read to see whether the cut changed its meaning."""

_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"[.!?…]+[\"'”’)\]*_]*\s+|[。！？；…]+[\"”’」』）*_]*")
_WORD = re.compile(r"\s+|(?<=[,，、:：])")


def pieces(outbound: Outbound) -> Sequence[Outbound]:
    """One platform call each: texts first, then what is attached; buttons stand under the last.

    That one is a reply too: it tells whom the buttons are for.
    """
    text = clean(outbound.text + _sources(outbound.citations))
    media = [part for part in outbound.attachments if isinstance(part, Image | Audio | File)]
    texts = _texts(text)
    if len(media) == 1 and len(texts) == 1 and render(texts[0]).units <= CAPTION_LIMIT:
        contents = [(texts[0], media)]
    else:
        contents = [(text, []) for text in texts] + [("", [part]) for part in media]
    last = len(contents) - 1
    return [
        replace(
            outbound,
            key=outbound.key if number == 0 else f"{outbound.key}/{number}",
            text=text,
            attachments=tuple(attached),
            citations=(),
            choices=outbound.choices if number == last else (),
            reply_to=outbound.reply_to if number == 0 or _asks(outbound, number, last) else None,
        )
        for number, (text, attached) in enumerate(contents)
    ]


def _asks(outbound: Outbound, number: int, last: int) -> bool:
    return number == last and bool(outbound.choices)


def _texts(text: str) -> list[str]:
    # Only a table grows by more than a factor of three when it is laid out.
    if 3 * len(text) <= TEXT_LIMIT and "|" not in text and text.isascii():
        return [text] if text.strip() else []
    return split(text)


def _sources(citations: Sequence[Citation]) -> str:
    lines = [
        f"{number}. [{_plain(citation.title)}](<{citation.url}>)"
        if citation.url
        else f"{number}. {_plain(citation.title)}"
        for number, citation in enumerate(citations, 1)
    ]
    return "\n\n" + "\n".join(lines) if lines else ""


def _plain(title: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~$!])", r"\\\1", " ".join(title.split()))


def split(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Cut CommonMark into CommonMark; every piece renders to at most `limit` UTF-16 units.

    Each but the last has room for the mark of what is sent again.
    """
    pieces: list[str] = []
    rest, roomy = text, limit - min(REPEAT_ROOM, limit // 100)
    while rest.strip():
        if len(rest) <= 8 * limit and render(rest).units <= limit:
            pieces.append(rest)
            break
        piece, rest = _cut(rest, roomy)
        pieces.append(piece)
    return pieces


def _cut(text: str, limit: int) -> tuple[str, str]:
    reach = _reach(text, limit)
    while reach > 1:
        found = blocks(text, reach)
        usable = None
        for position in _places(text, reach, found):
            head, tail = _divide(text, position, found, limit)
            if not head.strip() or len(tail) >= len(text) or render(head).units > limit:
                continue
            if _is_faithful(text, position, found, limit):
                return head, tail
            usable = usable or (head, tail)
        if usable is not None:
            return usable
        reach = reach * 3 // 4
    return text[:1], text[1:]


def _reach(text: str, limit: int) -> int:
    """About how much of the source makes one full message."""
    length, fitting = min(len(text), limit), 0
    for _ in range(12):
        units = render(text[:length]).units
        if units > limit:
            if fitting:
                break
            length = max(1, int(length * limit / units * 0.95))
            continue
        fitting = length
        if length == len(text) or units > 0.8 * limit:
            break
        # Addresses behind links take room in the source and none on the screen.
        length = min(len(text), length + limit - units)
    return max(1, fitting or length)


def _places(text: str, reach: int, found: list[Block]) -> Iterator[int]:
    """Where to cut, best first: paragraphs, lines, sentences, words, anywhere."""
    half = reach * 2 // 5
    outside = (
        place for place in _ends(_PARAGRAPH, text, half, reach) if _inside(place, found) is None
    )
    lines = _ends(_LINE, text, half, reach)
    free = (
        place
        for place in chain(
            islice(_ends(_SENTENCE, text, half, reach), TRIES),
            islice(_ends(_WORD, text, half, reach), 3 * TRIES),
        )
        if _inside(place, found) is None
    )
    return chain(
        islice(outside, TRIES), islice(lines, TRIES), free, iter((_whole_character(text, reach),))
    )


def _ends(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[int]:
    """The ends of the matches, the last one first."""
    return reversed([match.end() for match in pattern.finditer(text, start, end)])


def _inside(place: int, found: list[Block]) -> Block | None:
    for block in found:
        if block.body < place < block.end:
            return block
    return None


def _divide(text: str, place: int, found: list[Block], limit: int) -> tuple[str, str]:
    block = _inside(place, found)
    if block is None or len(block.opening) > limit // 4:
        return text[:place].rstrip(), text[place:].lstrip("\n")
    rest = text[place:]
    if block.indent:
        inside = block.end - place
        rest = _moved_left(rest[:inside], block.indent) + _moved_left(
            rest[inside:], block.indent, 1
        )
    return text[:place].rstrip("\n") + block.closing, block.opening + rest


def _moved_left(text: str, indent: int, lines: int = -1) -> str:
    return re.sub(rf"^[ \t]{{1,{indent}}}", "", text, count=max(lines, 0), flags=re.MULTILINE)


def _is_faithful(text: str, place: int, found: list[Block], limit: int) -> bool:
    """Whether two pieces read like the one text: no markup, link or number was torn."""
    block = _inside(place, found)
    if block is not None and not block.is_fence:
        return True  # a table's head stands over both halves
    stop = text.find("\n\n", place + 1)
    stop = min(len(text) if stop < 0 else stop, place + AHEAD)
    head, tail = _divide(text[:stop], place, found, limit)
    return _bare(text[:stop]) == _bare(head) + _bare(tail)


def _bare(text: str) -> str:
    return "".join(render(text).text.split())


def _whole_character(text: str, place: int) -> int:
    """The nearest place before that does not tear an emoji or an accented letter."""
    for start in range(place, max(place - 64, 0), -1):
        if not _joined(text, start):
            return start
    return place


def _joined(text: str, place: int) -> bool:
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    return (
        before == "\u200d"
        or after in "\u200d\ufe0e\ufe0f\u20e3"
        or unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U000e0020" <= after <= "\U000e007f"
        or (_is_flag(before) and _is_flag(after) and _flags_before(text, place) % 2 == 1)
    )


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, place: int) -> int:
    count = 0
    while place - count > 0 and _is_flag(text[place - count - 1]):
        count += 1
    return count
