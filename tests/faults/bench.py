"""What a row of the matrix is given, and what is kept of it: the folders of its worlds."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests import postgres
from tests.faults import crowd
from tests.faults.node import End
from tests.faults.plan import Plan, Store
from tests.faults.warm import Warm
from tests.faults.world import World, world

PROMPT = 10.0
"""Seconds beyond a lease in which 99 of 100 have their answer where others take over."""
ENOUGH = 500
"""Messages of which that is asked: the p99 of fewer is what one or two of them had."""


class Tried(NamedTuple):
    """What the checker has counted in one world."""

    faults: int
    """What struck."""
    met: int
    """What of it met a message."""
    p99_answer: float | None = None
    """Seconds from a message to its answer."""
    messages: int = 0


@dataclass(slots=True)
class Bench:
    """One run of one row on one kind of database."""

    folder: Path
    store: Store
    seed: int
    seconds: float
    """How long a row without an end of its own goes on."""
    server: postgres.Server | None = None
    lease: float = 2.0
    """Seconds; 15 is what people run with, 2 makes room for more faults in the same time."""
    warm: Warm | None = None
    """What starts servers fast, where they are not started from nothing."""
    crowded: bool = False
    """Whether others used this machine as well when the run began."""
    look: Callable[[], Awaitable[bool]] = crowd.crowded
    """Whether they do now."""
    folders: list[Path] = field(default_factory=list)
    """Of every world that was made: the checker reads them."""
    leases: list[float] = field(default_factory=list)
    """Of the same worlds."""
    missed: list[str] = field(default_factory=list)
    """What the row wanted to bring about and what did not happen: nothing is shown of it."""
    failed: list[str] = field(default_factory=list)
    """What Parley was to do then and did not, beside the judge's promises: each is a violation."""
    broken_off: list[str] = field(default_factory=list)
    """What ended the run before its end, if anything did: its logs are not judged."""
    told: list[str] = field(default_factory=list)
    """Figures of the row's own, for whoever runs it."""
    late: list[str] = field(default_factory=list)
    """What of `failed` is a limit of time."""
    counts: Counter[str] = field(default_factory=Counter)
    """What the row counts of its own: of all runs the sums are kept."""
    least: dict[str, float] = field(default_factory=dict)
    """What it measures of its own: of all runs the least is kept."""

    @asynccontextmanager
    async def world(self, plan: Plan) -> AsyncGenerator[World, None]:
        """A world whose logs are judged after the row."""
        folder = self.folder / f"world-{len(self.folders) + 1}"
        self.folders.append(folder)
        # A row that is not about leases may ask for a longer one than the others have.
        leased = plan.leased(max(plan.lease, self.lease))
        self.leases.append(leased.lease)
        made: World | None = None
        try:
            async with world(leased, folder, server=self.server, warm=self.warm) as made:
                yield made
        finally:
            for node in made.nodes if made is not None else ():
                self.blame(node.ends)

    def blame(self, ends: Sequence[End]) -> None:
        """A server goes on until somebody ends it, and ends in good order where it is told to."""
        for end in ends:
            if end.slow:
                self.slow(end.what)
            else:
                self.failed.append(end.what)

    def slow(self, what: str) -> None:
        """It took too long: Parley's doing where it had the machine, nobody knows whose else."""
        if self.crowded:
            self.missed.append(f"{what}, and others used this machine when the run began")
        else:
            self.failed.append(what)
            self.late.append(what)

    def excuse(self) -> None:
        """Others used this machine when the run had ended: nobody knows who was slow."""
        for what in self.late:
            self.failed.remove(what)
            self.missed.append(f"{what}, and others used this machine when the run had ended")
        self.late.clear()

    def weigh(self, verdicts: Sequence[Tried], *, prompt: bool = False) -> None:
        """A run in which nothing went wrong, or in nobody's way, has tried nothing.

        `prompt`: nobody waits for long where others take over, whatever went wrong.
        """
        if not sum(one.faults for one in verdicts):
            self.missed.append("nothing went wrong at all")
        elif not sum(one.met for one in verdicts):
            self.missed.append("nothing of what went wrong met a message")
        for one in verdicts if prompt and self.store == "postgres" else ():
            p99, limit = one.p99_answer, max(self.leases, default=self.lease) + PROMPT
            if p99 is not None and p99 > limit and one.messages >= ENOUGH:
                self.slow(f"p99 of the answers was {p99:.1f} s, at most {limit:.1f} s were right")


Run = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix: what it is called, where it applies, how it runs."""

    name: str
    stores: tuple[Store, ...]
    run: Run
    why: str = ""
    """What it breaks, in a few words."""
    prompt: bool = False
    """Whether it has to be answered promptly where others take over."""
