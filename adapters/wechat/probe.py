"""What is wrong with an account, asked of the platform and told by what its calls looked like."""

from urllib.parse import urlencode

import aiohttp

from adapters.wechat.advice import (
    REMARKS,
    Place,
    of_address,
    of_clock,
    of_no_permission,
    of_no_url,
    of_rejected,
    of_silence,
    of_unreachable,
)
from adapters.wechat.api import Client
from adapters.wechat.crypto import Signer
from adapters.wechat.failures import Misconfigured
from adapters.wechat.guard import FRESH, Guard
from adapters.wechat.permission import Permission
from adapters.wechat.settings import Settings
from adapters.wechat.webhook import OWN_ECHO, Webhook
from bot import AdapterContext, Ambiguous, Health, Held, Permanent, Said, Transient

_SKEW = 120.0
"""Seconds that clocks may differ before it is said; at 300 every call is turned away."""
_TURNED_AWAY = ("stale", "signature", "sealed for another", "plaintext")
"""In this order: a call that is stale was not looked at any further."""
_PATIENCE = 5.0


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
        self._place = Place(context.name, context.public_url)

    async def run(self) -> Health:
        """For `check`, `/status` and metrics alike."""
        try:
            may_send = await self._client.may_send()
        except Misconfigured as error:
            return self._health(error.advice, ok=False)
        except (Transient, Permanent, Ambiguous, Held) as error:
            return self._health(of_unreachable(error, self._place), ok=False)
        if may_send is not None:
            self._permission.found(allowed=may_send)
        problem = (
            self._clock_problem() or self._service_problem(may_send) or await self._call_problem()
        )
        if problem is not None:
            return self._health(problem, ok=False)
        return self._health(self._remarks(may_send=may_send), ok=True)

    def _clock_problem(self) -> Said | None:
        skew = self._client.skew
        return None if skew is None or abs(skew) <= _SKEW else of_clock(skew, FRESH)

    async def _call_problem(self) -> Said | None:
        """What keeps the platform's calls out, by what has come since the start."""
        if self._context.public_url is None:
            return of_no_url(self._place)
        if self._webhook.called:
            return None
        for why in _TURNED_AWAY:
            if self._webhook.rejected[why]:
                return of_rejected(why, self._place)
        return None if await self._reaches_itself() else of_address(self._place)

    async def _reaches_itself(self) -> bool:
        """Call our own address as the platform does when it verifies it."""
        stamp, nonce = str(int(self._context.clock.now().timestamp())), "parley"
        signer = Signer(self._settings.token.get_secret_value())
        query = {
            "signature": signer.sign(stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "echostr": OWN_ECHO,
        }
        try:
            async with self._context.http().get(
                f"{self._place.url}?{urlencode(query)}",
                timeout=aiohttp.ClientTimeout(total=_PATIENCE),
                allow_redirects=False,
            ) as answer:
                said = await answer.content.read(len(OWN_ECHO) + 1)
                return answer.status == 200 and said == OWN_ECHO.encode()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _service_problem(self, may_send: bool | None) -> Said | None:  # noqa: FBT001  # the one fact
        if may_send is not False or self._settings.customer_service is not True:
            return None
        return of_no_permission(self._place)

    def _remarks(self, *, may_send: bool | None) -> Said:
        mode = REMARKS["plaintext" if self._settings.allow_plaintext else "safe"]
        app_id = self._settings.app_id
        remarks = [Said(f"{app_id} in {mode.en}", f"{app_id}，{mode.zh}")]
        if may_send is None:
            remarks.append(REMARKS["no service"])
        elif not may_send:
            remarks.append(REMARKS["no permission"])
        if not self._webhook.called:
            remarks.append(of_silence(self._place))
        return Said("; ".join(r.en for r in remarks), "；".join(r.zh for r in remarks))

    def _health(self, said: Said, *, ok: bool) -> Health:
        detail = said.to(self._context.locale)
        now = self._context.clock.now()
        return Health(self._context.name, ok=ok, detail=detail, checked_at=now)
