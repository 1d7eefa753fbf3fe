"""What went wrong with a call, in the words that the engine acts on and an operator reads."""

import re
from datetime import timedelta

from adapters.wechat.advice import of_code
from bot import Ambiguous, Held, ParleyError, Permanent, Said, Transient

_LONGEST_REASON = 120
# "rid: 67b8…" names one request to the platform's support and nothing to anybody else.
_REQUEST_ID = re.compile(r"\s*(?:rid|hint):?\s*\[?[\w-]+\]?")

STALE_TOKENS = frozenset({40001, 40014, 42001})
"""The access token is not the newest any more: fetch one, try once more, no oftener."""

TYPING_ALREADY = frozenset({45080, 45081})
"""The person wrote too long ago for it, or sees it already: decoration, and permitted."""


class NotPermitted(Held):
    """The account may not send customer-service messages: it can only answer calls."""


class ServiceOff(NotPermitted):
    """The account has not switched on the new customer service (新客服): 65400, and it lasts."""


class WindowClosed(Held):
    """More than 48 hours since the person wrote."""


class QuotaUsed(Held):
    """Five messages have followed what the person wrote."""


class Unfollowed(Permanent):
    """The person does not follow the account any more, or has turned its messages off."""


class Misconfigured(Transient):
    """An operator has to mend something; `advice` says what. Until then nothing leaves."""

    def __init__(self, code: int, advice: Said, wait: timedelta) -> None:
        super().__init__(f"errcode {code}", retry_after=wait)
        self.code = code
        self.advice = advice


class Declined(Permanent):
    """The platform will never take this call."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"errcode {code}: {_REQUEST_ID.sub('', reason)[:_LONGEST_REASON]}")
        self.code = code


def outcome_of(code: int, reason: str) -> ParleyError:
    """What an errcode other than 0 means for whoever made the call."""
    match code:
        case -1:
            return Transient(f"errcode {code}", retry_after=timedelta(seconds=2))
        case 65400:
            return ServiceOff("errcode 65400")
        case 45011:
            return Transient("errcode 45011", retry_after=timedelta(minutes=1))
        case 45015:
            return WindowClosed("errcode 45015")
        case 45047:
            return QuotaUsed("errcode 45047")
        case 48001:
            return NotPermitted("errcode 48001")
        case 43004 | 48002:
            return Unfollowed(f"errcode {code}")
    advice = of_code(code, reason)
    if advice is None:
        return Declined(code, reason)
    wait = timedelta(minutes=10) if code == 45009 else timedelta(minutes=1)
    return Misconfigured(code, advice, wait)


def unreadable(status: int) -> ParleyError:
    """What an HTTP status means that comes from something between us and the platform."""
    if status == 429:
        return Transient(f"HTTP {status}")
    if 300 <= status < 400:
        return Permanent(f"HTTP {status}: base_url does not lead to WeChat")
    if 400 <= status < 500:
        return Permanent(f"HTTP {status} without an errcode")
    # 503 among them: what says so may have passed the call on.
    return Ambiguous(f"HTTP {status}")
