"""Whether this account may send customer-service messages: configured, or found out."""

from bot import Clock

_ASK_AGAIN = 600.0
"""Seconds after which a refusal is doubted: an operator may have had the account verified."""


class Permission:
    """What is known about it now."""

    def __init__(self, *, configured: bool | None, clock: Clock) -> None:
        self._configured = configured
        self._clock = clock
        self._found = configured
        self._found_at = clock.monotonic()

    @property
    def known(self) -> bool | None:
        """None where it has to be found out."""
        if self._found is False and self._configured is not False and self._is_old():
            self._found = self._configured
        return self._found

    def found(self, *, allowed: bool) -> None:
        """The platform has shown it."""
        if self._configured is False:
            return
        self._found = allowed
        self._found_at = self._clock.monotonic()

    def _is_old(self) -> bool:
        return self._clock.monotonic() - self._found_at >= _ASK_AGAIN
