"""What is wrong with an app's settings, in words that say where to mend it. Pure."""

from collections.abc import Iterable
from datetime import timedelta

from adapters.slack.codes import DISCONNECTS, INVITABLE, OUTSIDE, TOKENS
from adapters.slack.failures import Declined, Limited, MissingScope, WrongToken
from adapters.slack.manifest import APP_SCOPE, SCOPES
from bot import ParleyError, Said

SKEW = timedelta(seconds=60)
"""A clock that is further off will soon refuse what Slack signs."""


# ---- tokens and scopes ---------------------------------------------------------------------


def of_token(error: WrongToken, name: str) -> Said:
    """A bot's token that opens nothing."""
    place = f"adapters.{name}.bot_token"
    known = TOKENS.get(error.code)
    if known is not None:
        return Said(f"{known.en} ({place}: {error.code})", f"{known.zh}({place}：{error.code})")
    return Said(
        f"Slack does not take {place} ({error.code}): copy the Bot User OAuth Token of this app "
        "again; if it is the same, this machine's address is not on the list that the app allows "
        "(OAuth & Permissions > Restrict API Token Usage)",
        f"Slack 不接受 {place}({error.code})：请重新复制此应用的 Bot User OAuth Token；"
        "如果没有变化，则是本机地址不在应用允许的名单里"
        "(OAuth & Permissions > Restrict API Token Usage)",
    )


def of_person(name: str) -> Said:
    """A token that speaks for a person."""
    place = f"adapters.{name}.bot_token"
    return Said(
        f"{place} is a person's token: take the Bot User OAuth Token, which begins with xoxb-",
        f"{place} 是个人令牌：请改用以 xoxb- 开头的 Bot User OAuth Token",
    )


def of_scopes(granted: Iterable[str]) -> Said | None:
    """Scopes that are missing, if any."""
    missing = sorted(SCOPES.keys() - set(granted))
    return _lacking(missing) if missing else None


def _lacking(scopes: Iterable[str]) -> Said:
    named = ", ".join(scopes)
    return Said(
        f"the bot token lacks {named}: add what is missing under OAuth & Permissions > Bot Token "
        "Scopes (`parley slack manifest` has all), then reinstall the app",
        f"bot 令牌缺少权限 {named}：请在 OAuth & Permissions > Bot Token Scopes 中添加"
        "（`parley slack manifest` 列出了全部），然后重新安装应用",
    )


def of_other_app(name: str) -> Said:
    """What comes is meant for another bot than the one that we speak as."""
    return Said(
        f"what arrives is meant for another bot: adapters.{name}.bot_token belongs to another app "
        "or workspace than the app_token or signing_secret beside it; copy all of them from one "
        "app",
        f"收到的事件属于另一个机器人：adapters.{name}.bot_token 与旁边的 app_token 或 "
        "signing_secret 不属于同一个应用或工作区；请从同一个应用复制全部值",
    )


# ---- reaching Slack ------------------------------------------------------------------------


def of_call(error: ParleyError, name: str) -> Said:
    """A call with the bot's token that failed."""
    if isinstance(error, WrongToken):
        return of_token(error, name)
    if isinstance(error, MissingScope):
        return _lacking([error.needed])
    if isinstance(error, Limited):
        return of_limit("auth.test", _seconds(error))
    return Said(
        f"Slack cannot be reached ({error}): check the network and adapters.{name}.base_url",
        f"无法连接 Slack({error})：请检查网络和 adapters.{name}.base_url",
    )


def of_limit(method: str, seconds: float) -> Said:
    """Slack wants less."""
    left = max(1, round(seconds))
    return Said(
        f"Slack limits {method} for {left} more seconds: answers wait as long; if this stays, "
        "look for another program that uses this app's token",
        f"Slack 正在限制 {method}，还需 {left} 秒：回答会等待；"
        "如果一直如此，请查找使用同一令牌的其他程序",
    )


def of_clock(ahead: timedelta) -> Said:
    """Our clock against Slack's."""
    seconds = round(ahead.total_seconds())
    way, direction = ("slow", "慢") if seconds > 0 else ("fast", "快")
    return Said(
        f"this machine's clock is {abs(seconds)} seconds {way}: set it by NTP; Slack's requests "
        "are refused when it is five minutes off",
        f"本机时钟{direction}了 {abs(seconds)} 秒：请启用 NTP 校时；"
        "相差五分钟时，Slack 的请求会被拒绝",
    )


# ---- Socket Mode ---------------------------------------------------------------------------


def of_socket(error: ParleyError) -> Said:
    """A socket that could not be opened; the key's place is said by whoever knows its name."""
    if isinstance(error, MissingScope):
        return Said(
            f"app_token lacks the scope {APP_SCOPE}: make a new one with it under Basic "
            "Information > App-Level Tokens",
            f"app_token 缺少权限 {APP_SCOPE}：请在 Basic Information > App-Level Tokens "
            "中新建一个带此权限的令牌",
        )
    if isinstance(error, WrongToken):
        return _of_app_token(error)
    if isinstance(error, Declined) and error.code == "socket_mode_not_enabled":
        return DISCONNECTS["link_disabled"]
    if isinstance(error, Limited):
        return of_limit("apps.connections.open", _seconds(error))
    return Said(
        f"no socket to Slack ({error}): check the network and base_url",
        f"无法与 Slack 建立连接({error})：请检查网络和 base_url",
    )


def _of_app_token(error: WrongToken) -> Said:
    known = TOKENS.get(error.code) or Said(
        "it is not this app's, it was revoked, or this address is not allowed; make a new one "
        "under Basic Information > App-Level Tokens",
        "它不属于此应用、已被吊销，或本机地址不被允许；"
        "请在 Basic Information > App-Level Tokens 中新建一个",
    )
    return Said(
        f"Slack does not take app_token ({error.code}): {known.en}",
        f"Slack 不接受 app_token({error.code})：{known.zh}",
    )


def of_no_socket_yet() -> Said:
    """One is being opened and has neither come nor failed."""
    return Said(
        "no socket to Slack yet: it is being opened and has not answered",
        "尚未与 Slack 建立连接：正在打开，还没有回应",
    )


def of_disconnect(reason: str) -> Said:
    """A socket that Slack has closed."""
    known = DISCONNECTS.get(reason)
    if known is not None:
        return known
    return Said(
        f"the socket to Slack was closed ({reason or 'no reason'}); the next one is being opened",
        f"与 Slack 的连接已断开({reason or '没有说明原因'})，正在重新连接",
    )


# ---- HTTP ----------------------------------------------------------------------------------


def of_forged(count: int, name: str) -> Said:
    """Requests that somebody else has signed."""
    place = f"adapters.{name}.signing_secret"
    return Said(
        f"{count} requests came with a signature that does not fit: {place} is another app's or "
        "an old one; copy Basic Information > Signing Secret",
        f"收到 {count} 个签名不符的请求：{place} 属于另一个应用或已失效；"
        "请复制 Basic Information > Signing Secret",
    )


def of_address(url: str | None) -> Said:
    """Nothing of Slack's has arrived, and a call of our own did not arrive either."""
    if url is None:
        return Said(
            "nothing has come from Slack yet and server.public_url is not set: set it, and enter "
            "<public_url>/in/<adapter> as Request URL under Event Subscriptions, Interactivity "
            "and Slash Commands",
            "还没有收到 Slack 的请求，且未设置 server.public_url：请先设置，再把 "
            "<public_url>/in/<适配器> 填为 Event Subscriptions、Interactivity 和 "
            "Slash Commands 的 Request URL",
        )
    return Said(
        f"{url} does not lead to this server: start it, see that the address is reachable from "
        "outside, and have it verified as Request URL under Event Subscriptions",
        f"{url} 没有通向本服务：请启动服务，确认该地址可从外网访问，"
        "并在 Event Subscriptions 中把它验证为 Request URL",
    )


def of_subscription(event: str) -> Said:
    """An event that ought to have come by now."""
    of_threads = event.startswith("message.")
    lost = (
        "messages without a mention in threads do not arrive"
        if of_threads
        else "mentions in channels that the bot is not in do not arrive"
    )
    loss = "否则收不到讨论串中未提及机器人的消息" if of_threads else "否则收不到未加入频道中的提及"
    return Said(
        f"Slack does not seem to send {event}: add it under Event Subscriptions > Subscribe to "
        f"bot events and reinstall the app; without it {lost}",
        f"Slack 似乎没有发送 {event}：请在 Event Subscriptions > Subscribe to bot events "
        f"中添加并重新安装应用，{loss}",
    )


# ---- speaking ------------------------------------------------------------------------------


def of_channels(outside: Iterable[tuple[str, str]]) -> Said:
    """Channels in which an answer could not be said."""
    found = list(outside)
    known = [(channel, OUTSIDE.get(why, Said(why, why))) for channel, why in found]
    english = "; ".join(f"{channel}: {why.en}" for channel, why in known)
    chinese = "；".join(f"{channel}：{why.zh}" for channel, why in known)
    invite = Said("", "")
    if any(why in INVITABLE for _, why in found):
        invite = Said(
            ". Invite it there: /invite @<the bot's name>",
            "。请在频道中邀请它：/invite @<机器人名>",
        )
    return Said(f"cannot write in {english}{invite.en}", f"无法发言：{chinese}{invite.zh}")


def _seconds(error: Limited) -> float:
    return error.retry_after.total_seconds() if error.retry_after is not None else 0.0
