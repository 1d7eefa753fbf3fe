"""No module imports itself by a detour: each can be read, and tried, after those it stands on.

`from package import name` counts as an import of the package too, even where `name` is a file of
it: a package whose own files ask at its door goes round in a circle. Imports inside functions and
under TYPE_CHECKING count like all others. That a file's package is loaded before it does not.
"""

import ast
from collections import deque
from collections.abc import Iterator, Mapping, Set

from tests.architecture.source import Source, sources

Graph = Mapping[str, Set[str]]

PROGRAM = ("bot/*", "adapters/*", "plugins/*")


def test_no_module_imports_itself_by_a_detour() -> None:
    assert not [" → ".join(circle) for circle in circles(graph_of(sources(*PROGRAM)))]


def test_the_graph_holds_the_whole_program() -> None:
    graph = graph_of(sources(*PROGRAM))
    assert {"bot.engine.lane", "adapters.slack", "plugins.clock"} <= graph.keys()
    assert "adapters.slack.split" in graph["adapters.slack.adapter"]


def test_a_circle_is_found_and_named_in_its_order() -> None:
    graph = {"a": {"b", "x"}, "b": {"c"}, "c": {"a"}, "x": set(), "y": {"a", "x"}}
    assert circles(graph) == [("a", "b", "c", "a")]


def test_each_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"a", "m"}, "m": {"n"}, "n": {"m"}, "s": {"s"}}
    assert circles(graph) == [("a", "b", "a"), ("m", "n", "m"), ("s", "s")]


def test_what_only_meets_again_is_no_circle() -> None:
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_a_file_that_asks_at_the_door_of_its_own_package_closes_a_circle() -> None:
    package = _written("adapters/p/__init__.py", "from adapters.p.wire import Wire")
    wire = _written("adapters/p/wire.py", "from adapters.p import split")
    split = _written("adapters/p/split.py", "import re")
    assert circles(graph_of((package, wire, split))) == [
        ("adapters.p", "adapters.p.wire", "adapters.p")
    ]


def test_an_import_for_types_or_in_a_function_closes_a_circle_too() -> None:
    types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bot.b import B"
    late = "def later():\n    import bot.a"
    pair = (_written("bot/a.py", types), _written("bot/b.py", late))
    assert circles(graph_of(pair)) == [("bot.a", "bot.b", "bot.a")]


def graph_of(files: tuple[Source, ...]) -> Graph:
    """Each module of these with those among them that it imports."""
    modules = {_module(file.path): file for file in files}
    return {name: {*_imports(file)} & modules.keys() for name, file in modules.items()}


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """One way round for every knot of modules: it ends where it begins, at the first name."""
    reached = {name: _reached(graph, name) for name in sorted(graph)}
    knots = {
        frozenset(other for other in reach if name in reached[other])
        for name, reach in reached.items()
        if name in reach
    }
    return sorted(_round(graph, knot) for knot in knots)


def _reached(graph: Graph, start: str) -> set[str]:
    """All modules that an import of this one leads to; itself only by a detour."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph[ahead.pop()] - found
        found |= new
        ahead.extend(new)
    return found


def _round(graph: Graph, knot: Set[str]) -> tuple[str, ...]:
    """The shortest way from the knot's first name back to it."""
    first = min(knot)
    way_to: dict[str, tuple[str, ...]] = {first: (first,)}
    ahead = deque([first])
    while ahead:
        here = ahead.popleft()
        if first in graph[here]:
            return (*way_to[here], first)
        for name in sorted(graph[here] & knot - way_to.keys()):
            way_to[name] = (*way_to[here], name)
            ahead.append(name)
    raise AssertionError(f"{first} is in no circle")


def _imports(file: Source) -> Iterator[str]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _written(path: str, text: str) -> Source:
    return Source(path, ast.parse(text))
