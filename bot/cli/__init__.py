"""The commands that an operator types: `parley` and its words."""

from bot.cli.commands import main

__all__ = ["main"]
