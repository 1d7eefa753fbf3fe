"""What can go wrong, sorted by what the caller does next.

ParleyError
├── ConfigError        stop: the operator mends the configuration
│   └── PluginError    stop: the plugin's author mends the function
├── Refused            answer with the sentence that it carries
├── Transient          try later
│   ├── Doubtful       try later, and say that it may be there twice
│   └── PartlyDone     try later what is left of it
├── Held               wait for the person
├── Ambiguous          nobody knows whether it was sent: decide by policy
├── Permanent          give up and say so
│   └── Unfinishable   send the answer as a message of its own
├── Fenced             somebody else runs this lane now: stop this turn, silently
└── ToolError          tell the model
    ├── ToolFailed     it should go on without the result
    └── ToolRetry      it should call again with better arguments
"""

from collections.abc import Mapping
from datetime import datetime, timedelta


class ParleyError(Exception):
    """Base of every error that this project raises on purpose."""


class ConfigError(ParleyError):
    """The configuration cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(ConfigError):
    """A plugin cannot be offered to a model as it is written."""


class Refused(ParleyError):
    """A rule said no. `sentence` is a name in `domain/sentences.py`, `values` fill it."""

    def __init__(self, sentence: str, **values: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.values = values


class Transient(ParleyError):
    """It may work later; `retry_after` where the other side said when."""

    def __init__(self, message: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Doubtful(Transient):
    """The service said itself that it failed (5xx), and may have done it all the same."""


class PartlyDone(Transient):
    """Some of several things could not be done; `counts` says how much was."""

    def __init__(self, message: str, counts: Mapping[str, int]) -> None:
        super().__init__(message)
        self.counts = counts


class Held(ParleyError):
    """The platform takes nothing until the person writes again, or until a time."""

    def __init__(self, message: str = "", *, until: datetime | None = None) -> None:
        super().__init__(message)
        self.until = until


class Ambiguous(ParleyError):
    """The request was written and no answer came: it may have been shown."""


class Permanent(ParleyError):
    """It will never work as asked."""


class ContextTooLong(Permanent):
    """The model takes fewer tokens than it was sent; a shorter window may do."""


class Unfinishable(Permanent):
    """The draft cannot become this answer, and nothing was sent: it needs a message of its own."""


class Fenced(ParleyError):
    """The lane has a newer holder; nothing was written."""


class Gone(ParleyError):
    """The row is not there to be taken any more, though the lane is held: look again."""


class ToolError(ParleyError):
    """Something that the model should hear about."""


class ToolFailed(ToolError):
    """The tool could not do it; the model should go on without the result."""


class ToolRetry(ToolError):
    """The arguments were wrong; the message says how."""
