"""One run of a turn: what those who think, ask and call for it share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain.conversation import Turn
from bot.domain.model import Facts
from bot.domain.records import Claim
from bot.domain.tool import ToolContext
from bot.engine.audience import Audience
from bot.engine.toolbox import Toolbox
from bot.ports import Clock, Codec, Journal, Observer


@dataclass(frozen=True, slots=True)
class Run:
    """Handed over once; nothing of it changes while the turn is run."""

    turn: Turn
    claim: Claim
    audience: Audience
    toolbox: Toolbox
    journal: Journal
    codec: Codec
    clock: Clock
    observer: Observer
    context: ToolContext
    facts: Facts
    certain: Callable[[], Awaitable[None]]
    """Waits until nobody else can hold the lane."""

    @property
    def locale(self) -> str:
        """The language of its sentences."""
        return self.facts.locale
