"""The rows of `make load`: what each is about, and how large it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.plan import Database


class Kind(StrEnum):
    """What a row measures."""

    ACCEPT = "accept"
    FLIGHT = "flight"
    TAKEOVER = "takeover"
    RESTART = "restart"
    STOP = "stop"
    IDLE = "idle"
    SOAK = "soak"
    ALONE = "alone"
    WHOLE = "whole"
    STORE = "store"


class How(StrEnum):
    """In which way, where a kind of row has several."""

    PLAIN = ""
    FROZEN = "frozen"
    CUT_OFF = "cut off"
    LISTENER_KILLED = "listener killed"
    LISTENER_FROZEN = "listener frozen"
    LISTENER_STOPPED = "listener told to stop"
    POOLER = "pooler"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `size` is its rate, its turns or its lease, 0 where it has none."""

    kind: Kind
    database: Database
    nodes: int
    size: int = 0
    how: How = How.PLAIN

    @property
    def house(self) -> str:
        """Which processes it runs on."""
        return "sqlite" if self.database is Database.SQLITE else f"postgres-{self.nodes}"

    @property
    def name(self) -> str:
        """What `--only` looks at."""
        size = _SIZES[self.kind].format(self.size) if self.size else ""
        return " ".join(filter(None, (self.kind, self.house, self.how, size)))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long and how large the rows are."""

    accept_seconds: float = 30.0
    chats: int = 500
    answer_seconds: int = 60
    flight_share: float = 1.0
    """Of the turns that a row names."""
    kills: int = 5
    stops: int = 20
    lease: float = 15.0
    """Of a row that names none: the lease that a server has by itself."""
    cut_off: int = 20
    """Conversations whose turns are under way at a kill."""
    idle_seconds: float = 60.0
    soak_minutes: float = 30.0
    rest_seconds: float = 60.0
    """After a soak, before the last look."""
    backlog: int = 10_000
    whole: int = 5_000
    """Messages."""
    lanes: int = 2_000


QUICK = Sizes(
    accept_seconds=4.0,
    chats=50,
    answer_seconds=5,
    flight_share=0.04,
    kills=1,
    stops=2,
    lease=2.0,
    cut_off=5,
    idle_seconds=10.0,
    soak_minutes=0.3,
    rest_seconds=3.0,
    backlog=500,
    whole=200,
    lanes=200,
)
"""To see that everything works; its figures say nothing."""

RATES = (100, 200, 400)
FASTEST = 500
"""A second, on SQLite."""
LEASES = (2, 15)
FLIGHT = {
    (Database.SQLITE, 1): 500,
    (Database.POSTGRES, 1): 1000,
    (Database.POSTGRES, 3): 2500,
}
AWAY = (How.FROZEN, How.CUT_OFF)
"""How a node can be away that comes back."""
LISTENERS = (How.LISTENER_KILLED, How.LISTENER_FROZEN, How.LISTENER_STOPPED)
HOUSES = ((Database.SQLITE, 1), (Database.POSTGRES, 1), (Database.POSTGRES, 3))

_SIZES = {Kind.ACCEPT: "{}/s", Kind.FLIGHT: "{}", Kind.TAKEOVER: "{}s"}


def rows(only: str = "") -> Iterator[Row]:
    """The rows whose name holds every word of `only`."""
    for row in _all():
        if all(word in row.name.split() for word in only.split()):
            yield row


def _all() -> Iterator[Row]:
    for database, nodes in HOUSES:
        for rate in RATES:
            yield Row(Kind.ACCEPT, database, nodes, rate)
    yield Row(Kind.ACCEPT, Database.SQLITE, 1, FASTEST)
    for (database, nodes), turns in FLIGHT.items():
        yield Row(Kind.FLIGHT, database, nodes, turns)
    yield from _takeovers()
    for kind in (Kind.IDLE, Kind.WHOLE):
        for database, nodes in HOUSES:
            yield Row(kind, database, nodes)
    yield Row(Kind.IDLE, Database.POSTGRES, 1, how=How.POOLER)
    for database, nodes in (*HOUSES[:2], (Database.POSTGRES, 2)):
        yield Row(Kind.ALONE, database, nodes)
    yield Row(Kind.STORE, Database.POSTGRES, 1)
    for database, nodes in HOUSES:
        yield Row(Kind.SOAK, database, nodes)


def _takeovers() -> Iterator[Row]:
    for lease in LEASES:
        yield Row(Kind.TAKEOVER, Database.POSTGRES, 2, lease)
    for how in AWAY:
        yield Row(Kind.TAKEOVER, Database.POSTGRES, 3, how=how)
    for how in LISTENERS:
        yield Row(Kind.TAKEOVER, Database.POSTGRES, 2, how=how)
    for database, nodes in HOUSES[:2]:
        yield Row(Kind.RESTART, database, nodes)
    yield Row(Kind.STOP, Database.POSTGRES, 2)
