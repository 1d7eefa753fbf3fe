"""Telegram asked for its updates, under `kill -9`: who asks dies, and another goes on from there.

An update comes again where whoever has it dies before it asks for the next one, and in no other
way: nothing is delivered twice on purpose.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from tests.faults.bench import Bench
from tests.faults.rows.random_kills import kill_now_and_then, plan_of
from tests.faults.rows.under import under


async def polling_kills(bench: Bench) -> None:
    """As with webhooks; one node asks for all, and whoever is alive asks when it is not."""
    plan = plan_of(bench, "polling kills")
    plan = replace(plan, platform="telegram-polling", habits=replace(plan.habits, twice=0.0))
    await under(bench, plan, kill_now_and_then, noticed=("turn.resumed",))
    again = await asyncio.to_thread(lambda: sum(map(came_again, bench.folders)))
    bench.told.append(f"{again} updates came again")
    bench.counts["updates that came again"] += again


def came_again(folder: Path) -> int:
    """How many updates the platform has handed out more than once."""
    handed = Counter(key for file in folder.glob("bot-*.jsonl") for key in _handed(file))
    return sum(times > 1 for times in handed.values())


def _handed(file: Path) -> Iterator[int]:
    with file.open("rb") as lines:
        for line in lines:
            if b'"kind":"outcome"' in line and b'"method":"getUpdates"' in line:
                said = msgspec.json.decode(line).get("body") or {}
                yield from (one["update_id"] for one in said.get("result") or ())
