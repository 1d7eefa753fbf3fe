"""What many commands take and do: the configuration, a tenant, lines of text."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.words import words

if TYPE_CHECKING:
    from bot.configload import Loaded

MOST_DIGITS = 18
"""Of an id: more than a database's numbers have is no id that was ever given."""

MOST_ROWS = 10**9
"""Of a list: a database counts no further than 2⁶³, and nobody reads so far."""

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


def starting(called: str, config: Path | None, *, path: str | None = None) -> str:
    """What starts a server with this configuration, by the name under which we were called.

    A checkout has the program in `.venv/bin`, which nobody's PATH (`path`) needs to hold.
    """
    if called == shutil.which("parley", path=path):
        program = ["parley"]
    elif Path(called).name == "__main__.py":
        program = [sys.executable, "-m", "bot"]
    else:
        program = [called]
    return shlex.join([*program, "serve", *(["--config", str(config)] if config else [])])
