"""Who is served alike: the persona, model, tools and limits of one audience."""

from dataclasses import dataclass
from datetime import timedelta

from bot.ports import Model


@dataclass(frozen=True, slots=True)
class Audience:
    """What `answer` and `audiences.<name>` come to; `listed` None stands for all tools.

    `idle` is how long a session may rest; adapters may say otherwise.
    """

    name: str
    persona: str
    model: Model
    listed: frozenset[str] | None
    max_steps: int
    deadline: timedelta
    idle: timedelta
    window_messages: int = 50
    window_tokens: int = 8000
