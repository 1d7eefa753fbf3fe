"""Tenants take turns: however much of one waits, another's lane is not behind all of it."""

import asyncio
from collections import Counter

from bot.domain.address import Address
from bot.domain.conversation import ConversationId
from bot.domain.records import Claim, Placement
from tests.contracts.worlds import LEASE, World

BATCH = 64


async def waiting(world: World, tenant: str, number: int) -> list[ConversationId]:
    """So many lanes of a tenant with a message in each, oldest first."""
    first, *others = await asyncio.gather(
        *(
            world.store.accept(
                world.inbound(address=Address("telegram", tenant, f"chat{n}")),
                Placement(tenant, "support", "customers"),
            )
            for n in range(number)
        )
    )
    return [first.conversation, *(one.conversation for one in others)]


class Tenants:
    """Whose lanes were claimed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._of: dict[ConversationId, str] = {}

    async def wait(self, tenant: str, number: int) -> list[ConversationId]:
        """So many lanes of a tenant, all behind what waits already."""
        await self._world.age(1)
        found = await waiting(self._world, tenant, number)
        self._of |= dict.fromkeys(found, tenant)
        return found

    def of(self, *claims: Claim) -> str:
        """The tenants' names in alphabetical order, one after the other."""
        return "".join(sorted(self._of[claim.conversation] for claim in claims))


async def test_a_thousand_lanes_of_one_tenant_do_not_delay_one_of_another(world: World) -> None:
    tenants, node = Tenants(world), await world.node()
    await tenants.wait("b", 1000)
    await tenants.wait("a", 1)
    await tenants.wait("c", 1)
    claims = await world.store.claim(node, BATCH)
    assert Counter(tenants.of(*claims)) == {"a": 1, "b": BATCH - 2, "c": 1}
    assert tenants.of(*await world.store.claim(node, BATCH)) == "b" * BATCH


async def test_what_waits_is_claimed_in_rounds_one_of_each_tenant(world: World) -> None:
    tenants, node = Tenants(world), await world.node()
    oldest = await tenants.wait("b", 1)
    for tenant, number in (("b", 5), ("c", 3), ("a", 1)):
        await tenants.wait(tenant, number)
    claims = await world.store.claim(node, 6)
    assert tenants.of(*claims) == "abbbcc"
    assert oldest[0] in {claim.conversation for claim in claims}
    assert tenants.of(*await world.store.claim(node, 6)) == "bbc"
    assert not await world.store.claim(node, 6)


async def test_more_tenants_than_a_claim_takes_are_served_one_after_the_other(
    world: World,
) -> None:
    tenants, node = Tenants(world), await world.node()
    for tenant in "ebdac":
        await tenants.wait(tenant, 2)
    claims = [tenants.of(*await world.store.claim(node, 2)) for _ in range(6)]
    assert claims == ["ab", "cd", "ae", "bc", "de", ""]


async def test_what_a_dead_node_left_behind_takes_half_of_the_seats(world: World) -> None:
    tenants = Tenants(world)
    await tenants.wait("b", 5)
    dead = await world.node("dead")
    assert len(await world.store.claim(dead, 5)) == 5
    await world.store.leave(dead)
    await world.age(2)
    await tenants.wait("a", 5)
    node = await world.node("another")
    assert tenants.of(*await world.store.claim(node, 4)) == "aabb"
    assert tenants.of(*await world.store.claim(node, 1)) == "b"
    # Half of the seats or more are taken as long as anything waits: see `Lanes.claim`.
    assert tenants.of(*await world.store.claim(node, 8)) == "aaabb"
    assert tenants.of(*await world.store.claim(node, 8)) == ""


async def test_a_lane_whose_time_has_not_come_has_no_turn(world: World) -> None:
    tenants, node = Tenants(world), await world.node()
    await tenants.wait("a", 1)
    (claim,) = await world.store.claim(node, 4)
    head = await world.store.head(claim)
    await world.store.skip(claim, [row.id for row in head.waiting])
    assert await world.store.release(claim, wake_at=head.now + LEASE)
    await tenants.wait("b", 3)
    assert await world.store.wake_up_in() == 0
    assert tenants.of(*await world.store.claim(node, 4)) == "bbb"
    rest = await world.store.wake_up_in()
    assert rest is not None
    assert 0 < rest <= LEASE.total_seconds()


async def test_claimers_at_the_same_time_take_different_lanes_and_full_batches(
    world: World,
) -> None:
    tenants = Tenants(world)
    for tenant in "ab":
        await tenants.wait(tenant, 12)
    stores = [world.store, await world.another(), await world.another()]
    nodes = [await store.join(f"node{n}", LEASE) for n, store in enumerate(stores)]
    taken = await asyncio.gather(
        *(store.claim(node, 8) for store, node in zip(stores, nodes, strict=True))
    )
    assert [len(claims) for claims in taken] == [8, 8, 8]
    assert len({claim.conversation for claims in taken for claim in claims}) == 24
