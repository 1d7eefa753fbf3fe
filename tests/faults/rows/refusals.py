"""What no second try helps with: who has blocked the bot, what was deleted, what is too long."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.faults.accounting import dead_letters
from tests.faults.bench import Bench
from tests.faults.marks import Mark, Talk
from tests.faults.platforms.base import TENANTS, chat_of
from tests.faults.platforms.telegram import TOKENS
from tests.faults.rows.points import comes
from tests.faults.world import World

ALL = 10**6
"""Calls: as many as are made until the person has the bot back."""
LONG, USUAL = 1_800, 10
"""Words of an answer: three messages, or one short one."""
HALF = 5
"""Of the eight pieces of an answer so many are said when it is deleted."""
PACE = 0.1


async def refusals(bench: Bench, world: World) -> None:
    """Each at both bots; only a message that is edited can be gone."""
    for tenant in TENANTS:
        await _blocked(bench, world, Talk(tenant, 1))
        await _longer_than_a_message(bench, world, Talk(tenant, 2))
    await _deleted(bench, world, Talk("b", 3))


async def _blocked(bench: Bench, world: World, talk: Talk) -> None:
    """An operator finds the answer; and the next one comes when the person has the bot back."""
    bot, before = world.bots[talk.tenant], await dead_letters(world.url)
    world.log.write("fault", node=talk.tenant, kind_of="blocked")
    await bot.tell("faults", name="blocked", match={"chat_id": chat_of(talk)}, times=ALL)
    mark = await world.driver.say(talk)

    async def buried() -> bool:
        return await dead_letters(world.url) > before

    if not await comes(buried, world.plan.within):
        bench.failed.append(f"no dead letter of {mark}, whose person has blocked the bot")
    world.forsaken.add(mark)
    await bot.tell("clear")
    await world.driver.say(talk)
    if not await world.settle():
        bench.failed.append(f"no answer in {talk} after the bot was not blocked any more")


async def _longer_than_a_message(bench: Bench, world: World, talk: Talk) -> None:
    """It comes in several, whole and in order: the judge puts them together."""
    bot = world.bots[talk.tenant]
    before = len(await bot.tell("texts", chat=chat_of(talk)))
    await world.model.tell("pace", size=LONG)
    world.log.write("fault", node=talk.tenant, kind_of="longer than a message")
    await world.driver.say(talk)
    if not await world.settle():
        bench.failed.append(f"no long answer in {talk}")
    await world.model.tell("pace", size=USUAL)
    if len(await bot.tell("texts", chat=chat_of(talk))) < before + 2:
        bench.missed.append(f"no answer in {talk} was longer than a message")


async def _deleted(bench: Bench, world: World, talk: Talk) -> None:
    """Its next edit is refused: the answer comes in a message of its own."""
    mark = world.driver.next(talk)
    await world.model.tell("pace", pace=PACE)
    await world.model.tell("hold", mark=str(mark), at=HALF)
    world.driver.deliver_soon(mark)
    log = world.folder / f"bot-{talk.tenant}.jsonl"

    async def grows() -> bool:
        return any(_growing(log, mark))

    if await comes(grows):
        world.log.write("fault", node=talk.tenant, kind_of="deleted while it grew")
        url = f"{world.bots[talk.tenant].url}/bot{TOKENS[talk.tenant]}/deleteMessage"
        told = {"chat_id": chat_of(talk), "message_id": next(_growing(log, mark))}
        async with world.driver.session.post(url, json=told) as answer:
            answer.raise_for_status()
    else:
        bench.missed.append(f"the answer to {mark} never grew before it could be deleted")
    await world.model.tell("release")
    await world.model.tell("pace", pace=0.0)
    if not await world.settle():
        bench.failed.append(f"no answer to {mark} after its message was deleted")


def _growing(log: Path, mark: Mark) -> Iterator[int]:
    """The message in which the answer to this grows, by the stand-in's log."""
    for raw in log.read_text(encoding="utf-8").splitlines():
        line = json.loads(raw)
        if line["kind"] == "edited" and str(mark) in line["text"].replace(":", " ").split():
            yield int(line["message"])
