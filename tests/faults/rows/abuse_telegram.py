"""What strangers send in Telegram's name: its secret is one header, whatever the body says."""

import gzip

import msgspec

from tests.faults.platforms import Event
from tests.faults.platforms.telegram import SECRET, SECRET_HEADER
from tests.faults.rows.abuse_calls import LARGE, Call, Forge

KIND = {"Content-Type": "application/json"}
RIGHT = {**KIND, SECRET_HEADER: SECRET}


def right(event: Event) -> Call:
    """As Telegram itself would write it."""
    return Call(msgspec.json.encode(event.body), RIGHT)


def unsigned(event: Event) -> Call:
    """Without the secret."""
    return Call(msgspec.json.encode(event.body), KIND)


def wrong_secret(event: Event) -> Call:
    """Its last letter is missing."""
    return Call(msgspec.json.encode(event.body), {**KIND, SECRET_HEADER: SECRET[:-1]})


def longer_secret(event: Event) -> Call:
    """It has one letter more."""
    return Call(msgspec.json.encode(event.body), {**KIND, SECRET_HEADER: SECRET + "x"})


def too_large(event: Event) -> Call:
    """More than a server reads."""
    text = event.body["message"]["text"] + " x" * (LARGE // 2)
    message = {**event.body["message"], "text": text}
    return Call(msgspec.json.encode({**event.body, "message": message}), RIGHT)


def no_json(event: Event) -> Call:
    """Cut off before its end."""
    return Call(msgspec.json.encode(event.body)[:-3], RIGHT)


def deep(event: Event) -> Call:
    """So deep that a reader may lose its stack."""
    del event
    return Call(b'{"update_id":1,"message":' + b"[" * 100_000, RIGHT)


def zipped(event: Event) -> Call:
    """A bomb."""
    body = gzip.compress(b" " * LARGE + msgspec.json.encode(event.body))
    return Call(body, {**RIGHT, "Content-Encoding": "gzip"})


def asked(event: Event) -> Call:
    """A question instead of a delivery."""
    del event
    return Call(b"", RIGHT, method="GET")


TELEGRAM: tuple[Forge, ...] = (
    *(unsigned, wrong_secret, longer_secret, too_large, no_json, deep, zipped, asked),
)
