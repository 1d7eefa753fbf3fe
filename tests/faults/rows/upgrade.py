"""A rolling upgrade across the newest migration, under traffic; and the way back."""

import asyncio
import io
import random
import tarfile
from pathlib import Path

import asyncpg

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.node import ROOT, Node
from tests.faults.plan import Plan
from tests.faults.world import World

VERSIONS = Path("bot") / "store" / "migrations" / "versions"
CODE = ("bot", "adapters", "plugins")
"""What of a tree a server needs."""
BETWEEN = (1.0, 3.0)
"""Seconds of traffic between two replacements."""
LEASE = 15.0
"""Seconds, a server's own: nodes of the former version are started from nothing beside two others,
and what that version did wrong when its start took longer than a short lease is not asked here."""
TOO_NEW = "UPDATE schema_version SET version = 99, readable_from = 99"


async def upgrade(bench: Bench) -> None:
    """Three nodes of the tree before the newest migration, replaced by this tree's one by one."""
    old = await former_tree(bench.folder / "former")
    if old is None:
        bench.missed.append(
            "the history of this checkout does not reach back to the commit before the newest "
            "migration (a shallow clone?): nothing was upgraded"
        )
        return
    plan = Plan(
        "upgrade",
        "postgres",
        nodes=3,
        talks=20,
        seed=bench.seed,
        lease=LEASE,
        within=90.0,
        habits=Habits(rate=15.0),
    )
    async with bench.world(plan) as world:
        for node in world.nodes:
            node.root = old
        await world.start()
        await world.driver.run(20)
        before = await _schema(world)
        rolling = asyncio.create_task(_roll(world, old, random.Random(bench.seed)))
        await _write_until(rolling, world, bench.seconds)
        await rolling
        await world.settle()
        after = await _schema(world)
        bench.told.append(f"schema {before} became {after}")
        if after <= before:
            bench.failed.append(f"the schema was {before} and is {after}")
        await world.finish()
        await _refuse(bench, world, old)


async def former_tree(folder: Path) -> Path | None:
    """The code as it was before the newest migration; None where the history is too short."""
    newest = max(path.name for path in (ROOT / VERSIONS).glob("[0-9]*.py"))
    log = ("log", "--diff-filter=A", "--format=%H", "-1", "--", str(VERSIONS / newest))
    added = (await _git(*log) or b"").decode().strip()
    # A shallow clone says that its oldest commit has added everything.
    parent = (await _git("rev-parse", "--verify", f"{added}^") or b"").decode().strip()
    if not added or not parent:
        return None
    archive = await _git("archive", parent, *CODE)
    if archive is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
        tree.extractall(folder, filter="data")
    return folder


async def _git(*words: str) -> bytes | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *("git", "-C", str(ROOT), *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return None
    output, _ = await process.communicate()
    return output if process.returncode == 0 else None


async def _write_until(rolling: "asyncio.Task[None]", world: World, seconds: float) -> None:
    """People write for so long, and as long as nodes are being replaced."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not rolling.done() or loop.time() < until:
        await world.driver.run(round(world.plan.habits.rate))


async def _roll(world: World, old: Path, chance: random.Random) -> None:
    """The first new node migrates under the others' hands; sometimes two are new at once."""
    nodes = chance.sample(world.nodes, len(world.nodes))
    together = chance.choice((1, 2))
    await asyncio.gather(*(_replace(world, node, ROOT, chance) for node in nodes[:together]))
    # Back again, as one does when the new code does not please: it still knows this schema.
    await _replace(world, nodes[0], old, chance)
    for node in (*nodes[together:], nodes[0]):
        await _replace(world, node, ROOT, chance)


async def _replace(world: World, node: Node, root: Path, chance: random.Random) -> None:
    world.hidden.add(node.url)
    if chance.random() < 0.3:
        await node.kill("replaced")
    else:
        await node.stop()
    node.root = root
    await node.start()
    world.hidden.discard(node.url)
    await asyncio.sleep(chance.uniform(*BETWEEN))


async def _refuse(bench: Bench, world: World, old: Path) -> None:
    """On a schema that says so, neither tree starts: one sentence, and nothing is touched."""
    await _execute(world, TOO_NEW)
    for root in (old, ROOT):
        node = world.node
        node.root = root
        said = len(node.output)
        await node.launch()
        code = await node.gone(within=40.0)
        lines = node.output[said:].strip().splitlines()
        if code in (0, -9) or len(lines) != 1 or "belongs to a newer Parley" not in lines[0]:
            bench.failed.append(f"{root.name} was not refused in one sentence: {code} {lines[:3]}")


async def _schema(world: World) -> int:
    return int(await _execute(world, "SELECT version FROM schema_version"))


async def _execute(world: World, statement: str) -> int:
    connection = await asyncpg.connect(world.url, ssl=False, timeout=30)
    try:
        return int(await connection.fetchval(statement, timeout=30) or 0)
    finally:
        await connection.close(timeout=10)
