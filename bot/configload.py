"""File, environment and defaults become settings; or every mistake, a sentence each."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from bot.config import (
    MODELS,
    AdapterSettings,
    AudienceSettings,
    OperatorSettings,
    PluginSettings,
    Section,
    Settings,
)
from bot.configcheck import check_entry, is_secret, nearest, show, source_at
from bot.configenv import ENTRIES, overlay
from bot.configfile import Tree, Value, join, read, substitute
from bot.errors import ConfigError
from bot.modules import import_used

DEFAULT_PLUGINS = ("plugins.clock", "plugins.calculator")
# `parley chat` is part of every server, whether or not the file names it.
TERMINAL = "terminal"
WAY_OUT = "mend it, comment the entry out, or write `optional: true` in it to start without it"
"""What an operator can do about a plugin that cannot be loaded."""
_EXAMPLES = {"models": "openai", "adapters": "adapters.telegram", "plugins": "plugins.clock"}
_NAME = re.compile(r"[a-z](_?[a-z0-9])*_?")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each of them comes from.

    `modules` holds what every `use` of an adapter or plugin names, by place: `adapters.web`,
    `plugins.0`. `absent` says why an optional plugin could not be imported, by place. `folder` is
    where relative paths start.
    """

    settings: Settings
    source_of: Mapping[str, str]
    path: Path | None
    folder: Path
    modules: Mapping[str, ModuleType]
    absent: Mapping[str, str] = field(default_factory=dict)


def load(path: Path | None, environ: Mapping[str, str], checkout: Path) -> Loaded:
    """Read the file that `configfile.locate` found; without one everything has its default.

    Raises:
        ConfigError: everything that is wrong, a sentence each.
    """
    tree = read(path) if path else Tree()
    folder = path.resolve().parent if path else checkout
    loading = _Loading(tree, environ, folder)
    settings = loading.run()
    return Loaded(settings, tree.sources, path, folder, loading.modules, loading.absent)


def effective(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting as (dotted key, shown value, source), secrets masked."""
    values = loaded.settings.model_dump(mode="json")
    spans = frozenset(_spans(loaded.settings, ""))
    return [
        (place, shown, loaded.source_of.get(place, "default"))
        for place, shown in _flat(values, "", spans)
    ]


def _spans(value: object, place: str) -> Iterator[str]:
    """Where the durations are: `first_token` is called like a secret, and is none."""
    if isinstance(value, timedelta):
        yield place
    elif isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from _spans(getattr(value, key), join(place, key))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _spans(inner, join(place, key))
    elif isinstance(value, tuple | list):
        for number, inner in enumerate(value):
            yield from _spans(inner, join(place, number))


def _flat(value: Any, place: str, spans: Collection[str]) -> Iterator[tuple[str, str]]:
    groups = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    if isinstance(value, dict) and (value or not place):
        for key, inner in value.items():
            yield from _flat(inner, join(place, key), spans)
    elif groups:
        for number, inner in enumerate(value):
            yield from _flat(inner, join(place, number), spans)
    else:
        # pydantic writes a SecretStr as stars already; a name may say it, too.
        starred = isinstance(value, str) and value != "" and not value.strip("*")
        named = place not in spans and any(map(is_secret, place.split(".")))
        yield place, show(value, secret=starred or named)


@dataclass(slots=True, repr=False)
class _Loading:
    """One load on its way: the tree, the class of each group, and what is wrong so far."""

    tree: Tree
    environ: Mapping[str, str]
    folder: Path
    problems: list[str] = field(default_factory=list)
    groups: dict[str, type[Section] | None] = field(default_factory=dict)
    modules: dict[str, ModuleType] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    # Plugins that cannot be imported: whether one may be missing is known when all is filled in.
    failed: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def run(self) -> Settings:
        """Everything in its order; mistakes are collected and raised together."""
        self._fill_defaults()
        self._find_groups()
        self.problems += overlay(self.tree, self.groups, self.environ, self.folder)
        kept = {join(place, "use") for place in self.groups if place}
        unset = substitute(self.tree, self.environ, kept)
        self._settle_failed(unset)
        wrong = {at: text for at, text in unset.items() if _entry_of(at) not in self.absent}
        checked = {place: self._check(place, wrong) for place in self.groups}
        for place, name, group in _references(self.tree.values):
            self._resolve(place, name, group, wrong)
        self.problems += wrong.values()
        if self.problems:
            raise ConfigError(*self.problems)
        return _assemble(checked)

    def _fill_defaults(self) -> None:
        values = self.tree.values
        # A key with nothing below it (all of it commented out) is as good as no key.
        for key in [key for key, value in values.items() if value is None]:
            del values[key]
        database = values.get("database")
        if isinstance(database, str):
            values["database"] = {"url": database}
            self.tree.sources["database.url"] = self.tree.sources["database"]
        values.setdefault("adapters", {"web": {"use": "adapters.web"}})
        values.setdefault("plugins", [{"use": name} for name in DEFAULT_PLUGINS])
        if "models" not in values:
            values["models"] = {"main": self._default_model()}

    def _default_model(self) -> dict[str, Value]:
        key = self.environ.get("OPENAI_API_KEY")
        if not key:
            return {"use": "offline"}
        self.tree.sources |= dict.fromkeys(
            ("models.main.use", "models.main.api_key"), "OPENAI_API_KEY"
        )
        self.tree.fixed.add("models.main.api_key")
        return {"use": "openai", "api_key": key}

    def _find_groups(self) -> None:
        self.groups[""] = Settings
        for key, value in self.tree.values.items():
            if key not in Settings.model_fields:
                self._problem(key, _unknown_key(key))
            elif key in ENTRIES:
                self._find_entries(key, value)
        for key, found in Settings.model_fields.items():
            inner = found.annotation
            if isinstance(inner, type) and issubclass(inner, Section):
                self._find_group(key, inner)

    def _find_group(self, key: str, settings_class: type[Section]) -> None:
        if isinstance(self.tree.values.setdefault(key, {}), dict):
            self.groups[key] = settings_class
        else:
            self.groups[key] = None
            self._problem(key, "write a group of keys")

    def _find_entries(self, key: str, value: Value) -> None:
        listed = key in {"operators", "plugins"}
        if not isinstance(value, list if listed else dict):
            self._problem(key, "write a list" if listed else "write a group of named entries")
            return
        entries = enumerate(value) if isinstance(value, list) else value.items()
        for name, entry in entries:
            place = join(key, name)
            if isinstance(name, str) and not _NAME.fullmatch(name):
                self._problem(place, "a name is made of a-z, 0-9 and single _, beginning with a-z")
            elif isinstance(entry, dict):
                self.groups[place] = self._class_of(key, place, entry)
            elif entry is None:
                self._problem(place, "there is nothing in it; write its keys below")
            else:
                hint = f"such as {{use: {entry}}}" if key == "plugins" else ""
                self._problem(place, f"write a group of keys {hint}".rstrip())

    def _class_of(self, key: str, place: str, entry: dict[str, Value]) -> type[Section] | None:
        if key == "audiences":
            return AudienceSettings
        if key == "operators":
            return OperatorSettings
        use = entry.get("use")
        if not isinstance(use, str):
            self._problem(join(place, "use"), f"write which one it is: use: {_EXAMPLES[key]}")
            return None
        if key == "models":
            if use not in MODELS:
                near = nearest(use, list(MODELS)) or "one of " + ", ".join(MODELS)
                self._problem(join(place, "use"), f"there is no {use!r}; write {near}")
            return MODELS.get(use)
        expected = AdapterSettings if key == "adapters" else PluginSettings
        try:
            return self._class_in_module(place, use, expected)
        except ConfigError as error:
            if expected is PluginSettings:
                self.failed[place] = error.problems
                return None
            for problem in error.problems:
                self._problem(join(place, "use"), f"{use!r}: {problem}")
            return None

    def _settle_failed(self, wrong: dict[str, str]) -> None:
        """Leave out what may be missing; say of everything else why it could not be imported."""
        for place, problems in self.failed.items():
            entry = self._at(place)
            known = {key: entry[key] for key in PluginSettings.model_fields if key in entry}
            found, doubts = check_entry(PluginSettings, known, place, self.tree.sources)
            if found is not None and found.optional:
                self.absent[place] = "; ".join(problems)
                continue
            for at, text in doubts.items():
                wrong.setdefault(at, text)
            for problem in problems:
                self._problem(join(place, "use"), f"{entry['use']!r}: {problem}; {WAY_OUT}")

    def _class_in_module(self, place: str, use: str, expected: type[Section]) -> type[Section]:
        module = import_used(use, self.folder)
        own = getattr(module, "Settings", PluginSettings)
        if not isinstance(own, type) or not issubclass(own, expected):
            raise ConfigError(f"it has no class Settings({expected.__name__})")
        self.modules[place] = module
        return own

    def _check(self, place: str, wrong: dict[str, str]) -> Section | None:
        if place in self.absent:
            return PluginSettings(use=str(self._at(place)["use"]), optional=True)
        settings_class = self.groups[place]
        if settings_class is None:
            return None
        found, problems = check_entry(
            settings_class, self._at(place), place, self.tree.sources, self.folder
        )
        # What is known to be wrong at a place (an unset ${NAME}) is not said twice.
        for at, text in problems.items():
            wrong.setdefault(at, text)
        return found

    def _at(self, place: str) -> Mapping[str, Value]:
        if not place:
            # What is no group of its own: `locale`.
            return {
                key: value
                for key, value in self.tree.values.items()
                if key in Settings.model_fields and key not in (*self.groups, *ENTRIES)
            }
        here: Any = self.tree.values
        for key in place.split("."):
            here = here[int(key)] if isinstance(here, list) else here[key]
        found: Mapping[str, Value] = here
        return found

    def _resolve(self, place: str, name: str, group: str, wrong: dict[str, str]) -> None:
        entries = self.tree.values.get(group)
        known = list(entries) if isinstance(entries, dict) else []
        if group == "adapters":
            known.append(TERMINAL)
        if name in known or place in wrong:
            return
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(known) or 'none'}"
        source = source_at(place, self.tree.sources)
        wrong[place] = f'{place} ({source}): {group} has no entry "{name}"; {hint}'

    def _problem(self, place: str, what: str) -> None:
        self.problems.append(f"{place} ({source_at(place, self.tree.sources)}): {what}")


def _references(values: Mapping[str, Value]) -> Iterator[tuple[str, str, str]]:
    """Every name of another entry: where it stands, the name, the group that should have it."""
    whole = values.get("answer")
    answers = [("answer", whole if isinstance(whole, dict) else {}), *_entries(values, "audiences")]
    for place, answer in answers:
        model = answer.get("model", "main" if place == "answer" else None)
        if isinstance(model, str):
            yield f"{place}.model", model, "models"
        fallback = answer.get("fallback")
        names = fallback.split(",") if isinstance(fallback, str) else fallback
        for number, name in enumerate(names if isinstance(names, list) else ()):
            yield f"{place}.fallback.{number}", str(name).strip(), "models"
    for place, adapter in _entries(values, "adapters"):
        if isinstance(audience := adapter.get("audience"), str):
            yield f"{place}.audience", audience, "audiences"
    for place, operator in _entries(values, "operators"):
        if isinstance(sender := operator.get("sender"), str):
            yield f"{place}.sender", sender.partition(":")[0].strip(), "adapters"


def _entries(values: Mapping[str, Value], key: str) -> Iterator[tuple[str, dict[str, Value]]]:
    group = values.get(key)
    listed = enumerate(group) if isinstance(group, list) else ()
    named = group.items() if isinstance(group, dict) else ()
    for name, entry in (*listed, *named):
        if isinstance(entry, dict):
            yield join(key, name), entry


def _unknown_key(key: str) -> str:
    near = nearest(key, list(Settings.model_fields))
    if near:
        return f"there is no such key; did you mean {near}?"
    below = [
        join(group, key)
        for group, found in Settings.model_fields.items()
        if key in getattr(found.annotation, "model_fields", {})
    ]
    return f"there is no such key{f'; did you mean {below[0]}?' if below else ''}"


def _entry_of(place: str) -> str:
    """The entry that a place lies in: `plugins.0` for `plugins.0.queries.sql`."""
    return ".".join(place.split(".")[:2])


def _assemble(checked: Mapping[str, Section | None]) -> Settings:
    values: dict[str, Any] = {"plugins": (), "operators": ()}
    for place, section in checked.items():
        key, _, name = place.partition(".")
        if key in {"operators", "plugins"}:
            values[key] += (section,)
        elif name:
            values.setdefault(key, {})[name] = section
        elif key:
            values[key] = section
    root = checked[""]
    assert isinstance(root, Settings)
    return root.model_copy(update={"models": {}, **values})
