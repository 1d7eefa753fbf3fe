"""`parley inbox`: messages that wait, and those that were given up after three crashes."""
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
    from bot.domain.operating import InboxRow

inbox = typer.Typer(help=words("about_inbox"), no_args_is_help=True, rich_markup_mode=None)


@inbox.command("list", help=words("about_inbox_list"))
def inbox_list(config: Config = None, state: States = None, limit: Limit = MOST) -> None:
    """List what is not done."""
    from bot.cli.rows import inbox_lines
    from bot.clock import SystemClock

    rows = _undone(load_config(config), state, limit + 1)
    tell_rows(inbox_lines(rows, SystemClock().now()), limit, empty=words("inbox_empty"))


@inbox.command("show", help=words("about_inbox_show"))
def inbox_show(id: str, config: Config = None, *, text: WithText = False) -> None:
    """Show one whole."""
    from bot.cli.rows import message_lines
    from bot.clock import SystemClock

    wanted = _read_id(id)["inbound"]
    for row in _undone(load_config(config)):
        if row.id == wanted:
            tell(message_lines(row, SystemClock().now(), text=text))
            return
    raise Permanent(words("message_not_there", id=id))


@inbox.command("retry", help=words("about_inbox_retry"))
def inbox_retry(ids: Ids = None, config: Config = None, *, every: Every = False) -> None:
    """Have them answered after all."""
    loaded = load_config(config)
    dead = [str(row.id) for row in _undone(loaded, ["dead"])] if every else None
    names = {id: _read_id(id) for id in named(ids, dead)}
    order_each(loaded, "inbox.retry", names, ("taken_again", "message_not_there"))


@inbox.command("drop", help=words("about_inbox_drop"))
def inbox_drop(ids: SomeIds, config: Config = None) -> None:
    """Leave them without an answer."""
    names = {id: _read_id(id) for id in ids}
    order_each(load_config(config), "inbox.drop", names, ("dropped", "message_not_there"))


def _undone(
    loaded: "Loaded", states: Sequence[str] | None = None, limit: int = EVERY
) -> "Sequence[InboxRow]":
    from bot.app import open_store
    from bot.domain.operating import InboxState

    wanted = [InboxState(state) for state in read_states(states, list(InboxState))]

    async def look() -> "Sequence[InboxRow]":
        async with open_store(loaded, read=True) as store:
            return await store.inbox_rows(wanted, limit)

    return asyncio.run(look())


def _read_id(id: str) -> dict[str, object]:
    if not id.isdecimal() or len(id) > MOST_DIGITS:
        raise Permanent(words("bad_message_id", id=id))
    return {"inbound": int(id)}
