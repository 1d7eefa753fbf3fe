"""The model's service gone altogether for a while: what it is made to bear, and who finds it again.

A service that is down is asked by nobody but a few probes, and one that says that it has enough of
us is asked once for each message: who asks again and again keeps it down.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.bench import Bench
from tests.faults.driver import Habits
from tests.faults.plan import Plan
from tests.faults.rows.resting import rested, warmed
from tests.faults.world import World
from tests.peers.log import monotonic_us

SECOND = 1_000_000
RATE = 6.0
SILENCE = 2.0
WITHIN = 45.0
"""Seconds: a turn's deadline of 30, a lease, and ten more."""
QUIET = 4 * SECOND
"""Nobody has asked for so long: it has been given up. The first probe comes after five seconds."""
FAILED = 10
"""Failed calls after which a node must have given the service up."""
PROBE, MOST = 5.0, 60.0
"""Seconds until a service that was given up is tried by one call, and at most until the next: each
time twice as many."""
AMPLIFIED = 1.1
"""Calls for each message that the service may be made to bear, beside probes and the first few."""
FIRST = 5
"""Failures in a row after which a node behaves."""
LONGEST = 150.0
"""Seconds: twice the longest time for which a service is left alone, and some."""


@dataclass(frozen=True, slots=True)
class Outage:
    """How it is gone."""

    fault: str
    args: dict[str, Any]
    there: bool = False
    """It refuses us, so it is there: nobody gives it up."""
    slow: bool = False
    """Much is asked before the first failure is known."""


OUTAGES = (
    Outage("failure", {"status": 503}),
    Outage("rate_limited", {"retry_after": None}, there=True),
    Outage("cut", {}),
    Outage("rate_limited", {"retry_after": 1}, there=True),
    Outage("hang", {}, slow=True),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the model, by its own log."""

    node: str
    at: int
    ended_at: int
    status: int


@dataclass(frozen=True, slots=True)
class Borne:
    """What one node did to a service that was gone, and how it found it again."""

    node: str
    first: int
    """Calls until it gave up."""
    failed: int
    """Of those, the failures that it knew of when it asked for the last time."""
    probes: int
    """Calls afterwards, until the service was back."""
    alone: float
    """Seconds for which it had been given up by then."""
    found_after: float | None
    """Seconds from its return to the end of the first call that was answered; None: none was."""

    @property
    def told(self) -> str:
        """For whoever runs it."""
        again = "never" if self.found_after is None else f"after {self.found_after:.0f} s"
        return (
            f"{self.node}: {self.first} calls before it gave up, if it did ({self.failed} known "
            f"to have failed), {self.probes} probes in {self.alone:.0f} s, found again {again}"
        )


async def model_outage(bench: Bench) -> None:
    """The service is gone for most of the run, in another way each time, then it is back."""
    outage = OUTAGES[bench.seed % len(OUTAGES)]
    plan = Plan(
        "model outage",
        bench.store,
        nodes=1 if bench.store == "sqlite" else 3,
        talks=10,
        seed=bench.seed,
        within=WITHIN,
        silence=SILENCE,
        reports=True,
        least=0.0,
        habits=Habits(rate=RATE),
    )
    async with bench.world(plan) as world:
        await world.start()
        await warmed(world)
        written, gone = len(world.driver.sent), monotonic_us()
        world.log.write("fault", node="model", kind_of="outage")
        await world.model.tell("faults", name=outage.fault, args=outage.args, times=10**9)
        await world.driver.run(round(RATE * bench.seconds))
        await world.settle()
        written = len(world.driver.sent) - written
        await world.model.tell("clear")
        back = monotonic_us()
        world.log.write("note", node="model", text="the service is back")
        borne = await _found_again(bench, world, gone, back)
        weigh(bench, outage, borne, written)
        await rested(world)
        await world.finish()


async def _found_again(bench: Bench, world: World, gone: int, back: int) -> list[Borne]:
    """Write until every node has had an answer of the service again."""
    file = world.folder / "model.jsonl"
    names = [node.name for node in world.nodes]
    borne: list[Borne] = []
    try:
        async with asyncio.timeout(LONGEST):
            while not borne or any(one.found_after is None for one in borne):
                await world.driver.run(2 * len(names))
                await world.settle()
                calls = await asyncio.to_thread(calls_of, file)
                borne = [borne_of(name, calls, gone, back) for name in names]
    except TimeoutError:
        bench.failed.append(f"not every node had an answer {LONGEST:.0f} s after it was back")
    return borne


def weigh(bench: Bench, outage: Outage, borne: Sequence[Borne], written: int) -> None:
    """What the service was made to bear is what it may be made to bear."""
    asked = sum(one.first for one in borne)
    probes = sum(one.probes for one in borne)
    rate = asked / max(1, written)
    bench.told.append(f"gone by {outage.fault} {outage.args or ''}, {written} messages meanwhile")
    bench.told.append(f"{asked} calls and {probes} probes: {rate:.2f} calls for a message")
    bench.told += [one.told for one in borne]
    if not asked:
        bench.missed.append("nobody asked the model while it was down")
    # Who is told when to come back does so, until all have been and were refused again.
    told = float(outage.args.get("retry_after") or 0.0)
    most = AMPLIFIED * written + FIRST * len(borne) + (2 * RATE * (told + 1) if told else 0.0)
    if not outage.slow and asked > most:
        bench.failed.append(f"{asked} calls for {written} messages while the model was down")
    for one in () if outage.there else borne:
        if one.failed > FAILED:
            bench.failed.append(f"{one.node} gave the service up only after {one.failed} failures")
        if one.probes > probes_in(one.alone) + FIRST:
            what = f"{one.node} tried the service {one.probes} times in {one.alone:.0f} s"
            bench.failed.append(f"{what} after it had given it up")


def probes_in(seconds: float) -> int:
    """How often whoever waits twice as long each time has tried by then."""
    probes, wait, due = 0, PROBE, PROBE
    while due <= seconds:
        probes += 1
        wait = min(2 * wait, MOST)
        due += wait
    return probes


def borne_of(node: str, calls: Sequence[Call], gone: int, back: int) -> Borne:
    """One node's part of it."""
    own = [call for call in calls if call.node == node]
    during = [call for call in own if gone <= call.at < back]
    first = list(_until_quiet(during))
    last = first[-1].at if first else gone
    found = next((call.ended_at for call in own if call.at >= back and call.status == 200), None)
    return Borne(
        node,
        len(first),
        sum(call.ended_at <= last for call in first),
        len(during) - len(first),
        (back - last) / SECOND,
        None if found is None else (found - back) / SECOND,
    )


def _until_quiet(calls: Sequence[Call]) -> Iterator[Call]:
    before: int | None = None
    for call in calls:
        if before is not None and call.at - before >= QUIET:
            return
        before = call.at
        yield call


def calls_of(file: Path) -> list[Call]:
    """Every call that has come to an end, in the order in which they began."""
    open_calls: dict[int, tuple[str, int]] = {}
    ended: list[Call] = []
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for raw in file.read_bytes().splitlines():
        line = decode(raw)
        if line.get("method") != "chat" or "call" not in line:
            continue
        if line["kind"] == "request" and "block" in line:
            open_calls[line["call"]] = (line["model"], line["mono"])
        elif line["kind"] == "outcome" and line["call"] in open_calls:
            node, at = open_calls.pop(line["call"])
            ended.append(Call(node, at, line["mono"], line["status"]))
    return sorted(ended, key=lambda call: call.at)
