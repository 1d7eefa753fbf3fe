"""`parley outbox`: answers that have not been sent, and what to do with them."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import Config, load_config, tell
from bot.cli.words import words
from bot.errors import Permanent

if TYPE_CHECKING:
    from bot.configload import Loaded
    from bot.domain.records import OutboxRow

MOST = 1000
"""Rows of a list."""

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...")]
SomeIds = Annotated[list[str], typer.Argument(metavar="ID...")]

outbox = typer.Typer(help=words("about_outbox"), no_args_is_help=True, rich_markup_mode=None)


@outbox.command("list", help=words("about_outbox_list"))
def outbox_list(
    config: Config = None,
    state: Annotated[list[str] | None, typer.Option("--state", help=words("about_state"))] = None,
) -> None:
    """List what has not been sent."""
    from bot.cli.show import outbox_lines

    rows = _unsent(load_config(config), state)
    tell(outbox_lines(rows) if rows else [words("outbox_empty")])


@outbox.command("show", help=words("about_outbox_show"))
def outbox_show(id: str, config: Config = None) -> None:
    """Show one whole."""
    from bot.cli.show import piece_lines, piece_name

    _read_id(id)
    for row in _unsent(load_config(config)):
        if piece_name(row) == id:
            tell(piece_lines(row))
            return
    raise Permanent(words("not_there", id=id))


@outbox.command("retry", help=words("about_outbox_retry"))
def outbox_retry(
    ids: Ids = None,
    config: Config = None,
    *,
    every: Annotated[bool, typer.Option("--all", help=words("about_all"))] = False,
) -> None:
    """Make them due."""
    from bot.cli.show import piece_name

    loaded = load_config(config)
    names = [piece_name(row) for row in _unsent(loaded, ["dead"])] if every else (ids or [])
    if not names and not every:
        raise Permanent(words("name_one"))
    _order_each(loaded, "outbox.retry", names, ("retried", "not_retried"))


@outbox.command("drop", help=words("about_outbox_drop"))
def outbox_drop(ids: SomeIds, config: Config = None) -> None:
    """Delete them."""
    _order_each(load_config(config), "outbox.drop", ids, ("dropped", "not_dropped"))


def _unsent(loaded: "Loaded", states: Sequence[str] | None = None) -> "Sequence[OutboxRow]":
    from bot.app import open_store
    from bot.domain.records import OutboxState

    known = [state for state in OutboxState if state is not OutboxState.SENT]
    if unknown := set(states or ()) - set(known):
        raise Permanent(f"--state {min(unknown)}: {', '.join(known)}")

    async def look() -> "Sequence[OutboxRow]":
        async with open_store(loaded, read=True) as store:
            wanted = [OutboxState(state) for state in states or known]
            return await store.outbox_rows(wanted, MOST)

    return asyncio.run(look())


def _order_each(
    loaded: "Loaded", command: str, ids: Sequence[str], sentences: tuple[str, str]
) -> None:
    from bot.cli.reach import done, orders_to

    pieces = [_read_id(id) for id in ids]

    async def order() -> list[bool]:
        async with orders_to(loaded) as call:
            return [await done(call, command, piece) for piece in pieces]

    found = asyncio.run(order())
    tell(words(sentences[not there], id=id) for id, there in zip(ids, found, strict=True))
    raise typer.Exit(int(not all(found)))


def _read_id(id: str) -> dict[str, object]:
    parts = id.split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise Permanent(words("bad_id", id=id))
    return dict(zip(("conversation", "turn", "piece"), map(int, parts), strict=True))
