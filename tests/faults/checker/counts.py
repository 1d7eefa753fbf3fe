"""I6, I8 and I10: tools that may run once did, the bill is right, and nothing grows for ever."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.checker.outcomes import Talked
from tests.faults.checker.records import Ask, Promise, Sample, Story, ToolRun, Violation
from tests.faults.marks import Mark

ONCE = ("stamp",)
GROWTH = 1.10
"""What a process may hold afterwards, of what it held before."""
SLACK = {"rss": 15e6, "fds": 48.0, "threads": 4.0, "wal": 70e6, "connections": 30.0}
"""What it may hold more: caches of libraries, pools that are full by now, idle callers."""


def tools(story: Story) -> Iterator[Violation]:
    """A `once` tool runs at most once for a key, and for a message; no key serves two."""
    by_key: dict[str, list[ToolRun]] = defaultdict(list)
    by_mark: dict[tuple[str, Mark], list[ToolRun]] = defaultdict(list)
    for run in story.tools:
        by_key[run.key].append(run)
        by_mark[run.tool, run.mark].append(run)
    for key, runs in by_key.items():
        proof = tuple(str(run.line) for run in runs)
        if len({(run.tool, run.mark) for run in runs}) > 1:
            yield Violation(Promise.TOOLS, f"two calls had the key {key}", proof)
    for (tool, mark), runs in by_mark.items():
        proof = tuple(str(run.line) for run in runs)
        if tool in ONCE and len(runs) > 1:
            yield Violation(Promise.TOOLS, f"{tool} ran {len(runs)} times for {mark}", proof)
        if tool in ONCE and len({run.key for run in runs}) > 1:
            yield Violation(Promise.TOOLS, f"{tool} for {mark} was called under two keys", proof)


def accounting(story: Story, talked: Talked, asks: list[Ask]) -> Iterator[Violation]:
    """The database's sums are the provider's, each step counted once however often it was asked.

    A call that came to its end just before its node died may have left no trace; it must be
    counted only where something was made of it. One that went wrong may have said enough.
    """
    if not story.counted:
        return
    row = story.usage.get(talked.talk, {"input": 0, "output": 0, "calls": 0})
    most = _sums(ask for ask in asks if ask.completed)
    answered = {screen.marks for screen in talked.answers}
    least = _sums(
        ask for ask in asks if ask.completed and ask.fault is None and ask.block in answered
    )
    # A reply that was cut off behind its last words was heard whole, and its cost as well.
    unknown = any(ask.fault is not None and not ask.completed for ask in asks)
    for name in ("input", "output", "calls"):
        if row[name] < least[name] or (row[name] > most[name] and not unknown):
            what = (
                f"{talked.talk}: the database counts {row[name]} ({name}), the model's log "
                f"between {least[name]} and {most[name]}"
            )
            proof = tuple(str(ask.line) for ask in asks[:3])
            yield Violation(Promise.ACCOUNTING, what, (f"usage.jsonl: {row}", *proof))


def _sums(asks: Iterator[Ask]) -> dict[str, int]:
    seen: dict[str, Ask] = {}
    for ask in asks:
        seen.setdefault(ask.digest, ask)
    usage = [ask.usage for ask in seen.values() if ask.usage is not None]
    return {
        "input": sum(one["prompt_tokens"] for one in usage),
        "output": sum(one["completion_tokens"] for one in usage),
        "calls": len(usage),
    }


def bounded(story: Story) -> Iterator[Violation]:
    """What a process holds after the load is what it held before, and a little."""
    before: dict[int, Sample] = {}
    for sample in story.samples:
        if sample.phase == "before":
            before[sample.pid] = sample
            continue
        base = before.get(sample.pid)
        if base is None:
            continue
        for name, held in sample.held.items():
            most = base.held.get(name, 0.0) * GROWTH + SLACK.get(name, 0.0)
            if held > most:
                what = f"{sample.node} holds {held:.0f} ({name}), at most {most:.0f} were right"
                proof = (str(base.line), str(sample.line))
                yield Violation(Promise.BOUNDED, what, proof)
