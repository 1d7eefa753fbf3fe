"""Chat in a browser: the page at `/`, and the endpoints that it stands on."""

from pathlib import Path

from pydantic import Field

from adapters.web.adapter import WebAdapter
from adapters.web.hub import Hub
from adapters.web.pages import Pages
from adapters.web.relay import Relay
from adapters.web.routes import Limits
from adapters.web.visitors import Visitors
from bot import Adapter, AdapterContext, AdapterSettings, ConfigError

HEARTBEAT = 15.0


class Settings(AdapterSettings):
    """What the web chat takes in the configuration."""

    public: bool = Field(
        default=False, description="Let people beyond this machine in, with no sign-in."
    )
    title: str = Field(default="Parley", max_length=60, description="The page's title.")
    greeting: str | None = Field(
        default=None, max_length=200, description="Said on an empty page instead of our own words."
    )
    stream: bool = Field(default=True, description="Show answers while they grow.")
    tool_details: bool | None = Field(
        default=None,
        description="Let people open a tool's arguments and result; null: only while not public.",
    )
    max_length: int = Field(
        default=16_000, gt=0, description="Characters that one message may have."
    )
    rate: int = Field(
        default=60,
        gt=0,
        description="Messages a minute from one visitor; who sends no cookie is one.",
    )


def build(settings: Settings, context: AdapterContext) -> Adapter:
    """The adapter as the configuration wants it.

    Raises:
        ConfigError: it would be reachable from outside without `public: true`.
    """
    if not context.loopback and not settings.public:
        raise ConfigError(
            f"adapters.{context.name}: the server listens beyond this machine; "
            "write `public: true` here to let anyone chat, or `server.host: 127.0.0.1`"
        )
    details = settings.tool_details
    limits = Limits(
        public=settings.public,
        stream=settings.stream,
        details=not settings.public if details is None else details,
        rate=settings.rate,
        characters=settings.max_length,
        greeting=settings.greeting,
        title=settings.title,
        heartbeat=HEARTBEAT,
    )
    folder = Path(__file__).parent / "page"
    return WebAdapter(
        context,
        hub=Hub(Relay(context.name, context.elsewhere)),
        pages=Pages(
            folder, title=settings.title, locale=context.locale, model=context.model_configured
        ),
        visitors=Visitors(
            context.name,
            secret=context.secret,
            secure=not context.loopback or (context.public_url or "").startswith("https://"),
        ),
        limits=limits,
    )
