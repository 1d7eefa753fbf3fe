"""`parley slack`: what somebody needs before there is an app to configure."""
# ruff: noqa: PLC0415  # what a command needs is imported when it runs: `--help` stays quick

import json
from enum import StrEnum
from typing import Annotated

import typer

from bot.cli.options import CHECKOUT
from bot.cli.words import words

slack = typer.Typer(help=words("about_slack"), no_args_is_help=True, rich_markup_mode=None)


class Mode(StrEnum):
    """How Slack and the server reach each other."""

    SOCKET = "socket"
    HTTP = "http"


@slack.callback()
def _slack() -> None:
    """A group with one command stays a group."""


@slack.command("manifest", help=words("about_manifest"))
def manifest(
    mode: Annotated[Mode, typer.Option("--mode", help=words("about_mode"))] = Mode.SOCKET,
    url: Annotated[str | None, typer.Option("--url", help=words("about_url"))] = None,
    name: Annotated[str, typer.Option("--name", help=words("about_app_name"))] = "Parley",
) -> None:
    """Print the manifest; no configuration is read, for its tokens come from this very app."""
    from bot.modules import import_used

    made = import_used("adapters.slack", CHECKOUT).manifest(mode.value, url, name)
    typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
