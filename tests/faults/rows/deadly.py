"""Plugins that end the process, each in its way, while a supervisor starts again what has ended."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.bench import Bench
from tests.faults.checker.delivery import reported
from tests.faults.checker.outcomes import Talked, told
from tests.faults.checker.records import Story
from tests.faults.marks import Mark, Talk
from tests.faults.node import Node, Unmet
from tests.faults.rows.hostility import answers_of, bystanders, is_trouble
from tests.faults.world import World

DEADLY = (
    *("hostile:os_exit", "stubborn:os_exit", "hostile:crash", "stubborn:crash"),
    *("hostile:hog", "hostile:block"),
)
"""Each ends the process, every time: the third time is poison."""
TREACHEROUS = ("hostile:close", "stubborn:close", "hostile:fork", "hostile:twin", "stubborn:twin")
"""What becomes of these themselves is nobody's promise; everybody else's answer is."""
GIVEN_UP = "I am sorry: something went wrong each time"
DEATHS = 3
WHOLE = 90.0
"""Seconds in which every node stands again."""
HANDFUL = 10
"""Messages of bystanders between two looks at whether it is over."""


@dataclass(slots=True)
class Supervisor:
    """Starts again what has ended, as the system's own would."""

    world: World
    ended: list[int] = field(default_factory=list)
    """The exit codes, one after the other."""

    async def keep(self, node: Node) -> None:
        """Look after one node until the run is over."""
        while not self.world.over:
            if node.alive:
                await asyncio.sleep(0.02)
                continue
            pid, log = node.pid, self.world.log
            code = await node.gone(within=1.0)
            self.ended.append(code)
            log.write("fault", node=node.name, ended=code)
            since = await asyncio.to_thread(stood_since, node.ledger, pid)
            if since is not None:
                # As if frozen: it could not know that its lease was over and others went on.
                log.write("frozen", node=node.name, since=since)
                log.write("thawed", node=node.name)
            await node.launch()

    async def whole(self) -> None:
        """Wait until every node stands; one may end again while it starts.

        Raises:
            Unmet: one does not.
        """
        try:
            async with asyncio.timeout(WHOLE):
                for node in self.world.nodes:
                    while not await _stands(node):  # noqa: ASYNC110  # another process
                        await asyncio.sleep(0.1)
        except TimeoutError as late:
            raise Unmet(f"not every node stands again after {WHOLE:.0f} s") from late


def stood_since(ledger: Path, pid: int) -> int | None:
    """When a function began in which that process came to its end."""
    lines = map(json.loads, ledger.read_text(encoding="utf-8").splitlines())
    own = [line for line in lines if line["pid"] == pid and line["tool"] == "hostile"]
    return int(own[-1]["mono"]) if own and own[-1]["kind"] == "begun" else None


async def _stands(node: Node) -> bool:
    with suppress(Unmet):
        await node.ready()
        return True
    return False


async def kill_one_by_one(
    bench: Bench, world: World, wishes: Sequence[str] = (*DEADLY, *TREACHEROUS)
) -> dict[Mark, str]:
    """One deadly message after the other, each alone in its conversation, while people write."""
    for node in world.nodes:
        if not node.alive:  # before anybody wanted that: it is noted there
            await node.start()
    supervisor = Supervisor(world)
    silent: set[Mark] = set()
    keeping = [asyncio.create_task(supervisor.keep(node)) for node in world.nodes]
    writing = asyncio.create_task(_write(world))
    talks = (talk for talk in world.talks if is_trouble(talk))
    deadly: dict[Mark, str] = {}
    try:
        for wish, talk in zip(wishes, talks, strict=False):
            mark = world.driver.next(talk)
            deadly[mark] = wish
            await _one(bench, supervisor, mark, wish, silent)
    finally:
        world.over = True
        await asyncio.gather(writing, *keeping)
    return deadly


async def _one(
    bench: Bench, supervisor: Supervisor, mark: Mark, wish: str, silent: set[Mark]
) -> None:
    """One deadly message and its end; `silent` has the bystanders who were waited for in vain."""
    world, before = supervisor.world, len(supervisor.ended)
    world.log.write("fault", node="plugin", kind_of=wish, mark=str(mark))
    await world.driver.deliver(mark, wish)
    if not await world.watch.settled({mark: world.driver.sent[mark]}, world.plan.within):
        # Where no dead letter explains it, the judge says so.
        bench.missed.append(f"no outcome of {wish}")
    await supervisor.whole()
    # Several of them at once would be one storm in which nothing could be told apart.
    # Whether a dead letter explains the silence of somebody is judged when all is over.
    waiting = {mark: sent for mark, sent in world.driver.sent.items() if mark not in silent}
    if not await world.watch.settled(waiting, world.plan.within):
        watch = world.watch
        silent |= {mark for mark, sent in waiting.items() if not watch.has_outcome(mark, sent)}
    codes = supervisor.ended[before:]
    bench.told.append(f"{wish}: {len(codes)} processes ended {codes}")
    if wish in DEADLY and len(codes) != DEATHS:
        # Whose lease ran out on a full machine counts as dead, too: then fewer have ended.
        whose = bench.failed if len(codes) > DEATHS else bench.missed
        whose.append(f"{wish} ended {len(codes)} processes, not {DEATHS}")


async def _write(world: World) -> None:
    while not world.over:
        await bystanders(world, HANDFUL)


def innocent(bench: Bench, story: Story, deadly: dict[Mark, str]) -> None:
    """Everybody else has an answer or a dead letter; who ended three processes has been told."""
    ended = {*answers_of(story), *deadly, *story.dead}
    waiting = {mark for mark, one in story.messages.items() if one.acknowledged_at} - ended
    sorry = waiting & _told_so(story)
    if lost := waiting - sorry:
        bench.failed.append(f"{len(lost)} bystanders have no answer: {_names(lost)}")
    if sorry:
        # On a full machine nodes lose their leases as well, and that three times looks like poison.
        bench.slow(f"{len(sorry)} bystanders were given up with a sentence: {_names(sorry)}")
    if story.dead:
        # Met twice in the very moment of its sending: an operator has it, nobody knows its end.
        bench.told.append(f"{len(story.dead)} answers are dead letters: sent twice, seen by no one")
    talks = told(story)
    for mark, wish in deadly.items():
        said = [screen.text for screen in talks[mark.talk].sentences]
        given_up = mark in story.dead or any(GIVEN_UP in text for text in said)
        if wish in DEADLY and not given_up:
            bench.failed.append(f"who wrote {wish} was told {said}")


def _told_so(story: Story) -> set[Mark]:
    """Who was told a sentence instead of an answer."""
    return {
        mark for talk, talked in told(story).items() for mark in _sentences(story, talk, talked)
    }


def _sentences(story: Story, talk: Talk, talked: Talked) -> Iterable[Mark]:
    return reported(story, talked, [ask for ask in story.asks if ask.talk == talk]).of


def _names(marks: Iterable[Mark]) -> str:
    return ", ".join(map(str, sorted(marks)))
