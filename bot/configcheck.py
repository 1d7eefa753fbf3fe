"""A group of settings checked: what is wrong, said so that an operator can mend it."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bot.config import Section
from bot.configfile import Value, join
from bot.units import HOLDS_PASSWORD, show_duration

S = TypeVar("S", bound=Section)

MASK = "****"
LONGEST = 80
_SECRET_WORDS = {
    "token",
    "secret",
    "key",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "credentials",
    "authorization",
}
# Greedy up to the last @: a password may hold one itself.
_CREDENTIALS = re.compile(r"(://[^:/@\s]*):\S*@")
# PostgreSQL's clients take the password behind the question mark as well. It is hidden first: an @
# in it would pass for the one before the host.
_ASKED = re.compile(
    r"([?&][\w.-]*(?:password|passwd|token|secret|api[_-]?key)=)[^&\s]+", re.IGNORECASE
)
_SENTENCES = {
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "string_type": "write a text",
    "string_too_short": "write something, or leave the key out",
    "too_short": "write something, or leave the key out",
    "literal_error": "write one of {expected}",
    "greater_than_equal": "write {ge} or more",
    "greater_than": "write more than {gt}",
    "less_than_equal": "write {le} or less",
    "less_than": "write less than {lt}",
    "tuple_type": "write a list",
    "list_type": "write a list",
    "dict_type": "write a group of keys",
    "mapping_type": "write a group of keys",
    "model_type": "write a group of keys",
    "dataclass_type": "write a group of keys",
}


def check_entry(
    settings_class: type[S],
    mapping: Mapping[str, Value],
    place: str,
    sources: Mapping[str, str],
    base: Path | None = None,
) -> tuple[S | None, dict[str, str]]:
    """Read one group; the instance, or None and a sentence for each place that is wrong.

    Relative paths in it start at `base`.
    """
    try:
        return settings_class.model_validate(mapping, context={"base": base or Path()}), {}
    except ValidationError as error:
        problems: dict[str, str] = {}
        for detail in error.errors(include_url=False):
            keys = _keys(detail, mapping)
            dotted = ".".join([place, *map(str, keys)]) if place else ".".join(map(str, keys))
            sentence = _Problem(settings_class, place, dotted, keys, detail).sentence(sources)
            # The members of a union complain one by one; the first says it.
            problems.setdefault(dotted, sentence)
        return None, problems


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was probably meant."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return near[0] if near else None


def fields_below(settings_class: type[BaseModel], keys: list[str]) -> type[BaseModel] | None:
    """The group that lies some keys further down; None when that is no plain group."""
    for key in keys:
        found = settings_class.model_fields.get(key)
        inner = found.annotation if found else None
        if not isinstance(inner, type) or not issubclass(inner, BaseModel):
            return None
        settings_class = inner
    return settings_class


def _group_at(settings_class: type[BaseModel], keys: Sequence[str | int]) -> Any:
    """The class that reads what lies at some keys, through mappings and lists as well."""
    here: Any = settings_class
    for key in keys:
        if _is_group(here):
            field = here.model_fields.get(str(key))
            here = _without_none(field.annotation) if field else None
        else:
            # The key chooses a member; the last argument is what members are.
            members = [member for member in get_args(here) if member is not Ellipsis]
            here = _without_none(members[-1]) if members else None
    return here


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _without_none(annotation: Any) -> Any:
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and type(None) in get_args(annotation) else annotation


def source_at(place: str, sources: Mapping[str, str]) -> str:
    """Where a value was written: its own place, else the nearest place above."""
    while place:
        if place in sources:
            return sources[place]
        place = place.rpartition(".")[0]
    return "default"


def show(value: Any, *, secret: bool) -> str:
    """A value as it may be read by anyone: secrets masked, long texts cut."""
    if secret and value is not None:
        return MASK
    if isinstance(value, timedelta):
        value = show_duration(value)
    text = mask(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def mask(text: str) -> str:
    """Hide the passwords of every address in a text, wherever it holds them."""
    return _CREDENTIALS.sub(rf"\1:{MASK}@", _ASKED.sub(rf"\1{MASK}", text))


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value is nobody's business."""
    return not _SECRET_WORDS.isdisjoint(key.lower().split("_"))


class _Problem:
    """One finding of pydantic on its way to becoming a sentence."""

    def __init__(
        self,
        settings_class: type[Section],
        place: str,
        dotted: str,
        keys: list[str | int],
        detail: ErrorDetails,
    ) -> None:
        self._class = settings_class
        self._place = place
        self._dotted = dotted
        self._keys = keys
        self._detail = detail

    def sentence(self, sources: Mapping[str, str]) -> str:
        source = source_at(self._dotted, sources)
        match self._detail["type"]:
            case "missing":
                return f"{self._dotted} is missing ({source}): {self._how_to_set()}"
            case "extra_forbidden":
                return f"{self._dotted} ({source}): {self._unknown()}"
        value = self._detail["input"]
        advice = self._advice()
        if not self._keys or isinstance(value, list | dict | BaseModel):
            return f"{self._dotted} ({source}): {advice}"
        shown = show(value, secret=self._secret())
        if isinstance(value, str | timedelta) and shown != MASK:
            shown = f'"{shown}"'
        return f"{self._dotted} is {shown} ({source}): {advice}"

    def _how_to_set(self) -> str:
        variable = "PARLEY_" + self._dotted.upper().replace(".", "__")
        field = self._field()
        described = field.description if field else None
        if self._keys[-1] == "use":
            return f"write it. {described or ''}".rstrip()
        return f"write it, or set {variable}. {described or ''}".rstrip()

    def _unknown(self) -> str:
        group = _group_at(self._class, self._keys[:-1])
        known = sorted(group.model_fields) if _is_group(group) else []
        near = nearest(str(self._keys[-1]), known)
        if near:
            above = self._dotted.rpartition(".")[0]
            return f"there is no such key; did you mean {join(above, near)}?"
        return f"there is no such key{'; there are ' + ', '.join(known) if known else ''}"

    def _advice(self) -> str:
        context = self._detail.get("ctx", {}) | self._bounds()
        if self._detail["type"] == "value_error":
            text = str(context["error"])
        elif self._detail["type"] in _SENTENCES:
            text = _SENTENCES[self._detail["type"]].format(**context).replace("'", "")
        elif self._detail["type"] == "string_pattern_mismatch":
            field = self._field()
            described = field.description if field else None
            text = f"it needs another form. {described or ''}".rstrip()
        else:
            text = self._detail["msg"].removeprefix("Value error, ")
        return self._without_value(text)

    def _field(self) -> FieldInfo | None:
        group = _group_at(self._class, self._keys[:-1])
        return (
            group.model_fields.get(str(self._keys[-1])) if self._keys and _is_group(group) else None
        )

    def _bounds(self) -> dict[str, object]:
        # pydantic gives a duration's bound as the text of its repr.
        field = self._field()
        names = ("ge", "gt", "le", "lt")
        found = {
            name: getattr(constraint, name)
            for constraint in (field.metadata if field else ())
            for name in names
            if hasattr(constraint, name)
        }
        return {
            name: show_duration(bound) if isinstance(bound, timedelta) else bound
            for name, bound in found.items()
        }

    def _secret(self) -> bool:
        field = self._field()
        kinds = () if field is None else (field.annotation, *field.metadata)
        if any(_holds(kind, timedelta) for kind in kinds):
            return False
        # A file has no password; of a server's address that cannot be read, nobody knows where.
        value = self._detail["input"]
        is_file = isinstance(value, str) and value.startswith("sqlite:")
        if not is_file and any(_holds(kind, HOLDS_PASSWORD) for kind in kinds):
            return True
        named = any(is_secret(str(key)) for key in self._keys)
        return named or any(_holds(kind, SecretStr) for kind in kinds)

    def _without_value(self, text: str) -> str:
        # An adapter's own check may quote what it was given.
        value = self._detail["input"]
        if isinstance(value, str) and value and self._secret():
            text = text.replace(value, MASK)
        return mask(text)


def _keys(detail: ErrorDetails, mapping: Mapping[str, Value]) -> list[str | int]:
    """The keys on the way to the finding, without the tags that a union puts in between."""
    keys: list[str | int] = []
    here: Any = mapping
    last = len(detail["loc"]) - 1
    for position, key in enumerate(detail["loc"]):
        named = position == last and detail["type"] == "missing"
        inside = (isinstance(here, dict) and key in here) or (
            isinstance(here, list) and isinstance(key, int)
        )
        if inside:
            here = here[key]
        elif not named:
            continue
        keys.append(key)
    return keys


def _holds(annotation: Any, kind: object) -> bool:
    return annotation is kind or any(_holds(inner, kind) for inner in get_args(annotation))
