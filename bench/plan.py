"""What is measured: every row of the table, its size, and the ceiling that it has to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

SPREAD = 2.0
"""Seconds over which a paced answer arrives."""


class Database(StrEnum):
    """Where the program keeps what it is told."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Platform(StrEnum):
    """The way in, and the way that the answer leaves."""

    TELEGRAM = "telegram"
    WEB = "web"
    SLACK = "slack"
    WECHAT = "wechat"

    @property
    def grows(self) -> bool:
        """Whether answers are measured there while they grow.

        Slack's grow once a second, WeChat's never.
        """
        return self in (Platform.TELEGRAM, Platform.WEB)

    @property
    def server(self) -> str:
        """Rows of one name are measured on the same server, which has no other adapters."""
        return "main" if self.grows else self.value


class Shape(StrEnum):
    """How the model answers: 40 words in one body, or 100 words in as many chunks."""

    WHOLE = "whole"
    BURST = "burst"
    PACED = "paced"

    @property
    def streamed(self) -> bool:
        """Whether the program asks for a stream, because somebody can watch it."""
        return self is not Shape.WHOLE

    @property
    def words(self) -> int:
        """About as many tokens."""
        return 100 if self.streamed else 40


@dataclass(frozen=True, slots=True)
class Size:
    """How many conversations there are, and how often each of them speaks."""

    conversations: int
    warm_up: int
    rounds: int

    @property
    def messages(self) -> int:
        """How many are measured."""
        return self.conversations * self.rounds


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    database: Database
    platform: Platform
    shape: Shape
    in_flight: int

    @property
    def name(self) -> str:
        """What `--only` looks at."""
        return f"{self.database} {self.platform} {self.shape} {self.in_flight}"

    @property
    def ceiling(self) -> float | None:
        """The CPU milliseconds that a message may cost; None where nothing is promised."""
        if self.database is not Database.SQLITE or self.in_flight == 1:
            return None
        return 6.0 if self.shape.streamed else 2.5

    def size(self, *, quick: bool) -> Size:
        """Histories grow alike in every row, from 10 messages to 40, except in the paced ones."""
        if self.shape is Shape.PACED:
            conversations = 3 if self.in_flight == 1 else self.in_flight
            return Size(conversations, 1, 1 if self.in_flight == 1 or quick else 3)
        conversations = 8 if self.in_flight == 1 else self.in_flight
        if quick:
            return Size(conversations, 3, 5)
        return Size(conversations, 5, 15)


def cases(databases: Sequence[Database] = tuple(Database), only: str = "") -> Iterator[Case]:
    """The rows whose name holds every word of `only`, those of one server together."""
    for database in databases:
        for streamed in (False, True):
            shapes = [shape for shape in Shape if shape.streamed is streamed]
            for platform, shape, in_flight in product(Platform, shapes, (1, 50)):
                if streamed and not platform.grows:
                    continue
                case = Case(database, platform, shape, in_flight)
                if all(word in case.name.split() for word in only.split()):
                    yield case
