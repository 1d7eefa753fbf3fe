"""A host of its own for a server: a network namespace. Linux and root only."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TUN = Path("/dev/net/tun")
RIGHTS = 1 << 12 | 1 << 21
"""CAP_NET_ADMIN and CAP_SYS_ADMIN."""
PATIENCE = 30
KEEP = """
if ip netns add "$1"; then
    ip -n "$1" link set lo up
    echo made
    cat
    ip netns delete "$1"
fi
"""
"""It outlives whoever is killed, and takes the name away; what still runs there may end there."""


def obstacle() -> str | None:
    """Why there can be no hosts and cables here; None where there can."""
    if shutil.which("ip") is None:
        return "no program ip on PATH"
    if not TUN.exists():
        return f"no {TUN}"
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    if int(held.split()[1], 16) & RIGHTS != RIGHTS:
        return "only root may make network namespaces"
    return None


@dataclass(frozen=True, slots=True)
class Host:
    """A network of its own on this machine: nobody is reached from there but over a cable."""

    name: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that is to run there."""
        return ("ip", "netns", "exec", self.name)


@contextmanager
def host() -> Iterator[Host]:
    """A host; its name is taken away however this process ends.

    Raises:
        OSError: it cannot be made here, although nothing seemed to stand in the way.
    """
    made = Host(f"parley-{os.getpid()}-{random.randrange(1 << 32):08x}")
    keeper = subprocess.Popen(
        ["sh", "-c", KEEP, "sh", made.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "made\n":
            raise OSError(f"no network namespace {made.name} could be made")
        yield made
    finally:
        keeper.communicate(timeout=PATIENCE)
