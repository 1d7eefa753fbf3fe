"""What Telegram takes in the configuration."""

import re
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from bot import AdapterSettings, Secret, Size, Span, Url

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{3,100}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


class Settings(AdapterSettings):
    """One bot."""

    mode: Literal["polling", "webhook"] = Field(
        default="polling", description="polling needs no address; webhook needs server.public_url."
    )
    token: Secret = Field(description="From @BotFather, like 123456789:AAE….")
    webhook_secret: Secret | None = Field(
        default=None,
        description="Proves that a webhook call is Telegram's; made from server.secret if absent.",
    )
    stream: Literal["draft", "edit", "off"] = Field(
        default="draft",
        description="How answers grow: draft (in groups by edits), edit everywhere, or not at all.",
    )
    base_url: Url = Field(
        default="https://api.telegram.org", description="Another address for a local Bot API."
    )
    previews: bool = Field(default=False, description="Show previews of links in answers.")
    timeout: Span = Field(
        default=timedelta(seconds=20), description="How long one call to Telegram may take."
    )
    poll: Span = Field(
        default=timedelta(seconds=30),
        # Telegram counts in whole seconds, and answers at once where it is asked to wait for none.
        ge=timedelta(seconds=1),
        description="How long one long poll waits for updates.",
    )
    max_connections: int = Field(
        default=40, ge=1, le=100, description="Webhook deliveries that Telegram makes at a time."
    )
    max_file: Size = Field(
        default=20_000_000, ge=1, description="The largest file that is fetched from Telegram."
    )
    per_second: int = Field(
        default=30, ge=0, description="Messages a second to all chats; 0 sets no limit of ours."
    )
    chat_per_second: float = Field(
        default=1.0, ge=0, description="Messages a second to one chat, after a short burst; or 0."
    )
    group_per_minute: int = Field(
        default=20, ge=0, description="Messages and edits a minute in one group; or 0."
    )

    @field_validator("token")
    @classmethod
    def _looks_like_a_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError(
                "write the bot's token as @BotFather gave it: digits, a colon, the key"
            )
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _is_allowed_in_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _SECRET.fullmatch(value.get_secret_value()):
            raise ValueError("use 1 to 256 characters of A-Z a-z 0-9 _ -")
        return value

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def account(self) -> str:
        """Our identity: known without the network, the same when the bot is renamed."""
        return self.token.get_secret_value().partition(":")[0]
