"""A stand-in as a process of its own: it says where it stands, and ends when it is told to."""

import asyncio
import json
import os
import signal
import sys
from typing import Any


async def serve(stand_in: Any) -> None:
    """Serve until standard input ends or SIGTERM; the first line printed is port and address."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_reader(sys.stdin.fileno(), _read_stdin, stopped)
    async with stand_in as peer:
        sys.stdout.write(json.dumps({"port": peer.port, "url": peer.url}) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _read_stdin(stopped: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stopped.set()
