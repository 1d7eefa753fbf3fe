"""What a busy machine would put into a call after the platform has hung up."""

import asyncio
from datetime import timedelta

import pytest

from adapters.wechat.guard import DELIVERIES, Delivery
from adapters.wechat.passive import Call, Passive
from bot import Ambiguous, Held, Outbound, Sent
from bot.domain.address import Address
from tests.fakes import FakeClock

UNTIL = 4.5
PIECE = Outbound("1", Address("wechat", "wx", "ann"), "the answer")


class LateReceipt:
    """Its piece comes while the loop stands still, so late."""

    new = True

    def __init__(self, clock: FakeClock, late: float) -> None:
        self._clock = clock
        self._late = late
        self._pieces = [PIECE]
        self.told: list[Sent | Ambiguous | Held] = []

    async def reply(self, within: timedelta) -> Outbound | None:
        self._clock.advance(self._late)
        self._late = 0.0
        return self._pieces.pop() if self._pieces else None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        self.told.append(outcome)


@pytest.mark.parametrize(
    ("late", "may_send", "number", "said"),
    [
        (4.6, True, 1, "the answer"),
        (5.2, True, 1, "acknowledged"),
        (5.2, False, 1, "silent"),
        (5.2, False, DELIVERIES, "silent"),
    ],
)
async def test_what_comes_after_the_platform_hung_up_is_not_put_into_its_call(
    late: float, may_send: bool, number: int, said: str
) -> None:
    clock = FakeClock()
    receipt = LateReceipt(clock, late)
    call = Call(Delivery(("a", "b"), number, 0.0), clock.monotonic() + UNTIL, asyncio.Event())
    passive = Passive(clock, "en")
    collected = await passive.collect(receipt, call, lambda: may_send)
    await passive.report(receipt, collected, written=True)
    silent = "silent" if collected.silent else "acknowledged"
    assert (collected.text or silent) == said
    assert isinstance(receipt.told[0], Sent) == (said == "the answer")
