"""The same order for several rows: to the running server, else to the database."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import tell
from bot.cli.words import words

if TYPE_CHECKING:
    from bot.configload import Loaded

MOST = 1000
"""Rows of a list."""

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...")]
SomeIds = Annotated[list[str], typer.Argument(metavar="ID...")]
States = Annotated[list[str] | None, typer.Option("--state", help=words("about_state"))]
Every = Annotated[bool, typer.Option("--all", help=words("about_all"))]
WithText = Annotated[bool, typer.Option("--text", help=words("about_text"))]


def order_each(
    loaded: "Loaded",
    command: str,
    rows: Mapping[str, Mapping[str, object]],
    sentences: tuple[str, str],
) -> None:
    """Give it for each row, by the name that the operator knows; tell what came of each."""
    from bot.cli.reach import done, orders_to

    async def order() -> list[bool]:
        async with orders_to(loaded) as call:
            return [await done(call, command, args) for args in rows.values()]

    found = asyncio.run(order())
    tell(words(sentences[not there], id=id) for id, there in zip(rows, found, strict=True))
    raise typer.Exit(int(not all(found)))


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
