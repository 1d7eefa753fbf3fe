"""How a Bot API call is read from the wire: query, JSON, form or multipart."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from tests.peers.log import Json
from tests.peers.telegram_rules import bad

_STRUCTURED = frozenset(
    "entities caption_entities reply_markup reply_parameters allowed_updates commands scope "
    "link_preview_options media".split()
)
_NUMBERS = frozenset(
    "chat_id message_id draft_id message_thread_id offset limit timeout max_connections".split()
)
_FLAGS = frozenset("drop_pending_updates disable_notification show_alert".split())
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with the call."""

    name: str
    content: bytes


async def read_params(request: web.BaseRequest) -> Json:
    """Every parameter of the call, of its true type whatever way it came."""
    raw: Json = dict(request.query)
    match request.content_type:
        case "application/json":
            raw |= _object(await request.read())
        case "multipart/form-data":
            raw |= await _multipart(request)
        case _:
            raw |= dict(parse_qsl((await request.read()).decode(), keep_blank_values=True))
    return {key: _typed(key, value) for key, value in raw.items()}


def loggable(params: Json) -> Json:
    """The parameters without the bytes of uploads."""
    return {
        key: f"<{value.name}, {len(value.content)} bytes>" if isinstance(value, Upload) else value
        for key, value in params.items()
    }


def _object(body: bytes) -> Json:
    if not body.strip():
        return {}
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise bad("can't parse JSON object") from None
    if not isinstance(value, dict):
        raise bad("can't parse JSON object")
    return value


async def _multipart(request: web.BaseRequest) -> Json:
    form = await request.post()
    return {
        key: Upload(value.filename, value.file.read())
        if isinstance(value, web.FileField)
        else value
        for key, value in form.items()
    }


def _typed(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if key in _STRUCTURED:
        try:
            return _decode(value.encode()) if value else None
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise bad(f"can't parse {key.replace('_', ' ')} JSON object") from None
    if key in _NUMBERS:
        return int(value) if value.lstrip("-").isdecimal() else value
    if key in _FLAGS:
        return value.lower() in ("true", "1", "yes")
    return value
