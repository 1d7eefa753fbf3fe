"""Addresses and persons as the text that rows carry; the same few are named over and over."""

from functools import lru_cache

from bot.domain.address import Address, Sender
from bot.domain.records import SignalKind, person_key

REMEMBERED = 4096

WHERE_WATCHED = (SignalKind.TEXT, SignalKind.SAID)
"""Signals that are of use only to nodes where somebody looks at that place."""


@lru_cache(maxsize=REMEMBERED)
def parse(text: str) -> Address:
    """What `place_of` wrote."""
    return Address.parse(text)


@lru_cache(maxsize=REMEMBERED)
def place_of(address: Address) -> str:
    """The address's text: escaping it anew costs a few microseconds a message."""
    return str(address)


def person_of(address: Address, sender: Sender) -> str:
    """The sender's name across conversations."""
    return _person(address.platform, address.account, sender.id)


@lru_cache(maxsize=REMEMBERED)
def _person(platform: str, account: str, id: str) -> str:
    return person_key(platform, account, Sender(id))
