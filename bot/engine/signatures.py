"""What a function's name, annotations and docstring say to a model."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo

from bot.domain.tool import ToolContext
from bot.engine.arguments import Parameters
from bot.engine.schemas import schema_of
from bot.errors import PluginError

_SECTION = re.compile(
    r"^(?:Args|Arguments|Parameters|Returns|Yields|Raises|Examples?|Notes?):[ \t]*$", re.MULTILINE
)
_ENTRY = re.compile(
    r"^(?P<indent>[ \t]+)(?P<name>\w+)[ \t]*(?:\([^)\n]*\))?:[ \t]*"
    r"(?P<text>.*(?:\n(?P=indent)[ \t]+.*)*)",
    re.MULTILINE,
)
_UNNAMED: Mapping[Any, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}
_NAMELESS = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as pydantic and a model see it; `context` names its `ToolContext` parameter.

    `fields` maps the names of the arguments model to those of the function's parameters.
    """

    description: str
    arguments: type[BaseModel]
    schema: Mapping[str, Any]
    fields: Mapping[str, str]
    context: str | None
    returns: TypeAdapter[Any]


def read_signature(function: Callable[..., object]) -> Signature:
    """Read it whole.

    Raises:
        PluginError: one sentence with file and line for each thing that a model could not know.
    """
    place = place_of(function)
    summary, described = read_docstring(inspect.getdoc(function) or "")
    hints = _hints(function, place)
    parameters = list(inspect.signature(function).parameters.values())
    context = next((one.name for one in parameters if hints.get(one.name) is ToolContext), None)
    taken = [one for one in parameters if one.name != context]
    problems = [*_problems(summary, described, hints, taken, parameters)]
    if problems:
        raise PluginError(*(f"{place}: {problem}" for problem in problems))
    names = {f"p{n}": one.name for n, one in enumerate(taken)}
    try:
        arguments = _model(place.function, taken, hints, described)
        return Signature(
            description=summary,
            arguments=arguments,
            schema=schema_of(arguments),
            fields=names,
            context=context,
            returns=TypeAdapter(hints["return"]),
        )
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise PluginError(f"{place}: a type cannot be described to a model: {reason}") from error


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first section, and the lines of `Args:` by name."""
    first = _SECTION.search(text)
    summary = text[: first.start()] if first else text
    heading = re.search(r"^(?:Args|Arguments|Parameters):[ \t]*\n", text, re.MULTILINE)
    if heading is None:
        return summary.strip(), {}
    body = text[heading.end() :]
    following = re.search(r"^\S", body, re.MULTILINE)
    body = body[: following.start()] if following else body
    entries = {match["name"]: " ".join(match["text"].split()) for match in _ENTRY.finditer(body)}
    return summary.strip(), {name: entry for name, entry in entries.items() if entry}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is written, for its author and for the operator."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        return f"{_shown(self.file)}:{self.line}"

    def __str__(self) -> str:
        return f"{self.source} {self.function}()"


def place_of(function: Callable[..., object]) -> Place:
    """File, line and name of a function, of a callable object its class's."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    name = getattr(inner, "__qualname__", type(inner).__qualname__).rpartition("<locals>.")[2]
    if code is None:
        return Place("?", 0, name)
    return Place(code.co_filename, code.co_firstlineno, name)


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _hints(function: Callable[..., object], place: Place) -> dict[str, Any]:
    inner = inspect.unwrap(function)
    try:
        return get_type_hints(
            inner if hasattr(inner, "__code__") else type(inner).__call__, include_extras=True
        )
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise PluginError(f"{place}: an annotation cannot be read: {error}") from error


def _problems(
    summary: str,
    described: Mapping[str, str],
    hints: Mapping[str, Any],
    taken: list[inspect.Parameter],
    parameters: list[inspect.Parameter],
) -> Iterator[str]:
    if not summary:
        yield "a tool needs a docstring; the model reads it"
    for one in parameters:
        if one in taken:
            yield from _parameter_problems(one, hints.get(one.name), described)
        elif one.kind in _NAMELESS:
            yield f"{one.name!r} is filled by name; leave out the / behind it or the * before it"
    if "return" not in hints:
        yield "say what it returns, for example -> str"
    names = {one.name for one in parameters}
    for name in sorted(described.keys() - names):
        yield f"the docstring describes {name!r}, which is not a parameter"


def _parameter_problems(
    one: inspect.Parameter, hint: Any, described: Mapping[str, str]
) -> Iterator[str]:
    if stars := _UNNAMED.get(one.kind):
        yield f"{stars}{one.name} cannot be offered to a model; name each parameter"
        return
    if one.kind is inspect.Parameter.POSITIONAL_ONLY:
        yield f"{one.name!r} is positional-only; a model gives arguments by name"
    if hint is None:
        yield f"{one.name!r} needs a type"
    if one.name not in described and not _field_description(hint):
        yield f"{one.name!r} needs a line under Args: in the docstring"


def _field_description(hint: Any) -> str | None:
    if get_origin(hint) is not Annotated:
        return None
    infos = [extra for extra in get_args(hint)[1:] if isinstance(extra, FieldInfo)]
    return next((info.description for info in infos if info.description), None)


def _model(
    name: str,
    taken: list[inspect.Parameter],
    hints: Mapping[str, Any],
    described: Mapping[str, str],
) -> type[BaseModel]:
    # The fields are called p0, p1 …, because a parameter may well be called `json` or `schema`,
    # which pydantic's own models are attributes of; the alias is what a model of ours sees.
    fields: dict[str, Any] = {}
    for n, one in enumerate(taken):
        default = ... if one.default is one.empty else one.default
        text = described.get(one.name) or _field_description(hints[one.name])
        field = Field(default, alias=one.name, description=text)
        fields[f"p{n}"] = (hints[one.name], field)
    return create_model(name, __base__=Parameters, **fields)
