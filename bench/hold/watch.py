"""What the model was asked and what people saw, read from the logs of both while they are written.

Every message has a number of its own in its text. Times are microseconds of the clock that all
processes of a machine share.
"""

import re
from collections import Counter
from collections.abc import Callable

_MONO = re.compile(rb'"mono":(\d+)')
_NUMBER = re.compile(rb"\d+")
_MARK = b"about number "
_CHAT = re.compile(rb'"chat":(\d+)')
_MODEL = re.compile(rb'"model":"(\w+)"')
_HEAD = 200
"""Bytes at the start of a line that say what it is."""


class Watch:
    """Counts as it comes: nothing is looked for afterwards."""

    def __init__(self) -> None:
        self.first_asked: dict[int, int] = {}
        self.last_asked: dict[int, int] = {}
        self.asked_by: dict[int, str] = {}
        """Which node asked last: each calls the model by a name of its own."""
        self.polled: list[int] = []
        """When somebody has begun to ask Telegram for updates."""
        self.shown: Counter[int] = Counter()
        self.shown_at: dict[int, int] = {}
        self.of_chat: Counter[int] = Counter()
        self.told_at: dict[int, int] = {}
        """When a chat was shown something last."""
        self.open = 0
        self.most_open = 0
        self.tell: Callable[[int, int], None] = _nobody
        """Called with chat and number of what is shown; number 0 where the answer has none."""
        self._rest = {"model": b"", "telegram": b""}

    def model(self, data: bytes) -> None:
        """Something was written to the model's log."""
        for raw in self._lines("model", data):
            head = raw[:_HEAD]
            if b'"method":"chat"' not in head:
                continue
            if b'"kind":"outcome"' in head:
                self.open -= 1
                continue
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            at, number = _time(raw), _last_number(raw)
            self.first_asked.setdefault(number, at)
            self.last_asked[number] = at
            if found := _MODEL.search(head):
                self.asked_by[number] = found.group(1).decode()

    def telegram(self, data: bytes) -> None:
        """Something was written to Telegram's log."""
        for raw in self._lines("telegram", data):
            head = raw[:_HEAD]
            if b'"kind":"request"' in head and b'"method":"getUpdates"' in head:
                self.polled.append(_time(raw))
            if b'"kind":"shown"' not in head:
                continue
            found = _CHAT.search(raw)
            chat, number = int(found.group(1)) if found else 0, _last_number(raw)
            self.of_chat[chat] += 1
            self.told_at[chat] = _time(raw)
            self.shown[number] += 1
            self.shown_at.setdefault(number, _time(raw))
            self.tell(chat, number)

    def _lines(self, name: str, data: bytes) -> list[bytes]:
        *lines, self._rest[name] = (self._rest[name] + data).split(b"\n")
        return lines


def _nobody(chat: int, number: int) -> None:
    """Whom nobody has asked to be told."""


def _time(raw: bytes) -> int:
    found = _MONO.search(raw)
    return int(found.group(1)) if found else 0


def _last_number(raw: bytes) -> int:
    """Of the newest message that stands in it; 0 where there is none."""
    place = raw.rfind(_MARK)
    found = _NUMBER.match(raw, place + len(_MARK)) if place >= 0 else None
    return int(found.group()) if found else 0
