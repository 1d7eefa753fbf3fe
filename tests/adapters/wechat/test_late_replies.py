"""What a busy machine would put into a call after the platform has hung up."""

import asyncio
import socket
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from adapters.wechat.guard import DELIVERIES, Delivery
from adapters.wechat.passive import Call, Passive
from bot import Ambiguous, Held, Inbound, Outbound, Sent
from bot.domain.address import Address
from tests.adapters.telegram.line import FastClock
from tests.adapters.wechat.line import line
from tests.fakes import FakeClock, until
from tests.peers.wechat import ANN
from tests.peers.wechat_courier import Signed

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


class DeafReceipt:
    """Its piece comes at the very moment at which the platform hangs up: no turn lies between."""

    new = True

    def __init__(self, caller: socket.socket) -> None:
        self._caller = caller
        self._pieces = [PIECE]
        self.told: asyncio.Future[Sent | Ambiguous | Held] = (
            asyncio.get_running_loop().create_future()
        )

    async def reply(self, within: timedelta) -> Outbound | None:
        self._caller.close()
        return self._pieces.pop() if self._pieces else None

    async def replied(self, outcome: Sent | Ambiguous | Held) -> None:
        self.told.set_result(outcome)


async def test_a_server_that_is_behind_looks_whether_the_platform_hung_up_first() -> None:
    with socket.socket() as caller:
        receipt = DeafReceipt(caller)

        async def receive(inbound: Inbound, open_for: timedelta | None = None, /) -> DeafReceipt:
            return receipt

        async with line(receive=receive, speed=1.0) as made:
            caller.connect(("127.0.0.1", urlsplit(made.url).port))
            event = made.peer.text(ANN, "are you there?")
            caller.sendall(_request(made.url, made.peer.courier.signed(event.xml)))
            assert isinstance(await receipt.told, Held)


class SlowLoop(FastClock):
    """A loop that has so much to do that each turn of it takes a while."""

    behind = 0.0

    async def sleep(self, seconds: float) -> None:
        if not seconds:
            self.behind += 0.25
        await super().sleep(seconds)

    def monotonic(self) -> float:
        return super().monotonic() + self.behind


async def test_what_became_late_while_the_server_looked_is_not_put_into_the_call() -> None:
    receipt = LateReceipt(FakeClock(), 0.0)

    async def receive(inbound: Inbound, open_for: timedelta | None = None, /) -> LateReceipt:
        return receipt

    async with line(receive=receive, clock=SlowLoop(1.0)) as made:
        made.peer.courier.patience = 0.5
        event = made.peer.text(ANN, "are you there?")
        assert (await made.post(made.peer.courier.signed(event.xml))).status == 0
        await until(lambda: receipt.told)
        assert isinstance(receipt.told[0], Held)


def _request(url: str, signed: Signed) -> bytes:
    parts = urlsplit(url)
    head = f"POST {parts.path}?{signed.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    return f"{head}Content-Length: {len(signed.body)}\r\n\r\n".encode() + signed.body
