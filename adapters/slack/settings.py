"""What Slack takes in the configuration."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bot import AdapterSettings, Secret, Span, Url

_KINDS = {
    "xoxb-": "a bot token",
    "xoxp-": "a user token",
    "xoxe": "a token that expires, or one for configuration",
    "xapp-": "an app-level token",
    "xoxa-": "a workspace token of the old kind",
    "xwfp-": "a workflow's token",
}
# What stands beside the Signing Secret (32 hexadecimal digits) and is copied instead of it.
_NO_SECRETS = {
    re.compile(r"xox[a-z]-.*|xapp-.*"): "a token",
    re.compile(r"\d+\.\d+"): "the Client ID",
    re.compile(r"[0-9A-Za-z]{24}"): "the Verification Token, which Slack has given up",
    re.compile(r"A[0-9A-Z]{8,12}"): "the App ID",
}
_BOT = re.compile(r"xoxb-[A-Za-z0-9-]{3,250}")
_APP = re.compile(r"xapp-[A-Za-z0-9-]{3,250}")


class Settings(AdapterSettings):
    """One app in one workspace, or in one organisation."""

    mode: Literal["socket", "http"] = Field(
        default="socket",
        description="socket needs no address; http lets Slack call server.public_url.",
    )
    bot_token: Secret = Field(description="OAuth & Permissions > Bot User OAuth Token: xoxb-….")
    app_token: Secret | None = Field(
        description="Basic Information > App-Level Tokens: xapp-…; for mode socket."
    )
    signing_secret: Secret | None = Field(
        default=None, description="Basic Information > Signing Secret; for mode http."
    )
    stream: Literal["edit", "off"] = Field(
        default="edit", description="How answers grow: by edits of one message, or not at all."
    )
    external: bool = Field(
        default=False, description="Answer people of other organisations in shared channels."
    )
    base_url: Url = Field(default="https://slack.com/api/", description="The Web API's address.")
    timeout: Span = Field(
        default=timedelta(seconds=15), description="How long one call to Slack may take."
    )
    channel_per_second: float = Field(
        default=1.0, ge=0, description="Messages a second in one channel, after a burst; or 0."
    )
    updates_per_minute: int = Field(
        default=50, ge=0, description="Edits a minute in all channels together; or 0."
    )

    @model_validator(mode="before")
    @classmethod
    def _may_lack_what_its_mode_does_not_need(cls, values: Any) -> Any:
        return {"app_token": None, **values} if isinstance(values, Mapping) else values

    @field_validator("bot_token")
    @classmethod
    def _is_a_bots(cls, value: SecretStr) -> SecretStr:
        return _checked(
            value,
            _BOT,
            "write the Bot User OAuth Token from OAuth & Permissions; it begins with xoxb-",
        )

    @field_validator("app_token")
    @classmethod
    def _is_the_apps(cls, value: SecretStr | None) -> SecretStr | None:
        wanted = "write a token from Basic Information > App-Level Tokens; it begins with xapp-"
        return None if value is None else _checked(value, _APP, wanted)

    @field_validator("signing_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value().strip()
        wanted = "write Basic Information > App Credentials > Signing Secret, 32 letters and digits"
        kind = next((kind for form, kind in _NO_SECRETS.items() if form.fullmatch(text)), None)
        if kind or not text:
            raise ValueError(f"this is {kind}; {wanted}" if kind else wanted)
        return SecretStr(text)

    @field_validator("base_url")
    @classmethod
    def _with_slash(cls, value: str) -> str:
        return value.rstrip("/") + "/"

    @model_validator(mode="after")
    def _has_what_its_mode_needs(self) -> Self:
        if self.mode == "socket" and self.app_token is None:
            raise ValueError(
                "mode socket needs app_token: make one under Basic Information > App-Level "
                "Tokens with the scope connections:write"
            )
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError(
                "mode http needs signing_secret: copy it from Basic Information > App Credentials"
            )
        return self


def _checked(value: SecretStr, wanted: re.Pattern[str], advice: str) -> SecretStr:
    text = value.get_secret_value().strip()
    if wanted.fullmatch(text):
        return SecretStr(text)
    kind = next((kind for start, kind in _KINDS.items() if text.startswith(start)), None)
    raise ValueError(f"this is {kind}; {advice}" if kind else advice)
