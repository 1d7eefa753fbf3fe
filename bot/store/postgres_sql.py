"""Statements as PostgreSQL reads them: numbered parameters, and the database's own clock.

Selects, updates and deletes are those of the SQLite store, compiled for this database; what has
to be one round trip here is written by hand in `statements_postgres.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg, PGDialect_asyncpg
from sqlalchemy.sql import ClauseElement

from bot.store.statements import Statement

CLOCK = "(SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
"""The database's time in whole microseconds.

Selected, because a volatile function is asked again for every row and can use no index; a
subquery is asked once.
"""

_NAME = re.compile(r"(?<![:\w]):([a-z_]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A text with $1, $2 … and the names of the values that go there."""

    text: str
    names: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the text's order."""
        return [values[name] for name in self.names]


class _Compiler(PGCompiler_asyncpg):
    """The words that the two databases do not share. SQLAlchemy's compilers have no types."""

    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> Any:
        if bindparam.key == "now":
            return CLOCK
        return super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]

    def visit_column(self, column: Any, *args: Any, **kw: Any) -> str:
        if column.is_literal and column.name == "rowid":
            return "ctid"
        return super().visit_column(column, *args, **kw)

    def visit_max_func(self, function: Any, **kw: Any) -> str:
        name = "greatest" if len(function.clauses) > 1 else "max"
        return f"{name}{self.function_argspec(function, **kw)}"

    def visit_min_func(self, function: Any, **kw: Any) -> str:
        name = "least" if len(function.clauses) > 1 else "min"
        return f"{name}{self.function_argspec(function, **kw)}"


class _Dialect(PGDialect_asyncpg):
    statement_compiler = _Compiler
    supports_statement_cache = False


_DIALECT = _Dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no types


@cache
def shared(statement: Statement) -> Query:
    """A statement of the SQLite store; `now` is no parameter here but the database's clock."""
    return compiled(statement.expression)


def compiled(expression: ClauseElement) -> Query:
    """A select, an update or a delete."""
    found = expression.compile(dialect=_DIALECT)
    names: list[str] = getattr(found, "positiontup", None) or []
    return Query(str(found), tuple(names))


def query(text: str, **parts: str) -> Query:
    """A text with named parameters (`:name`) and other texts in it (`<part>`)."""
    for part, meaning in parts.items():
        text = text.replace(f"<{part}>", meaning)
    text = text.replace("<now>", CLOCK)
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return Query(_NAME.sub(number, text), tuple(names))
