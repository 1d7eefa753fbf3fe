"""A probe tells the commonest mistakes apart, at no cost, in the language of the operator."""

import json
from typing import Any

import pytest

from bot.models.openai_advice import of_list
from tests.journeys.checking import CHINESE
from tests.models.asking import speaking_to
from tests.peers.model import ModelPeer
from tests.ports import free_port

AZURE: dict[str, Any] = {"api_version": "2024-10-21", "model": "our-deployment"}


async def test_a_model_that_is_not_in_the_list_is_told_with_names_that_are() -> None:
    async with (
        ModelPeer(models=("qwen3:latest", "llama3.2:latest")) as peer,
        speaking_to(peer.base_url, model="qwen-3") as model,
    ):
        found = await model.probe()
        assert peer.asked == []
    assert not found.ok
    assert "it has no model qwen-3" in found.detail
    assert "qwen3:latest" in found.detail


async def test_a_model_in_the_list_is_well() -> None:
    async with ModelPeer(models=("a", "b")) as peer, speaking_to(peer.base_url, model="b") as model:
        found = await model.probe()
    assert (found.ok, found.detail) == (True, "b")


async def test_a_server_without_a_list_is_well_where_it_would_answer() -> None:
    async with ModelPeer(models=None) as peer, speaking_to(peer.base_url) as model:
        found = await model.probe()
        (asked,) = peer.asked
    assert found.ok
    assert asked.refused is not None  # nothing was answered, so nothing is paid for


async def test_an_address_at_which_nothing_is_found_is_told() -> None:
    async with ModelPeer() as peer, speaking_to(peer.url) as model:
        found = await model.probe()
    assert not found.ok
    for word in ("HTTP 404", "base_url", "/v1"):
        assert word in found.detail


async def test_of_azure_the_endpoint_is_named_and_its_list_is_of_other_things() -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with ModelPeer() as peer, speaking_to(None, endpoint=peer.url, **AZURE) as model:
        alive = await model.probe()
    async with speaking_to(None, endpoint=dead, **AZURE) as model:
        silent = await model.probe()
    async with speaking_to(None, endpoint="http://a..b", **AZURE) as model:
        nowhere = await model.probe()
    assert alive.ok
    assert [found.ok for found in (silent, nowhere)] == [False, False]
    for found in (silent, nowhere):
        assert "endpoint" in found.detail
        assert "base_url" not in found.detail


async def test_to_an_operator_who_reads_chinese_it_says_all_of_this_in_chinese() -> None:
    pasted = "sk-\u201cpasted\u201d"
    details: list[str] = []

    async def look(url: str, **options: Any) -> None:
        async with speaking_to(url, locale="zh", **options) as model:
            found = await model.probe()
        assert not found.ok
        details.append(found.detail)

    async with ModelPeer(key="sk-test") as peer, ModelPeer(models=()) as empty:
        await look(peer.base_url, api_key="sk-wrong")
        await look(peer.base_url, api_key=pasted)
        await look(peer.base_url, model="another")
        await look(empty.base_url)
        await look(peer.url)
    await look(f"http://127.0.0.1:{free_port()}/v1")
    await look("http://a..b/v1")
    assert len(set(details)) == 7
    for detail in details:
        assert CHINESE.search(detail), detail


# ---- lists -----------------------------------------------------------------------------------


def listing(*ids: str, **more: object) -> bytes:
    entries = [{"id": id, "object": "model", "owned_by": "somebody"} for id in ids]
    return json.dumps({"object": "list", "data": entries, **more}).encode()


@pytest.mark.parametrize(
    ("model", "content"),
    [
        ("qwen3", listing("qwen3:latest")),
        ("openai/gpt-5-mini:online", listing("openai/gpt-5-mini")),
        ("gemini-3-pro", listing("models/gemini-3-pro")),
        ("openai/gpt-5-mini", listing("openai/*")),
        ("Qwen3", listing("qwen3")),
        ("c", listing("a", "b", has_more=True)),
        ("b", json.dumps([{"id": "a"}, {"id": "b"}]).encode()),
        ("mine", json.dumps({"data": [{"id": "/a/b.gguf", "owned_by": "llamacpp"}]}).encode()),
        ("a", json.dumps({"models": []}).encode()),
        ("a", b"<html></html>"),
        ("a", b'{"data": [{"id": 7}]}'),
        ("a", b"\xff\xfe"),
    ],
)
def test_a_list_that_has_it_or_cannot_tell_is_no_trouble(model: str, content: bytes) -> None:
    assert of_list(content, model) is None


@pytest.mark.parametrize(
    ("model", "content", "words"),
    [
        ("gpt-5-mini", listing("qwen3:latest"), ("no model gpt-5-mini", ": qwen3:latest")),
        ("qwen3:8b", listing("qwen3:latest"), ("no model qwen3:8b", ": qwen3:latest")),
        ("b", json.dumps([{"id": "a"}]).encode(), ("no model b", ": a")),
        ("qwen3", b'{"object": "list", "data": null}', ("no model yet", "ollama pull qwen3")),
        ("qwen3", listing(), ("no model yet", "ollama pull qwen3")),
    ],
)
def test_a_list_that_has_it_not_is_told_with_what_to_do(
    model: str, content: bytes, words: tuple[str, ...]
) -> None:
    trouble = of_list(content, model)
    assert trouble is not None
    for word in words:
        assert word in trouble.en


def test_what_a_provider_calls_its_models_steers_no_terminal() -> None:
    trouble = of_list(listing("\x1b[2Jb", "word " * 40, "c"), "a")
    assert trouble is not None
    assert trouble.en.endswith("in its list: c")
