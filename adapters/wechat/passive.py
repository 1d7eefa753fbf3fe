"""One open call of the platform: what can be put into it before it closes.

A call takes one reply. What was held back for the person and the answer to what they say now
leave in the same one where they fit; what does not fit goes back and waits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from adapters.wechat.guard import Delivery
from adapters.wechat.render import TEXT_LIMIT, media_of, render, together
from bot import Clock, Held, Outbound, Receipt, Sent

WORKING = {
    "zh": "还在处理您的消息，请稍等片刻。\n稍后发送任意内容，即可收到回答。",
    "en": "I am still working on this.\nSend me anything in a moment to get the answer.",
}
_NO_TIME = 0.05
HUNG_UP = 0.25
"""Seconds after a call's time is over from which nothing is put into it any more: WeChat hangs up
half a second after that time (`reply_within`), and what is written then nobody reads."""


@dataclass(frozen=True, slots=True)
class Call:
    """An open request: which delivery it is, until when it may be answered, who may hang up."""

    delivery: Delivery
    until: float
    hung_up: asyncio.Event


@dataclass(frozen=True, slots=True)
class Collected:
    """What a call will say. Without text it is acknowledged, or left to run out if `silent`.

    `fitting` of the `taken` pieces are in it; the others go back.
    """

    piece: Outbound | None = None
    text: str = ""
    silent: bool = False
    taken: int = 0
    fitting: int = 0


class Passive:
    """Waits for pieces on behalf of one call after another."""

    def __init__(self, clock: Clock, language: str) -> None:
        self._clock = clock
        self._working = WORKING[language]

    async def collect(
        self, receipt: Receipt, call: Call, may_send_later: Callable[[], bool]
    ) -> Collected:
        """Wait until the answer is there or the call must be answered.

        `may_send_later`, asked at the end, says whether what comes too late can still reach the
        person by itself.
        """
        taken: list[Outbound] = []
        while True:
            piece = await receipt.reply(self._rest(call))
            if piece is None:
                break
            taken.append(piece)
            if call.hung_up.is_set() or not _could_take_more(taken):
                break
        in_time = self._rest(call).total_seconds() > _NO_TIME
        if taken and self._clock.monotonic() > call.until + HUNG_UP:
            return Collected(silent=not may_send_later(), taken=len(taken))
        if not taken:
            return self._without_answer(call, good=in_time or may_send_later())
        if not (in_time or may_send_later() or call.delivery.is_last):
            # The answer to this very message is still to come, and one reply is all there is.
            return Collected(silent=True, taken=len(taken))
        return _joined(taken)

    async def report(self, receipt: Receipt, collected: Collected, *, written: bool) -> None:
        """Say of each piece what became of it, in the order in which they were taken."""
        for number in range(collected.taken):
            if written and number < collected.fitting:
                await receipt.replied(Sent())
            else:
                await receipt.replied(Held("not put into this call"))

    def _without_answer(self, call: Call, *, good: bool) -> Collected:
        """`good`: nothing is lost by an acknowledgement."""
        if good:
            return Collected()
        if call.delivery.is_last:
            return Collected(text=self._working)
        return Collected(silent=True)

    def _rest(self, call: Call) -> timedelta:
        return timedelta(seconds=max(0.0, call.until - self._clock.monotonic()))


def _could_take_more(taken: list[Outbound]) -> bool:
    """Media stand alone, and a text that fills a message has no room beside it."""
    return media_of(taken[-1]) is None and _size(taken) < TEXT_LIMIT


def _joined(taken: list[Outbound]) -> Collected:
    if media_of(taken[0]) is not None:
        return Collected(piece=taken[0], taken=len(taken), fitting=1)
    fitting = 1
    while fitting < len(taken) and _fits(taken[: fitting + 1]):
        fitting += 1
    text = together([render(piece.text) for piece in taken[:fitting]])
    return Collected(piece=taken[0], text=text, taken=len(taken), fitting=fitting)


def _fits(pieces: list[Outbound]) -> bool:
    return media_of(pieces[-1]) is None and _size(pieces) <= TEXT_LIMIT


def _size(pieces: list[Outbound]) -> int:
    return len(together([render(piece.text) for piece in pieces]).encode())
