"""Why a query gave no rows, and how that is told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from bot import ToolFailed, ToolRetry

_log = logging.getLogger(__name__)


class QueryFailed(Exception):
    """The database did not answer; the cause is the driver's own error."""


class QueryTooSlow(QueryFailed):
    """It was stopped."""


class ValueUnfit(QueryFailed):
    """The database takes no such value there."""


@contextmanager
def told(query: str, locale: str) -> Iterator[None]:
    """Turn a failure into a sentence for the model, and into a line for the operator.

    Raises:
        ToolRetry: a value is wrong.
        ToolFailed: the database is.
    """
    zh = locale.startswith("zh")
    try:
        yield
    except ValueUnfit as error:
        raise ToolRetry(
            "有一个值的格式与数据库不符" if zh else "a value has not the form that is stored"
        ) from error
    except QueryFailed as error:
        # The driver's text may quote values, so only its kind is written down.
        kind = type(error.__cause__ or error).__name__
        _log.warning("lookup.failed", extra={"query": query, "error": kind})
        if isinstance(error, QueryTooSlow):
            said = "查询超时，已停止。" if zh else "The query took too long and was stopped."
        else:
            said = "暂时无法查询数据库。" if zh else "The database could not be asked."
        raise ToolFailed(said) from error
