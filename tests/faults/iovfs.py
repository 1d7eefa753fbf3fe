"""SQLite's calls to the system, wrapped in the memory of the library that Python uses.

Its VFS is found and changed through `ctypes`: no compiler, no library of one's own and no right of
root is needed for it. Of all files only the database and its log are met.

Beside each of them stands a twin: what a power cut would leave of it. Only a sync brings there what
was written, and what a failed sync should have brought never comes there unless it is written
anew: that is what Linux does, which calls such pages clean.
"""

import _sqlite3
import ctypes
import json
import os
import sqlite3
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_longlong, c_void_p
from pathlib import Path
from typing import Any

from tests.faults.ioswitch import ERRORS, Call, Place, Switch, twin_of

BLOCK = 4096
OK = sqlite3.SQLITE_OK
OPENED_AS = {0x100: Place.DATABASE, 0x80000: Place.LOG}
"""SQLITE_OPEN_MAIN_DB and SQLITE_OPEN_WAL."""

# ---- SQLite's own structures, as far as they are looked into ---------------------------------

MOVE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_longlong)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_longlong)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
MEASURE = CFUNCTYPE(c_int, c_void_p, POINTER(c_longlong))
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)


class Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", MOVE),
        ("write", MOVE),
        ("truncate", TRUNCATE),
        ("sync", SYNC),
        ("measure", MEASURE),
        ("others", c_void_p * 12),
    )


class Vfs(ctypes.Structure):
    """The beginning of `sqlite3_vfs`."""

    _fields_ = (
        ("version", c_int),
        ("size", c_int),
        ("longest", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", OPEN),
    )


def found_vfs() -> Any:
    """Python's SQLite's way to the system; None where its names are hidden."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        find = library.sqlite3_vfs_find
    except AttributeError:
        return None
    find.restype, find.argtypes = POINTER(Vfs), (c_char_p,)
    return find(None).contents


class Twin:
    """What is surely on the disk of one file, and which of its blocks are not.

    It outlives its process: what is lost stays lost when another one finds it in the file.
    """

    def __init__(self, path: Path, methods: Methods) -> None:
        self._twin = os.open(twin_of(path), os.O_RDWR | os.O_CREAT, 0o600)
        self._book = twin_of(path).with_suffix(f"{path.suffix}.lost")
        self._methods = methods
        self._unsynced: set[int] = set()
        self._begun = False

    def opened(self, file: int) -> None:
        """What differs when a process first opens it was lost, or needs a sync as before."""
        length = c_longlong()
        self._methods.measure(file, ctypes.byref(length))
        if not length.value:
            self.truncated(0)
        elif not self._begun:
            lost = set(json.loads(self._book.read_text())) if self._book.exists() else set()
            number = -(-length.value // BLOCK)
            differ = (one for one in range(number) if self._held(one) != self._read(file, one))
            self._unsynced = set(differ) - lost
        self._begun = True

    def wrote(self, offset: int, amount: int) -> None:
        """From now on nobody knows what the disk has of these bytes."""
        self._unsynced.update(range(offset // BLOCK, -(-(offset + amount) // BLOCK)))

    def truncated(self, length: int) -> None:
        """At once, which is as good as later: nothing behind it counts any more."""
        os.ftruncate(self._twin, min(length, os.fstat(self._twin).st_size))
        self._unsynced = {number for number in self._unsynced if number * BLOCK < length}

    def synced(self, file: int) -> None:
        """The disk has all of it."""
        for number in sorted(self._unsynced):
            os.pwrite(self._twin, self._read(file, number), number * BLOCK)
        self._unsynced.clear()

    def failed(self) -> None:
        """The system calls them clean now and forgets that the disk has never had them."""
        self._book.write_text(json.dumps(sorted(self._unsynced)), encoding="ascii")
        self._unsynced.clear()

    def _held(self, number: int) -> bytes:
        return os.pread(self._twin, BLOCK, number * BLOCK).ljust(BLOCK, b"\0")

    def _read(self, file: int, number: int) -> bytes:
        block = ctypes.create_string_buffer(BLOCK)
        self._methods.read(file, block, BLOCK, number * BLOCK)
        return block.raw


class File:
    """The calls of one file, which may fail."""

    def __init__(self, path: Path, place: Place, methods: Methods, switch: Switch) -> None:
        self.twin = Twin(path, methods)
        self._place, self._methods, self._switch = place, methods, switch
        self.wrapped = Methods.from_buffer_copy(methods)
        self.wrapped.read = MOVE(self._read)
        self.wrapped.write = MOVE(self._write)
        self.wrapped.truncate = TRUNCATE(self._truncate)
        self.wrapped.sync = SYNC(self._sync)

    def _read(self, file: int, into: int, amount: int, offset: int) -> int:
        if self._switch.fails(Call.READ, self._place):
            return ERRORS[Call.READ]
        return int(self._methods.read(file, into, amount, offset))

    def _write(self, file: int, data: int, amount: int, offset: int) -> int:
        if self._switch.fails(Call.WRITE, self._place):
            return ERRORS[Call.WRITE]
        self.twin.wrote(offset, amount)
        return int(self._methods.write(file, data, amount, offset))

    def _truncate(self, file: int, length: int) -> int:
        self.twin.truncated(length)
        return int(self._methods.truncate(file, length))

    def _sync(self, file: int, flags: int) -> int:
        if self._switch.fails(Call.SYNC, self._place):
            self.twin.failed()
            return ERRORS[Call.SYNC]
        code = int(self._methods.sync(file, flags))
        if code == OK:
            self.twin.synced(file)
        return code


class Broken:
    """Stands between SQLite and the system, for as long as the process lives."""

    def __init__(self, vfs: Any, switch: Switch) -> None:
        self._switch = switch
        self._files: dict[Path, File] = {}
        # Its address: what is read from the field would be whatever stands there later.
        self._open = OPEN(ctypes.cast(vfs.open, c_void_p).value or 0)
        self._own = OPEN(self.open)
        vfs.open = self._own

    def open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        """Instead of SQLite's: the files that count get calls of their own."""
        # The name stays a pointer: SQLite keeps it, and a copy of Python's would be gone too soon.
        code = int(self._open(vfs, name, file, flags, out))
        place = next((place for flag, place in OPENED_AS.items() if flags & flag), None)
        if code != OK or place is None or name is None:
            return code
        opened = ctypes.cast(file, POINTER(POINTER(Methods)))
        path = Path(os.fsdecode(ctypes.string_at(name)))
        if path not in self._files:
            self._files[path] = File(path, place, opened.contents.contents, self._switch)
        self._files[path].twin.opened(file)
        opened[0] = ctypes.pointer(self._files[path].wrapped)
        return OK
