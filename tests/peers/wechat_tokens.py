"""Access tokens: the stable kind, which repeats itself, and the old kind, which does not."""

from collections.abc import Callable

from tests.peers.log import Json
from tests.peers.wechat_rules import (
    FORCED_A_DAY,
    FORCED_BETWEEN,
    TOKEN_LASTS,
    TOKEN_OVERLAP,
    Refusal,
)


class Tokens:
    """What was handed out, and until when each opens something."""

    def __init__(self, app_id: str, secret: str, now: Callable[[], float]) -> None:
        self.app_id = app_id
        self.secret = secret
        self.lasts = float(TOKEN_LASTS)
        self._now = now
        self._count = 0
        self._newest = ""
        self._old = ""
        self._ends: dict[str, float] = {}
        self._forced: list[float] = []

    def stable(self, body: Json) -> Json:
        """stable_token: the same while it lasts; both are good in the last five minutes."""
        self._check(body.get("appid"), body.get("secret"), body.get("grant_type"))
        now = self._now()
        left = self._ends.get(self._newest, 0.0) - now
        if body.get("force_refresh"):
            self._check_force(now)
            self._ends.pop(self._newest, None)
            left = 0.0
        if left <= TOKEN_OVERLAP:
            self._newest = self._made("stable")
            left = self.lasts
        return {"access_token": self._newest, "expires_in": int(left)}

    def old(self, params: Json) -> Json:
        """cgi-bin/token: a new one each time, and the one before is dead."""
        self._check(params.get("appid"), params.get("secret"), params.get("grant_type"))
        self._ends.pop(self._old, None)
        self._old = self._made("old")
        return {"access_token": self._old, "expires_in": int(self.lasts)}

    def check(self, token: str) -> None:
        """Raises: Refusal."""
        if not token:
            raise Refusal(41001)
        ends_at = self._ends.get(token)
        if ends_at is None:
            raise Refusal(40001)
        if self._now() >= ends_at:
            raise Refusal(42001)

    def revoke(self) -> None:
        """None of them opens anything any more, as after a reset of the secret."""
        self._ends.clear()

    def _check(self, app_id: object, secret: object, grant: object) -> None:
        if grant != "client_credential":
            raise Refusal(40002)
        if app_id != self.app_id:
            raise Refusal(40013)
        if secret != self.secret:
            raise Refusal(40125)

    def _check_force(self, now: float) -> None:
        self._forced = [at for at in self._forced if now - at < 86400]
        if len(self._forced) >= FORCED_A_DAY:
            raise Refusal(45009)
        if self._forced and now - self._forced[-1] < FORCED_BETWEEN:
            raise Refusal(45011)
        self._forced.append(now)

    def _made(self, kind: str) -> str:
        self._count += 1
        token = f"{kind}-token-{self._count}"
        self._ends[token] = self._now() + self.lasts
        return token
