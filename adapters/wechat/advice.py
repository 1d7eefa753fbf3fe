"""What is wrong with an account, in words that say where to mend it. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from bot import Said

_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_RESET = Said("the app_secret was probably reset", "app_secret 可能已被重置")


class Place(NamedTuple):
    """One account in the configuration: where its settings stand, and what WeChat is to call."""

    name: str
    public_url: str | None

    def key(self, setting: str) -> str:
        """A setting's dotted place."""
        return f"adapters.{self.name}.{setting}"

    @property
    def url(self) -> str:
        """The server URL to enter."""
        return f"{(self.public_url or 'https://bot.example.com').rstrip('/')}/in/{self.name}"


# ---- what the platform answers -------------------------------------------------------------


def of_code(code: int, reason: str) -> Said | None:
    """What an operator should do about an errcode; None where it is no mistake of theirs."""
    match code:
        case 40013 | 41002:
            return Said(
                "WeChat does not know this app_id (40013): copy the AppID from mp.weixin.qq.com, "
                "设置与开发 → 基本配置",
                "微信不认识这个 app_id(40013)：请从 mp.weixin.qq.com 的“设置与开发 → 基本配置”"
                "复制 AppID",
            )
        case 40125 | 41004:
            return Said(
                "the app_secret is not the one of this app_id (40125): reset it at "
                "mp.weixin.qq.com and write the new one",
                "app_secret 与这个 app_id 不符(40125)：请在 mp.weixin.qq.com 重置，并填写新的值",
            )
        case 40001 | 40014 | 42001:
            return Said(
                f"WeChat refuses every access token ({code}): {_RESET.en}; write the new one",
                f"微信拒绝了所有 access token({code})：{_RESET.zh}，请填写新的值",
            )
        case 40164:
            return _of_address_list(reason)
        case 45009:
            return Said(
                "the day's quota of calls is used up (45009): it is free again at midnight in "
                "China, or at once after clear_quota",
                "今天的接口调用次数已用完(45009)：北京时间零点恢复，或调用 clear_quota 立即清零",
            )
        case 48004 | 50002:
            return Said(
                f"WeChat has blocked this account's API ({code}): see the notices in its console",
                f"微信封禁了此帐号的接口({code})：请查看公众平台后台的通知",
            )
        case 89503 | 89506 | 89507:
            return Said(
                f"an administrator of the account has to confirm this server's calls ({code}): "
                "look into WeChat on their phone",
                f"需要帐号管理员确认本服务器的调用({code})：请在管理员手机的微信中确认",
            )
    return None


def _of_address_list(reason: str) -> Said:
    found = _IP.search(reason)
    english = found[0] if found else "this server's address"
    chinese = found[0] if found else "本服务器的地址"
    return Said(
        f"WeChat does not take calls from {english} (40164): add it to the IP whitelist (IP白名单) "
        "at mp.weixin.qq.com, 设置与开发 → 基本配置",
        f"微信不接受来自 {chinese} 的调用(40164)：请在 mp.weixin.qq.com 的"
        "“设置与开发 → 基本配置”中把它加入 IP白名单",
    )


def of_unreachable(error: Exception, place: Place) -> Said:
    """No answer, or none that can be read."""
    return Said(
        f"WeChat cannot be reached ({error}): check the network and {place.key('base_url')}",
        f"无法连接微信({error})：请检查网络和 {place.key('base_url')}",
    )


def of_clock(skew: float, fresh: float) -> Said:
    """Our clock against theirs; `skew` is how far ours is ahead."""
    where, direction = ("ahead of", "快") if skew > 0 else ("behind", "慢")
    return Said(
        f"this machine's clock is {abs(skew):.0f} s {where} WeChat's; beyond {fresh:.0f} s every "
        "message is turned away as stale: switch on NTP",
        f"本机时钟比微信{direction} {abs(skew):.0f} 秒；超过 {fresh:.0f} 秒，"
        "所有消息都会因过期被拒绝：请启用 NTP 校时",
    )


def of_no_permission(place: Place) -> Said:
    """The file says that the account may, and it may not."""
    key = place.key("customer_service")
    return Said(
        "the account may not send customer-service messages (48001), which only verified service "
        f"accounts may: have it verified, or write {key}: auto, so that late answers wait for the "
        "person's next message",
        "此帐号没有客服消息权限(48001)，只有已认证的服务号才有：请完成认证，"
        f"或填写 {key}: auto，让迟到的回答等到对方的下一条消息",
    )


# ---- what calls us, and what does not ------------------------------------------------------


def of_no_url(place: Place) -> Said:
    """There is nothing that WeChat could call."""
    line = "`server: {public_url: https://bot.example.com}`"
    return Said(
        f"WeChat has no address to call: write {line} and enter {place.url} as the server URL "
        "(服务器地址) at mp.weixin.qq.com",
        f"微信没有可调用的地址：请填写 {line}，并在 mp.weixin.qq.com 把 {place.url} "
        "填为服务器地址(URL)",
    )


def of_address(place: Place) -> Said:
    """WeChat has not called, and a call of our own did not arrive either."""
    return Said(
        f"{place.url} does not lead to this server, so WeChat cannot verify it: start the server, "
        "and see that this address is reachable from outside on port 80 or 443",
        f"{place.url} 没有通向本服务，微信无法验证：请启动服务，"
        "并确认该地址可从外网经 80 或 443 端口访问",
    )


def of_rejected(why: str, place: Place) -> Said:
    """Calls that came and were turned away."""
    match why:
        case "stale":
            return Said(
                "calls come whose time is more than five minutes from this machine's: switch on "
                "NTP",
                "收到的调用与本机时间相差超过五分钟：请启用 NTP 校时",
            )
        case "signature":
            return Said(
                f"calls come, but their signature does not agree: {place.key('token')} is not the "
                "Token (令牌) that mp.weixin.qq.com shows; copy it from there",
                f"收到调用，但签名不符：{place.key('token')} 不是 mp.weixin.qq.com 上的"
                "令牌(Token)；请从那里复制",
            )
        case "sealed for another":
            return Said(
                f"calls come, but cannot be opened: {place.key('aes_key')} is not the "
                f"EncodingAESKey of this account, or {place.key('app_id')} is another account's; "
                "copy both from mp.weixin.qq.com",
                f"收到调用，但无法解密：{place.key('aes_key')} 不是此帐号的 EncodingAESKey，"
                f"或 {place.key('app_id')} 属于另一个帐号；请从 mp.weixin.qq.com 复制这两个值",
            )
    return Said(
        "calls come in plaintext mode, in which anybody could write in anybody's name: choose "
        "safe mode (安全模式) at mp.weixin.qq.com, 服务器配置",
        "收到的是明文模式的调用，任何人都能冒名发消息：请在 mp.weixin.qq.com 的"
        "“服务器配置”中选择安全模式",
    )


# ---- what is well, and worth knowing -------------------------------------------------------

REMARKS: Mapping[str, Said] = {
    "safe": Said("safe mode", "安全模式"),
    "plaintext": Said(
        "plaintext mode, in which messages can be forged", "明文模式，消息可能被伪造"
    ),
    "no service": Said(
        "the new customer service (新客服) is not switched on (65400): whether the account may "
        "send messages of its own is found out with the first",
        "没有开通新客服功能(65400)：能否主动发消息，要到第一次发送时才知道",
    ),
    "no permission": Said(
        "no customer-service messages (48001): answers later than 15 s wait for the person's next "
        "message",
        "没有客服消息权限(48001)：超过 15 秒的回答会等到对方的下一条消息",
    ),
}


def of_silence(place: Place) -> Said:
    """Nothing has come yet, which is no mistake by itself."""
    return Said(
        "WeChat has not called since the start: if its URL is not verified yet, enter "
        f"{place.url} with the same Token and EncodingAESKey at mp.weixin.qq.com and switch it on "
        "(启用)",
        "启动以来微信还没有调用过：如果服务器地址尚未验证，请在 mp.weixin.qq.com 填写 "
        f"{place.url} 和相同的 Token、EncodingAESKey，并点击“启用”",
    )
