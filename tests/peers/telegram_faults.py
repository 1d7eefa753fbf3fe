"""What goes wrong with the Bot API, as it words it."""

from collections.abc import Callable
from dataclasses import replace

from tests.peers.faults import Fault, answered, cut, garbage, hang, late, page
from tests.peers.telegram_rules import Refusal, too_many


def flood(retry_after: int = 3) -> Fault:
    """429: nothing was sent, come back later."""
    return answered("flood", 429, too_many(retry_after).as_json())


def failure(status: int = 502, reason: str = "Bad Gateway", *, effect: bool = False) -> Fault:
    """A 5xx as the Bot API words it; with `effect` the message was taken all the same."""
    body = {"ok": False, "error_code": status, "description": reason}
    return replace(answered("failure", status, body), effect=effect)


def blocked() -> Fault:
    """403: the person has blocked the bot, and nothing reaches them."""
    refusal = Refusal(403, "Forbidden: bot was blocked by the user")
    return answered("blocked", refusal.code, refusal.as_json())


FAULTS: dict[str, Callable[..., Fault]] = {
    "flood": flood,
    "failure": failure,
    "blocked": blocked,
    "page": page,
    "garbage": garbage,
    "hang": hang,
    "cut": cut,
    "late": late,
}
