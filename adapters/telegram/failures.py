"""What went wrong with a call, in the words that the engine acts on."""

import warnings
from datetime import timedelta

import msgspec
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from bot import Ambiguous, Doubtful, ParleyError, Permanent, Transient

_LONGEST_REASON = 200


class CallFailed(TelegramError):
    """Carries our own error through the library, which lets only its own classes pass."""

    def __init__(self, outcome: ParleyError) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


class Declined(Permanent):
    """A 4xx with a reason, in the service's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:_LONGEST_REASON])
        self.reason = reason.lower()

    @property
    def is_unchanged(self) -> bool:
        """An edit that changes nothing: the message says already what it should."""
        return "message is not modified" in self.reason

    @property
    def is_gone(self) -> bool:
        """The message that was to be changed is not there or not ours to change."""
        return any(
            words in self.reason
            for words in (
                "message to edit not found",
                "message to delete not found",
                "message can't be edited",
                "message_id_invalid",
                "message identifier is not specified",
            )
        )

    @property
    def is_about_entities(self) -> bool:
        """The text would be taken without its markup."""
        return "entit" in self.reason

    @property
    def is_unknown_method(self) -> bool:
        """An older server: it does not know what we asked for."""
        return self.reason in {"not found", "not found: method not found"}


class Blocked(Permanent):
    """The person blocked us, or we were removed from the group."""


class WrongToken(Permanent):
    """The token opens nothing."""


class Moved(Permanent):
    """The group has a new id."""

    def __init__(self, chat: int) -> None:
        super().__init__("the group was upgraded and has a new id")
        self.chat = chat


class Elsewhere(Transient):
    """Another process polls, or a webhook is set."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason[:_LONGEST_REASON])
        self.by_webhook = "webhook" in reason.lower()


class _Parameters(msgspec.Struct):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct):
    ok: bool
    error_code: int | None = None
    description: str = ""
    parameters: _Parameters | None = None


_answers = msgspec.json.Decoder(_Answer)


def failure_of(status: int, body: bytes) -> ParleyError | None:
    """What an HTTP answer says; None when it is a success that can be read.

    A 4xx in the service's own form says that nothing was done. A 5xx does not: its front answers
    "Bad Gateway" in that form when it lost what stands behind it (tdlib/telegram-bot-api#868).
    Anything else with a 2xx or 5xx comes from something between us, and nobody knows.
    """
    try:
        answer = _answers.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _unreadable(status)
    if answer.ok and 200 <= status < 300:
        return None
    parameters = answer.parameters or _Parameters()
    if parameters.migrate_to_chat_id is not None:
        return Moved(parameters.migrate_to_chat_id)
    if parameters.retry_after is not None:
        return flooded(parameters.retry_after)
    return _by_status(answer.error_code or status, answer.description)


def flooded(seconds: float) -> Transient:
    """Too much, come back later."""
    return Transient("flood limit", retry_after=timedelta(seconds=max(seconds, 1.0)))


def _unreadable(status: int) -> ParleyError:
    if status == 429:
        return flooded(5)
    if 400 <= status < 500:
        return Declined(f"HTTP {status} without a reason")
    if 300 <= status < 400:
        return Permanent(f"HTTP {status}: base_url does not lead to a Bot API")
    return Ambiguous(f"HTTP {status} and no answer that can be read")


def _by_status(status: int, reason: str) -> ParleyError:
    match status:
        case 401:
            return WrongToken("Telegram does not know this token")
        case 404:
            return Declined(reason or "not found")
        case 403:
            return Blocked(reason[:_LONGEST_REASON])
        case 409:
            return Elsewhere(reason)
        case 429:
            return flooded(5)
        case _ if 400 <= status < 500:
            return Declined(reason or f"HTTP {status}")
        case _:
            return Doubtful(f"HTTP {status}")


def translate(error: TelegramError) -> ParleyError:
    """The library's own classes; most never arise, because `failure_of` has spoken before."""
    match error:
        case CallFailed():
            return error.outcome
        case RetryAfter():
            return flooded(_seconds(error))
        case ChatMigrated():
            return Moved(error.new_chat_id)
        case Forbidden():
            return Blocked("the bot was blocked or removed")
        case InvalidToken():
            return WrongToken("Telegram does not know this token")
        case Conflict():
            return Elsewhere(error.message)
        case BadRequest():
            return Declined(error.message)
        case NetworkError():
            # Its subclass TimedOut among them: the request may have been written.
            return Ambiguous(type(error).__name__)
        case _:
            return Permanent(type(error).__name__)


def _seconds(error: RetryAfter) -> float:
    with warnings.catch_warnings():
        # The library announces another type of this value for a later version.
        warnings.simplefilter("ignore")
        value = error.retry_after
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
