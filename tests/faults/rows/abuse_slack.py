"""What strangers send in Slack's name: signed by nobody, by others, long ago, around another."""

import gzip
import time
from dataclasses import replace

from tests.faults.platforms import Event
from tests.faults.platforms.slack import SIGNING, request
from tests.faults.rows.abuse_calls import LARGE, Call, Forge
from tests.peers.slack_delivery import signed
from tests.peers.slack_events import encoded

KIND = {"Content-Type": "application/json"}
HOUR = 3600


def right(event: Event) -> Call:
    """As Slack itself would write it."""
    return Call(*request(event, {}))


def _around(event: Event, body: bytes, *, age: int = 0, secret: str = "") -> Call:
    """Signed as Slack does it, whatever is inside."""
    secret = secret or SIGNING[event.mark.talk.tenant]
    return Call(body, {**KIND, **signed(secret, body, int(time.time()) - age)})


def _body(event: Event) -> bytes:
    return encoded(event.body)[0]


def unsigned(event: Event) -> Call:
    """Without a signature."""
    return Call(_body(event), KIND)


def wrong_signature(event: Event) -> Call:
    """By a secret that somebody guessed."""
    return _around(event, _body(event), secret="guessed")


def by_the_other(event: Event) -> Call:
    """By the other workspace's secret."""
    tenant = "b" if event.mark.talk.tenant == "a" else "a"
    return _around(event, _body(event), secret=SIGNING[tenant])


def half_signed(event: Event) -> Call:
    """The signature is right, as far as it goes."""
    call = right(event)
    proof = call.headers["X-Slack-Signature"]
    return replace(call, headers={**call.headers, "X-Slack-Signature": proof[:-8]})


def untimed(event: Event) -> Call:
    """A right signature, and nobody says of when."""
    call = right(event)
    kept = {name: value for name, value in call.headers.items() if "Timestamp" not in name}
    return replace(call, headers=kept)


def hour_old(event: Event) -> Call:
    """Really Slack's, an hour ago."""
    return _around(event, _body(event), age=HOUR)


def from_the_future(event: Event) -> Call:
    """Really Slack's, in an hour."""
    return _around(event, _body(event), age=-HOUR)


def newly_dated(event: Event) -> Call:
    """An hour old, and somebody has written today's time beside the old signature."""
    old = hour_old(event)
    return replace(old, headers={**old.headers, "X-Slack-Request-Timestamp": str(int(time.time()))})


def another_body(event: Event) -> Call:
    """A right signature of something else."""
    return replace(right(event), body=_body(event).replace(b'"im"', b'"IM"'))


def another_kind(event: Event) -> Call:
    """Rightly signed, and of a kind that Slack never sends."""
    call = right(event)
    return replace(call, headers={**call.headers, "Content-Type": "text/plain"})


def too_large(event: Event) -> Call:
    """More than a server reads."""
    said = {**event.body["event"], "text": event.body["event"]["text"] + " x" * (LARGE // 2)}
    return _around(event, encoded({**event.body, "event": said})[0])


def no_json(event: Event) -> Call:
    """Cut off before its end, and signed like that."""
    return _around(event, _body(event)[:-3])


def deep(event: Event) -> Call:
    """So deep that a reader may lose its stack."""
    return _around(event, b'{"type":"event_callback","event":' + b"[" * 100_000)


def zipped(event: Event) -> Call:
    """A bomb."""
    call = _around(event, gzip.compress(b" " * LARGE + _body(event)))
    return replace(call, headers={**call.headers, "Content-Encoding": "gzip"})


def asked(event: Event) -> Call:
    """A question instead of a delivery."""
    return replace(right(event), body=b"", method="GET")


def beside_a_check(event: Event) -> Call:
    """Unsigned, beside the check that Slack makes unsigned: a 200, and nothing more."""
    return Call(b"ssl_check=1&payload=" + _body(event), KIND, harmless=True)


SLACK: tuple[Forge, ...] = (
    *(unsigned, wrong_signature, by_the_other, half_signed, untimed, hour_old, from_the_future),
    *(newly_dated, another_body, another_kind, too_large, no_json, deep, zipped, asked),
    beside_a_check,
)
