"""The configuration file: finding it, reading it with line numbers, filling in `${NAME}`.

PyYAML's own constructor forgets lines, takes `off` for false and lets a repeated key win, so only
its parser is used. pydantic-settings is not: it knows which source won, but not on which line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from bot.errors import ConfigError

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map", "merge")}
_PLACEHOLDER = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}|\$\{"
)


@dataclass(slots=True, repr=False)
class Tree:
    """Values as they were written, and for each dotted place where that was.

    `fixed` holds places whose text is final: nothing is filled in there.
    """

    values: dict[str, Value] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)


def join(place: str, key: str | int) -> str:
    """One step down from a dotted place."""
    return f"{place}.{key}" if place else str(key)


def named(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that somebody names: by `--config`, else by `$PARLEY_CONFIG`."""
    variable = environ.get("PARLEY_CONFIG")
    return option or (Path(variable) if variable else None)


def locate(option: Path | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read: `--config`, else `$PARLEY_CONFIG`, else `config.yaml` here, else none.

    Raises:
        ConfigError: a file was named that is not there.
    """
    path = named(option, environ)
    if path is None:
        path = folder / "config.yaml"
        return path if path.is_file() else None
    if not (folder / path).is_file():
        by = "--config" if option else "PARLEY_CONFIG"
        raise ConfigError(f"{by} names {path}: there is no such file")
    return folder / path


def read(path: Path) -> Tree:
    """Read a YAML (or JSON) file.

    Raises:
        ConfigError: it cannot be read, is no YAML, repeats a key, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read: {reason}") from error
    if path.suffix == ".json":
        # JSON may indent with tabs, YAML may not; a JSON string never holds a bare one.
        text = text.replace("\t", " ")
    reader = _Reader(path.name)
    root = _compose(text, path.name)
    values = reader.value(root, "", ()) if root is not None else {}
    if values is not None and not isinstance(values, dict):
        raise ConfigError(
            f"{path.name} must be a mapping of keys, such as `server: {{port: 8080}}`"
        )
    if reader.problems:
        raise ConfigError(*reader.problems)
    return Tree(values or {}, reader.sources)


def substitute(tree: Tree, environ: Mapping[str, str], kept: set[str]) -> dict[str, str]:
    """Fill `${NAME}` and `${NAME:-default}` into the file's texts; problems by place.

    `kept` are places that are taken as written (`use`). `$${` stands for a plain `${`.
    """
    filler = _Filler(tree, environ, kept)
    filler.fill(tree.values, "")
    return filler.problems


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(
            f"{name} line {line}: this is not YAML: {error.problem}{_hint(text, error)}"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: this is not YAML: {error}") from error


def _hint(text: str, error: yaml.MarkedYAMLError) -> str:
    lines = text.splitlines()
    marks = [mark.line for mark in (error.problem_mark, error.context_mark) if mark]
    around = [lines[number] for number in marks if number < len(lines)]
    if any(_has_bare_placeholder(line) for line in around):
        return '; inside { } or [ ] a value with ${…} needs quotes: "${NAME}"'
    if any("\t" in line for line in around):
        return "; indent with spaces, not tabs"
    return ""


def _has_bare_placeholder(line: str) -> bool:
    before = line.partition("${")[0]
    return before != line and before.count('"') % 2 == 0 and before.count("'") % 2 == 0


class _Reader:
    """Turns YAML nodes into values and notes the line of each."""

    def __init__(self, name: str) -> None:
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self._name = name

    def value(self, node: yaml.Node, place: str, above: tuple[yaml.Node, ...]) -> Value:
        """The value of a node; `above` are its ancestors, so that an alias ends somewhere."""
        if node in above:
            self._problem(node, place, "an alias must not contain itself")
            return None
        if node.tag not in _TAGS:
            self._problem(node, place, f"the tag {node.tag} is not understood; leave it out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place, above)
        if isinstance(node, yaml.SequenceNode):
            return self._list(node, place, above)
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node)

    def _mapping(
        self, node: yaml.MappingNode, place: str, above: tuple[yaml.Node, ...]
    ) -> dict[str, Value]:
        merged: dict[str, Value] = {}
        own: dict[str, Value] = {}
        for key, below in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, place, "a key must be a word")
            elif key.value == "<<" and key.style is None:
                merged |= self._merged(below, place, (*above, node))
            elif key.value in own:
                self._problem(key, join(place, key.value), "this key is here twice; keep one")
            else:
                inner = join(place, key.value)
                self.sources[inner] = self._line(key)
                own[key.value] = self.value(below, inner, (*above, node))
        return merged | own

    def _merged(
        self, node: yaml.Node, place: str, above: tuple[yaml.Node, ...]
    ) -> dict[str, Value]:
        several = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Value] = {}
        for one in reversed(several):
            value = self.value(one, place, above)
            if not isinstance(value, dict):
                self._problem(one, place, "`<<` takes a mapping")
                continue
            result |= value
        return result

    def _list(
        self, node: yaml.SequenceNode, place: str, above: tuple[yaml.Node, ...]
    ) -> list[Value]:
        values: list[Value] = []
        for index, item in enumerate(node.value):
            inner = join(place, index)
            self.sources[inner] = self._line(item)
            values.append(self.value(item, inner, (*above, node)))
        return values

    def _line(self, node: yaml.Node) -> str:
        return f"{self._name} line {node.start_mark.line + 1}"

    def _problem(self, node: yaml.Node, place: str, what: str) -> None:
        self.problems.append(f"{place or 'the file'} ({self._line(node)}): {what}")


def _scalar(node: yaml.ScalarNode) -> Value:
    text = str(node.value)
    if node.style is not None:
        # JSON writes an emoji as two halves.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if text in _PLAIN:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if match := _NUMBER.fullmatch(text):
        number = float(text) if match[2] or match[3] else int(text)
        # What would not be written back the same stays text: 1.10 may be a version.
        return number if str(number) == text else text
    return text


class _Filler:
    """Walks a tree and replaces placeholders in place."""

    def __init__(self, tree: Tree, environ: Mapping[str, str], kept: set[str]) -> None:
        self.problems: dict[str, str] = {}
        self._tree = tree
        self._environ = environ
        self._kept = kept | tree.fixed

    def fill(self, value: Value, place: str) -> Value:
        """The value with its placeholders filled in."""
        if place in self._kept:
            return value
        if isinstance(value, dict):
            value.update({key: self.fill(below, join(place, key)) for key, below in value.items()})
        elif isinstance(value, list):
            value[:] = [self.fill(item, join(place, n)) for n, item in enumerate(value)]
        elif isinstance(value, str) and "${" in value:
            return _PLACEHOLDER.sub(lambda match: self._replacement(match, place), value)
        return value

    def _replacement(self, match: re.Match[str], place: str) -> str:
        if match["escaped"]:
            return "${"
        source = self._tree.sources.get(place, "the file")
        name = match["name"]
        if name is None:
            self.problems[place] = (
                f"{place} ({source}): after ${{ comes a name and }}; for a plain ${{ write $${{"
            )
            return match[0]
        found = self._environ.get(name)
        # As in a shell, `:-` also stands in for an empty value.
        if match["default"] is not None and not found:
            return str(match["default"])
        if found is None:
            self.problems[place] = (
                f"{place} ({source}): the environment has no {name}; "
                f"set it, or write ${{{name}:-default}}"
            )
            return match[0]
        self._tree.sources[place] = f"{source} with {name}"
        return found
