"""Parts as tagged JSON objects: each kind has one name in storage, and none is ever lost."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any, get_type_hints

from msgspec import Raw, Struct, ValidationError, defstruct
from msgspec.json import Decoder, Encoder
from msgspec.structs import astuple

from bot.domain.message import (
    Audio,
    File,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Unknown,
)

KINDS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "text": Text,
        "image": Image,
        "audio": Audio,
        "file": File,
        "reasoning": Reasoning,
        "tool_call": ToolCall,
        "tool_result": ToolResult,
    }
)
"""What is written as `kind`: pinned here, so that renaming a class changes no stored text."""


class _OfKind(Struct):
    kind: object = "unknown"


class _Foreign(Struct):
    """What a platform sent, in a form of its own, under the name that we have for it."""

    kind: str
    raw: Raw


def _derive(kind: str, part: type[Any]) -> type[Struct]:
    """The tagged struct with a part's own fields: msgspec takes no union of dataclasses."""
    hints = get_type_hints(part)
    derived: list[Any] = [
        (field.name, hints[field.name])
        if field.default is MISSING
        else (field.name, hints[field.name], field.default)
        for field in fields(part)
    ]
    return defstruct(part.__name__, derived, tag_field="kind", tag=kind, omit_defaults=True)


def _any_of(structs: list[type[Struct]]) -> Any:
    union: Any = structs[0]
    for struct in structs[1:]:
        union |= struct
    return union


_WIRE: dict[type[Any], type[Struct]] = {part: _derive(kind, part) for kind, part in KINDS.items()}
_DOMAIN: dict[type[Struct], Callable[..., Part]] = {wire: part for part, wire in _WIRE.items()}
_FIELDS = {part: tuple(field.name for field in fields(part)) for part in _WIRE}

_encode = Encoder().encode
_decode_part = Decoder(_any_of(list(_WIRE.values()))).decode
_decode_kind = Decoder(_OfKind).decode


def raws_of(parts: tuple[Part, ...]) -> tuple[Raw, ...]:
    """Each part as the JSON text of an object with its `kind`."""
    return tuple([_raw(part) for part in parts])


def _raw(part: Part) -> Raw:
    if isinstance(part, Unknown):
        raw = Raw(part.raw)
        # Without its kind, nobody could read it again.
        return raw if _kind_of(raw) == part.kind else Raw(_encode(_Foreign(part.kind, raw)))
    kind = type(part)
    return Raw(_encode(_WIRE[kind](*[getattr(part, name) for name in _FIELDS[kind]])))


def parts_of(raws: tuple[Raw, ...]) -> tuple[Part, ...]:
    """What `raws_of` wrote; a kind that this code does not know is kept as it is."""
    return tuple([_part(raw) for raw in raws])


def _part(raw: Raw) -> Part:
    try:
        found = _decode_part(raw)
    except ValidationError:
        # Written by a newer Parley, or by a newer form of this kind.
        return Unknown(_kind_of(raw), bytes(raw).decode())
    return _DOMAIN[type(found)](*astuple(found))


def _kind_of(raw: Raw) -> str:
    kind = _decode_kind(raw).kind
    return kind if isinstance(kind, str) else "unknown"
