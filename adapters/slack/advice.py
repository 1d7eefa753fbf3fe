"""What is wrong with an app's settings, in words that say where to mend it. Pure."""

from collections.abc import Iterable
from datetime import timedelta

from adapters.slack.failures import Declined, Limited, MissingScope, WrongToken
from adapters.slack.manifest import APP_SCOPE, SCOPES
from bot import ParleyError

SKEW = timedelta(seconds=60)
"""A clock that is further off will soon refuse what Slack signs."""

_TOKENS = {
    "account_inactive": "the app was uninstalled from this workspace, or the workspace is gone: "
    "install it again under Install App and copy the new token",
    "app_uninstalled": "the app was uninstalled from this workspace: install it again under "
    "Install App and copy the new token",
    "token_revoked": "the token was revoked: install the app again under Install App and copy "
    "the new token",
    "tokens_revoked": "the token was revoked: install the app again under Install App and copy "
    "the new token",
    "token_expired": "the token has expired: switch token rotation off for this app and copy "
    "the token again",
    "not_allowed_token_type": "this is a token of another kind",
    "team_access_not_granted": "the organisation has not granted the app this workspace: ask an "
    "organisation admin to add it",
    "access_denied": "Slack denies access to this app: ask a workspace admin to approve it",
}
_OUTSIDE = {
    "removed": "the bot was removed from it",
    "not_in_channel": "the bot is not in it",
    "channel_not_found": "the bot is not in it, or it is gone",
    "user_not_in_channel": "the person who asked is not in it",
    "is_archived": "it is archived",
    "restricted_action": "a rule of the workspace lets nobody post there",
    "messages_tab_disabled": "the app's messages tab is off: see App Home",
}
_DISCONNECTS = {
    "link_disabled": "Socket Mode was switched off for this app: switch it on under Settings > "
    "Socket Mode, or take `mode: http`",
    "too_many_websockets": "too many sockets are open for this app (Slack allows ten): stop "
    "other programs that use its app_token",
}


def of_token(error: WrongToken, name: str, key: str = "bot_token") -> str:
    """A token that opens nothing."""
    place = f"adapters.{name}.{key}"
    known = _TOKENS.get(error.code)
    if known is not None:
        return f"{known} ({place}: {error.code})"
    return (
        f"Slack does not take {place} ({error.code}): it is not this app's token, or this "
        "machine's address is not on the list that the app allows (OAuth & Permissions > "
        "Restrict API Token Usage)"
    )


def of_scopes(granted: Iterable[str]) -> str:
    """Scopes that are missing, or ""."""
    missing = sorted(SCOPES.keys() - set(granted))
    if not missing:
        return ""
    return (
        f"the bot token lacks {', '.join(missing)}: add what is missing under OAuth & "
        "Permissions > Bot Token Scopes (`parley slack manifest` has all), then reinstall the app"
    )


def of_call(error: ParleyError, name: str) -> str:
    """A call with the bot's token that failed."""
    if isinstance(error, WrongToken):
        return of_token(error, name)
    if isinstance(error, MissingScope):
        return of_scopes(set(SCOPES) - {error.needed}) or f"a scope is missing: {error.needed}"
    if isinstance(error, Limited):
        return of_limit("auth.test", _seconds(error))
    return f"Slack cannot be reached ({error}): check the network and adapters.{name}.base_url"


def of_limit(method: str, seconds: float) -> str:
    """Slack wants less."""
    return (
        f"Slack limits {method} for {max(1, round(seconds))} more seconds: answers wait as long; "
        "if this stays, look for another program that uses this app's token"
    )


def of_socket(error: ParleyError) -> str:
    """A socket that could not be opened; the key's place is said by whoever knows its name."""
    if isinstance(error, MissingScope):
        return (
            f"app_token lacks the scope {APP_SCOPE}: make a new one with it under Basic "
            "Information > App-Level Tokens"
        )
    if isinstance(error, WrongToken):
        known = _TOKENS.get(error.code, "it is not this app's, or this address is not allowed")
        return f"Slack does not take app_token ({error.code}): {known}"
    if isinstance(error, Declined) and error.code == "socket_mode_not_enabled":
        return _DISCONNECTS["link_disabled"]
    if isinstance(error, Limited):
        return of_limit("apps.connections.open", _seconds(error))
    return f"no socket to Slack ({error}): check the network and base_url"


def of_disconnect(reason: str) -> str:
    """A socket that Slack has closed."""
    return _DISCONNECTS.get(reason, f"the socket to Slack was closed ({reason or 'no reason'})")


def of_channels(outside: Iterable[tuple[str, str]]) -> str:
    """Channels in which an answer could not be said."""
    lines = [f"{channel}: {_OUTSIDE.get(why, why)}" for channel, why in outside]
    return f"cannot write in {'; '.join(lines)}. Invite it there: /invite @<the bot's name>"


def of_forged(count: int, name: str) -> str:
    """Requests that somebody else has signed."""
    return (
        f"{count} requests came with a signature that does not fit: adapters.{name}."
        "signing_secret is another app's or an old one; copy Basic Information > Signing Secret"
    )


def of_clock(ahead: timedelta) -> str:
    """Our clock against Slack's."""
    seconds = round(ahead.total_seconds())
    way = "slow" if seconds > 0 else "fast"
    return (
        f"this machine's clock is {abs(seconds)} seconds {way}: set it by NTP; Slack's requests "
        "are refused when it is five minutes off"
    )


def of_subscription(event: str) -> str:
    """An event that ought to have come by now."""
    lost = (
        "messages without a mention in threads do not arrive"
        if event.startswith("message.")
        else "mentions in channels that the bot is not in do not arrive"
    )
    return (
        f"Slack does not seem to send {event}: add it under Event Subscriptions > Subscribe to "
        f"bot events and reinstall the app; without it {lost}"
    )


def of_address(url: str | None) -> str:
    """Nothing of Slack's has arrived, and a call of our own did not arrive either."""
    if url is None:
        return (
            "nothing has come from Slack yet and server.public_url is not set: set it, and enter "
            "<public_url>/in/<adapter> as Request URL under Event Subscriptions, Interactivity "
            "and Slash Commands"
        )
    return (
        f"{url} does not lead to this server: start it, see that the address is reachable from "
        "outside, and have it verified as Request URL under Event Subscriptions"
    )


def _seconds(error: Limited) -> float:
    return error.retry_after.total_seconds() if error.retry_after is not None else 0.0
