"""Which dialect belongs to which provider, and what of it is sent."""

from dataclasses import replace

import pytest

from bot.domain.model import Limits
from bot.errors import ConfigError
from bot.models.openai_body import Settings, body_of
from bot.models.presets import DEEPSEEK, MISTRAL, OPENAI, PLAIN, preset_for
from tests.models.asking import TOOL, asking


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://api.deepseek.com/v1", "deepseek"),
        ("https://api.moonshot.cn/v1", "moonshot"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://notdeepseek.com/v1", "plain"),
        ("http://127.0.0.1:11434/v1", "plain"),
        ("not an address", "plain"),
    ],
)
def test_the_address_tells_the_dialect(url: str, name: str) -> None:
    assert preset_for(url, "auto").name == preset_for(url).name == name


def test_a_named_preset_wins_over_the_address() -> None:
    assert preset_for("http://127.0.0.1:8000/v1", "deepseek") is DEEPSEEK


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="deepseek"):
        preset_for("", "deepsek")


def test_the_output_limit_has_the_providers_name() -> None:
    limited = Settings("m", OPENAI, max_output_tokens=50)
    assert body_of(asking(), limited)["max_completion_tokens"] == 50
    assert body_of(asking(), Settings("m", PLAIN, 50))["max_tokens"] == 50


def test_usage_is_asked_for_only_where_it_may_be() -> None:
    assert "stream_options" in body_of(asking(), Settings("m", PLAIN))
    assert "stream_options" not in body_of(asking(), Settings("m", MISTRAL))
    assert "stream_options" not in body_of(asking(), Settings("m", PLAIN, include_usage=False))
    assert "stream_options" not in body_of(asking(watched=False), Settings("m", PLAIN))


def test_what_the_request_says_wins_over_the_configuration() -> None:
    request = replace(asking(), limits=Limits(max_output_tokens=5, temperature=0.0))
    body = body_of(request, Settings("m", PLAIN, 50, 0.7))
    assert (body["max_tokens"], body["temperature"]) == (5, 0.0)


def test_nothing_is_sent_that_nobody_asked_for() -> None:
    assert body_of(asking("hi", watched=False), Settings("m", PLAIN)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_a_tool_goes_out_as_it_stands() -> None:
    (tool,) = body_of(asking(tools=[TOOL]), Settings("m", PLAIN))["tools"]
    assert tool["function"] == {
        "name": TOOL.name,
        "description": TOOL.description,
        "parameters": TOOL.parameters,
    }
