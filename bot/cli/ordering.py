"""The same order for several rows: to the running server, else to the database."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import MOST_ROWS, tell
from bot.cli.words import words

if TYPE_CHECKING:
    from bot.configload import Loaded

MOST = 1000
"""Rows of a list, where nothing else is asked for."""

EVERY = 1_000_000
"""Rows among which one is looked for, or that are all meant."""

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...")]
SomeIds = Annotated[list[str], typer.Argument(metavar="ID...")]
States = Annotated[list[str] | None, typer.Option("--state", help=words("about_state"))]
Every = Annotated[bool, typer.Option("--all", help=words("about_all"))]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MOST_ROWS, help=words("about_rows"))]
WithText = Annotated[bool, typer.Option("--text", help=words("about_text"))]


def order_each(
    loaded: "Loaded",
    command: str,
    rows: Mapping[str, Mapping[str, object]],
    sentences: tuple[str, str],
) -> None:
    """Give it for each row, by the name that the operator knows; tell what came of each."""
    if not rows:
        typer.echo(words("none_given_up"))
        raise typer.Exit
    from bot.cli.reach import done, orders_to

    found: dict[str, bool] = {}

    async def order() -> None:
        async with orders_to(loaded) as call:
            for id, args in rows.items():
                found[id] = await done(call, command, args)

    try:
        asyncio.run(order())
    finally:  # an error at one row undoes nothing of those before it
        tell(words(sentences[not there], id=id) for id, there in found.items())
    raise typer.Exit(int(not all(found.values())))


def tell_rows(lines: Iterable[str], limit: int, *, empty: str) -> None:
    """Print a line for each row, and whether there are more; one row more than `limit` was read."""
    told = list(lines)
    tell(told[:limit] or [empty])
    if len(told) > limit:
        typer.echo(words("more_rows", limit=2 * limit))


def read_states(asked: Sequence[str] | None, known: Sequence[str]) -> Sequence[str]:
    """The states that an operator names, or all.

    Raises:
        Permanent: there is no such state.
    """
    from bot.errors import Permanent

    if unknown := set(asked or ()) - set(known):
        raise Permanent(words("bad_state", state=min(unknown), known=", ".join(known)))
    return asked or known


def named(ids: Sequence[str] | None, every: Sequence[str] | None) -> Sequence[str]:
    """The rows that an operator names, or all.

    Raises:
        Permanent: they have named none.
    """
    from bot.errors import Permanent

    if every is not None:
        return every
    if not ids:
        raise Permanent(words("name_one"))
    return ids
