"""What an operator may write, and the sentences when it cannot be used."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.adapters.wechat.line import GOOD, settings


def test_four_values_from_the_console_are_all_it_needs() -> None:
    made = settings()
    assert (made.language, made.customer_service, made.max_pieces) == ("zh", "auto", 3)
    assert made.base_url == "https://api.weixin.qq.com"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aes_key": "a" * 42}, "has 43 characters and this one has 42"),
        ({"aes_key": "a" * 43 + "="}, "has 43 characters and this one has 44"),
        ({"aes_key": "a" * 42 + "="}, "letters and digits only"),
        ({"aes_key": None}, "choose safe mode"),
        ({"app_id": "gh_0123456789ab"}, "that is the account's original id"),
        ({"app_id": "4711"}, "write the AppID"),
        ({"token": "has space"}, "3 to 32 letters and digits"),
        ({"token": "ab"}, "3 to 32 letters and digits"),
        ({"reply_within": "5s"}, "WeChat hangs up after 5s"),
        ({"max_pieces": 6}, "less than or equal to 5"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    assert words in str(refused.value)
    assert GOOD["app_secret"] not in str(refused.value)


def test_plaintext_has_to_be_asked_for() -> None:
    assert settings(aes_key=None, allow_plaintext=True).aes_key is None


@pytest.mark.parametrize(("written", "read"), [("auto", "auto"), (True, True), ("false", False)])
def test_customer_service_is_auto_true_or_false(written: Any, read: Any) -> None:
    assert settings(customer_service=written).customer_service == read


def test_a_base_url_may_end_in_a_slash_and_secrets_do_not_print() -> None:
    made = settings(base_url="http://127.0.0.1:8081/")
    assert made.base_url == "http://127.0.0.1:8081"
    for secret in ("app_secret", "token", "aes_key"):
        assert GOOD[secret] not in repr(made)
