"""Telling the operator why a model gave no answer; the person hears only that there is none."""

from collections.abc import AsyncGenerator

from bot.domain.model import Delta, Request
from bot.errors import ContextTooLong, Permanent, Transient
from bot.models.closing import closing
from bot.ports import Model, Observer


class Telling:
    """A `Model` that reports each failed call of the one it wraps, whoever answers instead.

    What it reports is the text of our own errors: no word of a person's or a provider's is in one.
    """

    def __init__(self, model: Model, observer: Observer, *, name: str) -> None:
        self._model = model
        self._observer = observer
        self._name = name

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """See `ports.Model`."""
        try:
            async with closing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
        except (Transient, Permanent) as error:
            # One that is too long comes back, shortened: no failure yet.
            if request.shortened or not isinstance(error, ContextTooLong):
                self._tell(request, error)
            raise

    def _tell(self, request: Request, error: Transient | Permanent) -> None:
        self._observer.model_failed(
            turn=request.facts.turn,
            rung=self._name,
            outcome="transient" if isinstance(error, Transient) else "permanent",
            reason=str(error).removeprefix(f"{self._name}: "),
        )
