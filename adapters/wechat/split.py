"""A long answer in as many messages as there are left, each cut where a sentence ends. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from adapters.wechat.render import TEXT_LIMIT, Line, lines, render
from bot import REPEAT_ROOM, Audio, Choice, Citation, Image, Outbound

CUT_MARK = {
    "zh": "（内容较长，后面的部分未能发出。）",
    "en": "(The answer was too long; its end was left out.)",
}
_CHOOSE = {"zh": "请回复：", "en": "Please answer: "}

_SENTENCE = re.compile(r"[。！？；…]+[”’」』）)]*|[.!?;]+[\"')\]]*\s+")
_SOFT = re.compile(r"[，、：]|[,:]\s+|\s+")


def pieces(outbound: Outbound, *, most: int, language: str) -> Sequence[Outbound]:
    """One platform call each; what does not fit into `most` messages is left out, and said."""
    whole = outbound.text + _sources(outbound.citations) + _choices(outbound.choices, language)
    media = [part for part in outbound.attachments if isinstance(part, Image | Audio)]
    texts = split(whole)
    room = max(1, most - len(media))
    if len(texts) > room:
        texts = _cut(texts[:room], language)
    contents = [(text, ()) for text in texts] + [("", (part,)) for part in media[:most]]
    return [
        replace(
            outbound,
            key=outbound.key if number == 0 else f"{outbound.key}/{number}",
            text=text,
            attachments=attached,
            citations=(),
            choices=(),
            reply_to=None,
        )
        for number, (text, attached) in enumerate(contents)
    ]


def split(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """CommonMark in CommonMark; every part is shown in at most `limit` bytes.

    Where it has to be cut, each part has room for the mark of what is sent again.
    """
    if 3 * len(text) <= limit or size(text) <= limit:
        return [text] if text.strip() else []
    found: list[str] = []
    page = _Page(limit - min(REPEAT_ROOM, limit // 100))
    for line in lines(text):
        for part in _parts(line, page.limit // 2):
            if not page.takes(part):
                found += page.turn(part.fence)
            page.put(part)
    return [*found, *page.turn("")]


def size(text: str) -> int:
    """How many bytes a person is shown."""
    return len(render(text).encode())


def _cut(texts: Sequence[str], language: str) -> list[str]:
    """The last of the texts, shortened until it can say that there was more."""
    mark = CUT_MARK[language]
    last = texts[-1]
    room = TEXT_LIMIT - len(mark.encode()) - 2 - REPEAT_ROOM
    kept = split(last, room)[0] if size(last) > room else last
    return [*texts[:-1], f"{kept.rstrip()}\n\n{mark}"]


@dataclass(slots=True)
class _Page:
    """The message that is being filled; a code block that goes on is opened anew on the next."""

    limit: int
    said: str = ""
    used: int = 0
    fence: str = ""
    blank: bool = True

    def takes(self, part: Line) -> bool:
        return self.used + _cost(part) <= self.limit

    def put(self, part: Line) -> None:
        self.said += part.source
        self.used += _cost(part)
        self.fence = part.fence
        self.blank = self.blank and not (part.shown or "").strip()

    def turn(self, fence: str) -> list[str]:
        """End the message; the next one stands in `fence` if this one's block goes on."""
        said = "" if self.blank else self.said.strip("\n")
        goes_on = bool(self.fence)
        if said and goes_on:
            said = f"{said}\n{self.fence}"
        self.said = f"{fence}\n" if goes_on and fence else ""
        self.used, self.blank, self.fence = 0, True, fence if goes_on else ""
        return [said] if said.strip() else []


def _cost(part: Line) -> int:
    return 0 if part.shown is None else len(part.shown.encode()) + 1


def _parts(line: Line, limit: int) -> Iterator[Line]:
    """A line with its end, or its sentences where it is too long to stay whole."""
    if _cost(line) <= limit or line.shown is None:
        yield replace(line, source=f"{line.source}\n")
        return
    parts = list(_sentences(line.source, limit))
    for number, part in enumerate(parts):
        end = "\n" if number == len(parts) - 1 else ""
        shown = part if line.fence else render(part)
        yield Line(part + end, shown, line.fence)


def _sentences(text: str, limit: int) -> Iterator[str]:
    """The text in stretches of at most so many bytes, cut at the best place within each."""
    while len(text.encode()) > limit:
        room = len(text.encode()[:limit].decode(errors="ignore"))
        place = _best(text, room)
        yield text[:place]
        text = text[place:]
    if text:
        yield text


def _best(text: str, room: int) -> int:
    for marks in (_SENTENCE, _SOFT):
        ends = [found.end() for found in marks.finditer(text, 0, room)]
        if ends and ends[-1] > room // 4:
            return ends[-1]
    return max(1, _whole(text, room))


def _whole(text: str, place: int) -> int:
    """Not between an emoji or a letter and what belongs to it."""
    for start in range(place, max(place - 16, 0), -1):
        if text[start : start + 1] not in _JOINED and text[start - 1 : start] != "\u200d":
            return start
    return place


_JOINED = frozenset("\u200d\ufe0e\ufe0f\u20e3") | {chr(code) for code in range(0x1F3FB, 0x1F400)}


def _sources(citations: Sequence[Citation]) -> str:
    shown = [
        f"{number}. {' '.join(citation.title.split())} {citation.url}".rstrip()
        for number, citation in enumerate(citations, 1)
    ]
    return "\n\n" + "\n".join(shown) if shown else ""


def _choices(choices: Sequence[Choice], language: str) -> str:
    """There are no buttons here: a person answers with the word."""
    words = [choice.value for choice in choices if choice.value.strip()]
    return f"\n\n{_CHOOSE[language]}{' / '.join(words)}" if words else ""
