"""Programs of several tests run side by side; none takes another's port."""

from itertools import islice

from tests.ports import OURS, shares


def test_workers_share_all_ports_and_have_none_in_common() -> None:
    each = [set(islice(shares(worker, 3), (OURS[1] - OURS[0]) // 3)) for worker in range(3)]
    assert len(set.union(*each)) == sum(map(len, each))


def test_no_port_comes_again_before_all_have_come() -> None:
    size = (OURS[1] - OURS[0]) // 4
    assert len(set(islice(shares(0, 4), size))) == size
