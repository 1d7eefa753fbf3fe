"""Queries that an operator names, and nothing but those."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from bot import ConfigError, Tool, ToolFailed, ToolRetry
from bot.configfile import Value
from bot.engine.plugins import load
from bot.policy.admission import admitted
from bot.policy.verdict import Allow, Refuse
from plugins.lookup.sqlite import SqliteDatabase
from plugins.lookup.statements import Statement, read_statement
from tests.tool_context import tool_context

ORDER: dict[str, Value] = {
    "description": "Say where an order is.",
    "sql": "select status, total, sent_on from orders where id = :order_id",
    "parameters": {
        "order_id": {
            "description": "Two letters and six digits.",
            "pattern": "^[A-Z]{2}[0-9]{6}$",
            "examples": ["AB123456"],
        }
    },
    "examples": ["where is my order AB123456", "订单 AB123456 到哪了"],
}
ROWS = [
    ("AB123456", "shipped", 12.5, "2026-01-03", "ann"),
    ("AB000002", "open", 3, None, "bo"),
    ("AB000003", "lost | found", 0.1, None, "bo"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop's database, in the folder of the configuration."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table orders (id text, status text, total, sent_on, owner text)")
        connection.executemany("insert into orders values (?, ?, ?, ?, ?)", ROWS)
        connection.commit()
    return tmp_path


def entry(
    queries: dict[str, Value], database: str = "sqlite:///shop.db", **settings: Value
) -> dict[str, Value]:
    return {"use": "plugins.lookup", "database": database, "queries": queries, **settings}


def query(sql: str, **more: Value) -> dict[str, Value]:
    return {"description": "Tell.", "sql": sql, **more}


def only(folder: Path, value: Value, **settings: Value) -> Tool:
    (tool,) = load({**entry({"ask": value}), **settings}, folder)
    return tool


async def ask(tool: Tool, arguments: str = "", locale: str = "en", sender: str = "ann") -> str:
    return await tool.call(tool_context(locale=locale, sender=sender), arguments)


async def test_a_query_becomes_a_private_reading_tool(shop: Path) -> None:
    (tool,) = load(entry({"order_status": ORDER}), shop)
    spec = tool.spec
    assert (spec.name, spec.private, spec.effect, tool.plugin) == (
        "order_status",
        True,
        "read",
        "lookup",
    )
    assert spec.examples == ("where is my order AB123456", "订单 AB123456 到哪了")
    assert spec.parameters["properties"] == {
        "order_id": {
            "description": "Two letters and six digits.",
            "examples": ["AB123456"],
            "maxLength": 200,
            "pattern": "^[A-Z]{2}[0-9]{6}$",
            "type": "string",
        }
    }
    assert await ask(tool, '{"order_id": "AB123456"}') == (
        "- status: shipped\n- total: 12.5\n- sent_on: 2026-01-03"
    )


def test_it_is_offered_to_nobody_until_an_audience_lists_it(shop: Path) -> None:
    (tool,) = load(entry({"order_status": ORDER}), shop)
    nobody: frozenset[str] = frozenset()
    assert isinstance(admitted(tool.spec, listed=None, roles=nobody), Refuse)
    assert admitted(tool.spec, listed=frozenset({"order_status"}), roles=nobody) == Allow()


async def test_several_rows_are_a_table_and_none_is_said(shop: Path) -> None:
    tool = only(shop, query("select id, status, sent_on from orders order by id"))
    assert await ask(tool) == (
        "| id | status | sent_on |\n"
        "| --- | --- | --- |\n"
        "| AB000002 | open | – |\n"
        "| AB000003 | lost ／ found | – |\n"
        "| AB123456 | shipped | 2026-01-03 |"
    )
    none = only(shop, query("select id from orders where 0"))
    assert await ask(none) == "Nothing was found."
    assert await ask(none, locale="zh-CN") == "没有找到。"


async def test_rows_and_length_are_limited(shop: Path) -> None:
    tool = only(shop, query("select id from orders"), rows=2)
    said = await ask(tool)
    assert said.count("AB0") + said.count("AB1") == 2
    assert said.endswith("(only the first 2 rows)")
    many = "with recursive n(i) as (select 1 union all select i + 1 from n limit 200)"
    wide = only(shop, query(f"{many} select printf('%0900d', i) as long from n"), rows=200)
    assert len(await ask(wide)) < 9000


@pytest.mark.parametrize(
    "value",
    ["AB123456' or '1'='1", "x'; drop table orders; --", "AB123456\n", "", "A" * 300],
)
async def test_a_value_that_does_not_fit_the_pattern_goes_back_to_the_model(
    shop: Path, value: str
) -> None:
    (tool,) = load(entry({"order_status": ORDER}), shop)
    with pytest.raises(ToolRetry) as caught:
        await ask(tool, json.dumps({"order_id": value}))
    assert str(caught.value).startswith("order_id: String should")


async def test_a_value_is_bound_and_never_read_as_sql(shop: Path) -> None:
    parameters: Value = {"word": {"description": "Any."}}
    tool = only(shop, query("select :word as said, :word as again", parameters=parameters))
    hostile = "x' union select owner from orders; --"
    assert await ask(tool, f'{{"word": "{hostile}"}}') == f"- said: {hostile}\n- again: {hostile}"


async def test_the_sender_is_bound_by_us_and_never_by_the_model(shop: Path) -> None:
    counted = "select count(*) as mine, :platform as at, :tenant as of from orders"
    tool = only(shop, query(f"{counted} where owner = :sender_id"))
    assert await ask(tool, sender="bo") == "- mine: 2\n- at: web\n- of: default"
    with pytest.raises(ToolRetry, match="sender_id: no such argument"):
        await ask(tool, '{"sender_id": "bo"}')


async def test_parameters_have_types(shop: Path) -> None:
    parameters: Value = {
        "i": {"type": "integer", "description": "Any.", "examples": [3]},
        "n": {"type": "number", "description": "Any."},
        "b": {"type": "boolean", "description": "Any."},
        "d": {"type": "date", "description": "Any."},
        "e": {"description": "Any.", "enum": ["small", "large"]},
    }
    sql = "select typeof(:i) as i, typeof(:n) as n, :b as b, :d as d, :e as e"
    tool = only(shop, query(sql, parameters=parameters))
    said = await ask(tool, '{"i": 1, "n": 0.5, "b": true, "d": "2026-01-05", "e": "small"}')
    assert said == "- i: integer\n- n: real\n- b: 1\n- d: 2026-01-05\n- e: small"
    for wrong in ('"i": "x"', f'"i": {2**63}', '"d": "soon"', '"e": "huge"', '"n": NaN'):
        with pytest.raises(ToolRetry):
            await ask(
                tool, f'{{"i": 1, "n": 1, "b": true, "d": "2026-01-05", "e": "small", {wrong}}}'
            )


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("delete from orders", "only a SELECT is allowed, not DELETE"),
        ("", "only a SELECT is allowed, not nothing"),
        ("pragma table_info(orders)", "only a SELECT is allowed, not PRAGMA"),
        ("values (1)", "only a SELECT is allowed, not VALUES"),
        ("explain select 1", "only a SELECT is allowed, not EXPLAIN"),
        ("select 1; select 2", "only one statement is allowed"),
        ("select 1; -- x\n delete from orders", "only one statement is allowed"),
        ("with x as (delete from orders returning *) select * from x", "without DELETE"),
        ("select * into copy_of from orders", "without INTO"),
        ("select * from orders for update", "without UPDATE"),
        ("select $1", "write parameters as :name"),
        ("select ?", "write parameters as :name"),
        ("select $$x$$", "write parameters as :name"),
        ("select E'it\\'s'", "without E in front"),
        ("select 'x", "a quote is not closed"),
        ("select * from nowhere", "SQLite does not take it: no such table: nowhere"),
        ("select load_extension('x')", "not authorized to use function: load_extension"),
        ("select :who", "the sql has :who, which parameters does not name"),
    ],
)
def test_anything_but_one_select_stops_the_start_with_a_sentence(
    shop: Path, sql: str, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(entry({"ask": query(sql)}), shop, place="plugins.3")
    (problem,) = caught.value.problems
    assert problem.startswith("plugins.3")
    assert "queries.ask" in problem
    assert told in problem


def test_words_in_texts_names_and_comments_are_no_statements() -> None:
    sql = "/* ; drop */ select 'delete; it''s', \"update\" -- insert :x\n , a::text where b = :b ;"
    assert read_statement(sql) == Statement(
        ("  select 'delete; it''s', \"update\"  \n , a::text where b = ", " "), ("b",)
    )
    assert read_statement("select :b, :a, :b").numbered == "select $1, $2, $1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"database": "sqlite:///none.db"}, "there is no file"),
        ({"database": "mysql://x"}, "write sqlite:///"),
        ({"queries": {}}, "queries"),
        ({"queries": {"a b": query("select 1")}}, "'a b' is no tool name"),
        ({"queries": {"a": {"sql": "select 1"}}}, "queries.a.description is missing"),
        ({"queries": {"a": query("select 1", parameters={"x": {"description": "x"}})}},
         "the parameter x does not occur"),
        ({"queries": {"a": query("select :x", parameters={"x": {"description": "x",
                                                                "pattern": "("}})}},
         "pattern is no regular expression"),
        ({"queries": {"a": query("select :x", parameters={"x": {"description": "x",
            "pattern": "^a$", "examples": ["b"]}})}}, "the example 'b' is not allowed"),
        ({"queries": {"a": query("select :tenant", parameters={"tenant": {"description": "x"}})}},
         "tenant is bound to who asks"),
        ({"rows": 0}, "rows is 0"),
        ({"timeout": "2h"}, "timeout"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_configuration_is_told_with_its_place(
    shop: Path, change: dict[str, Value], told: str
) -> None:
    with pytest.raises(ConfigError, match=r"plugins\.0") as caught:
        load({**entry({"order_status": ORDER}), **change}, shop, place="plugins.0")
    assert told in str(caught.value)


def test_the_password_of_a_database_is_never_told() -> None:
    wrong = entry({"a": query("select 1; select 2")}, "postgresql://me:canary@127.0.0.1/x", rows=0)
    with pytest.raises(ConfigError) as caught:
        load(wrong, Path())
    assert "canary" not in str(caught.value)


async def test_a_query_that_never_ends_is_stopped(shop: Path) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    tool = only(shop, query(endless), timeout="100ms")
    with pytest.raises(ToolFailed, match="took too long"):
        await ask(tool)


async def test_a_value_of_a_gigabyte_is_refused_and_logged_without_text(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tool = only(shop, query("select zeroblob(1000000000)"))
    with caplog.at_level(logging.WARNING), pytest.raises(ToolFailed, match="could not be asked"):
        await ask(tool)
    (record,) = caplog.records
    assert (record.message, record.__dict__["query"]) == ("lookup.failed", "ask")


@pytest.mark.parametrize(
    "sql",
    [
        "delete from orders",
        "create table x (a)",
        "create temp table x (a)",
        "attach database 'other.db' as other",
        "pragma query_only = off",
        "pragma journal_mode = delete",
        "vacuum into 'copy.db'",
    ],
)
def test_the_file_itself_refuses_what_writes_or_leads_elsewhere(shop: Path, sql: str) -> None:
    database = SqliteDatabase(str(shop / "shop.db"), 1.0)
    with closing(database._open()) as connection, pytest.raises(sqlite3.Error):
        connection.execute(sql)
    assert {path.name for path in shop.iterdir()} == {"shop.db"}


async def test_a_file_that_is_gone_later_fails_with_a_sentence(shop: Path) -> None:
    tool = only(shop, query("select 1"))
    (shop / "shop.db").unlink()
    with pytest.raises(ToolFailed, match="could not be asked"):
        await ask(tool)
    assert not (shop / "shop.db").exists()


async def test_a_full_text_table_can_be_asked(shop: Path) -> None:
    with closing(sqlite3.connect(shop / "shop.db")) as connection:
        connection.execute("create virtual table notes using fts5(body)")
        connection.execute("insert into notes values ('hello world')")
        connection.commit()
    tool = only(shop, query("select body from notes where notes match 'hello'"))
    assert await ask(tool) == "- body: hello world"


# ---- PostgreSQL --------------------------------------------------------------------------


@pytest.fixture
async def shop_url(postgres_url: str) -> str:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "create table orders (id text, n bigint, total numeric, price float8, sent_on date)"
    )
    await connection.execute("insert into orders values ('AB123456', 7, 0.1, 2.5, '2026-01-03')")
    await connection.close()
    return postgres_url


async def test_a_server_is_asked_the_same_way(shop_url: str) -> None:
    parameters: Value = {
        "id": {"description": "Any."},
        "n": {"type": "integer", "description": "Any."},
        "total": {"type": "number", "description": "Any."},
        "day": {"type": "date", "description": "Any."},
    }
    sql = (
        "select *, :id::text as again from orders where id = :id and n = :n and total = :total "
        "and price > :total and sent_on = :day"
    )
    (tool,) = load(entry({"ask": query(sql, parameters=parameters)}, shop_url), Path())
    said = await ask(tool, '{"id": "AB123456", "n": 7, "total": 0.1, "day": "2026-01-03"}')
    assert said == (
        "- id: AB123456\n- n: 7\n- total: 0.1\n- price: 2.5\n- sent_on: 2026-01-03\n"
        "- again: AB123456"
    )


async def test_a_server_stops_what_never_ends_and_limits_rows(shop_url: str) -> None:
    sleeping = entry({"ask": query("select pg_sleep(60)")}, shop_url, timeout="200ms")
    (tool,) = load(sleeping, Path())
    with pytest.raises(ToolFailed, match="took too long"):
        await ask(tool)
    (tool,) = load(entry({"ask": query("select generate_series(1, 1000000)")}, shop_url), Path())
    assert (await ask(tool)).endswith("(only the first 20 rows)")


async def test_a_server_itself_refuses_what_writes(shop_url: str) -> None:
    connection = await asyncpg.connect(shop_url)
    await connection.execute(
        "create function sneak() returns int language sql as 'delete from orders; select 1'"
    )
    await connection.execute("create sequence s")
    for sql in ("select sneak()", "select nextval('s')"):
        (tool,) = load(entry({"ask": query(sql)}, shop_url), Path())
        with pytest.raises(ToolFailed, match="could not be asked"):
            await ask(tool)
    assert await connection.fetchval("select count(*) from orders") == 1
    await connection.close()


async def test_a_value_that_a_server_cannot_take_goes_back_to_the_model(shop_url: str) -> None:
    parameters: Value = {"n": {"description": "Any."}}
    sql = "select * from orders where n = :n::text::bigint"
    (tool,) = load(entry({"ask": query(sql, parameters=parameters)}, shop_url), Path())
    with pytest.raises(ToolRetry, match="has not the form"):
        await ask(tool, '{"n": "canary"}')


async def test_a_server_that_is_not_there_fails_with_a_sentence() -> None:
    nobody = entry({"ask": query("select 1")}, "postgresql://me:canary@127.0.0.1:9/none")
    (tool,) = load(nobody, Path())
    with pytest.raises(ToolFailed, match="could not be asked"):
        await ask(tool)
