"""What the platform refuses, in its own numbers and words."""

from dataclasses import dataclass

from tests.peers.faults import Fault, answered
from tests.peers.log import Json

TEXT_LIMIT = 2048
"""Bytes of one text, in a reply and in a customer-service message."""
MESSAGE_QUOTA = (5, 48 * 3600.0)
TOUCH_QUOTA = (3, 60.0)
TYPING_WITHIN = 30.0
TOKEN_LASTS = 7200
TOKEN_OVERLAP = 300
FORCED_A_DAY = 20
FORCED_BETWEEN = 30.0

WORDS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40004: "invalid media type",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid appid",
    40125: "invalid appsecret",
    40164: "invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist",
    41001: "access_token missing",
    42001: "access_token expired",
    43002: "require POST method",
    43004: "require subscribe",
    44002: "empty post data",
    44004: "empty content",
    45002: "content size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit mustslower retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    45072: "invalid command",
    45080: "can only send typing status within a while of the last message",
    45081: "already in typing status",
    47001: "data format error",
    48001: "api unauthorized",
    65400: "please enable new custom service, or wait for a while if you have enabled",
}


class Refusal(Exception):
    """An errcode; the HTTP status is 200 all the same."""

    def __init__(self, code: int, **values: str) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    def as_json(self) -> Json:
        """The body as the service writes it, with its request id."""
        words = WORDS[self.code].format(**self.values)
        return {"errcode": self.code, "errmsg": f"{words} rid: 6712ab34-1f2e3d4c-5b6a7980"}


def errcode(code: int, **values: str) -> Fault:
    """Let a call end with this errcode."""
    return answered("errcode", 200, Refusal(code, **values).as_json())


@dataclass(slots=True)
class Window:
    """What a person's last deed allows."""

    left: int
    ends_at: float

    def check(self, now: float) -> None:
        """Raises: Refusal."""
        if now >= self.ends_at:
            raise Refusal(45015)
        if self.left <= 0:
            raise Refusal(45047)
