"""What providers complain about, sorted by what we do next."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bot.errors import ContextTooLong, ParleyError, Permanent, Transient
from bot.models.failures import (
    Busy,
    PromptFiltered,
    complaint_in,
    complaint_of,
    failure,
    retry_after,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def error_of(status: int, **error: object) -> ParleyError:
    content = msgspec.json.encode({"error": error})
    return failure("main", complaint_of(status, content))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum context length is 8192 tokens, you asked for 9000"),
        (400, "the request exceeds the available context size, try increasing it"),
        (500, "Requested tokens (5000) exceed context window of 2048"),
        (400, "prompt is too long: 213462 tokens > 200000 maximum"),
        (400, "The input token count (1196265) exceeds the maximum number of tokens allowed"),
        (400, "This model's maximum prompt length is 131072"),
        (413, "Please reduce the length of the messages or completion."),
        (400, "Invalid request: Your request exceeded model token limit: 8192"),
        (400, "Range of input length should be [1, 6000]"),
        (400, "Prompt 超长"),
        (429, "Request too large for gpt on tokens per min (TPM): Limit 10000, Requested 12000"),
        (413, "Request Entity Too Large"),
        (400, "The input that you sent is too long for this model"),
        (500, "prompt is too long: 213462 tokens > 200000 maximum"),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_every_providers_words(
    status: int, message: str
) -> None:
    assert isinstance(error_of(status, message=message), ContextTooLong)


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, {"code": "context_length_exceeded"}, ContextTooLong),
        (400, {"type": "exceed_context_size_error", "code": 400}, ContextTooLong),
        (429, {"code": "rate_limit_exceeded"}, Busy),
        (429, {"message": "Too many tokens, please wait before trying again."}, Busy),
        (429, {"code": "insufficient_quota"}, Permanent),
        (429, {"type": "exceeded_current_quota_error"}, Permanent),
        (402, {"message": "Insufficient Balance"}, Permanent),
        (400, {"code": "Arrearage"}, Permanent),
        (401, {"code": "invalid_api_key"}, Permanent),
        (403, {"message": "country not supported"}, Permanent),
        (404, {"code": "model_not_found"}, Permanent),
        (400, {"param": "temperature", "message": "Unsupported parameter"}, Permanent),
        (400, {"code": "content_filter"}, PromptFiltered),
        (400, {"code": "data_inspection_failed"}, PromptFiltered),
        (408, {}, Transient),
        (409, {}, Transient),
        (500, {"type": "server_error"}, Transient),
        (503, {"message": "overloaded"}, Transient),
        (529, {"type": "overloaded_error"}, Transient),
        (504, {"message": "The request took too long"}, Transient),
        (408, {"message": "Request was open for too long"}, Transient),
        (503, {"message": "Your request has been queued for too long"}, Transient),
        (500, {"message": "The prompt took too long to process"}, Transient),
    ],
)
def test_a_complaint_becomes_the_error_that_says_what_to_do(
    status: int, error: dict[str, object], expected: type[ParleyError]
) -> None:
    assert type(error_of(status, **error)) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": 502, "message": "upstream"}}, Transient),
        ({"error": {"code": "429", "message": "slow down"}}, Busy),
        ({"error": "model is overloaded"}, Transient),
        ({"error": "the request is taking too long"}, Transient),
        ({"error": {"type": "insufficient_quota"}}, Permanent),
        (
            {"object": "error", "message": "maximum context length is 5", "code": 400},
            ContextTooLong,
        ),
        ({"type": "error", "error": {"type": "overloaded_error"}}, Transient),
        ({"response": {"error": {"code": "insufficient_quota"}}}, Permanent),
        ({"detail": "Invalid model"}, Permanent),
        ({"error": {"type": "rate_limit_error", "message": "rate limit"}}, Busy),
    ],
)
def test_an_error_under_status_200_is_still_an_error(
    body: dict[str, object], expected: type[ParleyError]
) -> None:
    complaint = complaint_in(body)
    assert complaint is not None
    assert type(failure("main", complaint)) is expected


@pytest.mark.parametrize("body", [{"choices": []}, {"error": None, "choices": []}, [], "x", None])
def test_what_is_no_complaint_is_none(body: object) -> None:
    assert complaint_in(body) is None


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
@pytest.mark.parametrize("where", ["message", "code", "type", "param"])
def test_no_word_of_a_provider_reaches_the_message(status: int, where: str) -> None:
    error = error_of(status, **{where: "Incorrect key sk-Canary1234 for Jane Doe"})
    assert "Canary" not in str(error)
    assert "Jane" not in str(error)
    assert "main" in str(error)


@pytest.mark.parametrize("where", ["code", "type"])
def test_where_a_code_should_be_only_words_that_are_known_to_be_one_are_told(where: str) -> None:
    told = [str(error_of(404, **{where: code})) for code in ("model_not_found", "canary", "jane")]
    assert told == ["main: HTTP 404 model_not_found", "main: HTTP 404", "main: HTTP 404"]


def test_a_page_instead_of_json_is_read_by_its_status() -> None:
    page = b"<html><body>502 Bad Gateway</body></html>"
    assert type(failure("main", complaint_of(502, page))) is Transient


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_when_to_come_back_is_read_in_every_form(
    headers: dict[str, str], seconds: float | None
) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(headers, NOW) == expected
