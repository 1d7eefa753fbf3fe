"""What a model wrote as arguments, checked against what the function takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, from_json

from bot.errors import ToolRetry

M = TypeVar("M", bound=BaseModel)

LONGEST = 64_000
"""Characters of arguments; a longer text is a model that lost its way."""

_COMPLAINTS = 5
_COMPLAINT_LENGTH = 160


class Parameters(BaseModel):
    """The parameters of a function: it is given each, and cannot tell which were left out."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True)
class Used:
    """Arguments as JSON text, twice: the call is the same with either, save for what was left out.

    `shown` says all that the function is given, defaults included. `run` holds back the defaults
    of those models that come to the function as such: it may ask them which fields were set.
    """

    shown: str
    run: str


def parse(model: type[M], text: str) -> M:
    """Read JSON text; an empty one and `null` mean no arguments.

    Raises:
        ToolRetry: names the fields and what is expected, never more than a word of the input.
    """
    if len(text) > LONGEST:
        raise ToolRetry(f"the arguments are longer than {LONGEST} characters")
    given = _read_object(text)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        without = _without_needless_nulls(model, given, error)
        if without == given:
            raise ToolRetry(_complaint(model, error)) from error
        return _validated(model, without)


def as_used(model: type[BaseModel], text: str) -> Used:
    """What a model's arguments come to, for who is asked and for the call itself.

    Raises:
        ToolRetry: as `parse` does.
    """
    given = parse(model, text)
    shown = _written(given, whole=True)
    if shown is None:
        # Of a type that is not written as it is read (a secret) it would mean something else.
        return Used(text, text)
    if isinstance(given, Parameters):
        # What is shown of them is what is run, whatever the default has become by the yes.
        given.model_fields_set.update(model.model_fields)
    return Used(shown, _written(given, whole=False) or shown)


def _written(given: BaseModel, *, whole: bool) -> str | None:
    """The arguments as JSON text; None where that would be read as something else."""
    try:
        text = given.model_dump_json(
            by_alias=True, round_trip=True, warnings=False, exclude_unset=not whole
        )
        return text if parse(type(given), text) == given else None
    except (ValueError, ToolRetry):
        return None


def _validated(model: type[M], given: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise ToolRetry(_complaint(model, error)) from error


def _read_object(text: str) -> dict[str, Any]:
    given: Any = text
    # Some models write the object once more as a string: twice is enough.
    for _ in range(2):
        if not isinstance(given, str):
            break
        try:
            given = from_json(given.strip() or "{}", allow_inf_nan=False)
        except ValueError as error:
            raise ToolRetry("the arguments are not JSON; write one JSON object") from error
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ToolRetry("the arguments must be one JSON object")
    return given


def _without_needless_nulls(
    model: type[BaseModel], given: dict[str, Any], error: ValidationError
) -> dict[str, Any]:
    """Leave out nulls that were refused for fields with a default: models mean "not given"."""
    optional = {
        field.alias or name for name, field in model.model_fields.items() if not field.is_required()
    }
    refused = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
    return {
        key: value
        for key, value in given.items()
        if value is not None or key not in optional & refused
    }


def _complaint(model: type[BaseModel], error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    lines = [*_sentences(model, problems[:_COMPLAINTS])]
    if more := len(problems) - _COMPLAINTS:
        lines += [f"and {more} more"] if more > 0 else []
    return "; ".join(lines)


def _sentences(model: type[BaseModel], problems: list[ErrorDetails]) -> Iterator[str]:
    for problem in problems:
        place = _short(".".join(str(step) for step in problem["loc"]) or "arguments", 60)
        if problem["type"] == "extra_forbidden":
            names = [field.alias or name for name, field in model.model_fields.items()]
            takes = f"it takes {', '.join(names)}" if names else "it takes no arguments"
            yield f"{place}: no such argument; {takes}"
        elif problem["type"] == "missing":
            yield f"{place}: is required"
        else:
            yield f"{place}: {_short(problem['msg'], _COMPLAINT_LENGTH)}"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
