"""A file that was migrated is what the tables say, and a wrong one is refused with a sentence."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from bot.errors import ConfigError, Transient
from bot.store import migrations
from bot.store.migrate import migrate_sqlite
from bot.store.sqlite import SqliteStore
from bot.store.sqlite_file import connect
from bot.store.tables import READABLE_FROM, VERSION, Row
from tests.fakes import FakeClock
from tests.faults.disk import integrity_of, kept_short


def _migrated(folder: Path) -> Path:
    path = folder / "parley.db"
    migrate_sqlite(path, FakeClock())
    return path


def _engine(path: Path) -> Engine:
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(path), poolclass=NullPool)


def _declared(path: Path) -> dict[str, str]:
    """What SQLite remembers of how each table and index was made."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL "
            "AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
        ).fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_a_migrated_file_is_what_the_tables_declare(tmp_path: Path) -> None:
    migrated = _migrated(tmp_path)
    fresh = tmp_path / "fresh.db"
    Row.metadata.create_all(_engine(fresh))
    assert _declared(migrated) == _declared(fresh)
    with _engine(migrated).connect() as connection:
        context = MigrationContext.configure(connection)
        differences = [
            found
            for found in compare_metadata(context, Row.metadata)
            if "alembic_version" not in str(found)
        ]
    assert differences == []


def test_the_schema_row_says_which_schema_this_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(_migrated(tmp_path))) as db:
        found = db.execute("SELECT version, readable_from FROM schema_version").fetchall()
    assert found == [(VERSION, READABLE_FROM)]
    assert READABLE_FROM <= VERSION


def test_the_file_gives_back_pages_and_wipes_what_is_deleted(tmp_path: Path) -> None:
    with closing(connect(_migrated(tmp_path))) as db:
        found = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("auto_vacuum", "journal_mode", "synchronous", "secure_delete")
        }
    assert found == {
        "auto_vacuum": 2,
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
    }


def test_a_file_that_cannot_give_back_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (n)")
    with pytest.raises(ConfigError, match=r"foreign\.db was not made by Parley"):
        migrate_sqlite(path, FakeClock())


def test_an_older_schema_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    path = _migrated(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 0")
        db.execute("INSERT INTO setting VALUES ('kept', 'yes')")
    migrate_sqlite(path, FakeClock())
    (copy,) = tmp_path.glob("parley.db.schema-0-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT version FROM schema_version").fetchall() == [(0,)]
        assert db.execute("SELECT value FROM setting").fetchall() == [("yes",)]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version FROM schema_version").fetchall() == [(VERSION,)]


def test_half_a_copy_does_not_bear_the_name_of_a_whole_one(tmp_path: Path) -> None:
    path = _migrated(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 0")
    with kept_short(os.getpid(), 1 << 15), pytest.raises(Transient):
        migrate_sqlite(path, FakeClock())
    assert list(tmp_path.glob("parley.db.schema-*")) == []
    migrate_sqlite(path, FakeClock())
    (copy,) = tmp_path.glob("parley.db.schema-0-*")
    assert integrity_of(copy) == "ok"
    assert list(tmp_path.glob("*.unfinished*")) == []


def test_a_file_of_the_first_schema_becomes_one_of_this(tmp_path: Path) -> None:
    """Down to the first and up again: its rows stay, and so does the copy made before."""
    path = _migrated(tmp_path)
    declared = _declared(path)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with _engine(path).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 1")
        db.execute(
            "INSERT INTO lane (conversation_id, tenant, shard, wake_at, fence)"
            " VALUES (7, 'default', 1, 5, 3)"
        )
    assert _declared(path) != declared
    migrate_sqlite(path, FakeClock())
    assert _declared(path) == declared
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT conversation_id, wake_at FROM lane").fetchall() == [(7, 5)]
    assert len(list(tmp_path.glob("parley.db.schema-1-*"))) == 1


def test_a_file_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    path = _migrated(tmp_path)
    migrate_sqlite(path, FakeClock())
    assert list(tmp_path.glob("parley.db.schema-*")) == []


def test_code_that_is_too_old_is_refused_and_code_that_is_old_is_not(tmp_path: Path) -> None:
    path = _migrated(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 99")
    migrate_sqlite(path, FakeClock())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET readable_from = 99")
    with pytest.raises(ConfigError, match="newer Parley"):
        migrate_sqlite(path, FakeClock())


async def test_a_command_that_only_looks_does_not_migrate(tmp_path: Path) -> None:
    path = _migrated(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 0")
    with pytest.raises(ConfigError, match="parley migrate"):
        await SqliteStore(path, FakeClock(), mode="read").open()
