"""What went wrong with a call, in the words that the engine acts on."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from slack_sdk.errors import SlackApiError, SlackClientError

from bot import Ambiguous, ParleyError, Permanent, Transient

LONGEST_WAIT = 3600.0
_USUAL_WAIT = 30.0
_LONGEST_CODE = 80

_TOKEN = frozenset(
    "invalid_auth not_authed account_inactive token_revoked token_expired "
    "not_allowed_token_type team_access_not_granted access_denied".split()
)
# Nothing was done and the same call may be right in a while.
_LATER = frozenset(
    "service_unavailable request_timeout team_added_to_org org_login_required".split()
)
# Slack's own words: "It's possible some aspect of the operation succeeded before the error."
_UNKNOWN = frozenset("internal_error fatal_error".split())
_LIMITED = frozenset("ratelimited rate_limited".split())
_GONE = frozenset(
    "message_not_found cant_update_message edit_window_closed cant_delete_message".split()
)
_BLOCKS = frozenset(
    "invalid_blocks invalid_blocks_format msg_blocks_too_long markdown_text_conflict".split()
)
_OUTSIDE = frozenset(
    "not_in_channel channel_not_found is_archived user_not_in_channel messages_tab_disabled".split()
)


class CallFailed(SlackClientError):
    """Carries our own error through the library, which lets only its own classes pass."""

    def __init__(self, outcome: ParleyError) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


class Declined(Permanent):
    """Slack said no, with a code of its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code[:_LONGEST_CODE])
        self.code = code

    @property
    def is_gone(self) -> bool:
        """The message that was to be changed is not there or cannot be changed any more."""
        return self.code in _GONE

    @property
    def is_about_blocks(self) -> bool:
        """The words would be taken without their layout."""
        return self.code in _BLOCKS

    @property
    def is_outside(self) -> bool:
        """The bot may not write there: it was not invited, or nobody may."""
        return self.code in _OUTSIDE or self.code.startswith("restricted_action")


class WrongToken(Declined):
    """The token opens nothing, or nothing any more."""


class MissingScope(Declined):
    """The token is right and may not do this."""

    def __init__(self, needed: str) -> None:
        super().__init__("missing_scope")
        self.needed = needed


class Limited(Transient):
    """Too much of one method; it says when to come back."""


class _Answer(msgspec.Struct):
    ok: bool
    error: str = ""
    needed: str = ""


def failure_of(
    status: int, headers: Mapping[str, str], data: Mapping[str, Any] | None
) -> ParleyError | None:
    """What an HTTP answer says; None when it is a success that can be read.

    A body in Slack's own form says what was done. Anything else with a 2xx or 5xx comes from
    something between us, and nobody knows.
    """
    if status == 429:
        return limited(headers.get("Retry-After"))
    try:
        answer = msgspec.convert(data, _Answer)
    except msgspec.ValidationError:
        return _unreadable(status)
    if answer.ok and 200 <= status < 300:
        return None
    if answer.error == "missing_scope":
        return MissingScope(answer.needed)
    return _by_code(answer.error or f"http_{status}", headers)


def limited(after: str | None) -> Limited:
    """Too much, come back later."""
    seconds = float(after) if after is not None and after.strip().isdigit() else _USUAL_WAIT
    wait = timedelta(seconds=min(max(seconds, 1.0), LONGEST_WAIT))
    return Limited("rate limited", retry_after=wait)


def _unreadable(status: int) -> ParleyError:
    if 300 <= status < 400:
        return Permanent(f"HTTP {status}: base_url does not lead to the Web API")
    if 400 <= status < 500:
        return Declined(f"http_{status}")
    return Ambiguous(f"HTTP {status} and no answer that can be read")


def _by_code(code: str, headers: Mapping[str, str]) -> ParleyError:
    if code in _TOKEN:
        return WrongToken(code)
    if code in _LIMITED:
        return limited(headers.get("Retry-After"))
    if code in _LATER:
        return Transient(code)
    if code in _UNKNOWN or code.startswith("http_5"):
        return Ambiguous(code)
    return Declined(code)


def translate(error: SlackClientError) -> ParleyError:
    """The library's own classes; most never arise, because `failure_of` has spoken before."""
    if isinstance(error, CallFailed):
        return error.outcome
    if isinstance(error, SlackApiError):
        return _of_response(error.response)
    return Permanent(type(error).__name__)


def _of_response(response: Any) -> ParleyError:
    data = getattr(response, "data", response)
    code = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(code, str) and code:
        return _by_code(code, {})
    return Ambiguous("an answer of an unknown form")
