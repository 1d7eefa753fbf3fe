"""What a WeChat official account takes in the configuration."""

import re
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from bot import AdapterSettings, Secret, Size, Span, Url

AES_KEY_LENGTH = 43
# The platform hangs up after five seconds; what is written later may be cut.
_LATEST_REPLY = timedelta(milliseconds=4900)
_APP_ID = re.compile(r"wx[0-9A-Za-z]{6,30}")
_TOKEN = re.compile(r"[0-9A-Za-z]{3,32}")
_AES_KEY = re.compile(rf"[0-9A-Za-z]{{{AES_KEY_LENGTH}}}")


class Settings(AdapterSettings):
    """One official account."""

    app_id: str = Field(description="AppID, like wx0123456789abcdef (not the gh_… id).")
    app_secret: Secret = Field(description="AppSecret, for sending and for `parley check`.")
    token: Secret = Field(description="The Token that you chose beside the URL: 3 to 32 letters.")
    aes_key: Secret | None = Field(
        description="EncodingAESKey, 43 letters and digits; null only in plaintext mode."
    )
    allow_plaintext: bool = Field(
        default=False,
        description="Take calls that are not encrypted, whose text anybody could have written.",
    )
    customer_service: Literal["auto"] | bool = Field(
        default="auto",
        description="Whether the account may send customer-service messages; auto finds out.",
    )
    greeting: str | None = Field(
        default=None, description="Said to a new follower instead of our own words."
    )
    language: Literal["zh", "en"] = Field(
        default="zh", description="WeChat tells no language: what people are spoken to in."
    )
    max_pieces: int = Field(
        default=3, ge=1, le=5, description="Messages that one answer may take, of five for each."
    )
    reply_within: Span = Field(
        default=timedelta(milliseconds=4500),
        description="How long WeChat's call waits for the answer; it hangs up after 5s.",
    )
    timeout: Span = Field(
        default=timedelta(seconds=10), description="How long one call to WeChat may take."
    )
    max_file: Size = Field(
        default=20_000_000, ge=1, description="The largest file that is fetched from WeChat."
    )
    base_url: Url = Field(
        default="https://api.weixin.qq.com", description="Another address for a proxy of yours."
    )

    @field_validator("app_id")
    @classmethod
    def _looks_like_an_app_id(cls, value: str) -> str:
        if value.startswith("gh_"):
            raise ValueError("that is the account's original id; write the AppID, which begins wx")
        if not _APP_ID.fullmatch(value):
            raise ValueError(
                "write the AppID as mp.weixin.qq.com shows it, like wx0123456789abcdef"
            )
        return value

    @field_validator("token")
    @classmethod
    def _looks_like_a_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("a Token has 3 to 32 letters and digits; write the one of the console")
        return value

    @field_validator("aes_key")
    @classmethod
    def _has_the_right_length(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if len(key) != AES_KEY_LENGTH:
            raise ValueError(
                f"an EncodingAESKey has {AES_KEY_LENGTH} characters and this one has {len(key)}; "
                "copy it again from mp.weixin.qq.com, without a trailing ="
            )
        if not _AES_KEY.fullmatch(key):
            raise ValueError("an EncodingAESKey has letters and digits only; copy it again")
        return value

    @field_validator("reply_within")
    @classmethod
    def _is_before_wechat_hangs_up(cls, value: timedelta) -> timedelta:
        if value > _LATEST_REPLY:
            raise ValueError("WeChat hangs up after 5s; write 4500ms or less")
        return value

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @model_validator(mode="after")
    def _can_read_what_comes(self) -> Self:
        if self.aes_key is None and not self.allow_plaintext:
            raise ValueError(
                "aes_key is missing: choose safe mode (安全模式) at mp.weixin.qq.com and copy its "
                "EncodingAESKey"
            )
        return self
