"""Asking whether all is well, and saying what is not: one road for check, status and metrics."""

import asyncio
import hmac
from hashlib import sha256

import msgspec

from adapters.slack.advice import (
    SKEW,
    of_address,
    of_call,
    of_channels,
    of_clock,
    of_forged,
    of_limit,
    of_no_socket_yet,
    of_other_app,
    of_person,
    of_scopes,
    of_socket,
    of_subscription,
)
from adapters.slack.client import Client, Identity
from adapters.slack.failures import CallFailed
from adapters.slack.reception import Reception
from adapters.slack.settings import Settings
from adapters.slack.watch import Watch
from adapters.slack.webhook import CHALLENGE
from bot import Ambiguous, Clock, Permanent, Said, Transient

SOCKET_PATIENCE = 3.0
"""Seconds that a probe waits for the socket that is being opened; a probe as a whole has ten."""


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

    async def look(self) -> tuple[bool, Said]:
        """Whether it works, and who we are or what is wrong."""
        try:
            identity = await self._client.me()
        except (Transient, Permanent) as error:
            return False, self._with_what_came(of_call(error, self._name))
        self._watch.revoked = ""
        self._reception.introduce(identity)
        problem = self._of_identity(identity) or await self._of_listening() or self._of_speaking()
        if problem is not None:
            return False, problem
        return True, Said(
            f"@{identity.name} in {identity.team_name} by {self._settings.mode}",
            f"@{identity.name}，工作区 {identity.team_name}，方式 {self._settings.mode}",
        )

    def _with_what_came(self, problem: Said) -> Said:
        """The event that told of it, if there was one: it may say more than the refusal."""
        told = self._watch.revoked
        return Said(f"{problem.en}: {told}", f"{problem.zh}：{told}") if told else problem

    def _of_identity(self, identity: Identity) -> Said | None:
        if not identity.bot:
            return of_person(self._name)
        if identity.scopes is not None and (lacking := of_scopes(identity.scopes)):
            return lacking
        if abs(self._client.ahead) > SKEW:
            return of_clock(self._client.ahead)
        return None

    # -- how events come ---------------------------------------------------------------------

    async def _of_listening(self) -> Said | None:
        by_socket = self._settings.mode == "socket"
        found = await self._of_socket() if by_socket else await self._of_requests()
        if found is not None:
            return found
        if self._watch.misdirected:
            return of_other_app(self._name)
        return of_subscription(self._watch.lacking) if self._watch.lacking else None

    async def _of_socket(self) -> Said | None:
        if self._watch.seeking:
            return await self._of_own_socket()
        # No socket is kept here, so this is a check beside the server: an address costs nothing.
        try:
            await self._client.open_socket()
        except (Transient, Permanent, Ambiguous) as error:
            return of_socket(error)
        return None

    async def _of_own_socket(self) -> Said | None:
        """What became of the try that goes on; another ticket would be one of few."""
        settled = asyncio.ensure_future(self._watch.settled.wait())
        patience = asyncio.ensure_future(self._clock.sleep(SOCKET_PATIENCE))
        try:
            await asyncio.wait({settled, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled.cancel()
            patience.cancel()
        if self._watch.connected:
            return None
        return self._watch.socket or of_no_socket_yet()

    async def _of_requests(self) -> Said | None:
        watch = self._watch
        if watch.late is not None:
            return of_clock(watch.late)
        if watch.suspicious:
            return of_forged(watch.suspicious, self._name)
        if watch.signed or await self._reaches_itself():
            return None
        return of_address(self._url)

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
        try:
            status, _, answer = await self._client.web.exchange(
                "POST", self._url, data=body, headers=headers
            )
        except CallFailed:
            return False
        return status == 200 and CHALLENGE.encode() in answer

    # -- how answers go ----------------------------------------------------------------------

    def _of_speaking(self) -> Said | None:
        limited = self._client.pace.paused()
        if limited is not None:
            return of_limit(*limited)
        outside = self._watch.outside.items()
        return of_channels(outside) if outside else None
