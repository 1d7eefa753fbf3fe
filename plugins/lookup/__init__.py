"""SQL queries that the operator names in the configuration, each one a private read-only tool.

A model chooses a query and fills its parameters; it never writes SQL. Parameters are only bound,
there is exactly one SELECT, the database itself is told to refuse writes, and rows and time are
limited. `:sender_id`, `:platform` and `:tenant` are bound to who is asking, so that a query can be
kept to what is theirs: a model cannot fill them. An id means somebody only within its platform.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from bot import ConfigError, DatabaseUrl, PluginSettings, Section, Span, Tool, ToolContext
from plugins.lookup.failures import told
from plugins.lookup.parameters import Parameter
from plugins.lookup.postgres import PostgresDatabase
from plugins.lookup.rows import shown
from plugins.lookup.sqlite import SqliteDatabase
from plugins.lookup.statements import Statement, read_statement

_FROM_CONTEXT = ("sender_id", "platform", "tenant")
_FILE = "sqlite:///"


class Query(Section):
    """One question that may be asked."""

    description: str = Field(min_length=1, description="What it tells; the model reads this.")
    sql: str = Field(description="One SELECT; write its parameters as :name.")
    parameters: dict[str, Parameter] = Field(
        default={}, description="What the model fills in, by name."
    )
    examples: tuple[str, ...] = Field(
        default=(), description="What a person would say to get it, in every language."
    )
    roles: tuple[str, ...] = Field(default=(), description="Who may ask; everyone if empty.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        used = set(self.statement.names)
        if reserved := self.parameters.keys() & set(_FROM_CONTEXT):
            raise ValueError(f"{', '.join(sorted(reserved))} is bound to who asks; leave it out")
        if unknown := used - self.parameters.keys() - set(_FROM_CONTEXT):
            raise ValueError(f"the sql has :{min(unknown)}, which parameters does not name")
        if idle := self.parameters.keys() - used:
            raise ValueError(f"the parameter {min(idle)} does not occur in the sql")
        return self

    @property
    def statement(self) -> Statement:
        """The SQL, read and found to be one SELECT."""
        return read_statement(self.sql)


class Settings(PluginSettings):
    """A database and the questions that may be asked of it."""

    database: DatabaseUrl = Field(
        repr=False, description="sqlite:///file, or postgresql://user:password@host/name."
    )
    queries: dict[str, Query] = Field(min_length=1, description="The questions, by tool name.")
    rows: int = Field(default=20, ge=1, le=200, description="Rows of a result, at most.")
    timeout: Span = Field(
        default=timedelta(seconds=5), le=timedelta(minutes=1), description="The longest query."
    )
    connections: int = Field(default=4, ge=1, le=100, description="To PostgreSQL, at most.")

    @field_validator("queries")
    @classmethod
    def _named(cls, queries: dict[str, Query]) -> dict[str, Query]:
        for name in queries:
            if not (name.isascii() and name.isidentifier() and len(name) <= 64):
                raise ValueError(f"{name[:70]!r} is no tool name; use a-z A-Z 0-9 _, up to 64")
        return queries


def build(settings: Settings) -> Sequence[Tool]:
    """One tool for each query.

    Raises:
        ConfigError: the SQLite file is not there, or does not understand a query.
    """
    seconds = settings.timeout.total_seconds()
    if settings.database.startswith(_FILE):
        file = SqliteDatabase(settings.database.removeprefix(_FILE), seconds)
        _check(file, settings.queries)
        ask = _asking_file(file, settings.rows)
    else:
        server = PostgresDatabase(settings.database, seconds, connections=settings.connections)
        ask = _asking_server(server, settings.rows)
    return [
        Tool.build(
            name=name,
            description=query.description,
            parameters=_arguments(name, query.parameters),
            function=ask(name, query),
            roles=query.roles,
            private=True,
            examples=query.examples,
            timeout=seconds + 2,
        )
        for name, query in settings.queries.items()
    ]


def _check(file: SqliteDatabase, queries: Mapping[str, Query]) -> None:
    found = ((name, file.problem(query.statement)) for name, query in queries.items())
    problems = [f"queries.{name}: {problem}" for name, problem in found if problem]
    if problems:
        raise ConfigError(*problems)


_Function = Callable[[ToolContext, BaseModel], object]


def _asking_file(file: SqliteDatabase, rows: int) -> Callable[[str, Query], _Function]:
    """SQLite blocks, so the tool is a plain function, which the engine runs in a thread."""

    def asking(name: str, query: Query) -> _Function:
        def ask(ctx: ToolContext, arguments: BaseModel) -> str:
            values = _values(query, ctx, arguments)
            with told(name, ctx.locale):
                return shown(file.fetch(query.statement, values, rows), ctx.locale)

        return ask

    return asking


def _asking_server(server: PostgresDatabase, rows: int) -> Callable[[str, Query], _Function]:
    def asking(name: str, query: Query) -> _Function:
        async def ask(ctx: ToolContext, arguments: BaseModel) -> str:
            values = _values(query, ctx, arguments)
            with told(name, ctx.locale):
                return shown(await server.fetch(query.statement, values, rows), ctx.locale)

        return ask

    return asking


def _values(query: Query, ctx: ToolContext, arguments: BaseModel) -> Mapping[str, Any]:
    of_context = {
        "sender_id": ctx.sender.id,
        "platform": ctx.address.platform,
        "tenant": ctx.tenant,
    }
    given = {name: getattr(arguments, f"p{n}") for n, name in enumerate(query.parameters)}
    return {name: (of_context | given)[name] for name in query.statement.order}


def _arguments(name: str, parameters: Mapping[str, Parameter]) -> type[BaseModel]:
    # p0, p1 …: a column may well be called `json` or `copy`, which pydantic's models have already.
    fields: dict[str, Any] = {
        f"p{n}": parameter.field(alias) for n, (alias, parameter) in enumerate(parameters.items())
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
