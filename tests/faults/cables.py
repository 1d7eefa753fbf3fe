"""Cables to a host of its own that lose, delay and drop packets: a partition as TCP meets it.

A cable is two TUN devices with this process between them: what the kernels at both ends make of
lost packets (retransmission, back-off, sockets that nobody closes) is what they make of them
anywhere. Linux and root only; `tests.faults.proxy` is for everybody else.
"""

import asyncio
import fcntl
import os
import random
import struct
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Address

from tests.faults.hosts import PATIENCE, TUN, Host

SET_DEVICE, KIND = 0x400454CA, 0x1001
"""Linux: TUNSETIFF; IFF_TUN | IFF_NO_PI: packets of IP and nothing before them."""
ADDRESSES = IPv4Address("198.18.0.0")
"""Of a network for measuring devices (RFC 2544): nobody is ever reached there."""
LONGEST = 65536
AT_ONCE = 32
"""Packets that are carried before anybody else has a turn."""
LOST = 0.3
DELAY = 0.5


class Line(StrEnum):
    """How packets fare; names as those of the proxy, seen from this end."""

    WHOLE = "whole"
    SILENT = "silent"
    """None arrives, either way."""
    DEAF = "deaf"
    """What leaves here arrives; what leaves the host does not."""
    DUMB = "dumb"
    """What leaves the host arrives; what leaves here does not."""
    LOSSY = "lossy"
    """Three in ten are lost, at random."""
    SLOW = "slow"
    """Each arrives, half a second late."""


@dataclass(slots=True)
class Cable:
    """From this machine to a host; `line` can be changed at any time, by a running loop."""

    far: str
    """The host's address, over this cable and no other."""
    chance: random.Random
    delay: float = DELAY
    struck: int = 0
    """Packets that were lost or came late, so far."""
    met: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each of them; cleared by whoever waits for the next one."""
    _line: Line = Line.WHOLE
    _late: deque[tuple[asyncio.TimerHandle, int, bytes]] = field(default_factory=deque)

    @property
    def line(self) -> Line:
        """How packets fare now."""
        return self._line

    @line.setter
    def line(self, line: Line) -> None:
        """What is late arrives before anything that follows it."""
        self._line = line
        while self._late:
            self._late[0][0].cancel()
            self._arrive()

    def carry(self, source: int, target: int, lost: Line) -> None:
        """Bring to one end what waits at the other."""
        for _ in range(AT_ONCE):
            try:
                packet = os.read(source, LONGEST)
            except BlockingIOError:
                return
            self._send(target, packet, lost)

    def close(self) -> None:
        """What is on its way is lost."""
        for handle, _, _ in self._late:
            handle.cancel()
        self._late.clear()

    def _send(self, target: int, packet: bytes, lost: Line) -> None:
        gone = self._line is Line.LOSSY and self.chance.random() < LOST
        if gone or self._line in (Line.SILENT, lost):
            self._strike()
        elif self._line is Line.SLOW:
            self._strike()
            due = asyncio.get_running_loop().call_later(self.delay, self._arrive)
            self._late.append((due, target, packet))
        else:
            _put(target, packet)

    def _strike(self) -> None:
        self.struck += 1
        self.met.set()

    def _arrive(self) -> None:
        """The one that has been under way the longest, whoever's time it was."""
        _, target, packet = self._late.popleft()
        _put(target, packet)


def _put(target: int, packet: bytes) -> None:
    with suppress(OSError):  # a device that takes no more has lost it, as any other does
        os.write(target, packet)


@contextmanager
def cable(to: Host, seed: int = 0) -> Iterator[Cable]:
    """A cable that is carried by the loop that runs; its devices go with it."""
    loop = asyncio.get_running_loop()
    with _device("parley%d") as (here, name), _device(f"{name}-far") as (there, far):
        # The number is the device's own: no two cables of this machine have the same addresses.
        near_address = ADDRESSES + 4 * int(name.removeprefix("parley")) + 1
        far_address = near_address + 1
        _ip("link", "set", far, "netns", to.name)
        _set_up((), name, f"{near_address} peer {far_address}")
        _set_up(("-n", to.name), far, f"{far_address} peer {near_address}")
        made = Cable(str(far_address), random.Random(seed))
        loop.add_reader(here, partial(made.carry, here, there, Line.DUMB))
        loop.add_reader(there, partial(made.carry, there, here, Line.DEAF))
        try:
            yield made
        finally:
            loop.remove_reader(here)
            loop.remove_reader(there)
            made.close()


@contextmanager
def _device(pattern: str) -> Iterator[tuple[int, str]]:
    """A TUN device for as long as it is open, and the name that the kernel gave it."""
    number = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        asked = struct.pack("16sH22x", pattern.encode(), KIND)
        told: bytes = fcntl.ioctl(number, SET_DEVICE, asked)
        yield number, told[:16].rstrip(b"\0").decode()
    finally:
        os.close(number)


def _set_up(network: tuple[str, ...], device: str, address: str) -> None:
    # Without an address of its own for IPv6 it says nothing that nobody has asked for.
    _ip(*network, "link", "set", device, "addrgenmode", "none")
    _ip(*network, "address", "add", *address.split(), "dev", device)
    _ip(*network, "link", "set", device, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=PATIENCE)
