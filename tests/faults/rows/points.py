"""Named instants at which a server can be killed, in the order of a message's way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.marks import Mark
from tests.faults.world import World

REACH = 12.0
"""Seconds within which a server comes to a point; an idle machine needs half a one."""

Prepare = Callable[[World, Mark], Awaitable[None]]
Reached = Callable[[World, Mark], Awaitable[bool]]


async def _nothing(world: World, mark: Mark) -> None:
    """The server itself knows where to stand still."""


async def _stands_still(world: World, mark: Mark) -> bool:
    return await world.node.at_fault(REACH)


@dataclass(frozen=True, slots=True)
class Point:
    """Where to kill, and the message that leads there."""

    name: str
    fault: str | None = None
    """As `PARLEY_FAULT` wants it; None where something outside holds the server up."""
    wish: str = ""
    tenant: str = "a"
    alone: bool = False
    """Without other messages, whose calls would be counted, too."""
    apart: bool = False
    """With the others one after the other: together they would be one piece of work."""
    module: str = "bot"
    """What the server runs: `parley` itself, or a program of the tests that starts it."""
    prepare: Prepare = _nothing
    reached: Reached = _stands_still


def _held(at: int) -> Prepare:
    async def prepare(world: World, mark: Mark) -> None:
        await world.model.tell("hold", mark=str(mark), at=at)

    return prepare


async def _is_held(world: World, mark: Mark) -> bool:
    async def held() -> bool:
        return str(mark) in await world.model.tell("held")

    reached = await comes(held)
    # What the server was given before the hold is on its screens by now, or on its way.
    await asyncio.sleep(0.1)
    return reached


def _sending(*, shown: bool) -> Prepare:
    async def prepare(world: World, mark: Mark) -> None:
        bot = world.bots[mark.talk.tenant]
        method = "sendMessage" if mark.talk.tenant == "a" else "editMessageText"
        args = {"effect": shown}
        await bot.tell("faults", name="hang", method=method, args=args)

    return prepare


async def _is_sending(world: World, mark: Mark) -> bool:
    bot = world.bots[mark.talk.tenant]

    async def used_up() -> bool:
        return not await bot.tell("waiting")

    return await comes(used_up)


async def _works(world: World, mark: Mark) -> bool:
    ledger = world.folder / "tools.jsonl"

    async def begun() -> bool:
        return ledger.exists() and f'"{mark}"' in ledger.read_text(encoding="utf-8")

    return await comes(begun)


async def _refuse_a_send(world: World, mark: Mark) -> None:
    await world.bots[mark.talk.tenant].tell("faults", name="failure", method="sendMessage")


async def comes(condition: Callable[[], Awaitable[bool]], within: float = REACH) -> bool:
    """Wait for it; False when it does not come in time."""
    try:
        async with asyncio.timeout(within):
            while not await condition():  # noqa: ASYNC110  # another process knows
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


TOOLS = "look stamp"
HURRYING = "tests.faults.hurrying"
POINTS = (
    Point("received", "store.accept:before"),
    Point("accepted, not acknowledged", "store.accept:after#2"),
    Point("before the claim", "store.claim:before#2", apart=True),
    Point("claimed", "store.head:before"),
    Point("head read", "store.head:after"),
    Point("before the turn's row", "store.start:before"),
    Point("before the model is asked", "store.start:after"),
    Point("history read", "store.window:after"),
    Point("the model thinks", prepare=_held(0), reached=_is_held),
    Point("first token", prepare=_held(2), reached=_is_held),
    Point("first token of an edited answer", tenant="b", prepare=_held(2), reached=_is_held),
    Point("half of the answer", tenant="b", prepare=_held(5), reached=_is_held),
    Point("last token", prepare=_held(9), reached=_is_held),
    Point("draft opened, not written down", "store.draft:before", tenant="b"),
    Point("draft written down", "store.draft:after", tenant="b"),
    Point("the model has answered", "store.step:before", wish=TOOLS, alone=True),
    Point("answer journaled", "store.step:after", wish=TOOLS, alone=True),
    Point("before a tool with an effect", "store.step:before#2", wish="stamp", alone=True),
    Point("tool announced, not begun", "store.step:after#2", wish="stamp", alone=True),
    Point("in a tool that may run once", wish="stamp:3", alone=True, reached=_works),
    Point("in a tool that may run again", wish="enter:3", alone=True, reached=_works),
    Point("in a reading tool", wish="look:3", alone=True, reached=_works),
    Point("tool ended, not journaled", "store.step:before#3", wish="stamp", alone=True),
    Point("tool journaled", "store.step:after#3", wish="stamp", alone=True),
    Point("before the end is written", "store.finish:before"),
    Point("answer in the outbox", "store.finish:after"),
    Point("before a send is marked", "store.take:before", prepare=_refuse_a_send),
    Point("send marked", "store.take:after", prepare=_refuse_a_send),
    Point("send on the wire, not shown", prepare=_sending(shown=False), reached=_is_sending),
    Point("shown, not answered", prepare=_sending(shown=True), reached=_is_sending),
    Point("edit not shown", tenant="b", prepare=_sending(shown=False), reached=_is_sending),
    Point("edit shown", tenant="b", prepare=_sending(shown=True), reached=_is_sending),
    Point("sent, not written down", "store.sent:before"),
    Point("sent and written down", "store.sent:after"),
    Point("a refused send put back", "store.put_back:before", prepare=_refuse_a_send),
    Point("put back, not given back", "store.put_back:after", prepare=_refuse_a_send),
    Point("before the lane is given back", "store.release:before"),
    Point("lane given back", "store.release:after"),
    Point("renewing the lease", "store.renew:before"),
    Point("lease renewed", "store.renew:after"),
    Point("what is done keeps its text", "store.retain:before", module=HURRYING),
    Point("what is done has lost its text", "store.retain:after", module=HURRYING),
    Point("upkeep not written down", "store.tick_done:before", module=HURRYING),
)
