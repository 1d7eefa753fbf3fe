"""What a peer saw, said and showed, in order, in memory and as JSON lines."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

Json = dict[str, Any]
Now = Callable[[], int]


def monotonic_us() -> int:
    """Microseconds of the clock that never steps, the same for every process of the machine."""
    return time.monotonic_ns() // 1000


def wall_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a peer's log."""

    number: int
    kind: str
    mono: int
    wall: int
    fields: Json = field(default_factory=dict)

    def as_json(self) -> Json:
        """The line as it stands in the file: the stamps first, then the fields."""
        head = {"number": self.number, "kind": self.kind, "mono": self.mono, "wall": self.wall}
        return {**head, **self.fields}


class Log:
    """Keeps the newest entries and writes all of them to the file, each as soon as it is known.

    Every listener is called with every entry: that is how a driver measures without polling.
    """

    def __init__(
        self, file: Path | None = None, *, keep: int | None = None, now: Now = monotonic_us
    ) -> None:
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._encoder = msgspec.json.Encoder()
        self.now = now
        self.listeners: list[Callable[[Entry], None]] = []
        self._number = 0
        # Unbuffered: a checker must find the last line also after the peer itself was killed.
        self._file = (
            None if file is None else os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        )

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def write(self, kind: str, **fields: Any) -> Entry:
        """Append one entry; its stamps are taken here."""
        self._number += 1
        entry = Entry(self._number, kind, self.now(), wall_us(), fields)
        self._entries.append(entry)
        if self._file is not None:
            os.write(self._file, self._encoder.encode(entry.as_json()) + b"\n")
        for listener in self.listeners:
            listener(entry)
        return entry

    def of(self, kind: str) -> list[Entry]:
        """Every kept entry of one kind, oldest first."""
        return [entry for entry in self._entries if entry.kind == kind]

    def after(self, number: int) -> list[Entry]:
        """Every kept entry that is newer than this one."""
        return [entry for entry in self._entries if entry.number > number]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
