"""Writes to a file of which one sync loses a part: `python -m tests.store.losing FOLDER`.

It goes on as long as it may. What is surely on the disk stands in the file's twin. With the word
`start` behind the folder it is the first sync of a server's start that fails. With `keep` nothing
fails, and it ends as soon as it is told that a row is there.
"""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from bot.errors import Transient
from bot.store.migrate import migrate_sqlite
from bot.store.sqlite_file import connect, connect_reading
from bot.store.sqlite_writer import Writer
from tests.fakes import FakeClock
from tests.faults.ioswitch import Call, Place, Switch
from tests.faults.iovfs import Broken, found_vfs

ROWS, SIZE = 4500, 3500
"""So many pages that the log is copied into the file after each time."""
INSERT = "INSERT INTO t (x) VALUES (zeroblob(?))"


def main() -> None:
    """Break SQLite, and write."""
    folder = Path(sys.argv[1])
    vfs = found_vfs()
    assert vfs is not None, "the names of this Python's SQLite are hidden"
    switch = Switch(folder / "switch")
    breaking = Broken(vfs, switch)
    if sys.argv[2:] == ["start"]:
        start(folder / "w.db", switch)
    elif sys.argv[2:] == ["keep"]:
        asyncio.run(keep(folder / "w.db"))
    else:
        asyncio.run(lose(folder / "w.db", switch))
    del breaking


def start(file: Path, switch: Switch) -> None:
    """A log is there that somebody has left, and the disk does not keep a copy of it."""
    with closing(connect(file)) as left:
        left.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)")
        switch.set([Call.SYNC], [Place.DATABASE])
        try:
            migrate_sqlite(file, FakeClock())
        except Transient as error:
            sys.stderr.write(f"{error}\n")
            switch.off()


async def lose(file: Path, switch: Switch) -> None:
    """A copy of the log behind a reader is made in part; the sync of the whole one fails."""
    writer = Writer(lambda: connect(file), rolled_back=lambda: None)
    writer.start()
    await writer.run(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    first = _reading(file)
    await _fill(writer)
    second = _reading(file)
    first.close()
    # Copied as far as the second reader has seen it, and no sync is made for that.
    await _fill(writer)
    second.close()
    switch.set([Call.SYNC], [Place.DATABASE], once=True)
    for _ in range(3):
        await _fill(writer)


async def keep(file: Path) -> None:
    """Whoever has written a row is told so, and nothing more happens to file and log."""
    writer = Writer(lambda: connect(file), rolled_back=lambda: None)
    writer.start()
    await writer.run(lambda db: db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)"))
    await writer.run(lambda db: db.execute(INSERT, (SIZE,)).rowcount)
    os._exit(0)


def _reading(file: Path) -> sqlite3.Connection:
    reader = connect_reading(file)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchall()
    return reader


async def _fill(writer: Writer) -> None:
    sizes = [(SIZE,)] * ROWS
    await writer.run(lambda db: db.executemany(INSERT, sizes).rowcount)


if __name__ == "__main__":
    main()
