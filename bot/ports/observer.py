"""Where facts go: one method for each."""

from typing import Protocol

from bot.domain.conversation import ConversationId, TurnId


class Observer(Protocol):
    """One method for each fact. Names, numbers and ids only: never text, never a secret."""

    def accepted(self, *, adapter: str, kind: str, new: bool) -> None: ...

    def discarded(self, *, adapter: str, why: str) -> None:
        """Acknowledged and nothing stored: own echo, join notice, unknown or malformed."""
        ...

    def rejected(self, *, adapter: str, why: str) -> None:
        """Answered 4xx (a wrong signature, too large, unreadable), or 503: too much is waiting."""
        ...

    def turn_started(self, *, turn: TurnId, conversation: ConversationId, attempt: int) -> None: ...

    def turn_ended(
        self,
        *,
        turn: TurnId,
        conversation: ConversationId,
        adapter: str,
        audience: str,
        state: str,
        seconds: float,
        waited: float,
    ) -> None: ...

    def gave_up(
        self, *, turn: TurnId, conversation: ConversationId, adapter: str, messages: int
    ) -> None:
        """Messages that were in flight at three crashes are dead letters now."""
        ...

    def model_called(
        self,
        *,
        turn: TurnId,
        rung: str,
        outcome: str,
        seconds: float,
        first: float | None,
        input: int,
        output: int,
    ) -> None: ...

    def model_failed(self, *, turn: TurnId, rung: str, outcome: str, reason: str) -> None:
        """A call of one model brought nothing, whether or not another answers instead.

        `outcome` is transient or permanent; `reason` is our own text, never the provider's.
        """
        ...

    def tool_ended(
        self, *, turn: TurnId, tool: str, outcome: str, seconds: float, audience: str
    ) -> None:
        """`outcome` is ok, failed, retry, error, timeout, refused, missing or unknown.

        Unknown: it may happen once, was begun, and nobody can say whether it was done.
        """
        ...

    def sent(self, *, adapter: str, turn: TurnId, piece: int, seconds: float) -> None: ...

    def send_failed(
        self, *, adapter: str, turn: TurnId, piece: int, outcome: str, reason: str
    ) -> None:
        """`outcome` is transient, held, ambiguous, repeated, dead or expired."""
        ...

    def draft_failed(self, *, adapter: str, turn: TurnId, reason: str) -> None: ...

    def session_ended(self, *, conversation: ConversationId, by: str) -> None: ...

    def listening(self, *, adapter: str, alive: bool) -> None: ...

    def late_result(self, *, tool: str) -> None:
        """A tool that was given up came back; its result was dropped."""
        ...

    def upkeep(self, *, job: str, rows: int) -> None:
        """A job of the schedule changed so many rows."""
        ...

    def failed(self, *, place: str, error: BaseException) -> None:
        """Unexpected, at one of the places where foreign code is called; logged once."""
        ...
