"""What an operator writes becomes settings, or sentences that say what to mend."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import AzureSettings, OfflineSettings, OpenAISettings, Settings, WindowSettings
from bot.configcheck import mask
from bot.configload import effective, load
from bot.models.presets import PRESETS
from bot.units import read_duration, read_size, show_duration, show_size
from tests.config_files import attribute, loaded, write

# ---- values ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["90s", "30m", "2h", "7d", "0s", "500ms"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert show_duration(read_duration(text)) == text


@pytest.mark.parametrize(("text", "shown"), [("60s", "1m"), ("48h", "2d"), ("120s", "2m")])
def test_a_duration_is_shown_in_its_largest_whole_unit(text: str, shown: str) -> None:
    assert show_duration(read_duration(text)) == shown


@pytest.mark.parametrize("text", ["", "1.5h", "-3s", "s", "2 weeks", "99999999999d", "PT2H"])
def test_other_ways_to_write_a_duration_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        read_duration(text)


def test_a_bare_number_is_no_duration_and_the_error_says_which_unit_was_forgotten() -> None:
    with pytest.raises(ValueError, match="90s for seconds"):
        read_duration(90)


@pytest.mark.parametrize(
    ("text", "size"), [("1MB", 1_000_000), ("64kB", 64_000), ("1KiB", 1024), ("512B", 512)]
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    assert read_size(text) == size
    assert read_size(show_size(size)) == size


@pytest.mark.parametrize("text", ["", "1XB", "big", "-1MB", "1.5MB"])
def test_other_ways_to_write_a_size_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        read_size(text)


# ---- the file ----------------------------------------------------------------------------


def test_every_part_of_the_tree_is_a_typed_attribute(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        server: {host: 0.0.0.0, port: 9000, public_url: "https://bot.example.com", token: t,
                 secret: s, node: a, grace: 5s}
        database: {url: "postgresql://u:p@h/d", lease: 2s}
        locale: zh
        log: {format: json, level: debug}
        intake: {max_age: 2h, max_size: 2MB, lane_limit: 5, while_busy: interrupt, gather: 1s}
        session: {idle: 1h, retain: 1d, journal: 2d, window: {messages: 3, tokens: 400}}
        outbox: {ambiguous: report, expires: 2h, hold: 1d}
        models:
          main: {use: openai, model: m, api_key: k, base_url: "http://127.0.0.1:1/v1",
                 preset: deepseek, max_output_tokens: 9, temperature: 0.2, first_token: 1s, gap: 2s}
          cloud: {use: azure, endpoint: "https://r.example.com", deployment: d, api_key: k}
          spare: {use: offline}
        answer: {model: main, fallback: [cloud, spare], persona: P, tools: [clock], max_steps: 2,
                 deadline: 9s}
        audiences:
          customers: {persona: C, tools: all, session: 10m}
        operators: [{sender: "mine:7", roles: [operator, lead]}]
        adapters:
          mine: {use: ./mine.py, token: "1:a", audience: customers, tenant: acme}
        plugins: [{use: ./orders.py}]
        """,
    ).settings
    assert settings.server.port == 9000
    assert settings.server.token == SecretStr("t")
    assert settings.database.lease == timedelta(seconds=2)
    assert (settings.locale, settings.log.level) == ("zh", "debug")
    assert (settings.intake.max_size, settings.intake.while_busy) == (2_000_000, "interrupt")
    assert settings.session.window == WindowSettings(messages=3, tokens=400)
    assert settings.outbox.ambiguous == "report"
    main, cloud, spare = (settings.models[name] for name in ("main", "cloud", "spare"))
    assert isinstance(main, OpenAISettings)
    assert (main.preset, main.temperature, main.gap) == ("deepseek", 0.2, timedelta(seconds=2))
    assert isinstance(cloud, AzureSettings)
    assert cloud.api_version == "2024-10-21"
    assert isinstance(spare, OfflineSettings)
    assert settings.adapters["mine"].tenant == "acme"
    assert settings.plugins[0].use == "./orders.py"


def test_an_audience_overrides_answer_key_by_key(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        answer: {persona: house, max_steps: 3, tools: [clock]}
        audiences: {customers: {persona: guest, deadline: 9s}}
        """,
    ).settings
    customers = settings.answer_for("customers")
    assert (customers.persona, customers.max_steps, customers.tools) == ("guest", 3, ("clock",))
    assert customers.deadline == timedelta(seconds=9)
    assert settings.answer_for(None) is settings.answer


@pytest.mark.parametrize(
    ("keys", "minutes"),
    [("", 60), ("audience: guests", 20), ("audience: guests, session: 5m", 5)],
)
def test_idle_time_is_the_adapters_else_the_audiences_else_everybodys(
    tmp_path: Path, keys: str, minutes: int
) -> None:
    settings = loaded(
        tmp_path,
        f"""
        session: {{idle: 1h}}
        audiences: {{guests: {{session: 20m}}}}
        adapters: {{mine: {{use: ./mine.py, token: "1:a", {keys}}}}}
        plugins: []
        """,
    ).settings
    assert settings.idle_for("mine") == timedelta(minutes=minutes)


def test_only_a_listed_sender_of_that_adapter_has_roles(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, 'operators: [{sender: "mine:7", roles: [lead]}, {sender: "mine:8"}]'
    ).settings
    assert settings.roles_of("mine", "7") == {"lead"}
    assert settings.roles_of("mine", "8") == {"operator"}
    assert settings.roles_of("mine", "9") == settings.roles_of("other", "7") == frozenset()


def test_whoever_chats_in_the_terminal_may_be_an_operator(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'operators: [{sender: "terminal:me"}]').settings
    assert settings.roles_of("terminal", "me") == {"operator"}


def test_an_adapters_own_class_reads_its_entry(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
        adapters:
          mine: {use: ./mine.py, token: "1:a", stream: off, loud: yes, certificate: tls/a.pem,
                 retry: {attempts: 7}}
        plugins: []
        """,
    )
    entry = found.settings.adapters["mine"]
    assert attribute(entry, "stream") == "off"
    assert attribute(entry, "loud") is True
    assert attribute(entry, "certificate") == tmp_path / "tls/a.pem"
    assert attribute(attribute(entry, "retry"), "attempts") == 7
    assert found.modules["adapters.mine"].Settings is type(entry)


def test_a_py_file_is_called_by_its_name_wherever_it_lies(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other, "")
    found = loaded(tmp_path, "adapters: {}\nplugins: [{use: ./orders.py}, {use: other/orders.py}]")
    names = [found.modules[place].__name__ for place in ("plugins.0", "plugins.1")]
    assert names[0] != names[1]
    assert {name.rpartition(".")[2] for name in names} == {"orders"}


def test_text_that_looks_like_a_number_stays_as_it_was_written(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        server: {node: 0123}
        models:
          main: {use: azure, endpoint: "https://r.example.com", deployment: 35, api_version: 1.10}
        """,
    ).settings
    azure = settings.models["main"]
    assert isinstance(azure, AzureSettings)
    assert (settings.server.node, azure.deployment, azure.api_version) == ("0123", "35", "1.10")


def test_the_file_may_be_json_indented_with_tabs(tmp_path: Path) -> None:
    text = '{\n\t"server": {"node": "\\ud83d\\ude00"},\n\t"adapters": {},\n\t"plugins": []\n}\n'
    found = load(write(tmp_path, text, "config.json"), {}, tmp_path)
    assert found.settings.server.node == "😀"
    assert found.source_of["server.node"] == "config.json line 2"


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        audiences:
          employees: &base {persona: one, max_steps: 2}
          customers: {<<: *base, persona: two}
        """,
    ).settings
    assert settings.audiences["customers"].persona == "two"
    assert settings.audiences["customers"].max_steps == 2


def test_a_bare_text_is_the_databases_address(tmp_path: Path) -> None:
    assert loaded(tmp_path, "database: postgres://u@h/d").settings.database.url == (
        "postgresql://u@h/d"
    )


def test_relative_paths_start_where_the_file_lies(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'database: "sqlite:///here/p.db"').settings
    assert settings.database.url == f"sqlite:///{tmp_path}/here/p.db"
    assert loaded(tmp_path, "").settings.database.url == f"sqlite:///{tmp_path}/data/parley.db"


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'database: "sqlite:////var/lib/p.db"').settings
    assert settings.database.url == "sqlite:////var/lib/p.db"


def test_settings_never_change_and_never_show_a_secret(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path, 'server: {token: hush}\ndatabase: "postgresql://u:hush@h/d"'
    ).settings
    assert "hush" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


def test_every_preset_of_the_model_wire_can_be_named() -> None:
    known = OpenAISettings.model_json_schema()["properties"]["preset"]["enum"]
    assert sorted(known) == sorted(["auto", *PRESETS])


def test_the_effective_configuration_names_the_source_of_each_value(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
        server: {port: 81}
        database: {url: "postgresql://u:hush@p/d", pooler: transaction,
          direct_url: "postgresql://u:hush@h/d"}
        answer: {tools: [clock, weather]}
        operators: [{sender: "mine:1"}]
        """,
        {"PARLEY_LOG__LEVEL": "error", "PARLEY_ADAPTERS__MINE__TOKEN": "1:hush"},
    )
    rows = {key: (value, source) for key, value, source in effective(found)}
    assert rows["server.port"] == ("81", "config.yaml line 2")
    assert rows["server.host"] == ("127.0.0.1", "default")
    assert rows["database.url"] == ("postgresql://u:****@p/d", "config.yaml line 3")
    assert rows["database.direct_url"] == ("postgresql://u:****@h/d", "config.yaml line 4")
    assert rows["answer.tools"] == ('["clock", "weather"]', "config.yaml line 5")
    assert rows["operators.0.sender"] == ("mine:1", "config.yaml line 6")
    assert rows["log.level"] == ("error", "PARLEY_LOG__LEVEL")
    assert rows["adapters.mine.token"] == ("****", "PARLEY_ADAPTERS__MINE__TOKEN")
    assert rows["adapters.mine.retry.attempts"] == ("3", "default")
    assert "hush" not in str(rows)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hush@p/d", "postgresql://u:****@p/d"),
        ("postgresql://u:hush@hush@p/d", "postgresql://u:****@p/d"),
        (
            "postgresql://p/d?user=u&password=hush&ssl=require",
            "postgresql://p/d?user=u&password=****&ssl=require",
        ),
        ("postgresql://p:5432/d?password=hush@hush", "postgresql://p:5432/d?password=****"),
        ("postgresql://p/d?sslpassword=hush", "postgresql://p/d?sslpassword=****"),
        (
            "postgresql://u:hush@p/d?Password=hush&user=u",
            "postgresql://u:****@p/d?Password=****&user=u",
        ),
        ("https://h/v1?api-version=1&api-key=hush", "https://h/v1?api-version=1&api-key=****"),
        ("postgresql://u@p/d?sslmode=require", "postgresql://u@p/d?sslmode=require"),
    ],
)
def test_an_address_is_shown_without_its_password_wherever_that_stands(
    url: str, shown: str
) -> None:
    assert mask(url) == shown


# ---- without a file, or with little in it --------------------------------------------------


def test_without_models_there_is_the_offline_model(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").settings.models == {"main": OfflineSettings()}


def test_without_models_an_openai_key_in_the_environment_makes_main_openai(tmp_path: Path) -> None:
    found = loaded(tmp_path, "", {"OPENAI_API_KEY": "sk-1"})
    main = found.settings.models["main"]
    assert isinstance(main, OpenAISettings)
    assert main.api_key == SecretStr("sk-1")
    assert ("models.main.api_key", "****", "OPENAI_API_KEY") in effective(found)


def test_a_key_with_nothing_below_it_is_as_good_as_none(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "models:\nanswer:\noperators:\n").settings
    assert settings.models == {"main": OfflineSettings()}
    assert settings.answer == Settings().answer


def test_an_empty_group_of_adapters_or_plugins_means_none(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "adapters: {}\nplugins: []").settings
    assert settings.adapters == {}
    assert settings.plugins == ()
