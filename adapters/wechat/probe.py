"""What is wrong with an account, in words, and what to do about it."""

from adapters.wechat.api import Client
from adapters.wechat.failures import Misconfigured
from adapters.wechat.guard import FRESH, Guard
from adapters.wechat.permission import Permission
from adapters.wechat.settings import Settings
from adapters.wechat.webhook import Webhook
from bot import AdapterContext, Ambiguous, Health, Held, Permanent, Transient

_SKEW = 120.0
"""Seconds that clocks may differ before it is said; at 300 every call is turned away."""


class Probe:
    """Asks the platform, and remembers what its calls looked like."""

    def __init__(
        self,
        context: AdapterContext,
        settings: Settings,
        *,
        client: Client,
        guard: Guard,
        webhook: Webhook,
        permission: Permission,
    ) -> None:
        self._context = context
        self._settings = settings
        self._client = client
        self._guard = guard
        self._webhook = webhook
        self._permission = permission

    async def run(self) -> Health:
        """For `check`, `/status` and metrics alike."""
        try:
            may_send = await self._client.may_send()
        except Misconfigured as error:
            return self._wrong(error.advice)
        except (Transient, Permanent, Ambiguous, Held) as error:
            return self._wrong(
                f"WeChat cannot be reached ({error}): check the network and {self._key('base_url')}"
            )
        self._permission.found(allowed=may_send)
        problem = self._clock_problem() or self._call_problem() or self._service_problem(may_send)
        if problem:
            return self._wrong(problem)
        return Health(
            self._context.name,
            ok=True,
            detail="; ".join(self._remarks(may_send=may_send)),
            checked_at=self._context.clock.now(),
        )

    def _clock_problem(self) -> str:
        skew = self._client.skew
        if skew is None or abs(skew) <= _SKEW:
            return ""
        where = "ahead of" if skew > 0 else "behind"
        return (
            f"this machine's clock is {abs(skew):.0f} s {where} WeChat's; beyond {FRESH:.0f} s "
            "every message is turned away as stale: switch on NTP"
        )

    def _call_problem(self) -> str:
        """What keeps the platform's calls out, by what has come since the start."""
        if self._context.public_url is None:
            return (
                "WeChat has no address to call: write `server: {public_url: "
                f"https://bot.example.com}}` and enter {self._url()} as the server URL "
                "(服务器地址) at mp.weixin.qq.com"
            )
        if self._webhook.called:
            return ""
        rejected = self._webhook.rejected
        if rejected["stale"]:
            return (
                "calls come whose time is more than five minutes from this machine's: switch on NTP"
            )
        if rejected["signature"]:
            return (
                f"calls come, but their signature does not agree: {self._key('token')} is not the "
                "Token (令牌) that mp.weixin.qq.com shows; copy it from there"
            )
        if rejected["sealed for another"]:
            return (
                f"calls come, but cannot be opened: {self._key('aes_key')} is not the "
                f"EncodingAESKey of this account, or {self._key('app_id')} is another account's"
            )
        if rejected["plaintext"]:
            return (
                "calls come in plaintext mode, in which anybody could write in anybody's name: "
                "choose safe mode (安全模式) at mp.weixin.qq.com, 服务器配置"
            )
        return ""

    def _service_problem(self, may_send: bool) -> str:  # noqa: FBT001  # the one fact it is about
        if may_send or self._settings.customer_service is not True:
            return ""
        return (
            "the account may not send customer-service messages (48001), which only verified "
            f"service accounts may: have it verified, or write {self._key('customer_service')}: "
            "auto, so that late answers wait for the person's next message"
        )

    def _remarks(self, *, may_send: bool) -> list[str]:
        remarks = [f"{self._settings.app_id} in {self._mode()}"]
        if not may_send:
            remarks.append(
                "no customer-service messages (48001): answers later than 15 s wait for the "
                "person's next message"
            )
        if not self._webhook.called:
            remarks.append(
                "WeChat has not called since the start: if its URL is not verified yet, enter "
                f"{self._url()} with the same Token and EncodingAESKey at mp.weixin.qq.com and "
                "switch it on (启用)"
            )
        return remarks

    def _mode(self) -> str:
        if not self._settings.allow_plaintext:
            return "safe mode"
        return "plaintext mode, in which messages can be forged"

    def _url(self) -> str:
        base = (self._context.public_url or "https://bot.example.com").rstrip("/")
        return f"{base}/in/{self._context.name}"

    def _key(self, name: str) -> str:
        return f"adapters.{self._context.name}.{name}"

    def _wrong(self, problem: str) -> Health:
        return Health(
            self._context.name, ok=False, detail=problem, checked_at=self._context.clock.now()
        )
