"""Asking whether all is well, and saying what is not: one road for check, status and metrics."""

import hmac
from hashlib import sha256

import msgspec

from adapters.slack import advice
from adapters.slack.client import Client, Identity
from adapters.slack.failures import CallFailed
from adapters.slack.reception import Reception
from adapters.slack.settings import Settings
from adapters.slack.watch import Watch
from bot import Ambiguous, Clock, Permanent, Transient

CHALLENGE = "parley asks itself"


class Prober:
    """Looks at one installation."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        client: Client,
        reception: Reception,
        watch: Watch,
        clock: Clock,
        url: str | None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._client = client
        self._reception = reception
        self._watch = watch
        self._clock = clock
        self._url = url

    async def look(self) -> tuple[bool, str]:
        """Whether it works, and who we are or what is wrong."""
        try:
            identity = await self._client.me()
        except (Transient, Permanent) as error:
            gone = f": {self._watch.revoked}" if self._watch.revoked else ""
            return False, advice.of_call(error, self._name) + gone
        self._watch.revoked = ""
        self._reception.introduce(identity)
        problem = self._of_identity(identity) or await self._of_listening() or self._of_speaking()
        if problem:
            return False, problem
        return True, f"@{identity.name} in {identity.team_name} by {self._settings.mode}"

    def _of_identity(self, identity: Identity) -> str:
        if not identity.bot:
            return (
                f"adapters.{self._name}.bot_token is a person's token: take the Bot User OAuth "
                "Token, which begins with xoxb-"
            )
        if identity.scopes is not None and (lacking := advice.of_scopes(identity.scopes)):
            return lacking
        if abs(self._client.ahead) > advice.SKEW:
            return advice.of_clock(self._client.ahead)
        return ""

    # -- how events come ---------------------------------------------------------------------

    async def _of_listening(self) -> str:
        by_socket = self._settings.mode == "socket"
        found = await self._of_socket() if by_socket else await self._of_requests()
        if found:
            return found
        return advice.of_subscription(self._watch.lacking) if self._watch.lacking else ""

    async def _of_socket(self) -> str:
        if self._watch.connected:
            return ""
        if self._watch.socket:
            return self._watch.socket
        # No socket was ever tried, so this is a check beside the server: an address costs nothing.
        try:
            await self._client.open_socket()
        except (Transient, Permanent, Ambiguous) as error:
            return advice.of_socket(error)
        return ""

    async def _of_requests(self) -> str:
        watch = self._watch
        if watch.late is not None:
            return advice.of_clock(watch.late)
        if watch.suspicious:
            return advice.of_forged(watch.suspicious, self._name)
        if watch.signed or await self._reaches_itself():
            return ""
        return advice.of_address(self._url)

    async def _reaches_itself(self) -> bool:
        """Call our own address as Slack does when it verifies it."""
        secret = self._settings.signing_secret
        if self._url is None or secret is None:
            return False
        body = msgspec.json.encode({"type": "url_verification", "challenge": CHALLENGE})
        stamp = str(int(self._clock.now().timestamp()))
        signed = f"v0:{stamp}:".encode() + body
        made = hmac.new(secret.get_secret_value().encode(), signed, sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={made}",
        }
        counted = self._watch.signed
        try:
            status, _, answer = await self._client.web.exchange(
                "POST", self._url, data=body, headers=headers
            )
        except CallFailed:
            return False
        finally:
            self._watch.signed = counted
        return status == 200 and CHALLENGE.encode() in answer

    # -- how answers go ----------------------------------------------------------------------

    def _of_speaking(self) -> str:
        limited = self._client.pace.paused()
        if limited is not None:
            return advice.of_limit(*limited)
        outside = self._watch.outside.items()
        return advice.of_channels(outside) if outside else ""
