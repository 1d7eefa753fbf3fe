"""`kill -9` before each step of a migration: what waits in the former schema is answered after it.

A node of the tree before the newest migration leaves messages that wait. Nodes of this tree are
started on its database, and each is killed one step further than the one before. On PostgreSQL a
second one then waits for one that is killed, and goes on.
"""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import asyncpg

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.node import ROOT, Node
from tests.faults.plan import Plan
from tests.faults.rows.power_cut import look
from tests.faults.rows.upgrade import former_tree
from tests.faults.world import World
from tests.peers.log import monotonic_us

STEP = "migration.step:before"
HALTING = "tests.faults.halting"
FIRST = 60
"""Steps from nothing to the newest schema, and a few more."""
MOST = 40
"""Steps from the former schema, and many more."""
TALKS = 6
WAITING = 3
"""Messages that wait in each conversation behind one that is thought about."""
LAST = 3
"""Steps from the end at which another node certainly waits."""
PATIENCE, SOON = 60.0, 1.0
WAITS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def migrations(bench: Bench) -> None:
    """Once on nothing at all, then step by step from the former schema."""
    old = await former_tree(bench.folder / "former")
    if old is None:
        bench.missed.append("the history does not reach the former schema: nothing was migrated")
        return
    chance = random.Random(bench.seed)
    async with bench.world(plan_of(bench)) as world:
        await _die_on_nothing(world, chance.randint(1, FIRST))
        await _leave_work(world, old)
        left = monotonic_us()
        steps = await _die_at_each(bench, world)
        await _go_on(world)
    if bench.store == "sqlite":
        await asyncio.to_thread(_look_at_copies, bench, bench.folders[-1], left)
        return
    async with bench.world(plan_of(bench, nodes=2)) as world:
        await _leave_work(world, old)
        # The last step of all is behind the commit: there nobody waits any more.
        await _take_over(bench, world, steps - chance.randint(1, LAST))
        await _go_on(world)


async def _go_on(world: World) -> None:
    for node in world.nodes:
        if not node.alive:
            await _launch(node)
            await node.ready()
    await world.driver.run(20)
    await world.settle()
    await world.finish()


def plan_of(bench: Bench, nodes: int = 1) -> Plan:
    """Nodes are far from quick here: each is started from nothing."""
    return Plan(
        "migrations",
        bench.store,
        nodes=nodes,
        talks=TALKS,
        seed=bench.seed,
        within=180.0,
        habits=Habits(rate=20.0),
    )


async def _die_on_nothing(world: World, step: int) -> None:
    """The first start of all, which makes the tables, does not come to its end."""
    await _launch(world.node, step)
    await _halts(world.node)
    await world.node.kill(f"step {step} of the first tables")


async def _leave_work(world: World, old: Path) -> None:
    """In each conversation one is thought about, and others wait behind it, when the node dies."""
    node = world.node
    node.root, node.module = old, "bot"
    await node.start()
    await world.driver.run(20)
    await world.settle()
    for talk in world.talks:
        await world.model.tell("hold", mark=str(mark := world.driver.next(talk)), at=0)
        await world.driver.deliver(mark)
        for _ in range(WAITING):
            await world.driver.say(talk)
    await node.kill("to be replaced by the new version")
    await world.model.tell("release")


async def _die_at_each(bench: Bench, world: World) -> int:
    """So many steps there were: the node that was to die at the next one has come up instead."""
    for step in range(1, MOST):
        await _launch(world.node, step)
        if not await _halts(world.node):
            bench.told.append(f"killed before each of {step - 1} steps of the migration")
            return step - 1
        await world.node.kill(f"step {step} of the migration")
    bench.missed.append(f"the migration did not come to its end in {MOST} steps")
    return 0


async def _launch(node: Node, step: int | None = None) -> None:
    node.root, node.module = ROOT, "bot" if step is None else HALTING
    await node.launch(fault=None if step is None else f"{STEP}#{step}")


async def _halts(node: Node) -> bool:
    """Wait until it stands still at its step, or has come up because there was no such step.

    Raises:
        Unmet: neither; it has ended, or nobody knows what it does.
    """
    stands = asyncio.create_task(node.at_fault())
    stood = asyncio.create_task(node.ready())
    tasks = (stands, stood)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not (stands.done() and stands.result()):
            await stood
        return node.fault.exists()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _take_over(bench: Bench, world: World, step: int) -> None:
    """Both are started on the former schema; the one that migrates is killed, the other goes on."""
    first, second = world.nodes
    await _launch(first, step)
    halted = await _halts(first)
    if not halted:
        bench.missed.append(f"there was no step {step}")
    await _launch(second)
    if not await _waits(world):
        # Beside one that stands in the middle of it nobody may be ready; or it was slow to start.
        whose = bench.failed if halted and await _is_ready(second) else bench.missed
        whose.append(f"{second.name} did not wait for {first.name}")
    await first.kill(f"step {step} of the migration, and another node waits")
    await second.ready()


async def _is_ready(node: Node) -> bool:
    with suppress(TimeoutError):
        await node.ready(SOON)
        return True
    return False


async def _waits(world: World) -> bool:
    connection = await asyncpg.connect(world.url, ssl=False, timeout=PATIENCE)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await connection.fetchval(WAITS):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)
        return True
    except TimeoutError:
        return False
    finally:
        await connection.close(timeout=10)


def _look_at_copies(bench: Bench, world: Path, left: int) -> None:
    """What was copied before the file was changed is whole; and so is what has become of it."""
    copies = sorted(world.glob("parley.db.schema-*"))
    for file in (*copies, world / "parley.db"):
        look(world / "copies.jsonl", file, b"", at=left, torn=False)
    bench.told.append(f"{len(copies)} copies of the former schema were left")
    if not copies:
        bench.failed.append("nothing was copied before it was changed")
