"""Chat in a terminal: `parley chat` talks to the running server, or to one of its own."""

from adapters.terminal.adapter import TerminalAdapter
from adapters.terminal.talk import talk
from bot import Adapter, AdapterContext, AdapterSettings

__all__ = ["Settings", "build", "talk"]


class Settings(AdapterSettings):
    """The terminal takes nothing of its own in the configuration."""


def build(_settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter; it is part of every server, whether or not it is configured."""
    return TerminalAdapter(context)
