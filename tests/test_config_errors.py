"""Every mistake at once, each with its place, its source and what to do."""

from pathlib import Path

import pytest

from bot.configfile import locate
from bot.configload import load
from bot.errors import ConfigError
from tests.config_files import problems, write

PLACE = "config.yaml line"


def test_all_mistakes_come_together_adapters_and_plugins_included(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        server: {prot: 80}
        session: {idle: 90}
        answer: {model: man}
        adapters:
          mine: {use: ./mine.py, tokn: x, mode: pooling}
          other: {use: ./nowhere.py}
        plugins: [{use: ./orders.py, colour: red}]
        """,
        {"PARLEY_LOG__LEVL": "info"},
    )
    assert sorted(problem.split(" ")[0].rstrip(":") for problem in found) == [
        "PARLEY_LOG__LEVL",
        "adapters.mine.mode",
        "adapters.mine.token",
        "adapters.mine.tokn",
        "adapters.other.use",
        "answer.model",
        "plugins.0.colour",
        "server.prot",
        "session.idle",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "server: {prot: 80}",
            f"server.prot ({PLACE} 1): there is no such key; did you mean server.port?",
        ),
        ("sever: {}", f"sever ({PLACE} 1): there is no such key; did you mean server?"),
        ("port: 80", f"port ({PLACE} 1): there is no such key; did you mean server.port?"),
        ("colour: red", f"colour ({PLACE} 1): there is no such key"),
        ("server: 5", f"server ({PLACE} 1): write a group of keys"),
        (
            "session:\n  window: {mesages: 1}",
            f"session.window.mesages ({PLACE} 2): there is no such key; "
            "did you mean session.window.messages?",
        ),
        (
            "server: {port: eighty}",
            f'server.port is "eighty" ({PLACE} 1): write a whole number',
        ),
        ("server: {port: 70000}", f"server.port is 70000 ({PLACE} 1): write 65535 or less"),
        ("server: {public_url: bot}", "write a whole address, such as https://bot.example.com"),
        ("log: {level: loud}", "write one of debug, info, warning or error"),
        ("intake: {gather: 5}", "write a duration such as 90s, 30m, 2h or 7d; say the unit"),
        ("session: {idle: 0s}", "write a duration longer than 0s"),
        ("intake: {lane_limit: 300}", f"lane_limit is 300 ({PLACE} 1): write 200 or less"),
        (
            'database: {url: "postgresql://h/d", lease: 11m}',
            "lease: write 10m or less; so long nobody takes over from a server that died",
        ),
        ("intake: {max_size: big}", "write a size such as 64kB or 1MB"),
        ("database: mysql://h", "write sqlite:///path/to/file.db or postgresql://"),
        (
            "database: {pooler: transaction}",
            "pooler: transaction is for PostgreSQL; leave it out for a file",
        ),
        (
            'database: {url: "postgresql://h/d", direct_url: "postgresql://h/d"}',
            "without a pooler, url leads there already",
        ),
        (
            'database: {url: "postgresql://p/d", pooler: transaction, direct_url: "sqlite:///d"}',
            'database.direct_url is "sqlite:///d" (config.yaml line 1): write postgresql://',
        ),
        ("database: {pooler: session}", "write one of none or transaction"),
        ("answer: {tools: 5}", "write all, or a list of names such as [clock, calculator]"),
        (
            "answer: {model: man}",
            f'answer.model ({PLACE} 1): models has no entry "man"; did you mean main?',
        ),
        ("answer: {fallback: [spare]}", 'models has no entry "spare"; there are: main'),
        ("audiences: {a: {model: man}}", "audiences.a.model (config.yaml line 1): models has no"),
        ("audiences: {A: {}}", "a name is made of a-z, 0-9 and single _, beginning with a-z"),
        ("audiences: {a__b: {}}", "a name is made of a-z, 0-9 and single _, beginning with a-z"),
        ("audiences: {a: }", "audiences.a (config.yaml line 1): there is nothing in it"),
        ("operators: {a: b}", "operators (config.yaml line 1): write a list"),
        ('operators: [{sender: "7"}]', "operators.0.sender"),
        ('operators: [{sender: "min:7"}]', 'adapters has no entry "min"; did you mean mine?'),
        ("models: {main: {use: opnai}}", "there is no 'opnai'; write openai"),
        ("models: {main: {model: x}}", "models.main.use (config.yaml line 1): write which one"),
        ("models: {main: {use: openai}}", 'api_key is missing; write api_key: "${OPENAI_API_KEY}"'),
        (
            "models: {main: {use: azure, deployment: d}}",
            f"models.main.endpoint is missing ({PLACE} 1): "
            "write it, or set PARLEY_MODELS__MAIN__ENDPOINT.",
        ),
        (
            "models: {main: {use: offline, model: x}}",
            f"models.main.model ({PLACE} 1): there is no such key; there are use",
        ),
    ],
)
def test_a_mistake_is_told_with_place_source_and_what_to_do(
    tmp_path: Path, text: str, problem: str
) -> None:
    (found,) = problems(tmp_path, text)
    assert problem in found


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("use: ./mine.py", "adapters.a.token is missing (config.yaml line 2): write it, or set"),
        (
            'use: ./mine.py, token: "1:a", audience: x',
            'audiences has no entry "x"; there are: none',
        ),
        ('use: ./mine.py, token: "1:a", retry: {atempts: 1}', "did you mean adapters.a.retry.atte"),
        (
            'use: ./mine.py, token: "1:a", wait: 2m',
            'wait is "2m" (config.yaml line 2): write 1m or l',
        ),
        (
            'use: ./mine.py, token: "1:a", routes: {x: {atempts: 1}}',
            "adapters.a.routes.x.atempts (config.yaml line 2): there is no such key; "
            "did you mean adapters.a.routes.x.attempts?",
        ),
        (
            'use: ./mine.py, token: "1:a", steps: [{atempts: 1}]',
            "did you mean adapters.a.steps.0.attempts?",
        ),
        ('use: ./mine.py, token: ""', "adapters.a.token is **** (config.yaml line 2):"),
        ('token: "1:a"', "adapters.a.use (config.yaml line 2): write which one it is"),
        ("use: ./gone.py", "adapters.a.use (config.yaml line 2): './gone.py': there is no file "),
        ("use: adapters.nosuchthing", "there is no such module; adapters has "),
        ("use: nosuchpackage", "'nosuchpackage': there is no such module"),
        ("use: ./orders.py", "'./orders.py': it has no class Settings(AdapterSettings)"),
        ("use: some words", "write a dotted module (plugins.clock) or the path of a .py file"),
    ],
)
def test_a_mistake_in_an_adapters_entry_is_told_likewise(
    tmp_path: Path, entry: str, problem: str
) -> None:
    (found,) = problems(tmp_path, f"adapters:\n  a: {{{entry}}}\nplugins: []")
    assert problem in found


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import nosuchvendor", "it needs the package nosuchvendor, which is not installed here"),
        ("x = (", "it is no valid Python: '(' was never closed at {file} line 1"),
        (
            "import json\njson.loads('?')",
            "importing it failed: JSONDecodeError: Expecting value: line 1 column 1 (char 0) "
            "at {file} line 2",
        ),
        ("raise KeyError", "importing it failed: KeyError at {file} line 1"),
        ("raise SystemExit(3)", "importing it failed: SystemExit: 3 at {file} line 1"),
        ("from json import nothing", "importing it failed: ImportError: cannot import name"),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_sentence_with_file_and_line(
    tmp_path: Path, code: str, problem: str
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(code, encoding="utf-8")
    (found,) = problems(tmp_path, "adapters: {}\nplugins: [{use: ./broken.py}]")
    assert found.startswith("plugins.0.use (config.yaml line 2): './broken.py': ")
    assert problem.format(file=file) in found


def test_a_plugin_that_a_model_cannot_be_offered_says_what_its_author_must_mend(
    tmp_path: Path,
) -> None:
    (tmp_path / "mute.py").write_text(
        "from bot import tool\n\n@tool\nasync def mute() -> str:\n    return ''\n", encoding="utf-8"
    )
    (found,) = problems(tmp_path, "adapters: {}\nplugins: [{use: ./mute.py}]")
    assert found.startswith("plugins.0.use (config.yaml line 2): './mute.py': ")
    assert "mute" in found
    assert "docstring" in found


def test_a_plugin_is_a_group_with_use(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "adapters: {}\nplugins: [plugins.clock]")
    assert (
        found
        == "plugins.0 (config.yaml line 2): write a group of keys such as {use: plugins.clock}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "adapters: {a: {use: ./mine.py, token: hush}}\nplugins: []",
        'adapters: {a: {use: ./mine.py, token: "1:a", tokn: hush}}\nplugins: []',
        'database: "mysql://user:hush@host"',
        "server: {token: [hush]}",
        "server: {secret: {hush: 1}}",
        "models: {main: {use: azure, endpoint: 'ftp://me:hush@host', deployment: d}}",
    ],
)
def test_no_mistake_shows_a_secret(tmp_path: Path, text: str) -> None:
    assert "hush" not in "\n".join(problems(tmp_path, text))


def test_a_value_of_the_environment_is_masked_too(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", {"PARLEY_ADAPTERS__MINE__TOKEN": "hush"})
    assert found == (
        "adapters.mine.token is **** (PARLEY_ADAPTERS__MINE__TOKEN): **** has no colon"
    )


# ---- the file as such ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2", f"a ({PLACE} 2): this key is here twice; keep one"),
        ("- a", "config.yaml must be a mapping of keys, such as `server: {port: 8080}`"),
        ("words", "config.yaml must be a mapping of keys, such as `server: {port: 8080}`"),
        ("server:\n\tport: 1", f"{PLACE} 2: this is not YAML: found character '\\t'"),
        ("server:\n\tport: 1", "indent with spaces, not tabs"),
        ("server: {port: 1", "this is not YAML: expected ',' or '}'"),
        ("a: *b", f"{PLACE} 1: this is not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2", "this is not YAML: but found another document"),
        ("server: {port: !!int 5}", f"server.port ({PLACE} 1): the tag tag:yaml.org,2002:int"),
        ("? [a]\n: 1", f"the file ({PLACE} 1): a key must be a word"),
        ("a: &x [*x]", f"a.0 ({PLACE} 1): an alias must not contain itself"),
        ("a: {<<: 5}", f"a ({PLACE} 1): `<<` takes a mapping"),
        ("a: \x01", "config.yaml: this is not YAML: "),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, {}, tmp_path)
    (found,) = caught.value.problems
    assert problem in found


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load(path, {}, tmp_path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory"):
        load(tmp_path, {}, tmp_path)


# ---- which file ----------------------------------------------------------------------------


def test_the_option_wins_over_the_variable_and_the_variable_over_the_file_here(
    tmp_path: Path,
) -> None:
    here = write(tmp_path, "", "config.yaml")
    named = write(tmp_path, "", "named.yaml")
    option = write(tmp_path, "", "option.yaml")
    environ = {"PARLEY_CONFIG": "named.yaml"}
    assert locate(Path("option.yaml"), environ, tmp_path) == option
    assert locate(None, environ, tmp_path) == named
    assert locate(None, {}, tmp_path) == here


def test_without_any_file_there_is_none(tmp_path: Path) -> None:
    assert locate(None, {"PARLEY_CONFIG": ""}, tmp_path) is None


@pytest.mark.parametrize(
    ("option", "environ", "named_by"),
    [(Path("gone.yaml"), {}, "--config"), (None, {"PARLEY_CONFIG": "gone.yaml"}, "PARLEY_CONFIG")],
)
def test_a_named_file_that_is_not_there_is_an_error(
    tmp_path: Path, option: Path | None, environ: dict[str, str], named_by: str
) -> None:
    write(tmp_path, "")
    with pytest.raises(ConfigError, match=f"^{named_by} names gone.yaml: there is no such file$"):
        locate(option, environ, tmp_path)
