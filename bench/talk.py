"""One conversation as the driver sees it: what was asked, and what came back."""

import asyncio
import time
from abc import ABC, abstractmethod

PATIENCE = 30.0
"""Seconds after which an answer counts as missing."""


class WrongAnswersError(Exception):
    """An answer is missing, came twice, or is not the model's."""


def now_us() -> int:
    """Microseconds of the clock that all processes of a machine share."""
    return time.monotonic_ns() // 1000


class Talk(ABC):
    """Asks, and waits for the answer before it asks again."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        self._arrival: asyncio.Future[int] | None = None
        self._asked = 0
        self._answered = 0
        self._wrong = 0
        self.grown = 0
        """How often something of a growing answer was seen."""

    async def ask(self) -> int:
        """Say something; the microseconds until its whole answer is there."""
        self._arrival = asyncio.get_running_loop().create_future()
        self._asked += 1
        began = now_us()
        try:
            async with asyncio.timeout(PATIENCE):
                await self.say(self._asked)
                return await self._arrival - began
        except TimeoutError:
            raise WrongAnswersError(f"no answer within {PATIENCE:g} s") from None

    def check(self) -> None:
        """Every question must have its answer, once.

        Raises:
            WrongAnswersError: it has not.
        """
        if self._answered != self._asked or self._wrong:
            raise WrongAnswersError(
                f"{self._asked} messages, {self._answered} answers, {self._wrong} of them wrong"
            )

    @abstractmethod
    async def say(self, number: int) -> None:
        """Bring the question to the program; it has been accepted afterwards."""

    def came(self, text: str, at: int) -> None:
        """A whole answer arrived."""
        self._answered += 1
        self._wrong += text != self._expected
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(at)


def expect(status: int, wanted: int) -> None:
    """The program must take what it is given.

    Raises:
        WrongAnswersError: it refused.
    """
    if status != wanted:
        raise WrongAnswersError(f"the program answered {status} instead of {wanted}")
