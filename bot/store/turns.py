"""Tenants take turns when more lanes wait than a claim takes; within a tenant, the oldest first."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

T = TypeVar("T")


def in_turn(waiting: Mapping[str, Sequence[T]], seats: int, after: str) -> list[tuple[str, T]]:
    """Up to `seats` of what waits, one of each tenant and round again, beginning behind `after`."""
    order = sorted(waiting, key=lambda tenant: (tenant <= after, tenant))
    named = ([(tenant, one) for one in waiting[tenant]] for tenant in order)
    rounds = zip_longest(*named)
    return [one for seated in rounds for one in seated if one is not None][:seats]
