"""Ports for programs that must be told theirs before they start."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress

OURS = (10_000, 30_000)
"""Ports below those that a system hands out by itself (Linux from 32768, macOS from 49152)."""


def shares(worker: int, workers: int) -> Iterator[int]:
    """The ports of one of so many workers, all of them before any comes again.

    A server that is down for a moment finds its port free when it comes back.
    """
    own = range(OURS[0] + worker, OURS[1], workers)
    while True:
        yield from random.sample(own, len(own))


def _own() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return shares(worker, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


_PORTS = _own()


def free_port() -> int:
    """A port of loopback that was free a moment ago.

    The system gives none of these to whoever asks it for any: nobody takes it in between.
    """
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
