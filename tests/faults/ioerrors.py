"""`parley` on a disk with errors: reads, writes and syncs of its database fail when told to.

`python -m tests.faults.ioerrors serve …`, with the switch's file in `FAULTS_IO`.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import bot.store.sqlite_room
from bot.cli import main
from bot.store.sqlite_writer import Writer
from tests.faults.ioswitch import PAGES, Switch
from tests.faults.iovfs import Broken, found_vfs

ROOM: Any = bot.store.sqlite_room
"""Where the store makes its writer."""
OFTEN = 100
"""Pages of log after which it is copied into the file; a server's own 4,000 take minutes."""


def serve() -> None:
    """Break SQLite, and be `parley`."""
    vfs = found_vfs()
    assert vfs is not None, "the names of this Python's SQLite are hidden"
    breaking = Broken(vfs, Switch(Path(os.environ["FAULTS_IO"])))
    ROOM.Writer = partial(Writer, pages=int(os.environ.get(PAGES, OFTEN)))
    try:
        main()
    finally:
        del breaking


if __name__ == "__main__":
    serve()
