"""The tools of the plugins that a configuration names."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from bot.config import PluginSettings
from bot.configcheck import check_entry, nearest
from bot.configfile import Value
from bot.engine.tools import Tool
from bot.errors import ConfigError, PluginError
from bot.modules import import_used


@dataclass(frozen=True, slots=True)
class PluginModule:
    """An imported plugin. `settings_class` is its own, or the base where it takes none."""

    name: str
    module: ModuleType
    settings_class: type[PluginSettings]

    def tools(self, settings: PluginSettings) -> list[Tool]:
        """What it offers under these settings, each under this plugin's name.

        Raises:
            PluginError: it offers nothing, or something that is no tool.
            ConfigError: its own `build` found a setting that cannot be used.
        """
        found = [*self._declared(), *self._built(settings)]
        if not found:
            raise PluginError(
                f"{self._file} offers no tool: decorate a function with @tool, "
                "or write build(settings) that returns tools"
            )
        _refuse_twins(found)
        return [tool.offered_by(self.name) for tool in found]

    def _declared(self) -> list[Tool]:
        # An imported tool belongs to the plugin that wrote it.
        here = (value for value in vars(self.module).values() if isinstance(value, Tool))
        own = [tool for tool in here if tool.module == self.module.__name__]
        return list(dict.fromkeys(own))

    def _built(self, settings: PluginSettings) -> list[Tool]:
        build = getattr(self.module, "build", None)
        if build is None:
            return []
        if not callable(build):
            raise PluginError(f"{self._file}: build must be a function of the settings")
        built = build(settings)
        if not isinstance(built, Collection) or not all(isinstance(one, Tool) for one in built):
            raise PluginError(f"{self._file}: build must return a list of tools")
        return list(built)

    @property
    def _file(self) -> str:
        return str(getattr(self.module, "__file__", None) or self.module.__name__)


@dataclass(frozen=True, slots=True)
class AbsentPlugin:
    """An optional plugin that could not be loaded: where it is configured, and why it is not."""

    place: str
    use: str
    why: str


def open_plugin(use: str, base: Path) -> PluginModule:
    """Import what `use` names: a dotted module, or a `.py` file whose path starts in `base`.

    Raises:
        ConfigError: it cannot be imported; the sentence names file and line, without a trace.
    """
    module = import_used(use, base)
    settings_class = getattr(module, "Settings", PluginSettings)
    if not isinstance(settings_class, type) or not issubclass(settings_class, PluginSettings):
        file = getattr(module, "__file__", None) or use
        raise PluginError(f"{file}: Settings must be a class that inherits bot.PluginSettings")
    name = Path(use).stem if use.endswith(".py") else use.rpartition(".")[2]
    return PluginModule(name, module, settings_class)


def load(entry: Mapping[str, Value], base: Path, *, place: str = "plugins") -> list[Tool]:
    """The tools of one entry under `plugins`; `place` is where it stands in the configuration.

    Relative paths in its settings start in `base`.

    Raises:
        ConfigError: one sentence for each thing that is wrong.
    """
    try:
        plugin = open_plugin(str(entry.get("use", "")), base)
        settings, problems = check_entry(plugin.settings_class, entry, place, {}, base)
        if settings is not None:
            return plugin.tools(settings)
    except ConfigError as error:
        kind = PluginError if isinstance(error, PluginError) else ConfigError
        raise kind(*(f"{place}: {problem}" for problem in error.problems)) from error
    raise ConfigError(*problems.values())


def listed_tools(
    listed: Iterable[str], tools: Collection[Tool], *, place: str = "tools", whole: bool = True
) -> frozenset[str]:
    """The names of the tools that an audience's list means: a plugin's name means all of its own.

    Where the tools are not `whole`, a name that nothing has may belong to a plugin that is absent.

    Raises:
        ConfigError: a name that is neither, with the nearest one that is.
    """
    known: dict[str, set[str]] = {}
    for tool in tools:
        known.setdefault(tool.plugin, set()).add(tool.name)
    for tool in tools:
        known[tool.name] = {tool.name}
    names = list(listed)
    unknown = [name for name in names if name not in known]
    if unknown and whole:
        raise ConfigError(*(_unknown(name, list(known), place) for name in unknown))
    return frozenset().union(*(known.get(name, ()) for name in names))


def _unknown(name: str, known: list[str], place: str) -> str:
    near = nearest(name, known)
    advice = f"did you mean {near}?" if near else f"there are {', '.join(sorted(known))}"
    return f"{place}: there is no tool or plugin {name}; {advice}"


def _refuse_twins(tools: Iterable[Tool]) -> None:
    first: dict[str, Tool] = {}
    problems = [
        f"two tools are called {tool.name}: {other.source} and {tool.source}"
        for tool in tools
        if (other := first.setdefault(tool.name, tool)) is not tool
    ]
    if problems:
        raise PluginError(*problems)
