"""The tables keep the rules that let them be spread over several servers later."""

import pytest
from sqlalchemy import BigInteger, Integer, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateColumn

from bot.store.tables import Row
from bot.store.times import EPOCH, FOREVER, from_micros, to_micros
from tests.fakes import EPOCH as MONDAY

TABLES = Row.metadata.sorted_tables
OWNED = [table for table in TABLES if "conversation_id" in table.c and table.name != "alias"]
POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]  # the library has no types there
PROMISED = (
    "conversation session message inbox lane turn step outbox slot signal approval listener "
    "person identity usage audit tick node setting"
).split()


def test_every_table_of_the_design_is_declared() -> None:
    assert set(PROMISED) <= {table.name for table in TABLES}


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_a_row_of_a_conversation_carries_tenant_and_shard(table: Table) -> None:
    assert {"tenant", "conversation_id", "shard"} <= set(table.c.keys())


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_a_unique_key_of_such_a_table_contains_the_conversation(table: Table) -> None:
    keys = [
        {column.name for column in key.columns}
        for key in table.constraints
        if isinstance(key, PrimaryKeyConstraint | UniqueConstraint)
    ]
    keys += [{column.name for column in index.columns} for index in table.indexes if index.unique]
    assert keys
    assert all("conversation_id" in key or key == {"id"} for key in keys)


def test_numbers_that_grow_are_64_bits_wide_on_both_databases() -> None:
    small = {"shard", "state", "version", "readable_from"}
    for table in TABLES:
        for column in table.columns:
            if not isinstance(column.type, Integer) or column.name in small:
                continue
            if table.name == "schema_version":
                continue
            assert isinstance(column.type, BigInteger), f"{table.name}.{column.name}"
            on_postgres = str(CreateColumn(column).compile(dialect=POSTGRES))
            assert "BIGINT" in on_postgres or "BIGSERIAL" in on_postgres, on_postgres


def test_history_is_clustered_by_conversation_and_sequence_number() -> None:
    table = Row.metadata.tables["message"]
    assert [column.name for column in table.primary_key.columns] == ["conversation_id", "seq"]
    assert table.dialect_options[sqlite.dialect.name]["with_rowid"] is False


def test_times_are_kept_to_the_microsecond() -> None:
    late = MONDAY.replace(year=2200, microsecond=999_999)
    assert from_micros(to_micros(late)) == late
    assert to_micros(EPOCH) == 0
    assert from_micros(to_micros(FOREVER)) == FOREVER
