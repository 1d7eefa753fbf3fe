"""What every part of the PostgreSQL store shares: connections, windows, and what heads showed."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.address import Address
from bot.domain.conversation import ConversationId, InboundId
from bot.domain.records import Claim, Node
from bot.errors import Fenced
from bot.store import statements_postgres as say
from bot.store.lines import Origin
from bot.store.names import parse
from bot.store.operating import Seen
from bot.store.postgres_pool import Pool, Row, Transaction
from bot.store.postgres_sql import Query
from bot.store.windows import Windows

VIEWS = 4096
"""The most lanes of which the last head is remembered: as many as a node holds."""

FRESH = 3_600_000_000
"""How long (µs) windows are kept at most: another node's retention takes lines away unseen."""


_LEAST, _STRIDES = 1000, 2**20

CHANNEL = "parley"
"""Where the nodes of a database hint to each other."""


@dataclass(slots=True)
class View:
    """What the last head of a held lane showed, so that its end needs not be read for again."""

    fence: int
    address: Address
    waiting: Mapping[InboundId, Origin]


Follow = Callable[[datetime, float], None]


class PostgresRoom:
    """Each method of the store is one round trip where the promises allow it."""

    def __init__(self, url: str, *, pooled: bool = False, follow: Follow | None = None) -> None:
        self._url = url
        self._follow = follow
        self._pool = Pool(url, pooled=pooled)
        # A lease must not run out while thousands of turns wait for a connection.
        self._lease_pool = Pool(url, pooled=pooled, most=1)
        self._windows = Windows()
        self._windows_since = 0
        # The tenant whose lane was claimed last: the next claim begins behind it.
        self._served = ""
        # The fence under which this node last held a lane: whoever finds it unchanged knows that
        # nobody else has written to the conversation meanwhile.
        self._fences: OrderedDict[ConversationId, int] = OrderedDict()
        self._views: OrderedDict[ConversationId, View] = OrderedDict()
        # How far the next epoch of a lost lease lies: no other process steps as far.
        self._stride = _LEAST + secrets.randbelow(_STRIDES)
        # Up to where retention has looked at sessions that ended long ago.
        self._seen = Seen()

    def _claimed(self, node: Node, row: Row) -> Claim:
        """A claim from (conversation, fence, the fence before)."""
        conversation, fence, before = ConversationId(row[0]), row[1], row[2]
        if self._fences.pop(conversation, None) != before:
            self._windows.drop(conversation)
        self._fences[conversation] = fence
        if len(self._fences) > VIEWS:
            forgotten, _ = self._fences.popitem(last=False)
            self._windows.drop(forgotten)
        return Claim(conversation, node, fence, before)

    def _saw(self, claim: Claim, address: Address, waiting: Iterable[Origin]) -> View:
        view = View(claim.fence, address, {origin.id: origin for origin in waiting})
        self._views[claim.conversation] = view
        self._views.move_to_end(claim.conversation)
        if len(self._views) > VIEWS:
            self._views.popitem(last=False)
        return view

    async def _view(self, claim: Claim) -> View:
        """What the last head showed; read where this claim's head was never asked for."""
        known = self._views.get(claim.conversation)
        if known is not None and known.fence == claim.fence:
            return known
        rows = await self._pool.fetch(say.ORIGINS, {"conversation": claim.conversation})
        if not rows:
            raise Fenced
        waiting = [Origin(*row[1:]) for row in rows if row[1] is not None]
        return self._saw(claim, parse(rows[0][0]), waiting)

    def _lost(self, claim: Claim) -> None:
        """Forget what was true under a claim that is over, or of which nobody knows."""
        self._views.pop(claim.conversation, None)

    @contextmanager
    def _doubted(self, claim: Claim) -> Generator[None, None, None]:
        """Within, the lane's rows change: unless it ends well, nothing is remembered of them."""
        with self._windows.doubted(claim.conversation), ExitStack() as otherwise:
            otherwise.callback(self._lost, claim)
            yield
            otherwise.pop_all()

    async def _write(self, claim: Claim, query: Query, values: Mapping[str, Any]) -> Row:
        """Run a statement that returns a row as long as the lane is held.

        Raises:
            Fenced: the lane has a newer holder, or none.
        """
        rows = await self._pool.fetch(query, {**held(claim), **values})
        if not rows:
            self._lost(claim)
            raise Fenced
        return rows[0]


def held(claim: Claim) -> dict[str, Any]:
    """The parameters by which a statement asks for the claim's own lane."""
    return {
        "conversation": claim.conversation,
        "fence": claim.fence,
        "node": claim.node.name,
        "holder": claim.node.epoch,
    }


async def hold(transaction: Transaction, claim: Claim) -> None:
    """Lock the claim's lane until the transaction's end.

    Raises:
        Fenced: the lane has a newer holder, or none.
    """
    if not await transaction.fetch(say.HOLD, held(claim)):
        raise Fenced


def plain(text: str) -> str:
    """A text that stands in a column by itself: PostgreSQL takes every character but NUL."""
    return text.replace("\0", "\ufffd") if "\0" in text else text
