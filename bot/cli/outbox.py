"""`parley outbox`: answers that have not been sent, and what to do with them."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from bot.cli.options import MOST_DIGITS, Config, load_config, tell
from bot.cli.ordering import (
    EVERY,
    MOST,
    Every,
    Ids,
    Limit,
    SomeIds,
    States,
    WithText,
    named,
    order_each,
    read_states,
    tell_rows,
)
from bot.cli.words import words
from bot.errors import Permanent

if TYPE_CHECKING:
    from bot.configload import Loaded
    from bot.domain.records import OutboxRow
    from bot.ports import Upkeep

outbox = typer.Typer(help=words("about_outbox"), no_args_is_help=True, rich_markup_mode=None)


@outbox.command("list", help=words("about_outbox_list"))
def outbox_list(config: Config = None, state: States = None, limit: Limit = MOST) -> None:
    """List what has not been sent."""
    from bot.cli.rows import outbox_lines
    from bot.clock import SystemClock

    rows = _unsent(load_config(config), state, limit + 1)
    tell_rows(outbox_lines(rows, SystemClock().now()), limit, empty=words("outbox_empty"))


@outbox.command("show", help=words("about_outbox_show"))
def outbox_show(id: str, config: Config = None, *, text: WithText = False) -> None:
    """Show one whole."""
    from bot.cli.rows import REPEATED, piece_lines, piece_name
    from bot.clock import SystemClock

    _read_id(id)
    loaded = load_config(config)
    for row in (*_unsent(loaded), *_unsent(loaded, [REPEATED])):
        if piece_name(row) == id:
            tell(piece_lines(row, SystemClock().now(), text=text))
            return
    raise Permanent(words("not_there", id=id))


@outbox.command("retry", help=words("about_outbox_retry"))
def outbox_retry(ids: Ids = None, config: Config = None, *, every: Every = False) -> None:
    """Make them due."""
    from bot.cli.rows import piece_name

    loaded = load_config(config)
    dead = [piece_name(row) for row in _unsent(loaded, ["dead"])] if every else None
    names = {id: _read_id(id) for id in named(ids, dead)}
    order_each(loaded, "outbox.retry", names, ("retried", "not_retried"))


@outbox.command("drop", help=words("about_outbox_drop"))
def outbox_drop(ids: SomeIds, config: Config = None) -> None:
    """Delete them."""
    names = {id: _read_id(id) for id in ids}
    order_each(load_config(config), "outbox.drop", names, ("dropped", "not_dropped"))


def _unsent(
    loaded: "Loaded", states: Sequence[str] | None = None, limit: int = EVERY
) -> "Sequence[OutboxRow]":
    from bot.app import open_store

    asked = states_asked(states)

    async def look() -> "Sequence[OutboxRow]":
        async with open_store(loaded, read=True) as store:
            return await rows_in(store, asked, limit)

    return asyncio.run(look())


def states_asked(states: Sequence[str] | None) -> Sequence[str]:
    """The states that an operator names, or all that are not sent.

    Raises:
        Permanent: there is no such state.
    """
    from bot.cli.rows import REASONS, REPEATED
    from bot.domain.records import OutboxState

    unsent = [state.value for state in OutboxState if state is not OutboxState.SENT]
    return read_states(states, [*unsent, *REASONS, REPEATED]) if states else unsent


async def rows_in(store: "Upkeep", asked: Sequence[str], limit: int) -> "Sequence[OutboxRow]":
    """The oldest rows in these states, which are an operator's; no more are read than it takes."""
    from bot.cli.rows import REASONS, REPEATED, outbox_state
    from bot.domain.records import OutboxState

    again = await store.outbox_repeated(limit) if REPEATED in asked else []
    # An expired answer is a dead letter; "dead" names all of these.
    wanted = {"dead" if state in REASONS else state for state in asked} - {REPEATED}
    states = [OutboxState(state) for state in wanted]
    most = limit
    while True:
        read = await store.outbox_rows(states, most)
        rows = [row for row in read if {row.state.value, outbox_state(row)} & set(asked)]
        if len(rows) >= limit or len(read) < most or most >= EVERY:
            return [*rows[:limit], *again]
        most = min(4 * most, EVERY)  # the store does not know why a dead letter is one


def _read_id(id: str) -> dict[str, object]:
    parts = id.split("/")
    if len(parts) != 3 or not all(p.isdecimal() and len(p) <= MOST_DIGITS for p in parts):
        raise Permanent(words("bad_id", id=id))
    return dict(zip(("conversation", "turn", "piece"), map(int, parts), strict=True))
