"""The engine put together from its parts: one sentence of constructors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.domain.records import Claim, Placement
from bot.engine.audience import Audience
from bot.engine.intake import Door, Intake
from bot.engine.lane import Lane
from bot.engine.outbox import AmbiguousPolicy, Delivering
from bot.engine.parts import Parts
from bot.engine.runner import Runner
from bot.engine.saying import Sayings
from bot.engine.sessions import Sessions
from bot.engine.taking import Limits
from bot.engine.toolbox import Toolbox
from bot.engine.tools import Tool
from bot.ports import Adapter, Clock, Codec, Observer, Store

if TYPE_CHECKING:
    from aiohttp import ClientSession


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about the engine, in the engine's own words."""

    node: str
    lease: timedelta
    limits: Limits
    expires: timedelta
    ambiguous: AmbiguousPolicy
    locale: str
    interrupts: bool
    polls: bool
    max_characters: int
    idle_of_adapter: Mapping[str, timedelta]
    roles: Mapping[tuple[str, str], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts that others hold on to."""

    runner: Runner
    door: Door
    sessions: Sessions
    toolbox: Toolbox

    def intake(self, placement: Placement) -> Intake:
        """Where one adapter hands over what it receives."""
        return Intake(self.door, placement)


def build_engine(
    *,
    store: Store,
    codec: Codec,
    adapters: Mapping[str, Adapter],
    audiences: Mapping[str, Audience],
    tools: Mapping[str, Tool],
    rules: Rules,
    clock: Clock,
    observer: Observer,
    http: "Callable[[], ClientSession]",
) -> Engine:
    """Put the engine together; `audiences` holds the default one under ""."""
    sessions = Sessions(store, observer, idle_of_adapter=rules.idle_of_adapter, audiences=audiences)
    known_roles = frozenset({"operator"}).union(*rules.roles.values())
    toolbox = Toolbox(tools, clock=clock, observer=observer, known_roles=known_roles)
    sayings = Sayings(
        journal=store,
        sessions=sessions,
        adapters=adapters,
        clock=clock,
        observer=observer,
        expires=rules.expires,
    )
    parts = Parts(
        inbox=store,
        lanes=store,
        journal=store,
        history=store,
        erasure=store,
        upkeep=store,
        codec=codec,
        clock=clock,
        observer=observer,
        adapters=adapters,
        audiences=audiences,
        toolbox=toolbox,
        sessions=sessions,
        sayings=sayings,
        limits=rules.limits,
        expires=rules.expires,
        locale=rules.locale,
        interrupts=rules.interrupts,
        draining=lambda: runner.draining,
        http=http,
    )
    delivering = Delivering(store, adapters, clock, observer, rules.ambiguous, rules.locale)

    def make(claim: Claim) -> Lane:
        return Lane(parts, delivering, claim)

    runner = Runner(
        lanes=store,
        make=make,
        name=rules.node,
        lease=rules.lease,
        clock=clock,
        observer=observer,
        polls=rules.polls,
    )
    door = Door(
        inbox=store,
        lanes=store,
        slots=store,
        clock=clock,
        observer=observer,
        roles=rules.roles,
        max_characters=rules.max_characters,
        wake=runner.wake,
        stop=runner.stop,
        ring=runner.ring,
        draining=lambda: runner.draining,
        full=lambda: runner.full,
    )
    return Engine(runner, door, sessions, toolbox)
