"""No exception of the vendor, of its transport or of the socket leaves the wire file."""

import ssl
from collections.abc import Iterator
from types import ModuleType

import aiohttp
import httpx2
import openai
import pytest
from aiohttp import http_exceptions

from bot.errors import ParleyError, Permanent, Transient
from bot.models.openai_errors import VENDOR_ERRORS, translated
from tests.fakes import EPOCH
from tests.models.asking import asking, collect, speaking_to
from tests.peers.model import ModelPeer
from tests.ports import free_port

# Raised by parts of aiohttp that a client of plain HTTP never enters.
ELSEWHERE = {"PayloadAccessError", "WSMessageTypeError", "WebSocketError", "EofStream"}


def exceptions_of(*modules: ModuleType) -> Iterator[type[Exception]]:
    """Every exception class that a module offers, and everything derived from one."""
    waiting = [
        value
        for module in modules
        for value in list(vars(module).values())
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    seen: set[type[Exception]] = set()
    while waiting:
        kind = waiting.pop()
        # Warnings are raised by nobody, and exceptions of Python itself are not the vendor's.
        foreign = kind.__module__.partition(".")[0] not in {"openai", "httpx2", "aiohttp"}
        elsewhere = kind.__name__ in ELSEWHERE or kind.__module__.startswith("aiohttp.web")
        if kind in seen or foreign or elsewhere or issubclass(kind, Warning):
            continue
        seen.add(kind)
        waiting += kind.__subclasses__()
        yield kind


VENDORS = sorted(
    exceptions_of(openai, httpx2, aiohttp, http_exceptions), key=lambda kind: kind.__qualname__
)


def made(kind: type[Exception]) -> Exception:
    """An instance, with what the translation reads, without the vendor's own constructor."""
    error = kind.__new__(kind)
    request = httpx2.Request("POST", "https://model.test/v1")
    for name, value in {
        "response": httpx2.Response(418, request=request, content=b'{"error": "Canary"}'),
        "request": request,
        "message": "Canary",
    }.items():
        if "__slots__" not in vars(kind):
            error.__dict__.setdefault(name, value)
    return error


def test_the_walk_meets_the_vendors_classes() -> None:
    names = {kind.__name__ for kind in VENDORS}
    assert {"RateLimitError", "APITimeoutError", "ReadError", "ClientPayloadError"} <= names
    assert len(names) > 60


@pytest.mark.parametrize("kind", VENDORS, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_vendor_is_caught_and_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, VENDOR_ERRORS), kind
    error = translated(made(kind), "main", EPOCH)
    assert isinstance(error, ParleyError)
    assert str(error).startswith("main: ")
    assert "Canary" not in str(error)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_a_host_that_can_be_no_name_is_an_address_that_is_none(host: str) -> None:
    async with speaking_to(f"http://{host}.invalid/v1") as model:
        with pytest.raises(Permanent, match="base_url is no address"):
            await collect(model, asking())


@pytest.mark.parametrize("error", [ssl.SSLError("x"), ConnectionResetError(), OSError(24, "x")])
def test_what_the_socket_raises_is_translated(error: OSError) -> None:
    assert isinstance(error, VENDOR_ERRORS)
    assert isinstance(translated(error, "main", EPOCH), ParleyError)


async def test_a_model_that_cannot_be_reached_says_why_and_not_that_it_was_slow() -> None:
    """The usual mistake with a model on one's own machine: it was not started."""
    told = []
    for url in (f"http://127.0.0.1:{free_port()}/v1", "http://-no-such-host.invalid/v1"):
        async with speaking_to(url) as model:
            with pytest.raises(Transient) as refused:
                await collect(model, asking())
        told.append(str(refused.value).partition(": ")[2])
    assert told == ["nobody listens at its address", "its host has no address"]


async def test_a_model_that_speaks_no_tls_is_not_called_slow() -> None:
    async with (
        ModelPeer() as peer,
        speaking_to(f"{peer.url.replace('http:', 'https:')}/v1") as model,
    ):
        with pytest.raises(Transient, match="no TLS could be spoken with it"):
            await collect(model, asking())
