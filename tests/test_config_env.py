"""The environment above the file, and `${NAME}` inside it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.config_files import attribute, loaded, problems


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    found = loaded(tmp_path, "server: {port: 81}", {"PARLEY_SERVER__PORT": "82"})
    assert found.settings.server.port == 82
    assert found.source_of["server.port"] == "PARLEY_SERVER__PORT"


def test_a_variable_reaches_a_group_within_a_group(tmp_path: Path) -> None:
    environ = {"PARLEY_SESSION__WINDOW__TOKENS": "900", "PARLEY_LOCALE": "zh"}
    settings = loaded(tmp_path, "", environ).settings
    assert (settings.session.window.tokens, settings.locale) == (900, "zh")


def test_a_list_is_given_with_commas(tmp_path: Path) -> None:
    environ = {"PARLEY_ANSWER__TOOLS": "clock, weather", "PARLEY_ANSWER__FALLBACK": "main"}
    answer = loaded(tmp_path, "answer: {tools: [a, b, c]}", environ).settings.answer
    assert answer.tools == ("clock", "weather")
    assert answer.fallback == ("main",)


def test_the_database_is_one_variable(tmp_path: Path) -> None:
    database = loaded(
        tmp_path, "database: {lease: 3s}", {"PARLEY_DATABASE": "postgresql://u@h/d"}
    ).settings.database
    assert (database.url, database.lease.total_seconds()) == ("postgresql://u@h/d", 3)


def test_a_variable_sets_values_inside_entries_of_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        models: {my_: {use: offline}, main: {use: openai, model: a, api_key: k}}
        audiences: {vip: {}}
        adapters: {my_bot: {use: ./mine.py, token: "1:a"}}
        plugins: [{use: ./orders.py}]
        operators: [{sender: "my_bot:1"}]
        """,
        {
            "PARLEY_MODELS__MAIN__MODEL": "b",
            "PARLEY_AUDIENCES__VIP__MODEL": "my_",
            "PARLEY_ADAPTERS__MY_BOT__RETRY__ATTEMPTS": "9",
            "PARLEY_OPERATORS__0__ROLES": "lead",
        },
    ).settings
    assert attribute(settings.models["main"], "model") == "b"
    assert settings.audiences["vip"].model == "my_"
    assert attribute(attribute(settings.adapters["my_bot"], "retry"), "attempts") == 9
    assert settings.operators[0].roles == ("lead",)


def test_an_entrys_name_may_end_with_an_underscore(tmp_path: Path) -> None:
    text = 'adapters: {a_: {use: ./mine.py, token: "1:a"}}\nplugins: []'
    settings = loaded(tmp_path, text, {"PARLEY_ADAPTERS__A___TENANT": "acme"}).settings
    assert settings.adapters["a_"].tenant == "acme"


def test_a_file_variable_names_a_file_that_holds_the_value(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("1:from file\n", encoding="utf-8")
    environ = {"PARLEY_ADAPTERS__MINE__TOKEN_FILE": str(tmp_path / "token")}
    found = loaded(tmp_path, "", environ)
    assert attribute(found.settings.adapters["mine"], "token") == SecretStr("1:from file")
    assert found.source_of["adapters.mine.token"] == "PARLEY_ADAPTERS__MINE__TOKEN_FILE"


def test_a_key_that_itself_ends_with_file_is_set_as_it_stands(tmp_path: Path) -> None:
    environ = {"PARLEY_ADAPTERS__MINE__NOTE_FILE": "/nowhere/note"}
    entry = loaded(tmp_path, "", environ).settings.adapters["mine"]
    assert attribute(entry, "note_file") == "/nowhere/note"


def test_a_value_and_its_file_at_once_are_refused(tmp_path: Path) -> None:
    environ = {"PARLEY_SERVER__TOKEN": "a", "PARLEY_SERVER__TOKEN_FILE": "b"}
    assert problems(tmp_path, "", environ) == (
        "PARLEY_SERVER__TOKEN_FILE: PARLEY_SERVER__TOKEN sets the same; keep one",
    )


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    found = loaded(tmp_path, "server: {port: 81}", {"PARLEY_SERVER__PORT": ""})
    assert found.settings.server.port == 81


def test_variables_of_the_tests_and_of_others_are_left_alone(tmp_path: Path) -> None:
    names = ("PARLEY_CONFIG", "PARLEY_REQUIRE", "PARLEY_SHARED", "PARLEY_FAULT_POINT", "PORT")
    assert loaded(tmp_path, "", dict.fromkeys(names, "x")).settings.server.port == 8080


SERVICE_LINKS = {
    "SERVICE_HOST": "10.96.7.1",
    "SERVICE_PORT": "8080",
    "SERVICE_PORT_HTTP": "8080",
    "SERVICE_PORT_METRICS_1": "9090",
    "PORT": "tcp://10.96.7.1:8080",
    "PORT_8080_TCP": "tcp://10.96.7.1:8080",
    "PORT_8080_TCP_PROTO": "tcp",
    "PORT_8080_TCP_PORT": "8080",
    "PORT_8080_TCP_ADDR": "10.96.7.1",
    "PORT_53_UDP": "udp://10.96.7.1:53",
    "PORT_53_UDP_ADDR": "10.96.7.1",
}


@pytest.mark.parametrize("service", ["", "DB_", "SERVER_PORT_", "POSTGRES_HA_2_"])
def test_what_kubernetes_says_of_its_services_is_passed_over(tmp_path: Path, service: str) -> None:
    environ = {f"PARLEY_{service}{name}": value for name, value in SERVICE_LINKS.items()}
    assert loaded(tmp_path, "", environ).settings.server.port == 8080


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_PORT", "8080"),
        ("PARLEY_SERVER_PORT", "8080"),
        ("PARLEY_PORT", "postgresql://h"),
        ("PARLEY_PORT_FILE", "tcp://h:1"),
        ("PARLEY_PORT_HTTP_TCP", "tcp://h:1"),
        ("PARLEY_SERVER__SERVICE_HOST", "10.96.7.1"),
        ("PARLEY_SERVER__SERVICE_PORT", "8080"),
        ("PARLEY_SERVICE_HOSTS", "10.96.7.1"),
        ("PARLEY_service_host", "10.96.7.1"),
    ],
)
def test_what_only_looks_like_a_service_is_refused_as_before(
    tmp_path: Path, name: str, value: str
) -> None:
    (problem,) = problems(tmp_path, "", {name: value})
    assert problem.startswith(f"{name}: there is no such setting")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("PARLEY_SERVER__PROT", "there is no such setting; did you mean PARLEY_SERVER__PORT?"),
        ("PARLEY_SERVR__PORT", "there is no such setting; did you mean PARLEY_SERVER__PORT?"),
        ("PARLEY_NONSENSE", "there is no such setting"),
        ("PARLEY_SERVER", "server is a group; name one of its keys: PARLEY_SERVER__<KEY>"),
        (
            "PARLEY_SESSION__WINDOW",
            "this is a group; name one of its keys: PARLEY_SESSION__WINDOW__<KEY>",
        ),
        ("PARLEY_ADAPTERS", "the entries of adapters are written in the file"),
        (
            "PARLEY_ADAPTERS__NEW__TOKEN",
            "there is no adapters.new; an entry begins in the file, the environment adds none",
        ),
        ("PARLEY_PLUGINS__3__USE", "there is no plugins.3; an entry begins in the file, "),
        ("PARLEY_ADAPTERS__MINE__USE", "`use` is read from the file only"),
        ("PARLEY_ADAPTERS__MINE__USE_FILE", "`use` is read from the file only"),
        ("PARLEY_MODELS__MAIN__USE", "`use` is read from the file only"),
        ("PARLEY_ADAPTERS__MINE__TOKN", "did you mean PARLEY_ADAPTERS__MINE__TOKEN?"),
        ("PARLEY_SERVER__TOKEN_FILE", "which cannot be read: No such file or directory"),
    ],
)
def test_a_variable_that_sets_nothing_is_refused(tmp_path: Path, name: str, says: str) -> None:
    (problem,) = problems(tmp_path, "", {name: "value"})
    assert problem.startswith(f"{name}: ")
    assert says in problem


def test_the_error_of_a_value_names_its_variable(tmp_path: Path) -> None:
    assert problems(tmp_path, "", {"PARLEY_SERVER__PORT": "many"}) == (
        'server.port is "many" (PARLEY_SERVER__PORT): write a whole number',
    )


# ---- ${NAME} -----------------------------------------------------------------------------


def test_names_in_values_are_filled_in_after_parsing(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
        server: {node: "${HOST}-${SUFFIX:-a}", port: "${PORT:-81}", token: '${TOKEN}'}
        answer: {persona: "It costs $${5} or $5: ${EMPTY}"}
        """,
        {"HOST": "h", "TOKEN": "a: ${HOST} #b", "EMPTY": ""},
    )
    server = found.settings.server
    assert (server.node, server.port) == ("h-a", 81)
    assert server.token == SecretStr("a: ${HOST} #b")
    assert found.settings.answer.persona == "It costs ${5} or $5: "
    assert found.source_of["server.token"] == "config.yaml line 2 with TOKEN"


def test_a_default_also_stands_in_for_an_empty_value(tmp_path: Path) -> None:
    found = loaded(tmp_path, 'server: {node: "${NODE:-a}"}', {"NODE": ""})
    assert found.settings.server.node == "a"


def test_a_name_that_is_not_set_is_an_error_with_its_place_and_only_that(tmp_path: Path) -> None:
    assert problems(tmp_path, 'server:\n  port: "${PORT}"') == (
        "server.port (config.yaml line 2): the environment has no PORT; "
        "set it, or write ${PORT:-default}",
    )


def test_a_value_of_the_environment_stands_as_it_is(tmp_path: Path) -> None:
    found = loaded(tmp_path, 'server: {node: "${X}"}', {"PARLEY_SERVER__NODE": "${X}"})
    assert found.settings.server.node == "${X}"


def test_a_broken_placeholder_is_an_error_that_says_how_to_write_it(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'server: {node: "${"}')
    assert problem.endswith("after ${ comes a name and }; for a plain ${ write $${")


def test_without_quotes_in_a_flow_mapping_the_error_says_that_quotes_are_needed(
    tmp_path: Path,
) -> None:
    (problem,) = problems(tmp_path, "log: {level: info}\nserver: {token: ${TOKEN}}")
    assert problem.startswith("config.yaml line 2: this is not YAML")
    assert problem.endswith('inside { } or [ ] a value with ${…} needs quotes: "${NAME}"')


def test_use_and_keys_are_never_filled_in(tmp_path: Path) -> None:
    text = 'adapters: {mine: {use: "${WHICH}"}}\n"${KEY}": 1\nplugins: []'
    found = problems(tmp_path, text, {"WHICH": "./mine.py", "KEY": "locale"})
    assert any(problem.startswith("${KEY} (config.yaml line 2): ") for problem in found)
    assert any("'${WHICH}': write a dotted module" in problem for problem in found)
