"""The whole store in memory: the double that tests of the engine run on."""

from collections.abc import Callable

from bot.domain.records import Node
from bot.ports import Clock, Hints, ListenerRows
from bot.store.hints import MemoryHints
from bot.store.memory_operators import MemoryOperators
from bot.store.memory_rows import Rows
from bot.store.memory_schedule import MemoryListeners, MemoryTicks
from bot.store.memory_signals import MemorySignals
from bot.store.memory_upkeep import MemoryUpkeep


class MemoryStore(MemoryUpkeep, MemorySignals, MemoryTicks, MemoryOperators):
    """Keeps every promise of the store's port but durability.

    Two stores over the same `rows` are two nodes of one deployment.
    """

    def __init__(self, clock: Clock, rows: Rows | None = None) -> None:
        super().__init__(clock, rows)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def writable(self) -> bool:
        return True

    def listeners(self, node: Callable[[], Node], tenant: str) -> ListenerRows:
        return MemoryListeners(self, node, tenant)

    def hints(self, clock: Clock) -> Hints:
        return MemoryHints(self._rows.hints)
