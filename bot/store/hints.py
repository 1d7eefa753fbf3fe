"""Hints where there is nobody to give them to, or no road for them."""

from collections.abc import Callable


class NoHints:
    """One node has no other; without a road, polling alone finds what waits."""

    def hint(self) -> None:
        """Nobody listens."""

    def on_hint(self, look: Callable[[], None]) -> None:
        """Nobody speaks."""

    @property
    def hears(self) -> bool:
        return False

    async def run(self) -> None:
        """There is nothing to carry."""


class MemoryHints:
    """Every node over the same rows hears what another says."""

    def __init__(self, everybody: "list[MemoryHints]") -> None:
        self._everybody = everybody
        self._looks: list[Callable[[], None]] = []
        everybody.append(self)

    def hint(self) -> None:
        """All others look at once."""
        for other in self._everybody:
            if other is not self:
                other.look()

    def on_hint(self, look: Callable[[], None]) -> None:
        """Beside the others that were given."""
        self._looks.append(look)

    @property
    def hears(self) -> bool:
        return True

    def look(self) -> None:
        """What another node has asked for."""
        for look in self._looks:
            look()

    async def run(self) -> None:
        """They are carried by being called."""
