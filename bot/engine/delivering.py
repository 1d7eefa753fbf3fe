"""What all deliveries of this server share: the doors, the rules, what is known of its sends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from bot.domain.message import Outbound
from bot.domain.records import OutboxRow
from bot.domain.sentences import repeated, sentence
from bot.engine.marks import Marks
from bot.ports import Adapter, Clock, Observer
from bot.ports import Outbox as OutboxPort
from bot.recent import Recent

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a held piece is due that no time frees: at the person's next message."""


class AmbiguousPolicy(StrEnum):
    """What to do when nobody knows whether a piece was shown."""

    REPEAT = "repeat"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Delivering:
    """Handed over once; nothing here belongs to one conversation."""

    outbox: OutboxPort
    adapters: Mapping[str, Adapter]
    clock: Clock
    observer: Observer
    ambiguous: AmbiguousPolicy
    locale: str
    marks: Marks = field(default_factory=Marks)
    announced: Recent[tuple[int, int, int, int], None] = field(default_factory=lambda: Recent(1000))
    """Pieces before which the mark stands alone already: retries need no second one."""
    hold: timedelta = field(kw_only=True)
    """How long what a platform holds back may wait for the person, counted from its making."""
    certain: Callable[[], Awaitable[None]] = field(kw_only=True)
    """Waits until nobody else can hold our lanes."""

    def said(self, row: OutboxRow, name: str) -> Outbound:
        """A piece as it leaves now; with a mark where it may be on the screen already."""
        adapter, piece = self.adapters.get(name), row.outbound
        if not row.repeats or adapter is None:
            return piece
        marked = replace(piece, text=repeated(piece.text, self.locale))
        # Cut in two or cut short, it would not be what was to be repeated.
        found = [one.text for one in adapter.pieces(marked)]
        return marked if found == [marked.text] else piece

    def ahead(self, row: OutboxRow, piece: Outbound) -> Outbound | None:
        """The mark alone, to be sent before a piece that has no room for it."""
        if not row.repeats or piece.text != row.outbound.text:
            return None
        mark = sentence("repeated_mark", self.locale)
        return Outbound(f"{piece.key}/again", piece.address, mark)
