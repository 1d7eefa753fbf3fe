"""What this process knows of its own sends beyond the database: a mark is not yet a send.

`sending` is written before the wire is touched, so that a crash knows of its doubt. The process
that wrote it knows better: that the wire was never touched, or that the platform has it.
"""

from dataclasses import dataclass, replace
from enum import Enum

from bot.domain.message import Sent
from bot.domain.records import Claim, OutboxRow

MOST = 10_000
"""Pieces; of older ones it is then not known any more, as after a crash."""

_Name = tuple[int, int, int]


class Wire(Enum):
    """What is known of a row that is marked as sending and is not known to have been sent."""

    UNTOUCHED = "untouched"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Mark:
    fence: int
    attempts: int
    repeats: int
    sent: Sent | None = None
    asked: bool = False
    """The database has not answered yet that the row is marked so."""


class Marks:
    """By piece, as this process left its row; of no use once another has held the lane."""

    def __init__(self) -> None:
        self._marks: dict[_Name, _Mark] = {}

    def will_mark(self, claim: Claim, row: OutboxRow) -> None:
        """This row, as it stands here, is about to be marked as sending; the wire is untouched."""
        self._put(row, _Mark(claim.fence, row.attempts, row.repeats))

    def will_take(self, claim: Claim, row: OutboxRow) -> None:
        """The row is about to be taken and marked; the answer to that may be lost."""
        self._put(row, _Mark(claim.fence, row.attempts + 1, row.repeats, asked=True))

    def was_not_taken(self, row: OutboxRow) -> None:
        """The row waits, or somebody else may have it: what was asked for has not happened."""
        mark = self._marks.get(_name(row))
        if mark is not None and mark.asked:
            del self._marks[_name(row)]

    def touches(self, row: OutboxRow) -> None:
        """The wire is touched now: a crash would leave it in doubt, and so would we."""
        self._marks.pop(_name(row), None)

    def has_left(self, claim: Claim, row: OutboxRow, sent: Sent) -> None:
        """The platform has it; that is about to be written down."""
        self._put(row, _Mark(claim.fence, row.attempts, row.repeats, sent))

    def is_settled(self, row: OutboxRow) -> None:
        """The database knows it all again."""
        self._marks.pop(_name(row), None)

    def about(self, claim: Claim, row: OutboxRow) -> Sent | Wire:
        """What is known of a row that is found marked as sending."""
        mark = self._marks.get(_name(row))
        if mark is None:
            return Wire.UNKNOWN
        # A claim that lies between was another process's, which may have sent the piece and died.
        is_ours = mark.fence in (claim.fence, claim.before)
        if not is_ours or (mark.attempts, mark.repeats) != (row.attempts, row.repeats):
            del self._marks[_name(row)]
            return Wire.UNKNOWN
        self._put(row, replace(mark, fence=claim.fence))
        return Wire.UNTOUCHED if mark.sent is None else mark.sent

    def _put(self, row: OutboxRow, mark: _Mark) -> None:
        if len(self._marks) >= MOST:
            self._marks.pop(next(iter(self._marks)))
        self._marks[_name(row)] = mark


def _name(row: OutboxRow) -> _Name:
    return row.conversation, row.turn, row.piece
