"""A switch that says which of SQLite's calls to the system fail now, shared by two processes."""

import mmap
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

PAGES = "FAULTS_PAGES"
"""The name under which a server finds how long its log may get."""
SIZE, COUNTS = 64, 8
"""Bytes that are shared, and where the counts begin among them."""


class Call(IntEnum):
    """What can fail."""

    READ = 0
    WRITE = 1
    SYNC = 2


class Place(IntEnum):
    """Of which file."""

    DATABASE = 0
    LOG = 1


ERRORS = {
    Call.READ: sqlite3.SQLITE_IOERR_READ,
    Call.WRITE: sqlite3.SQLITE_IOERR_WRITE,
    Call.SYNC: sqlite3.SQLITE_IOERR_FSYNC,
}


class Switch:
    """Which calls fail now, and how many have: memory that a server shares with who breaks it."""

    def __init__(self, file: Path) -> None:
        with file.open("a+b") as opened:
            opened.truncate(SIZE)
            self._shared = mmap.mmap(opened.fileno(), SIZE)

    def set(self, calls: Iterable[Call], places: Iterable[Place], *, once: bool = False) -> None:
        """From now on these fail; `once`: the first of them, and then none."""
        masks = (sum(1 << call for call in calls), sum(1 << place for place in places), once)
        self._shared[:3] = bytes(masks)

    def off(self) -> None:
        """Nothing fails any more."""
        self.set((), ())

    def fails(self, call: Call, place: Place) -> bool:
        """Asked at each call."""
        calls, places, once = self._shared[:3]
        if not (calls >> call & 1 and places >> place & 1):
            return False
        if once:
            self._shared[0] = 0
        at = COUNTS + 4 * (call * len(Place) + place)
        (count,) = struct.unpack_from("I", self._shared, at)
        struct.pack_into("I", self._shared, at, count + 1)
        return True

    def counts(self) -> Counter[str]:
        """How often each has failed so far."""
        kinds = [f"{call.name} {place.name}".lower() for call in Call for place in Place]
        counts = struct.unpack_from(f"{len(kinds)}I", self._shared, COUNTS)
        return Counter(dict(zip(kinds, counts, strict=True)))


def twin_of(file: Path) -> Path:
    """Where what is surely on the disk stands."""
    return file.with_name(f"durable-{file.name}")
