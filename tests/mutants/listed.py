"""Every mutant, in the order of the page."""

from tests.mutants import fences, keys, leases, replays, sends, waits

ALL = {
    one.name: one for room in (fences, keys, waits, replays, leases, sends) for one in room.MUTANTS
}
