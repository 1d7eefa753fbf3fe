"""What is asked of a model, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.domain.conversation import ConversationId, TurnId, Usage
from bot.domain.message import Message, Reasoning


class Effect(StrEnum):
    """What running a tool a second time would do."""

    READ = "read"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it. `parameters` is a JSON schema of type object.

    `examples` is what a person would say to get it.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    effect: Effect = Effect.READ
    needs_approval: bool = False
    roles: frozenset[str] = frozenset()
    private: bool = False
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """For whom and about what a model is asked; never text of the conversation."""

    tenant: str
    audience: str
    conversation: ConversationId
    person: str
    turn: TurnId
    step: int = 1
    roles: frozenset[str] = frozenset()
    locale: str = "en"
    rung: str = ""
    """The model that answered this turn's earlier steps; its later steps begin there."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_output_tokens: int | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The only road to a model. `watched` is true while somebody can see an answer grow.

    `deadline` is aware UTC: when the turn has to be over. `begin_by` is when the first delta has
    to be there, because another model waits to be asked after it; None: by the deadline.
    `shortened`: the history was too long for a model and half of it is gone already.
    """

    messages: tuple[Message, ...]
    facts: Facts
    deadline: datetime
    tools: tuple[ToolSpec, ...] = ()
    limits: Limits = field(default=Limits())
    watched: bool = False
    begin_by: datetime | None = None
    shortened: bool = False

    @property
    def first_due(self) -> datetime:
        """When a model that has said nothing yet has used up its time."""
        return self.deadline if self.begin_by is None else min(self.begin_by, self.deadline)


class Reason(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    TOOLS = "tools"
    LENGTH = "length"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """One whole tool call: the wire joins the fragments, so that nobody else has to.

    `arguments` is JSON text, "{}" where the model sent nothing.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a complete answer; a stream that ends without it is a failure.

    `rung` names the model that answered: the configured name, for the operator.
    """

    reason: Reason
    rung: str = ""


Delta = TextDelta | ToolCallDelta | Reasoning | Usage | Finished
