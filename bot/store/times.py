"""Times as they are stored: whole microseconds since 1970, always UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a row is due that waits for a person instead of a time."""

_MICROSECOND = timedelta(microseconds=1)


def aware(*times: datetime | None) -> None:
    """Refuse a time that does not say where on the globe it is.

    Raises:
        ValueError: a time is naive.
    """
    for time in times:
        if time is not None and time.tzinfo is None:
            raise ValueError("a stored time must be aware: datetime.now(UTC), not datetime.now()")


def to_micros(time: datetime) -> int:
    """Exact, unlike `timestamp()`, which is a float.

    Raises:
        ValueError: the time is naive.
    """
    if time.tzinfo is None:
        aware(time)
    return (time - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """What `to_micros` was given."""
    return EPOCH + timedelta(microseconds=micros)


def micros_of(seconds: float) -> int:
    """A length of time."""
    return round(seconds * 1_000_000)
