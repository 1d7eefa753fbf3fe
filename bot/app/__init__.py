"""The composition root: the only room that constructs things, and the one that everything is in."""

from bot.app.commands import control_path, open_store, open_tools, probe
from bot.app.life import background, serve

__all__ = ["background", "control_path", "open_store", "open_tools", "probe", "serve"]
