"""Every mutant, in the order of the page."""

from tests.mutants import fences, keys, leases, leavings, replays, sends, waits, words

ROOMS = (fences, keys, waits, replays, leases, sends, words, leavings)
ALL = {one.name: one for room in ROOMS for one in room.MUTANTS}
