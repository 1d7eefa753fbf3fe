"""A parameter of a query: its type, and what its values look like."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import SchemaError

from bot import Section

_LONGEST = 200
_LEAST, _MOST = -(2**63), 2**63 - 1
_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "date": date,
}


class Parameter(Section):
    """What the model fills in."""

    type: Literal["string", "integer", "number", "boolean", "date"] = Field(
        default="string", description="string, integer, number, boolean or date."
    )
    description: str = Field(min_length=1, description="What it is; the model reads this.")
    pattern: str | None = Field(
        default=None, description="A regular expression for a string, such as ^[A-Z]{2}[0-9]{6}$."
    )
    enum: tuple[str, ...] = Field(default=(), description="The only values of a string.")
    examples: tuple[str | int | float | bool, ...] = Field(
        default=(), description="Values that may occur; they help a model to recognise others."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.pattern is not None or self.enum) and self.type != "string":
            raise ValueError("pattern and enum are for strings")
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(self._annotation())
        except SchemaError as error:
            raise ValueError("pattern is no regular expression, or uses look-around") from error
        for example in self.examples:
            try:
                adapter.validate_python(example)
            except ValidationError as error:
                raise ValueError(f"the example {example!r} is not allowed by the rest") from error
        return self

    def field(self, name: str) -> Any:
        """As pydantic's `create_model` takes it."""
        return (self._annotation(), Field(alias=name, description=self.description))

    def _annotation(self) -> Any:
        shown = list(self.examples) or None
        if self.enum:
            return Annotated[Literal[self.enum], Field(examples=shown)]
        if self.type == "string":
            return Annotated[str, Field(pattern=self.pattern, max_length=_LONGEST, examples=shown)]
        if self.type == "integer":
            return Annotated[int, Field(examples=shown, ge=_LEAST, le=_MOST)]
        if self.type == "number":
            return Annotated[float, Field(examples=shown, allow_inf_nan=False)]
        return Annotated[_TYPES[self.type], Field(examples=shown)]
