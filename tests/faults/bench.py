"""What a row of the matrix is given, and what is kept of it: the folders of its worlds."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests import postgres
from tests.faults.plan import Plan, Store
from tests.faults.warm import Warm
from tests.faults.world import World, world


class Tried(NamedTuple):
    """What the checker has counted in one world."""

    faults: int
    """What struck."""
    met: int
    """What of it met a message."""


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
    folders: list[Path] = field(default_factory=list)
    """Of every world that was made: the checker reads them."""
    missed: list[str] = field(default_factory=list)
    """What the row wanted to happen and what did not."""
    told: list[str] = field(default_factory=list)
    """Figures of the row's own, for whoever runs it."""

    @asynccontextmanager
    async def world(self, plan: Plan) -> AsyncGenerator[World, None]:
        """A world whose logs are judged after the row."""
        folder = self.folder / f"world-{len(self.folders) + 1}"
        self.folders.append(folder)
        # A row that is not about leases may ask for a longer one than the others have.
        leased = plan.leased(max(plan.lease, self.lease))
        async with world(leased, folder, server=self.server, warm=self.warm) as made:
            yield made

    def weigh(self, verdicts: Sequence[Tried]) -> None:
        """A run in which nothing went wrong, or in nobody's way, has tried nothing."""
        if not sum(one.faults for one in verdicts):
            self.missed.append("nothing went wrong at all")
        elif not sum(one.met for one in verdicts):
            self.missed.append("nothing of what went wrong met a message")


Run = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix: what it is called, where it applies, how it runs."""

    name: str
    stores: tuple[Store, ...]
    run: Run
    why: str = ""
