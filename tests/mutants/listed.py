"""Every mutant, in the order of the page."""

from tests.mutants import fences, keys, leases, replays, sends, waits, words

ROOMS = (fences, keys, waits, replays, leases, sends, words)
ALL = {one.name: one for room in ROOMS for one in room.MUTANTS}
