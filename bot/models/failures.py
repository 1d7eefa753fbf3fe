"""What a provider's complaint means for us; what it says in words is read here and kept nowhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from bot.errors import ContextTooLong, ParleyError, Permanent, Transient
from bot.models.lenient import read


class Busy(Transient):
    """The provider is there and has enough of us for now (429)."""


class NoRoom(Transient):
    """Nobody was asked: all the connections that we may have are taken. Says nothing of anybody."""


class PromptFiltered(Permanent):
    """The provider's content filter refused the question itself."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error answer: in a status code, in a body with status 200, or inside a stream."""

    status: int | None = None
    code: str = ""
    text: str = ""
    retry_after: timedelta | None = None


_TOO_LONG = re.compile(
    r"context.?(length|window|size|limit)|exceed_context|maximum prompt length"
    r"|(prompt|input)( is)? too (long|large)|too many (input )?tokens"
    r"|reduce the length of the (messages|input|prompt)|exceeded model token limit"
    r"|token count[^.]{0,60} exceeds|range of input length|超长|上下文长度"
)
_TOO_LARGE = re.compile(
    # What took too long was late, not long.
    r"(prompt|input|request)((?! (took|tak(es|ing)|wait|queue))[^.]){0,40} too (long|large)"
)
_NO_MONEY = re.compile(
    r"insufficient[_ ](quota|balance|credits?|funds)|exceeded_current_quota|arrearage"
    r"|billing_(hard_limit|not_active)|payment required|余额不足|欠费"
)
_FILTERED = re.compile(r"content_filter|responsibleaipolicy|data_inspection_failed|contentfilter")
_BUSY = re.compile(r"rate.?limit|too many requests|tokens per min|\btpm\b|\brpm\b|throttl")
_PASSING = re.compile(r"overloaded|server_error|internal|unavailable|timeout|timed out|try again")
_OURS = re.compile(r"invalid|unsupported|not_found|does not exist|authentication|permission")
# What providers call their complaints, of which a log may name these: any other word that stands
# where a code should be may be somebody's.
_CODES = frozenset(
    """
    access_denied account_deactivated arrearage authentication_error bad_request badrequesterror
    billing_hard_limit_reached billing_not_active context_length_exceeded data_inspection_failed
    deploymentnotfound engine_overloaded_error exceeded_current_quota_error forbidden
    incorrect_api_key insufficient_balance insufficient_quota insufficient_user_quota
    internal_error internal_server_error invalid_api_key invalid_authentication_error
    invalid_model invalid_parameter invalid_parameter_error invalid_request invalid_request_error
    invalid_value missing_required_parameter model_not_found model_not_supported
    mistral_error not_found not_found_error notfounderror operationnotsupported overloaded_error
    permission_denied permission_error rate_limit_error rate_limit_exceeded
    rate_limit_reached_error resource_exhausted resource_not_found server_error
    service_unavailable string_above_max_length timeout token_expired too_many_requests
    unauthorized unknown_model unknown_parameter unsupported_country_region_territory
    unsupported_parameter unsupported_value upstream_error
    """.split()
)
_ENOUGH = 4000


def failure(rung: str, complaint: Complaint) -> ParleyError:
    """The error that tells our callers what to do next. Its message holds no provider's text."""
    words = f"{complaint.code} {complaint.text}".lower()
    status = complaint.status
    said = _said(rung, complaint)
    if _NO_MONEY.search(words) or status == 402:
        return Permanent(f"{said}: the account has no quota left")
    # One request above the tokens of a whole minute is told as a 429, and waiting never helps.
    if status == 429 and "too large" in words:
        return ContextTooLong(said)
    if status == 429 or (status is None and _BUSY.search(words)):
        return Busy(said, retry_after=complaint.retry_after)
    if _is_too_long(status, words):
        return ContextTooLong(said)
    if _FILTERED.search(words):
        return PromptFiltered(said)
    if _passes(status, words):
        return Transient(said, retry_after=complaint.retry_after)
    return Permanent(said)


def complaint_of(status: int, content: bytes, retry_after: timedelta | None = None) -> Complaint:
    """Read the body of an answer whose status says that it is a complaint."""
    try:
        body: object = read(msgspec.json.decode, content)
    except (msgspec.DecodeError, RecursionError):
        body = {"message": content[:_ENOUGH].decode(errors="replace")}
    complaint = complaint_in(body, status) or _complaint(body, status)
    return replace(complaint, retry_after=retry_after)


def complaint_in(body: object, status: int | None = None) -> Complaint | None:
    """Read an error body in any of the forms that providers use; None when it is no complaint."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if error:
        inner = error if isinstance(error, dict) else {"message": error}
        return _complaint(inner, status)
    if isinstance(body.get("response"), dict) and body["response"].get("error"):
        return _complaint(body["response"]["error"], status)
    if body.get("object") == "error" or body.get("type") == "error":
        return _complaint(body, status)
    if any(key in body for key in ("detail", "error_code", "error_msg", "base_resp")):
        return _complaint(body, status)
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """When the provider wants to be asked again: in milliseconds, in seconds or as a date."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return timedelta(milliseconds=max(0.0, float(milliseconds)))
        said = headers.get("retry-after", "").strip()
        if said.replace(".", "", 1).isdecimal():
            return timedelta(seconds=float(said))
        return max(timedelta(), parsedate_to_datetime(said) - now) if said else None
    except (ValueError, TypeError, OverflowError):
        return None


def _complaint(error: object, status: int | None) -> Complaint:
    if not isinstance(error, dict):
        return Complaint(status, text=str(error))
    code, kind = error.get("code"), error.get("type")
    number = _status(code)
    words = " ".join(str(value) for value in (kind, *_texts(error)) if value)
    name = next((str(value) for value in (code, kind) if value and _status(value) is None), "")
    return Complaint(status if status is not None else number, name, words)


def _status(code: Any) -> int | None:
    """An HTTP status that stands in the body, as aggregators send it with a 200 of their own."""
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _texts(error: dict[str, Any]) -> list[str]:
    return [str(error[key]) for key in ("message", "msg", "detail", "error_msg") if error.get(key)]


def _is_too_long(status: int | None, words: str) -> bool:
    if status in {401, 403, 404}:
        return False
    # A server that fails tells of requests that were queued or answered for too long.
    late = status is not None and (status == 408 or status >= 500)
    return bool(_TOO_LONG.search(words)) or (not late and bool(_TOO_LARGE.search(words)))


def _passes(status: int | None, words: str) -> bool:
    if status is not None:
        return status >= 500 or status in {408, 409, 425}
    return bool(_PASSING.search(words)) or not _OURS.search(words)


def _said(rung: str, complaint: Complaint) -> str:
    code = complaint.code.lower()
    parts = [f"HTTP {complaint.status}" if complaint.status else "an error in the answer"]
    if code in _CODES:
        parts.append(code)
    return f"{rung}: {' '.join(parts)}"
