"""JSON as providers send it: a byte that is no UTF-8 costs a character, not the answer."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def read(decode: Callable[[bytes | str], T], content: bytes) -> T:
    """What msgspec's `decode` makes of it; raises what that raises, never `UnicodeDecodeError`.

    msgspec lets that one through, which is none of its own errors. It is met where a gateway
    complains in GBK or Latin-1 and where a local server cuts a token inside a character.
    """
    try:
        return decode(content)
    except UnicodeDecodeError:
        text = content.decode(errors="replace")
    return decode(text)
