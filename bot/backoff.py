"""How long to wait before the next try: longer each time, never the same for two of us."""

import random


class Backoff:
    """Seconds that double up to a limit, each shortened by chance."""

    def __init__(self, first: float = 1.0, longest: float = 30.0) -> None:
        self._first = first
        self._longest = longest
        self._tries = 0

    def next(self) -> float:
        """The seconds to wait after one more failure."""
        whole = min(self._first * 2.0**self._tries, self._longest)
        self._tries = min(self._tries + 1, 32)
        return whole * random.uniform(0.6, 1.0)  # noqa: S311  # spreads load, guards nothing

    def reset(self) -> None:
        """It worked."""
        self._tries = 0
