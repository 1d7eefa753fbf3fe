"""Everything that an operator may set, with its default and its reason."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from bot.domain.records import LONGEST_LEASE, MOST_WAITING
from bot.units import (
    DatabaseUrl,
    Duration,
    Names,
    Secret,
    ServerUrl,
    Size,
    Span,
    ToolNames,
    Url,
    show_duration,
)

OPENAI_URL = "https://api.openai.com/v1"
PERSONA = (
    "You are Parley, a friendly and careful assistant. Answer briefly and in the language of the "
    "person who writes. Use your tools instead of guessing, and say so when you do not know."
)


class Section(BaseModel):
    """A group of settings: unknown keys are refused, values never change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        # `app_id: 4711` is meant as the text that it looks like.
        coerce_numbers_to_str=True,
        # `model`, `models` and the like are our words here.
        protected_namespaces=(),
        # An error must never carry the values that it is about: they may be secrets.
        hide_input_in_errors=True,
    )


class AdapterSettings(Section):
    """What every adapter takes beside its own keys."""

    use: str = Field(description="Dotted module or path of a .py file.")
    tenant: str = Field(default="default", min_length=1, description="Whose data it receives.")
    audience: str | None = Field(
        default=None, description="Who is served here, a name under `audiences`."
    )
    session: Span | None = Field(
        default=None, description="Idle time of sessions here, instead of session.idle."
    )


class PluginSettings(Section):
    """What every plugin takes beside its own keys."""

    use: str = Field(description="Dotted module or path of a .py file.")
    optional: bool = Field(
        default=False, description="Start without it where it cannot be loaded, and say so."
    )


class ServerSettings(Section):
    """The one HTTP server and the name of this node."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="The interface that it listens on."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="The port; 0 takes a free one.")
    public_url: Url | None = Field(
        default=None, description="How platforms reach this server; webhooks need it."
    )
    token: Secret | None = Field(
        default=None, description="Must be sent for /metrics and /status; null: this machine only."
    )
    secret: Secret | None = Field(
        default=None, description="Signs the cookies of web visitors; made and kept when absent."
    )
    node: str | None = Field(
        default=None, min_length=1, description="This process's name; <hostname>:<port> if absent."
    )
    grace: Duration = Field(
        default=timedelta(seconds=25), description="How long running turns may finish at a stop."
    )


class DatabaseSettings(Section):
    """Where everything is kept."""

    url: DatabaseUrl = Field(
        default="sqlite:///data/parley.db",
        validate_default=True,
        repr=False,
        description="sqlite:///file, or postgresql://user:password@host/name.",
    )
    lease: Span = Field(
        default=timedelta(seconds=15),
        description="After this silence of a node, others take over its work.",
    )
    pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="transaction where url leads to PgBouncer in that mode; none otherwise.",
    )
    direct_url: ServerUrl | None = Field(
        default=None,
        repr=False,
        description="The server behind the pooler: over it, nodes hint to each other.",
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        is_file = self.url.startswith("sqlite")
        if self.pooler == "transaction" and is_file:
            raise ValueError("pooler: transaction is for PostgreSQL; leave it out for a file")
        if self.lease > LONGEST_LEASE and not is_file:
            longest = show_duration(LONGEST_LEASE)
            raise ValueError(
                f"lease: write {longest} or less; so long nobody takes over from a server that died"
            )
        if self.pooler == "none" and self.direct_url is not None:
            raise ValueError(
                "direct_url is for `pooler: transaction`; without a pooler, url leads there already"
            )
        return self


class LogSettings(Section):
    """What Parley writes to stderr."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto is console on a terminal, json elsewhere."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important entry that is written."
    )


class IntakeSettings(Section):
    """What is accepted, and how waiting messages become turns."""

    max_age: Span = Field(
        default=timedelta(hours=1),
        description="An older message gets one honest sentence instead of a stale answer.",
    )
    max_size: Size = Field(default=1_000_000, ge=1000, description="The largest body that is read.")
    lane_limit: int = Field(
        default=50,
        ge=1,
        le=MOST_WAITING,
        description="Messages that may wait in one conversation.",
    )
    node_limit: int = Field(
        default=4000,
        ge=1,
        description="Conversations answered at once by this process; beyond it, platforms wait.",
    )
    while_busy: Literal["queue", "interrupt"] = Field(
        default="queue", description="What a message does while its conversation is answered."
    )
    gather: Duration = Field(
        default=timedelta(0), description="How long a turn waits for more from the same sender."
    )


class WindowSettings(Section):
    """How much of a session the model sees."""

    messages: int = Field(default=50, ge=1, description="Newest messages, at most.")
    tokens: int = Field(default=8000, ge=100, description="Estimated tokens, at most.")


class SessionSettings(Section):
    """How long things are remembered."""

    idle: Span = Field(default=timedelta(hours=2), description="A session ends after this silence.")
    retain: Span = Field(
        default=timedelta(days=90), description="The transcript is kept this long."
    )
    journal: Span = Field(
        default=timedelta(days=7), description="Done work loses its text after this."
    )
    window: WindowSettings = Field(
        default=WindowSettings(), description="How much of a session the model sees."
    )


class OutboxSettings(Section):
    """What happens to answers that cannot be sent at once."""

    ambiguous: Literal["repeat", "report"] = Field(
        default="repeat", description="When nobody knows whether a send arrived: again, or report."
    )
    expires: Span = Field(
        default=timedelta(hours=1), description="An unsent answer is given up after it."
    )
    hold: Span = Field(
        default=timedelta(days=7),
        description="How long an answer waits for the person's next message.",
    )


class _RemoteSettings(Section):
    """What every model behind a network takes."""

    api_key: Secret | None = Field(default=None, description="The provider's key.")
    max_output_tokens: int | None = Field(
        default=None, ge=1, description="Longest answer; the provider's own limit if absent."
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Randomness; the provider's own if absent."
    )
    first_token: Span = Field(
        default=timedelta(seconds=20), description="Longest wait for the first token."
    )
    gap: Span = Field(
        default=timedelta(seconds=30), description="Longest silence within an answer."
    )


class OpenAISettings(_RemoteSettings):
    """Any server that speaks OpenAI's chat completions."""

    use: Literal["openai"] = Field(default="openai", description="openai, azure or offline.")
    model: str = Field(default="gpt-5-mini", min_length=1, description="The provider's name of it.")
    base_url: Url = Field(default=OPENAI_URL, description="Where the provider is.")
    preset: Literal["auto", "openai", "plain", "deepseek", "moonshot", "mistral"] = Field(
        default="auto", description="The provider's dialect; auto knows it by the address."
    )

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        # A server of one's own often wants none; OpenAI always does.
        if self.api_key is None and self.base_url.rstrip("/") == OPENAI_URL:
            raise ValueError('api_key is missing; write api_key: "${OPENAI_API_KEY}"')
        return self


class AzureSettings(_RemoteSettings):
    """A deployment on Azure."""

    use: Literal["azure"] = Field(default="azure", description="openai, azure or offline.")
    endpoint: Url = Field(description="https://<resource>.openai.azure.com.")
    deployment: str = Field(min_length=1, description="The deployment's name.")
    api_version: str = Field(default="2024-10-21", description="Azure's API version.")
    base_url: Url | None = Field(default=None, description="Used instead of endpoint.")


class OfflineSettings(Section):
    """The model that needs no network: it picks tools by their examples."""

    use: Literal["offline"] = Field(default="offline", description="openai, azure or offline.")


ModelSettings = OpenAISettings | AzureSettings | OfflineSettings
MODELS: Mapping[str, type[ModelSettings]] = {
    "openai": OpenAISettings,
    "azure": AzureSettings,
    "offline": OfflineSettings,
}


class AnswerSettings(Section):
    """How messages are answered where an audience says nothing else."""

    model: str = Field(default="main", description="A name under `models`.")
    fallback: Names = Field(default=(), description="Models asked in turn when it fails.")
    persona: str = Field(default=PERSONA, description="What the model is told about itself.")
    tools: ToolNames = Field(default="all", description="all, or names of tools and plugins.")
    max_steps: int = Field(default=8, ge=1, description="Model calls within one turn.")
    deadline: Span = Field(default=timedelta(seconds=120), description="Longest time of one turn.")


class AudienceSettings(Section):
    """Who is served alike; a key that is absent is as in `answer`."""

    persona: str | None = Field(default=None, description="As answer.persona.")
    model: str | None = Field(default=None, description="As answer.model.")
    fallback: Names | None = Field(default=None, description="As answer.fallback.")
    tools: ToolNames | None = Field(default=None, description="As answer.tools.")
    max_steps: int | None = Field(default=None, ge=1, description="As answer.max_steps.")
    deadline: Span | None = Field(default=None, description="As answer.deadline.")
    session: Span | None = Field(default=None, description="As session.idle.")
    window: WindowSettings | None = Field(default=None, description="As session.window.")


class OperatorSettings(Section):
    """A person of ours."""

    sender: str = Field(
        pattern=r"^[a-z][a-z0-9_]*:\S+$",
        description='Adapter name, a colon and the id there: "telegram:123456789".',
    )
    roles: Names = Field(default=("operator",), min_length=1, description="What they may do.")

    @property
    def adapter(self) -> str:
        """The adapter through which they write."""
        return self.sender.partition(":")[0]

    @property
    def sender_id(self) -> str:
        """Their id on that platform."""
        return self.sender.partition(":")[2]


class Settings(Section):
    """The whole tree. `adapters` and `plugins` hold instances of their modules' own classes."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    locale: Literal["en", "zh"] = Field(
        default="en", description="The language for people who have not shown theirs."
    )
    log: LogSettings = LogSettings()
    intake: IntakeSettings = IntakeSettings()
    session: SessionSettings = SessionSettings()
    outbox: OutboxSettings = OutboxSettings()
    models: Mapping[str, ModelSettings] = {"main": OfflineSettings()}
    answer: AnswerSettings = AnswerSettings()
    audiences: Mapping[str, AudienceSettings] = {}
    operators: tuple[OperatorSettings, ...] = ()
    adapters: Mapping[str, SerializeAsAny[AdapterSettings]] = {}
    plugins: tuple[SerializeAsAny[PluginSettings], ...] = ()

    def answer_for(self, audience: str | None) -> AnswerSettings:
        """How an audience is answered: its own keys over `answer`."""
        if audience is None:
            return self.answer
        own = self.audiences[audience]
        changes = {name: getattr(own, name) for name in AnswerSettings.model_fields}
        changed = {name: value for name, value in changes.items() if value is not None}
        return self.answer.model_copy(update=changed)

    def idle_for(self, adapter: str) -> timedelta:
        """When a session ends: the adapter's word, else its audience's, else everybody's."""
        entry = self.adapters[adapter]
        audience = self.audiences.get(entry.audience or "")
        return entry.session or (audience and audience.session) or self.session.idle

    def window_for(self, audience: str | None) -> WindowSettings:
        """How much of a session the model sees: what an audience says of it over session's."""
        own = self.audiences[audience].window if audience else None
        if own is None:
            return self.session.window
        said = {name: getattr(own, name) for name in own.model_fields_set}
        return self.session.window.model_copy(update=said)

    def roles_of(self, adapter: str, sender: str) -> frozenset[str]:
        """The roles of a sender; everybody who is not listed has none."""
        return frozenset(
            role
            for operator in self.operators
            if (operator.adapter, operator.sender_id) == (adapter, sender)
            for role in operator.roles
        )
