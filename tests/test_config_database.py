"""The database's address: what cannot be read is refused, and its password shown nowhere."""

from pathlib import Path
from urllib.parse import quote

import pytest

from bot.configload import effective
from tests.config_files import loaded, problems

LOOKUP = """
adapters: {{}}
plugins:
  - use: plugins.lookup
    database: "{url}"
    queries: {{one: {{description: One., sql: select 1}}}}
"""
# Each of them ends the address somewhere else than whoever wrote it thinks.
PASSWORDS = [
    *("s3/cret", "s3?cret", "s3#cret", "s3[cret", "s3]cret", "s3[x]cret", "s3@cret"),
    *("12/cret", "12?a=cret", "12#cret", "12@cret", "12?cret", "s3\uff0fcret"),
]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_that_would_be_read_as_something_else_must_be_percent_encoded(
    tmp_path: Path, password: str
) -> None:
    url = f"postgresql://parley:{password}@db.example/parley"
    for text, environ in (
        (f'database: "{url}"', {}),
        (f'database: {{url: "{url}"}}', {}),
        (LOOKUP.format(url=url), {}),
        (
            f'database: {{url: "postgresql://p/d", pooler: transaction, direct_url: "{url}"}}',
            {},
        ),
        ("", {"PARLEY_DATABASE": url}),
    ):
        (problem,) = problems(tmp_path, text, environ)
        assert " is **** (" in problem
        assert "percent-encode / ? # @ [ % in the password" in problem
        assert "cret" not in problem
        assert "12" not in problem
    encoded = f"postgresql://parley:{quote(password, safe='')}@db.example/parley"
    assert loaded(tmp_path, f'database: "{encoded}"').settings.database.url == encoded


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/parley",
        "postgresql://parley@db/parley",
        "postgresql://parley:s3cret@db:6432/parley",
        "postgresql://parley:s3cret@[::1]:5432/parley",
        "postgresql://parley:s3cret@one:5432,two:5433/parley",
        "postgresql:///parley?host=/var/run/postgresql&port=5432,5433",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/parley",
        "postgresql://db/parley?user=parley@here&password=s3@cret&sslmode=require",
        "postgresql://db?user=parley@here&password=s3@cret",
        "postgresql://parley:s3cret@db/parley?application_name=a@b&options=",
    ],
)
def test_every_address_that_the_driver_reads_as_it_is_meant_is_taken(
    tmp_path: Path, url: str
) -> None:
    assert loaded(tmp_path, f'database: "{url}"').settings.database.url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://parley:s3cret@db:many/parley",
        "postgresql://parley:s3cret@db:99999/parley",
        "postgresql://parley:s3cret@one,,two/parley",
        "postgresql://parley:s3cret@db/parley?sslmode",
        "postgresql://parley:s3cret@db/parley?port=many",
        "host=db user=parley password=s3cret",
        "postgresql:/parley:s3cret@db/parley",
        "mysql://parley:s3cret@db/parley",
        "parley s3cret",
    ],
)
def test_an_address_that_cannot_be_read_is_not_shown(tmp_path: Path, url: str) -> None:
    for text in (f'database: "{url}"', LOOKUP.format(url=url)):
        (problem,) = problems(tmp_path, text)
        assert " is **** (config.yaml line " in problem
        assert "postgresql://user:" in problem
        assert "s3cret" not in problem


def test_a_blank_in_a_password_ends_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path, 'database: "postgresql://parley:s3 cret\u00a0x@db/parley"')
    assert found.settings.database.url == "postgresql://parley:s3%20cret%C2%A0x@db/parley"
    rows = {key: value for key, value, _ in effective(found)}
    assert rows["database.url"] == "postgresql://parley:****@db/parley"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgresql://parley:s3cret@db/parley\n", "postgresql://parley:s3cret@db/parley"),
        ("postgresql://parley@db:5432\r\n", "postgresql://parley@db:5432"),
        ("sqlite:////var/lib/parley.db\n", "sqlite:////var/lib/parley.db"),
    ],
)
def test_the_line_break_at_the_end_of_a_secret_is_no_part_of_the_address(
    tmp_path: Path, url: str, meant: str
) -> None:
    found = loaded(tmp_path, "", {"PARLEY_DATABASE": url})
    assert found.settings.database.url == meant


def test_a_duration_is_no_secret_whatever_it_is_called(tmp_path: Path) -> None:
    models = "models: {main: {use: openai, api_key: hush, first_token: 7s}}"
    rows = {key: value for key, value, _ in effective(loaded(tmp_path, models))}
    assert rows["models.main.first_token"] == "7s"
    assert rows["models.main.api_key"] == "****"
    (problem,) = problems(tmp_path, models.replace("7s", "7"))
    assert problem.startswith("models.main.first_token is 7 (config.yaml line 1): write a duration")
