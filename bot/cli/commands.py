"""`parley`: the words that an operator types; each hands over to one function.

What a command needs is imported inside it, so that `parley --help` stays quick.
"""
# ruff: noqa: PLC0415  # see above

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.inbox import inbox
from bot.cli.options import MOST_ROWS, Config, Tenant, Yes, load_config, starting, tell
from bot.cli.outbox import outbox
from bot.cli.slack import slack
from bot.cli.words import locale, spoken, words, words_in
from bot.errors import ConfigError, ParleyError, Permanent

if TYPE_CHECKING:
    from bot.domain.address import Address

UNSURE = 10
"""Calls of unknown outcome that `parley status` names."""

app = typer.Typer(
    help=words("about"),
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
plugins = typer.Typer(help=words("about_plugins"), no_args_is_help=True, rich_markup_mode=None)
app.add_typer(plugins, name="plugin")
app.add_typer(inbox, name="inbox")
app.add_typer(outbox, name="outbox")
app.add_typer(slack, name="slack")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what went wrong is told in sentences."""
    try:
        app(arguments)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(f"parley: {problem}", err=True)
        raise SystemExit(2) from None
    except ParleyError as error:
        typer.echo(f"parley: {str(error) or words('unexpected_gone')}", err=True)
        raise SystemExit(1) from None
    except OSError as error:
        what = ": ".join(str(one) for one in (error.filename, error.strerror or error) if one)
        typer.echo(f"parley: {what}", err=True)
        raise SystemExit(1) from None


# ---- running and talking ---------------------------------------------------------------------


@app.command(help=words("about_serve"))
def serve(config: Config = None) -> None:
    """Run the server."""
    loaded = load_config(config)
    from bot.app import serve as run_server
    from bot.cli.ending import lived

    raise typer.Exit(lived(run_server(loaded)))


@app.command(help=words("about_chat"))
def chat(
    config: Config = None,
    name: Annotated[str | None, typer.Option("--name", help=words("about_name"))] = None,
) -> None:
    """Talk in the terminal."""
    loaded = load_config(config)
    from bot.cli.reach import chat as talk

    raise typer.Exit(asyncio.run(talk(loaded, (name or _user())[:64], spoken())))


# ---- configuration ---------------------------------------------------------------------------


@app.command(help=words("about_init"))
def init(config: Config = None) -> None:
    """Write a small configuration file."""
    from bot.configfile import named
    from bot.setup import init as write_file

    path = named(config, os.environ) or Path("config.yaml")
    write_file(path, _ask, typer.echo, locale=locale(), start=starting(sys.argv[0], config))


@app.command(help=words("about_check"))
def check(config: Config = None) -> None:
    """Show every setting, and probe everything; in the language of the configuration."""
    from bot.cli.show import findings, health_lines, setting_lines
    from bot.configload import effective

    loaded = load_config(config)
    language = loaded.settings.locale if "locale" in loaded.source_of else locale()
    path = loaded.path or words_in(language, "no_file")
    typer.echo(words_in(language, "configuration", path=path))
    tell(setting_lines(effective(loaded)))
    typer.echo()
    from bot.cli.reach import checked

    spoken_in = loaded.settings.model_copy(update={"locale": language})
    ours, servers = asyncio.run(checked(replace(loaded, settings=spoken_in)))
    found = findings(ours, servers, language)
    tell(health_lines(found, language))
    raise typer.Exit(int(not all(one.ok for one in found)))


@app.command(help=words("about_migrate"))
def migrate(config: Config = None) -> None:
    """Bring the schema up to date."""
    loaded = load_config(config)
    from bot.app import open_store

    async def open_and_close() -> None:
        async with open_store(loaded, read=False):
            pass  # opening it is what migrates it

    asyncio.run(open_and_close())
    typer.echo(words("migrated"))


@plugins.callback()
def _plugins() -> None:
    """A group with one command stays a group."""


@plugins.command("list", help=words("about_plugin_list"))
def plugin_list(config: Config = None) -> None:
    """Show the tools."""
    loaded = load_config(config)
    from bot.app import open_tools
    from bot.cli.show import absent_lines, tool_lines

    found = open_tools(loaded)
    tell(tool_lines(found.tools, loaded.settings) if found.tools else [words("no_tools")])
    tell(absent_lines(found.absent))


@app.command(help=words("about_version"))
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    typer.echo(f"parley {version_of('parley')}")


# ---- what is kept ----------------------------------------------------------------------------


@app.command(help=words("about_status"))
def status(config: Config = None) -> None:
    """Tell what runs and what waits."""
    loaded = load_config(config)
    from bot.app import open_store
    from bot.app.stores import database_file
    from bot.cli.reach import is_new, server_of
    from bot.cli.rows import node_lines, unsure_lines
    from bot.cli.show import store_lines
    from bot.configcheck import mask

    async def look() -> None:
        server = await server_of(loaded)
        alone = database_file(loaded.settings.database) is not None
        if server or alone:
            typer.echo(words("runs", pid=server.note.pid) if server else words("runs_not"))
        typer.echo(words("database", url=mask(loaded.settings.database.url)))
        if is_new(loaded):
            typer.echo(words("no_database"))
            return
        async with open_store(loaded, read=True) as store:
            if not alone:
                found = await store.nodes()
                tell(node_lines(found) if found else [words("runs_not")])
            tell(store_lines(await store.health()))
            tell(unsure_lines(await store.unsure_calls(UNSURE)))

    asyncio.run(look())


@app.command(help=words("about_history"))
def history(
    sender: str,
    config: Config = None,
    tenant: Tenant = "default",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_ROWS, help=words("about_limit"))
    ] = 1000,
) -> None:
    """Show what one person said and was told."""
    loaded = load_config(config)
    from bot.app import open_store
    from bot.cli.show import entry_lines

    person = str(_read(sender, "bad_sender"))

    async def look() -> None:
        async with open_store(loaded, read=True) as store:
            entries = await store.said_by(tenant, person, limit)
        tell(entry_lines(entries) if entries else [words("nothing_said", sender=sender)])

    asyncio.run(look())


@app.command(help=words("about_erase"))
def erase(
    address: str, config: Config = None, tenant: Tenant = "default", *, yes: Yes = False
) -> None:
    """Delete a conversation."""
    loaded = load_config(config)
    from bot.cli.reach import done, forget_recall, orders_to

    place = _read(address, "bad_address")
    if not yes and not typer.confirm(words("erase_sure", address=place)):
        typer.echo(words("kept"))
        raise typer.Exit(1)

    async def delete() -> bool:
        async with orders_to(loaded) as call:
            return await done(call, "erase", {"address": str(place), "tenant": tenant})

    found = asyncio.run(delete())
    forget_recall(loaded, place)
    typer.echo(words("erased" if found else "not_erased", address=place))
    raise typer.Exit(int(not found))


# ---- shared ----------------------------------------------------------------------------------


def _read(text: str, sentence: str) -> "Address":
    from bot.domain.address import Address

    try:
        return Address.parse(text)
    except ValueError:
        raise Permanent(words(sentence, text=text)) from None


def _ask(question: str, *, default: str = "", secret: bool = False) -> str:
    hidden = secret and sys.stdin.isatty()
    answer: str = typer.prompt(
        question, default=default, hide_input=hidden, show_default=bool(default)
    )
    return answer


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return "me"
