"""What the environment says, laid over the file: `PARLEY_SERVER__PORT`, `PARLEY_X__Y_FILE`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config import PluginSettings, Section, Settings
from bot.configcheck import fields_below, nearest
from bot.configfile import Tree, join

PREFIX = "PARLEY_"
ENTRIES = ("models", "audiences", "operators", "adapters", "plugins")
# The first names the file itself, the others belong to tests.
_NOT_SETTINGS = ("PARLEY_CONFIG", "PARLEY_REQUIRE", "PARLEY_SHARED")
_FAULTS = "PARLEY_FAULT"
# What a variable may say of a plugin that could not be imported, whose own keys nobody knows.
_OF_EVERY_PLUGIN = (["optional"], ["optional_file"])
# What Kubernetes sets in every pod for a Service `parley` or `parley-db`. No two underscores stand
# together in it, so it is none of ours; but PARLEY_PORT alone may be meant for PARLEY_SERVER__PORT.
_SERVICE = f"{PREFIX}(?:[A-Z0-9]+_)*?"
_SERVICE_LINK = re.compile(
    rf"{_SERVICE}(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9]+)*"
    r"|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_SERVICE_PORT = re.compile(rf"{_SERVICE}PORT")
_SERVICE_ADDRESSES = ("tcp://", "udp://", "sctp://")

Groups = Mapping[str, type[Section] | None]
"""The class of every group by its dotted place; None where its module could not be imported."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a variable sets; `from_file` when it names a file that holds the value."""

    place: str
    from_file: bool


class _Unknown(Exception):
    """A variable that sets nothing; the text says why."""


def overlay(tree: Tree, groups: Groups, environ: Mapping[str, str], base: Path) -> list[str]:
    """Set what the environment sets; a sentence for each variable that sets nothing.

    An empty variable counts as not set, as compose files write it.
    """
    problems: list[str] = []
    setters: dict[str, str] = {}
    for name in sorted(_ours(environ)):
        try:
            target = _find(name, groups)
            if target is not None and environ[name]:
                _claim(setters, target.place, name)
                _set(tree, target.place, _text(environ[name], target, base), name)
        except _Unknown as unknown:
            problems.append(f"{name}: {unknown}")
    return problems


def _claim(setters: dict[str, str], place: str, name: str) -> None:
    other = setters.setdefault(place, name)
    if other != name:
        raise _Unknown(f"{other} sets the same; keep one")


def _ours(environ: Mapping[str, str]) -> Iterable[str]:
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS or name.startswith(_FAULTS):
            continue
        if not _is_service_link(name, value):
            yield name


def _is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes tells a pod with it where a Service is that is called as we are."""
    if _SERVICE_LINK.fullmatch(name):
        return True
    return _SERVICE_PORT.fullmatch(name) is not None and value.startswith(_SERVICE_ADDRESSES)


def _find(name: str, groups: Groups) -> _Target | None:
    # The last two of three underscores separate: an entry's name may end with one.
    keys = re.split("__(?!_)", name.removeprefix(PREFIX).lower())
    if keys in (["database"], ["database_file"]):
        # A bare text is the address of the database, here as in the file.
        keys = ["database", keys[0].replace("database", "url")]
    group, rest = _group(keys, groups)
    settings_class = groups[group]
    if settings_class is None and group.startswith("plugins.") and rest in _OF_EVERY_PLUGIN:
        settings_class = PluginSettings
    if settings_class is None:
        return None
    if not group:
        _refuse_entry(rest)
    if not rest:
        raise _Unknown(f"{group} is a group; name one of its keys: {_variable(group)}__<KEY>")
    inner = fields_below(settings_class, rest[:-1])
    known = sorted(inner.model_fields) if inner else []
    if rest in (["use"], ["use_file"]) and "use" in known:
        raise _Unknown("`use` is read from the file only")
    if rest[-1] in known:
        if fields_below(settings_class, rest):
            raise _Unknown(f"this is a group; name one of its keys: {name}__<KEY>")
        return _Target(".".join(keys), from_file=False)
    if rest[-1].endswith("_file") and rest[-1].removesuffix("_file") in known:
        return _Target(".".join(keys).removesuffix("_file"), from_file=True)
    raise _Unknown(_no_such(group, rest, settings_class, groups))


def _group(keys: list[str], groups: Groups) -> tuple[str, list[str]]:
    for count in range(len(keys), 0, -1):
        place = ".".join(keys[:count])
        if place in groups:
            return place, keys[count:]
    return "", keys


def _refuse_entry(keys: list[str]) -> None:
    if keys[0] not in ENTRIES:
        return
    if len(keys) == 1:
        raise _Unknown(f"the entries of {keys[0]} are written in the file")
    raise _Unknown(
        f"there is no {keys[0]}.{keys[1]}; an entry begins in the file, the environment adds none"
    )


def _no_such(group: str, rest: list[str], settings_class: type[Section], groups: Groups) -> str:
    known = [
        *(join(group, name) for name in _leaves(settings_class)),
        *(join(place, key) for place, other in groups.items() if other for key in _leaves(other)),
    ]
    near = nearest(join(group, ".".join(rest)), known)
    return f"there is no such setting{f'; did you mean {_variable(near)}?' if near else ''}"


def _leaves(settings_class: type[Any]) -> Iterable[str]:
    for name in settings_class.model_fields:
        inner = fields_below(settings_class, [name])
        if settings_class is Settings and name in ENTRIES:
            continue
        if inner is None:
            yield name
            continue
        yield from (join(name, below) for below in _leaves(inner))


def _variable(place: str) -> str:
    return PREFIX + place.upper().replace(".", "__")


def _text(value: str, target: _Target, base: Path) -> str:
    if not target.from_file:
        return value
    path = base / value
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _Unknown(f"it names {path}, which cannot be read: {reason}") from error


def _set(tree: Tree, place: str, value: str, name: str) -> None:
    *above, last = place.split(".")
    here: Any = tree.values
    for key in above:
        here = here[int(key)] if isinstance(here, list) else _step(here, key)
    here[last] = value
    for inner in [source for source in tree.sources if source.startswith(f"{place}.")]:
        del tree.sources[inner]
    tree.sources[place] = name
    tree.fixed.add(place)


def _step(here: dict[str, Any], key: str) -> Any:
    if not isinstance(here.get(key), dict | list):
        here[key] = {}
    return here[key]
