"""What many commands take and do: the configuration, a tenant, lines of text."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.words import words

if TYPE_CHECKING:
    from bot.configload import Loaded

CHECKOUT = Path(__file__).resolve().parents[2]

Config = Annotated[Path | None, typer.Option("--config", help=words("about_config"))]
Tenant = Annotated[str, typer.Option("--tenant", help=words("about_tenant"))]
Yes = Annotated[bool, typer.Option("--yes", help=words("about_yes"))]


def load_config(config: Path | None) -> "Loaded":
    """The configuration that a command works with.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    from bot.configfile import locate
    from bot.configload import load

    return load(locate(config, os.environ, Path.cwd()), os.environ, CHECKOUT)


def tell(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        typer.echo(line)
