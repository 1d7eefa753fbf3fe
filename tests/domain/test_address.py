"""Addresses are keys: stable, reversible, and spread over shards for ever the same way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.address import SHARDS, Address, shard_of

parts = st.text(min_size=1, max_size=20)


@given(parts, parts, parts, st.none() | parts)
def test_an_address_is_read_back_from_its_text(
    platform: str, account: str, chat: str, thread: str | None
) -> None:
    address = Address(platform, account, chat, thread)
    assert Address.parse(str(address)) == address


def test_two_addresses_never_share_a_text() -> None:
    assert str(Address("a", "b:c", "d")) != str(Address("a", "b", "c:d"))
    assert str(Address("a", "b", "c")) != str(Address("a", "b", "c", ""))


@pytest.mark.parametrize(
    ("tenant", "address", "shard"),
    [
        ("default", Address("telegram", "123456", "42"), 118),
        ("default", Address("telegram", "123456", "-100200", "7"), 106),
        ("acme", Address("telegram", "123456", "42"), 63),
        ("default", Address("web", "web", "张三"), 29),
    ],
)
def test_the_shard_of_a_conversation_is_pinned(tenant: str, address: Address, shard: int) -> None:
    assert shard_of(tenant, address) == shard
    assert 0 <= shard < SHARDS


@pytest.mark.parametrize("text", ["", "a:b", "a:b:c:d:e"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Address.parse(text)
