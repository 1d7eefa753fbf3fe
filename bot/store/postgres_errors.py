"""What went wrong between us and PostgreSQL, in this project's words; never a value or a secret."""

from urllib.parse import urlsplit

import asyncpg

from bot.errors import ConfigError, ParleyError, Permanent, Transient

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Everything that asyncpg raises; its own time-out is an OSError too (`TimeoutError`)."""

_MAY_HEAL = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "72", "XX"})
"""Classes of SQLSTATE that trying again may heal: the connection, a standby that became read-only,
a password or database that was just changed, serialisation, resources, locks, shutdown, disk."""

_STALE_PLAN = "0A000"

_MIXED_UP = frozenset({"42P05", "26000"})
"""A prepared statement is there that we did not make, or ours is gone: only a pooler does that."""

UNSAID_POOLER = (
    "a pooler in transaction mode is in between; set `database.pooler: transaction`, see "
    "docs/nodes.md"
)
"""What the operator does about it, at the start and whenever a statement finds out."""


_UNREAD = (
    "database.url cannot be read; percent-encode / ? # @ [ % in the password, and "
    "look at what stands behind the question mark"
)


def translate(error: BaseException) -> ParleyError:
    """What the caller does next about it.

    The driver's own text stays out: it quotes the values of the row that was refused.
    """
    state = getattr(error, "sqlstate", None)
    name = type(error).__name__
    if state is None:
        if isinstance(error, asyncpg.DataError):
            return Permanent(f"the database does not take such a value ({name})")
        return Transient(f"the database cannot be reached ({name})")
    if state in _MIXED_UP:
        return ConfigError(f"database: {UNSAID_POOLER}")
    if state[:2] in _MAY_HEAL or state == _STALE_PLAN:
        return Transient(f"the database cannot do it now ({name}, {state})")
    return Permanent(f"the database refused it ({name}, {state})")


def explain(error: BaseException, url: str) -> ConfigError:
    """Why the store cannot be opened, and what to do; the password is never part of it."""
    if _is_of_the_address(error):
        return ConfigError(f"database: {_UNREAD} ({type(error).__name__})")
    place = urlsplit(url)
    server = server_of(url)
    name = place.path.removeprefix("/") or "(none)"
    user = place.username or "(none)"
    return ConfigError(f"database: {_reason(error, server, name, user)}")


def _is_of_the_address(error: BaseException) -> bool:
    """The driver says what it cannot read with a plain ValueError, more often than with its own."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        return True
    # Values that the database does not take, and certificates, are errors of this kind as well.
    other = isinstance(error, asyncpg.InterfaceError | OSError)
    return isinstance(error, ValueError) and not other


def server_of(url: str) -> str:
    """Host and port as they are written, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2] or "this machine"


def _reason(error: BaseException, server: str, name: str, user: str) -> str:
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"{server} does not let user {user} in; mend user and password in database.url"
        case asyncpg.InvalidCatalogNameError():
            return (
                f"there is no database {name} at {server}; make it (createdb -E UTF8 -T template0 "
                f"{name}) or mend the name in database.url"
            )
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"user {user} may not make or use tables in {name} at {server}; "
                f"make the user its owner (ALTER DATABASE {name} OWNER TO {user})"
            )
        case asyncpg.TooManyConnectionsError():
            return f"{server} has no connection left; raise its max_connections"
        case asyncpg.ReadOnlySQLTransactionError():
            return f"{server} only reads (a standby?); name the primary in database.url"
        case asyncpg.DuplicatePreparedStatementError() | asyncpg.InvalidSQLStatementNameError():
            return f"at {server} {UNSAID_POOLER}"
    if isinstance(error, OSError):
        return f"nobody answers at {server}; start PostgreSQL there or mend database.url"
    state = getattr(error, "sqlstate", None) or "no code"
    return f"{name} at {server} cannot be opened ({type(error).__name__}, {state})"
