"""The sockets in the engine's walls: what it needs from outside, as protocols.

An adapter has three required members; its abilities are small protocols asked by `isinstance`.
The store is many small protocols that one object may implement.
"""

from bot.ports.adapter import (
    Activity,
    ActivityState,
    Adapter,
    AdapterContext,
    Draft,
    Drafts,
    Elsewhere,
    Fetches,
    Finds,
    Health,
    Leaves,
    Listens,
    Looks,
    Opens,
    Order,
    Patient,
    Probes,
    Serves,
    TakesOrders,
)
from bot.ports.clock import Clock
from bot.ports.model import Model
from bot.ports.nodes import (
    Hints,
    ListenerRows,
    Listeners,
    Signals,
    Store,
    Ticks,
    Upkeep,
    WaitingListeners,
)
from bot.ports.observer import Observer
from bot.ports.receiving import ASGIApp, Receipt, Receive
from bot.ports.store import (
    Codec,
    Erasure,
    History,
    Inbox,
    Journal,
    Lanes,
    Outbox,
    Sessions,
    Slots,
    Transcript,
)

__all__ = [
    "ASGIApp",
    "Activity",
    "ActivityState",
    "Adapter",
    "AdapterContext",
    "Clock",
    "Codec",
    "Draft",
    "Drafts",
    "Elsewhere",
    "Erasure",
    "Fetches",
    "Finds",
    "Health",
    "Hints",
    "History",
    "Inbox",
    "Journal",
    "Lanes",
    "Leaves",
    "ListenerRows",
    "Listeners",
    "Listens",
    "Looks",
    "Model",
    "Observer",
    "Opens",
    "Order",
    "Outbox",
    "Patient",
    "Probes",
    "Receipt",
    "Receive",
    "Serves",
    "Sessions",
    "Signals",
    "Slots",
    "Store",
    "TakesOrders",
    "Ticks",
    "Transcript",
    "Upkeep",
    "WaitingListeners",
]
