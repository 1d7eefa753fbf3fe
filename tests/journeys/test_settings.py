"""For each key of the configuration: the test in which changing it changes what is seen."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from adapters.slack import Settings as SlackSettings
from adapters.telegram import Settings as TelegramSettings
from adapters.web import Settings as WebSettings
from bot.config import (
    MODELS,
    AdapterSettings,
    AudienceSettings,
    OperatorSettings,
    PluginSettings,
    Section,
    Settings,
)

TESTS = Path(__file__).parents[1]
TALK, ANSWER = "journeys/test_settings_talk.py", "journeys/test_settings_answer.py"
SERVER, TELEGRAM = "journeys/test_settings_server.py", "adapters/telegram"
MODEL = "models/test_openai.py"
SLACK, CHECK = "journeys/test_slack.py", "journeys/test_check_slack.py"
MENTION = "test_a_mention_is_answered_in_its_thread_which_goes_on_without_our_name"

SHOWN_BY = {
    "server.host": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.port": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.public_url": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.token": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.secret": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.node": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
    "server.grace": "journeys/test_drain.py::"
    "test_a_turn_that_is_longer_than_the_grace_time_is_resumed_by_the_next_start",
    "database.url": "journeys/test_telegram.py::"
    "test_a_group_mention_through_the_webhook_is_answered_in_the_group",
    "database.lease": f"{SERVER}::test_database_lease",
    "database.pooler": "journeys/test_nodes.py::"
    "test_a_node_that_is_killed_in_the_model_call_is_followed_by_the_other",
    "database.direct_url": "store/test_postgres_pooled.py::"
    "test_hints_take_the_direct_way_and_without_one_there_are_none",
    "locale": f"{TALK}::test_locale",
    "log.format": f"{SERVER}::test_log_format",
    "log.level": f"{SERVER}::test_log_level",
    "intake.max_age": f"{TALK}::test_intake_max_age",
    "intake.max_size": f"{TALK}::test_intake_max_size",
    "intake.lane_limit": f"{TALK}::test_intake_lane_limit",
    "intake.node_limit": f"{TALK}::test_intake_node_limit",
    "intake.while_busy": f"{TALK}::test_intake_while_busy",
    "intake.gather": f"{TALK}::test_intake_gather",
    "session.idle": f"{TALK}::test_session_idle",
    "session.retain": f"{TALK}::test_session_retain",
    "session.journal": f"{TALK}::test_session_journal",
    "session.window.messages": f"{TALK}::test_session_window",
    "session.window.tokens": f"{TALK}::test_session_window",
    "outbox.ambiguous": f"{TALK}::test_outbox_ambiguous",
    "outbox.expires": f"{TALK}::test_outbox_expires",
    "outbox.hold": f"{TALK}::test_outbox_hold",
    "models.*.use": f"{ANSWER}::test_models_use",
    "models.*.model": f"{ANSWER}::test_models_model",
    "models.*.api_key": f"{ANSWER}::test_models_api_key",
    "models.*.base_url": f"{ANSWER}::test_models_base_url",
    "models.*.endpoint": f"{ANSWER}::test_models_use",
    "models.*.deployment": f"{ANSWER}::test_models_use",
    "models.*.api_version": f"{ANSWER}::test_models_api_version",
    "models.*.max_output_tokens": f"{ANSWER}::test_models_max_output_tokens",
    "models.*.temperature": f"{ANSWER}::test_models_temperature",
    "models.*.first_token": f"{MODEL}::test_the_wait_for_the_first_token_is_bounded",
    "models.*.gap": f"{MODEL}::test_a_stream_that_stalls_is_given_up_and_closed",
    "models.*.preset": f"{MODEL}::test_reasoning_goes_back_within_the_turn_and_never_later",
    "answer.model": f"{ANSWER}::test_answer_model",
    "answer.fallback": f"{ANSWER}::test_answer_fallback",
    "answer.persona": f"{ANSWER}::test_answer_persona",
    "answer.tools": f"{ANSWER}::test_answer_tools",
    "answer.max_steps": f"{ANSWER}::test_answer_max_steps",
    "answer.deadline": f"{ANSWER}::test_answer_deadline",
    "audiences.*.persona": f"{ANSWER}::test_audiences_persona_model_and_tools",
    "audiences.*.model": f"{ANSWER}::test_audiences_persona_model_and_tools",
    "audiences.*.tools": f"{ANSWER}::test_audiences_persona_model_and_tools",
    "audiences.*.fallback": f"{ANSWER}::test_audiences_limits",
    "audiences.*.max_steps": f"{ANSWER}::test_audiences_limits",
    "audiences.*.deadline": f"{ANSWER}::test_audiences_limits",
    "audiences.*.session": f"{TALK}::test_session_idle",
    "audiences.*.window": f"{ANSWER}::test_audiences_window",
    "operators.*.sender": f"{ANSWER}::test_operators_sender",
    "operators.*.roles": f"{ANSWER}::test_operators_roles",
    "adapters.*.use": f"{ANSWER}::test_adapters_use",
    "adapters.*.tenant": f"{ANSWER}::test_adapters_tenant_and_audience",
    "adapters.*.audience": f"{ANSWER}::test_audiences_persona_model_and_tools",
    "adapters.*.session": f"{TALK}::test_session_idle",
    "plugins.*.use": f"{ANSWER}::test_plugins_use",
    "plugins.*.optional": "journeys/test_bad_plugins.py::test_an_optional_one_is_left_out_loudly",
    "adapters.slack.mode": f"{SLACK}::{MENTION}",
    "adapters.slack.bot_token": f"{CHECK}::test_it_says_what_is_wrong_and_what_to_do",
    "adapters.slack.app_token": f"{CHECK}::test_it_says_what_is_wrong_and_what_to_do",
    "adapters.slack.signing_secret": f"{CHECK}::"
    "test_a_signing_secret_of_another_app_is_told_by_what_was_turned_away",
    "adapters.slack.base_url": f"{SLACK}::{MENTION}",
    "adapters.telegram.mode": "journeys/test_telegram.py::test_private_chat_through_polling",
    "adapters.telegram.token": "journeys/test_canaries.py::"
    "test_nothing_secret_and_nothing_said_is_logged_or_shown",
    "adapters.telegram.webhook_secret": f"{TELEGRAM}/test_wire_webhook.py::"
    "test_the_secret_is_the_configured_one_or_made_alike_by_every_node",
    "adapters.telegram.stream": f"{TELEGRAM}/test_wire_drafts.py::"
    "test_without_streaming_nobody_watches",
    "adapters.telegram.base_url": "journeys/test_telegram.py::test_private_chat_through_polling",
    "adapters.web.public": f"{SERVER}::test_host_port_public_url_token_secret_and_node",
}

GROUPS: Mapping[str, tuple[type[Section], ...]] = {
    "audiences": (AudienceSettings,),
    "operators": (OperatorSettings,),
    "adapters": (AdapterSettings,),
    "plugins": (PluginSettings,),
    "models": tuple(MODELS.values()),
}
# The keys of a platform that section 9 of the design names; the rest are its own adapter's.
OF_ADAPTERS: Mapping[str, tuple[type[Section], tuple[str, ...]]] = {
    "slack": (
        SlackSettings,
        ("mode", "bot_token", "app_token", "signing_secret", "base_url"),
    ),
    "telegram": (TelegramSettings, ("mode", "token", "webhook_secret", "stream", "base_url")),
    "web": (WebSettings, ("public",)),
}


def keys_of(section: type[Section], place: str) -> Iterator[str]:
    """Every key below a section, dotted."""
    for name, found in section.model_fields.items():
        inner = found.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from keys_of(inner, f"{place}{name}.")
        elif not place and name in GROUPS:
            for one in GROUPS[name]:
                yield from keys_of(one, f"{name}.*.")
        else:
            yield f"{place}{name}"


def test_every_key_is_shown_by_a_test_and_no_other_is() -> None:
    named = set()
    for adapter, (settings, names) in OF_ADAPTERS.items():
        assert set(names) <= settings.model_fields.keys()
        named |= {f"adapters.{adapter}.{name}" for name in names}
    assert SHOWN_BY.keys() == set(keys_of(Settings, "")) | named


@pytest.mark.parametrize("place", sorted(set(SHOWN_BY.values())))
def test_the_test_that_shows_it_is_there(place: str) -> None:
    file, _, name = place.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    found = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in found
