"""An address that the driver cannot read is a sentence, and none of it is shown."""

import traceback

import pytest

from bot.errors import ConfigError
from bot.store.postgres import Mode, PostgresStore

UNREADABLE = [
    "postgresql://parley:s3/cret@127.0.0.1:1/parley",
    "postgresql://parley:s3?cret@127.0.0.1:1/parley",
    "postgresql://parley:s3#cret@127.0.0.1:1/parley",
    "postgresql://parley:s3[cret@127.0.0.1:1/parley",
    "postgresql://parley:hush@127.0.0.1:1/parley?sslmode=s3cret",
]


@pytest.mark.parametrize("url", UNREADABLE)
@pytest.mark.parametrize("mode", ["read", "write"])
@pytest.mark.parametrize("pooled", [True, False])
async def test_what_the_driver_cannot_read_is_a_sentence_without_it(
    url: str, *, mode: Mode, pooled: bool
) -> None:
    store = PostgresStore(url, mode=mode, pooled=pooled)
    with pytest.raises(ConfigError, match=r"database\.url cannot be read") as refused:
        await store.open()
    assert "percent-encode" in str(refused.value)
    assert "cret" not in str(refused.value)


async def test_not_even_its_trace_has_the_password() -> None:
    for url in UNREADABLE[:4]:
        with pytest.raises(ConfigError) as refused:
            await PostgresStore(url).open()
        shown = "".join(traceback.format_exception(refused.value))
        assert "s3" not in shown
        assert "cret" not in shown
