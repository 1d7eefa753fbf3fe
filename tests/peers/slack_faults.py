"""What goes wrong with the Web API, as it words it."""

from collections.abc import Callable
from dataclasses import replace

from tests.peers.faults import Fault, answered, cut, garbage, hang, late, page
from tests.peers.slack_rules import ratelimited


def limited(retry_after: int = 3) -> Fault:
    """429: nothing was done, come back later."""
    refusal = ratelimited(retry_after)
    return answered("limited", 429, refusal.as_json(), dict(refusal.headers))


def refused(error: str, *, effect: bool = False, **extra: object) -> Fault:
    """An error of Slack's own with a 200; with `effect` it was done all the same."""
    return replace(answered("refused", 200, {"ok": False, "error": error, **extra}), effect=effect)


FAULTS: dict[str, Callable[..., Fault]] = {
    "limited": limited,
    "refused": refused,
    "page": page,
    "garbage": garbage,
    "hang": hang,
    "cut": cut,
    "late": late,
}
