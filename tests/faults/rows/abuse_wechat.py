"""What strangers send in WeChat's name: unsealed, sealed for others, too old, XML that explodes."""

import gzip
from dataclasses import replace

from tests.faults.platforms import Event
from tests.faults.platforms.wechat import ACCOUNT, APPS, KEYS, TOKENS
from tests.faults.rows.abuse_calls import LARGE, Call, Forge
from tests.peers.log import Log
from tests.peers.wechat_courier import Console, Courier
from tests.peers.wechat_people import People

KIND = {"Content-Type": "text/xml"}
HOUR = 3600
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<!DOCTYPE xml [<!ENTITY l0 "ha">{LAUGHS}]><xml><Content>&l9;</Content></xml>'
OUTSIDE = '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><Content>&x;</Content></xml>'


def right(event: Event) -> Call:
    """As WeChat itself would write it."""
    return _around(event, event.body["xml"])


def _around(event: Event, xml: str, *, age: int = 0, **changes: str) -> Call:
    """Signed and sealed as WeChat does it, whatever is inside."""
    tenant = event.mark.talk.tenant
    console = Console(
        **{
            "token": TOKENS[tenant],
            "aes_key": KEYS[tenant],
            "app_id": APPS[tenant],
            "original_id": ACCOUNT,
        }
        | changes
    )
    log = Log(keep=1)
    courier = Courier(log, People(log, may_send=True), console, 5.0)
    request = courier.signed(xml, timestamp=courier.now() - age)
    return Call(request.body, KIND, request.query)


def unsigned(event: Event) -> Call:
    """Without a signature."""
    call = right(event)
    query = "&".join(one for one in call.query.split("&") if "signature" not in one)
    return replace(call, query=query)


def wrong_token(event: Event) -> Call:
    """By a token that somebody guessed."""
    return _around(event, event.body["xml"], token="guessed")


def by_the_other(event: Event) -> Call:
    """Signed with the other account's token."""
    tenant = "b" if event.mark.talk.tenant == "a" else "a"
    return _around(event, event.body["xml"], token=TOKENS[tenant])


def sealed_for_another(event: Event) -> Call:
    """Sealed for another account."""
    return _around(event, event.body["xml"], app_id="wxsomebodyelse00")


def sealed_by_another(event: Event) -> Call:
    """Sealed with another key."""
    return _around(event, event.body["xml"], aes_key="g" * 43)


def hour_old(event: Event) -> Call:
    """Really WeChat's, an hour ago."""
    return _around(event, event.body["xml"], age=HOUR)


def from_the_future(event: Event) -> Call:
    """Really WeChat's, in an hour."""
    return _around(event, event.body["xml"], age=-HOUR)


def another_body(event: Event) -> Call:
    """A right signature of something else."""
    call = right(event)
    at = call.body.index(b"CDATA", call.body.index(b"<Encrypt>")) + 20
    changed = b"A" if call.body[at : at + 1] != b"A" else b"B"
    return replace(call, body=call.body[:at] + changed + call.body[at + 1 :])


def unsealed(event: Event) -> Call:
    """A right signature of the address, which says nothing of the body."""
    return replace(right(event), body=event.body["xml"].encode())


def too_large(event: Event) -> Call:
    """More than a server reads."""
    return _around(event, event.body["xml"].replace("</Content>", "x" * LARGE + "</Content>"))


def no_xml(event: Event) -> Call:
    """Cut off before its end, and sealed like that."""
    return _around(event, event.body["xml"][:-3])


def deep(event: Event) -> Call:
    """So deep that a reader may lose its stack."""
    return _around(event, f"<xml>{'<a>' * 5_000}{'</a>' * 5_000}</xml>")


def exploding(event: Event) -> Call:
    """A few entities that are gigabytes when they are written out."""
    return _around(event, BOMB)


def from_outside(event: Event) -> Call:
    """It asks the reader to fetch something."""
    return _around(event, OUTSIDE)


def twice_said(event: Event) -> Call:
    """A field stands there twice: which one is meant?"""
    return _around(event, event.body["xml"].replace("</xml>", "<MsgId>1</MsgId></xml>"))


def zipped(event: Event) -> Call:
    """A bomb."""
    call = right(event)
    return replace(
        call,
        body=gzip.compress(b" " * LARGE + call.body),
        headers={**KIND, "Content-Encoding": "gzip"},
    )


def asked(event: Event) -> Call:
    """A question instead of a delivery, and nothing to say back."""
    return replace(right(event), body=b"", method="GET")


WECHAT: tuple[Forge, ...] = (
    *(unsigned, wrong_token, by_the_other, sealed_for_another, sealed_by_another, hour_old),
    *(from_the_future, another_body, unsealed, too_large, no_xml, deep, exploding, from_outside),
    *(twice_said, zipped, asked),
)
