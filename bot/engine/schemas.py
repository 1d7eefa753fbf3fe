"""A pydantic model as the plain JSON schema that every model provider understands."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

# Below these keywords stand names of the author's, not keywords of the schema.
_NAMED = ("properties", "$defs", "patternProperties")
_PREFIX = "#/$defs/"


class _Recursive(Exception):
    """A definition holds itself and cannot be written out."""


class _Strict(GenerateJsonSchema):
    """Raises where pydantic would warn: a default that no JSON can hold stops the start."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        raise ValueError(detail)


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Type object, nothing beside its properties, no titles, definitions written out.

    Only a type that holds itself keeps its `$defs`.

    Raises:
        ValueError: something in it has no JSON form.
    """
    schema: dict[str, Any] = _untitled(model.model_json_schema(schema_generator=_Strict))
    schema.pop("description", None)
    schema = {"type": "object", "properties": {}, **schema, "additionalProperties": False}
    definitions = schema.get("$defs", {})
    try:
        written_out: dict[str, Any] = _written_out(schema, definitions, inside=())
    except _Recursive:
        return schema
    written_out.pop("$defs", None)
    return written_out


def signature_text(name: str, schema: Mapping[str, Any]) -> str:
    """One line for a person: `convert(time: string, date: string = "")`."""
    required = set(schema.get("required", ()))
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    parts = [
        f"{key}: {_type_name(value)}" + ("" if key in required else f" = {_literal(value)}")
        for key, value in properties.items()
    ]
    return f"{name}({', '.join(parts)})"


def _type_name(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(repr(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_type_name(one) for one in schema["anyOf"])
    return str(schema.get("type", "any"))


def _literal(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    return f'"{value}"' if isinstance(value, str) else str(value)


def _untitled(node: Any, *, names: bool = False) -> Any:
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value
        if key in {"default", "examples", "enum", "const"} and not names
        else _untitled(value, names=not names and key in _NAMED)
        for key, value in node.items()
        if names or key != "title"
    }


def _written_out(node: Any, definitions: Mapping[str, Any], *, inside: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_written_out(item, definitions, inside=inside) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(_PREFIX):
        name = reference.removeprefix(_PREFIX)
        if name in inside:
            raise _Recursive(name)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _written_out({**definitions[name], **beside}, definitions, inside=(*inside, name))
    return {
        key: value if key == "$defs" else _written_out(value, definitions, inside=inside)
        for key, value in node.items()
    }
