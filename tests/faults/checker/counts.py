"""I6, I8 and I10: tools that may run once did, the bill is right, and nothing grows for ever."""

from collections import defaultdict
from collections.abc import Iterator

from tests.faults.checker.delivery import went_wrong
from tests.faults.checker.outcomes import Talked
from tests.faults.checker.records import Ask, Promise, Sample, Story, ToolRun, Violation
from tests.faults.marks import UNKNOWN, Mark

ONCE = ("stamp",)
BOOKED = ("look", "enter", "stamp")
"""Tools that write down themselves that they ran."""
GROWTH = 1.10
"""What a process may hold afterwards, of what it held before."""
SLACK = {"rss": 15e6, "fds": 48.0, "threads": 8.0, "tasks": 16.0, "wal": 70e6}
SLACK |= {"connections": 30.0}
"""What it may hold more: caches of libraries, pools that are full by now, idle callers. Of threads
the loop's own pool has six (CPython: the number of cores and four), the store's scans four."""
TIMED = 300 * 1_000_000
"""PostgreSQL's `checkpoint_timeout`, in microseconds."""
KEPT = 2.0**30
"""Its `max_wal_size`: so much of its log it may keep for the next one, as it comes to know how much
is written from one timed checkpoint to the next. Both are its defaults (PostgreSQL 15, 20.5.2)."""


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


def ran(story: Story, asks: list[Ask]) -> Iterator[Violation]:
    """What the model is told that a tool has done, the tool has done: its own book says so.

    Of a tool that may run once and was announced, nobody may know whether it ran.
    """
    done = {(run.tool, str(run.mark)) for run in story.tools}
    for ask in asks:
        for tool, mark in ask.called:
            if tool not in BOOKED or (tool, mark) in done:
                continue
            since = min((one.at for one in asks if set(one.block) & set(ask.block)), default=0)
            if tool not in ONCE or not went_wrong(story, ask.block[0].talk, since, ask.at):
                what = f"the model was given a result of {tool} for {mark}, which never ran"
                yield Violation(Promise.TOOLS, what, (str(ask.line),))


def unknown(talked: Talked, runs: list[ToolRun]) -> Iterator[Violation]:
    """Who has an answer although a tool that may run once was interrupted is told so."""
    answered = talked.first_answers()
    for run in runs:
        if run.tool not in ONCE or run.ended_at is not None or run.mark not in answered:
            continue
        screen = answered[run.mark]
        if run.tool not in UNKNOWN.findall(screen.text):
            what = f"{run.tool} for {run.mark} was interrupted, and nobody was told"
            yield Violation(Promise.TOOLS, what, (str(run.line), *screen.evidence))


def accounting(story: Story, talked: Talked, asks: list[Ask]) -> Iterator[Violation]:
    """The database's sums are the provider's, each step counted once however often it was asked.

    A call that came to its end just before its node died may have left no trace; it must be
    counted only where something was made of it. One that went wrong may have said enough.
    """
    row = story.usage.get(talked.talk, {"input": 0, "output": 0, "calls": 0})
    most = _sums(ask for ask in asks if ask.completed)
    answered = {screen.marks for screen in talked.answers}
    least = _sums(
        ask for ask in asks if ask.completed and ask.fault is None and ask.block in answered
    )
    # A reply that was cut off behind its last words was heard whole, and its cost as well.
    unknown = sum(ask.fault is not None and not ask.completed for ask in asks)
    dearest = _dearest(story)
    for name in ("input", "output", "calls"):
        most[name] += unknown * dearest[name]
        if not least[name] <= row[name] <= most[name]:
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


def _dearest(story: Story) -> dict[str, int]:
    """What one call has cost at most: what a broken one may have cost as well."""
    usage = [ask.usage for ask in story.asks if ask.usage is not None]
    return {
        "input": max((one["prompt_tokens"] for one in usage), default=0),
        "output": max((one["completion_tokens"] for one in usage), default=0),
        "calls": 1,
    }


def bounded(story: Story) -> Iterator[Violation]:
    """What a node holds after the load is what it held before, and a little.

    A process that was started meanwhile may hold no more than the one before it did.
    """
    before = {one.node: one for one in story.samples if one.phase == "before"}
    after = {one.node: one for one in story.samples if one.phase == "after"}
    rested = [event for event in story.events if event.kind == "rested"]
    if rested and (not before or before.keys() - after.keys()):
        lacking = ", ".join(sorted(before.keys() - after.keys())) or "any node"
        what = f"nobody has looked at what {lacking} held after the load"
        yield Violation(Promise.BOUNDED, what, (str(rested[0].line),))
    for node, sample in after.items():
        base = before.get(node)
        if base is None:
            what = f"nobody knows what {node} held before the load"
            yield Violation(Promise.BOUNDED, what, (str(sample.line),))
        else:
            long = story.about["store"] == "postgres" and sample.at - base.at > TIMED
            yield from _growth(base, sample, {"wal": KEPT} if long else {})


def _growth(base: Sample, sample: Sample, kept: dict[str, float]) -> Iterator[Violation]:
    proof = (str(base.line), str(sample.line))
    for name, held in base.held.items():
        most = max(held * GROWTH + SLACK.get(name, 0.0), kept.get(name, 0.0))
        now = sample.held.get(name)
        if now is None:
            what = f"nobody has looked how much {sample.node} holds after the load ({name})"
            yield Violation(Promise.BOUNDED, what, proof)
        elif now > most:
            what = f"{sample.node} holds {now:.0f} ({name}), at most {most:.0f} were right"
            yield Violation(Promise.BOUNDED, what, proof)
