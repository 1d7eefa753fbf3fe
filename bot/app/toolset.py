"""The tools that the configured plugins offer, and which plugins are missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from bot.config import PluginSettings
from bot.configload import WAY_OUT, Loaded
from bot.engine.plugins import AbsentPlugin, PluginModule
from bot.engine.tools import Tool
from bot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Toolset:
    """The tools by name; `absent` are the optional plugins that could not be loaded."""

    tools: Mapping[str, Tool]
    absent: tuple[AbsentPlugin, ...] = ()


def make_tools(loaded: Loaded) -> Toolset:
    """The tools of every plugin that the configuration names.

    Raises:
        ConfigError: a plugin offers none, or two of them offer the same name.
    """
    tools: dict[str, Tool] = {}
    absent: list[AbsentPlugin] = []
    problems: list[str] = []
    for i, entry in enumerate(loaded.settings.plugins):
        place = f"plugins.{i}"
        why: tuple[str, ...] = (loaded.absent[place],) if place in loaded.absent else ()
        if not why:
            why = _add_tools(loaded.modules[place], entry, tools)
        if why and entry.optional:
            absent.append(AbsentPlugin(place, entry.use, "; ".join(why)))
        else:
            problems += [f"{place}: {problem}; {WAY_OUT}" for problem in why]
    if problems:
        raise ConfigError(*problems)
    return Toolset(tools, tuple(absent))


def _add_tools(
    module: ModuleType, entry: PluginSettings, tools: dict[str, Tool]
) -> tuple[str, ...]:
    """Add all that a plugin offers, or nothing; what is wrong with it."""
    name = module.__name__.rpartition(".")[2]
    try:
        found = PluginModule(name, module, type(entry)).tools(entry)
    except ConfigError as error:
        return error.problems
    twins = [(tool, tools[tool.name]) for tool in found if tool.name in tools]
    if twins:
        return tuple(
            f"two tools are called {tool.name}: {other.source} and {tool.source}"
            for tool, other in twins
        )
    tools.update((tool.name, tool) for tool in found)
    return ()
