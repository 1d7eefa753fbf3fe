"""From settings to objects: models, audiences, tools, adapters and rules, each from its section."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, cast

from pydantic import BaseModel, SecretStr

from bot.app.engine import Rules
from bot.app.toolset import Toolset
from bot.config import AzureSettings, OfflineSettings, OpenAISettings, Settings
from bot.configload import Loaded
from bot.domain.records import Placement
from bot.engine.audience import Audience
from bot.engine.outbox import AmbiguousPolicy
from bot.engine.plugins import listed_tools
from bot.engine.taking import Limits
from bot.engine.tools import Tool
from bot.errors import ConfigError
from bot.models.breaker import Breaker, Circuit
from bot.models.fallback import Fallback
from bot.models.offline import OfflineModel
from bot.models.retry import Retry
from bot.models.telling import Telling
from bot.modules import import_used
from bot.policy.admission import offered
from bot.ports import Adapter, AdapterContext, Clock, Model, Observer, Opens

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class AdapterModule(Protocol):
    """What an adapter package exports beside its `Settings`."""

    def build(self, settings: object, context: AdapterContext) -> Adapter:
        """Make the adapter."""
        ...


class Models:
    """The configured models by name; a client is made once, whoever uses it."""

    def __init__(
        self, settings: Settings, clock: Clock, observer: Observer, *, connections: int
    ) -> None:
        """`connections`: calls that each may have to make at once."""
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._connections = connections
        self.clients: dict[str, Opens] = {}
        self._rungs: dict[str, Model] = {}

    @property
    def configured(self) -> bool:
        """Whether there is a language model besides the offline one."""
        return not all(
            isinstance(entry, OfflineSettings) for entry in self._settings.models.values()
        )

    def ladder(self, names: tuple[str, ...]) -> Model:
        """The first model, and after it those that stand in for it."""
        rungs = {name: self._rung(name, standing_in=i > 0) for i, name in enumerate(names)}
        return Fallback(rungs, self._clock) if len(rungs) > 1 else rungs[names[0]]

    def _rung(self, name: str, *, standing_in: bool) -> Model:
        entry = self._settings.models[name]
        if isinstance(entry, OfflineSettings):
            return OfflineModel(self._clock, name=name, standing_in=standing_in)
        if name not in self._rungs:
            client = self._client(name, entry)
            told = Telling(client, self._observer, name=name)
            guarded = Breaker(told, Circuit(), self._clock, name=name)
            self._rungs[name] = Retry(guarded, self._clock)
        return self._rungs[name]

    def _client(self, name: str, entry: OpenAISettings | AzureSettings) -> Model:
        # openai costs half a second and 50 MB: only who names it pays for it
        from bot.models.openai import OpenAIModel  # noqa: PLC0415
        from bot.models.openai_client import OpenAIOptions  # noqa: PLC0415

        options = OpenAIOptions(
            name=name,
            model="",
            api_key=None if entry.api_key is None else entry.api_key.get_secret_value(),
            base_url=entry.base_url,
            max_output_tokens=entry.max_output_tokens,
            temperature=entry.temperature,
            first_token=entry.first_token,
            gap=entry.gap,
            connections=self._connections,
            locale=self._settings.locale,
        )
        if isinstance(entry, OpenAISettings):
            options = replace(options, model=entry.model, preset=entry.preset)
        else:
            options = replace(
                options,
                model=entry.deployment,
                endpoint=entry.endpoint,
                api_version=entry.api_version,
            )
        model = OpenAIModel(options, self._clock)
        self.clients[name] = model
        return model


def make_audiences(settings: Settings, toolset: Toolset, models: Models) -> dict[str, Audience]:
    """Every audience by name, and under "" the default one of `answer`."""
    tools = toolset.tools
    audiences: dict[str, Audience] = {}
    problems: list[str] = []
    for name in ("", *settings.audiences):
        answer = settings.answer_for(name or None)
        own = settings.audiences.get(name)
        window = settings.window_for(name or None)
        listed: frozenset[str] | None = None
        if answer.tools != "all":
            place = f"audiences.{name}.tools" if name else "answer.tools"
            try:
                listed = listed_tools(
                    answer.tools, tools.values(), place=place, whole=not toolset.absent
                )
            except ConfigError as error:
                problems += error.problems
        audiences[name] = Audience(
            name=name,
            persona=answer.persona,
            model=models.ladder((answer.model, *answer.fallback)),
            listed=listed,
            max_steps=answer.max_steps,
            deadline=answer.deadline,
            idle=(own and own.session) or settings.session.idle,
            window_messages=window.messages,
            window_tokens=window.tokens,
        )
    if problems:
        raise ConfigError(*problems)
    return audiences


def make_adapters(
    loaded: Loaded, context: Callable[[str], AdapterContext]
) -> tuple[dict[str, Adapter], dict[str, Placement]]:
    """The adapters by name, and for whom each of them receives.

    Raises:
        ConfigError: an adapter's own complaint, or two that are the same account.
    """
    adapters: dict[str, Adapter] = {}
    placements: dict[str, Placement] = {}
    problems: list[str] = []
    accounts: dict[tuple[str, str], str] = {}
    for name, entry in loaded.settings.adapters.items():
        module = cast(AdapterModule, loaded.modules[f"adapters.{name}"])
        try:
            adapter = module.build(entry, context(name))
        except ConfigError as error:
            problems += error.problems
            continue
        adapters[name] = adapter
        placements[name] = Placement(entry.tenant, name, entry.audience or "")
        if adapter.account is None:
            continue
        key = (adapter.platform, adapter.account)
        other = accounts.setdefault(key, name)
        if other != name:
            problems.append(
                f"adapters.{name}: it is the same {adapter.platform} account as adapters.{other}; "
                "remove one of them"
            )
    if problems:
        raise ConfigError(*problems)
    return adapters, placements


def make_rules(settings: Settings, *, alone: bool = False) -> Rules:
    """The engine's rules; a name for this node when none is configured.

    `alone` is for `parley chat`: under the name of a server on the same database it would end it.
    """
    intake, outbox = settings.intake, settings.outbox
    node = settings.server.node or f"{socket.gethostname()}:{settings.server.port}"
    shared = settings.database.url.startswith("postgresql")
    if alone:
        node = f"{node}/chat-{os.getpid()}"
    idle: dict[str, timedelta] = {
        name: entry.session for name, entry in settings.adapters.items() if entry.session
    }
    roles: dict[tuple[str, str], frozenset[str]] = {}
    for operator in settings.operators:
        key = (operator.adapter, operator.sender_id)
        roles[key] = roles.get(key, frozenset()) | frozenset(operator.roles)
    return Rules(
        node=node,
        lease=settings.database.lease,
        limits=Limits(intake.max_age, intake.lane_limit, intake.gather),
        expires=outbox.expires,
        hold=outbox.hold,
        ambiguous=AmbiguousPolicy(outbox.ambiguous),
        locale=settings.locale,
        interrupts=intake.while_busy == "interrupt",
        polls=shared,
        max_characters=intake.max_size,
        idle_of_adapter=idle,
        roles=roles,
        node_limit=intake.node_limit,
        only_own=alone and shared,
    )


def with_terminal(loaded: Loaded, *, alone: bool = False) -> Loaded:
    """The configuration with the adapter that `parley chat` talks to; `alone`: no other one."""
    name = "terminal"
    if name in loaded.settings.adapters and not alone:
        return loaded
    module = import_used("adapters.terminal", loaded.folder)
    entry = loaded.settings.adapters.get(name) or module.Settings(use="adapters.terminal")
    others = {} if alone else dict(loaded.settings.adapters)
    settings = loaded.settings.model_copy(update={"adapters": {**others, name: entry}})
    modules = {**loaded.modules, f"adapters.{name}": module}
    return replace(loaded, settings=settings, modules=modules)


def secrets_of(settings: BaseModel) -> set[str]:
    """Every secret value in the configuration, for the log to hide wherever it turns up."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        _collect(getattr(settings, name), found)
    return {secret for secret in found if secret}


def _collect(value: object, found: set[str]) -> None:
    if isinstance(value, SecretStr):
        found.add(value.get_secret_value())
    elif isinstance(value, BaseModel):
        found |= secrets_of(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            _collect(inner, found)
    elif isinstance(value, tuple | list):
        for inner in value:
            _collect(inner, found)


def examples_of(audience: Audience, tools: Mapping[str, Tool]) -> dict[str, tuple[str, ...]]:
    """What a person may ask, by locale: one example of each tool that they are offered."""
    shown: dict[str, list[str]] = {"en": [], "zh": []}
    specs = offered(
        (tool.spec for tool in tools.values()), listed=audience.listed, roles=frozenset()
    )
    for spec in specs:
        for locale, found in shown.items():
            wanted = (text for text in spec.examples if text.isascii() == (locale == "en"))
            if (example := next(wanted, None)) is not None:
                found.append(example)
    return {locale: tuple(found) for locale, found in shown.items()}
