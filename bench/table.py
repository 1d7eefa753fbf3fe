"""What a run prints: one line for each row, as soon as it is known, in the form of Markdown."""

from bench import growth, start
from bench.growth import Turn
from bench.load import Cost
from bench.start import Start

HEAD = (
    "| row | messages | CPU ms each | × bare | per second | p50 ms | p99 ms | RSS MB | ceiling |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---|",
)


def line(cost: Cost, bare: Cost | None) -> str:
    """A row; `bare` is what the ratio is taken to."""
    ratio = "" if bare is None else f"{cost.cpu_ms / bare.cpu_ms:.0f}"
    ceiling = "" if cost.ceiling is None else _kept(cost.cpu_ms, cost.ceiling, "ms")
    return (
        f"| {cost.name} | {cost.messages} | {cost.cpu_ms:.3f} | {ratio} | {cost.per_second:.0f} "
        f"| {cost.p50_ms:.1f} | {cost.p99_ms:.1f} | {cost.rss_mb:.0f} | {ceiling} |"
    )


def failed(name: str, why: Exception) -> str:
    """A row whose answers were not all there, once each."""
    return f"| {name} | FAILED: {why} | | | | | | | |"


def of_start(found: Start) -> list[str]:
    """The second start and the memory of an idle server."""
    seconds = _kept(found.seconds, start.SECONDS_CEILING, "s")
    memory = _kept(found.rss_mb, start.MEMORY_CEILING, "MB")
    return [
        f"second start to accepting: {found.seconds:.2f} s, {seconds}",
        f"RSS when idle: {found.rss_mb:.0f} MB, {memory}",
    ]


def of_growth(early: Turn, late: Turn) -> list[str]:
    """Two turns of one conversation beside each other."""
    ratio = late.cpu_ms / early.cpu_ms
    return [
        f"turn {turn.number}: {turn.rows} rows read in {turn.steps} steps, "
        f"a prompt of {turn.prompt} bytes, {turn.cpu_ms:.2f} ms CPU"
        for turn in (early, late)
    ] + [
        f"rows and prompt equal: {_said(same(early, late))}; "
        f"CPU ratio {ratio:.2f}, {_kept(ratio, growth.RATIO, 'times')}"
    ]


def same(early: Turn, late: Turn) -> bool:
    """Whether a conversation's age leaves a turn's work alone."""
    return (early.rows, early.prompt) == (late.rows, late.prompt)


def _kept(value: float, ceiling: float, unit: str) -> str:
    return f"{'ok' if value <= ceiling else 'OVER'} (≤ {ceiling:g} {unit})"


def _said(good: bool) -> str:  # noqa: FBT001  # a word for it
    return "ok" if good else "OVER"
