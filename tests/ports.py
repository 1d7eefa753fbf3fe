"""Ports for programs that must be told theirs before they start."""

import random
import socket
from contextlib import suppress

OURS = (10_000, 30_000)
"""Ports below those that a system hands out by itself (Linux from 32768, macOS from 49152)."""


def free_port() -> int:
    """A port of loopback that was free a moment ago.

    The system gives none of these to whoever asks it for any: nobody takes it in between.
    """
    while True:
        port = random.randrange(*OURS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
