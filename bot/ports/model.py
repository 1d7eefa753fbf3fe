"""Whatever answers a history."""

from collections.abc import AsyncIterator
from typing import Protocol

from bot.domain.model import Delta, Request


class Model(Protocol):
    """Something that answers a history; most models wrap a model."""

    def stream(self, request: Request) -> AsyncIterator[Delta]:
        """Deltas, closed by `Finished`; a stream that ends without it is a failure.

        Raises:
            ContextTooLong: a shorter window may do.
            Transient: busy, down or cut off. Permanent: wrong key, refused request.
        """
        ...
