"""What an operator may write, and the sentences when it cannot be used."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.telegram import Settings

GOOD = {"use": "adapters.telegram", "token": "123456789:AAEtest_token-of-nobody"}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**GOOD, **changes})


def test_a_token_is_all_that_polling_needs() -> None:
    made = settings()
    assert (made.mode, made.stream, made.account) == ("polling", "draft", "123456789")
    assert made.base_url == "https://api.telegram.org"


@pytest.mark.parametrize("token", ["nonsense", "123", "123:", ":abc", "12 3:abcdef", "123:ab/../c"])
def test_a_token_of_the_wrong_form_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(token=token)
    assert "@BotFather" in str(refused.value)
    assert token not in str(refused.value)


@pytest.mark.parametrize("secret", ["has space", "ü", "x" * 257, ""])
def test_a_webhook_secret_must_fit_into_a_header(secret: str) -> None:
    with pytest.raises(ValidationError):
        settings(webhook_secret=secret)


def test_a_base_url_may_end_in_a_slash() -> None:
    assert settings(base_url="http://127.0.0.1:8081/").base_url == "http://127.0.0.1:8081"


def test_secrets_do_not_print() -> None:
    made = settings(webhook_secret="quite-secret")
    assert "AAEtest" not in repr(made)
    assert "quite-secret" not in repr(made)


@pytest.mark.parametrize(("poll", "taken"), [("999ms", False), ("500ms", False), ("1s", True)])
def test_a_poll_waits_for_a_second_at_least_or_it_would_not_wait_at_all(
    poll: str, taken: bool
) -> None:
    if taken:
        assert settings(poll=poll).poll == timedelta(seconds=1)
        return
    with pytest.raises(ValidationError, match="greater than or equal to"):
        settings(poll=poll)
