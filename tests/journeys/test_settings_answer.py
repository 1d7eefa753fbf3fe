"""Changing who answers, as whom and with what changes what a person sees."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ConfigError
from tests.journeys.inside import ANN, BOB, inside, openai
from tests.peers.model import ModelPeer
from tests.peers.model_answers import Answer, Asked, Call, Script, always, by_words, echo

LIST = {"use": "tests.journeys.listed"}
GUESTS: dict[str, Any] = {"adapters": {"list": {**LIST, "audience": "guests"}}}
CLOCK, SUMS = {"use": "plugins.clock"}, {"use": "plugins.calculator"}

PLUGIN = '''"""Functions of a shop."""

from bot import tool


@tool(roles={"cashier"})
async def open_till() -> str:
    """Open the till."""
    return "it is open"
'''


def named(name: str) -> Script:
    """A model that says its name."""
    return always(Answer(text=f"I am {name}"))


def telling(asked: Asked) -> Answer:
    """Says which model was asked for, as whom it answers and what it may call."""
    persona = asked.messages[0]["content"].splitlines()[0]
    return Answer(text=f"{asked.body['model']} / {persona} / {' '.join(sorted(asked.tools))}")


# ---- models ----------------------------------------------------------------------------------


async def test_models_model(tmp_path: Path) -> None:
    async with ModelPeer(telling) as model:
        for name in ("small", "large"):
            models = {"main": openai(model, model=name)}
            async with inside(tmp_path, model, models=models) as house:
                assert (await house.ask("who are you?")).startswith(name)


@pytest.mark.parametrize(("key", "words"), [("right", "You said"), ("wrong", "would not take")])
async def test_models_api_key(tmp_path: Path, key: str, words: str) -> None:
    async with ModelPeer(echo(), key="right") as model:
        models = {"main": openai(model, api_key=key)}
        async with inside(tmp_path, model, models=models) as house:
            assert words in await house.ask("hi")


async def test_models_base_url(tmp_path: Path) -> None:
    async with ModelPeer(named("one")) as one, ModelPeer(named("two")) as two:
        for model, name in ((one, "one"), (two, "two")):
            async with inside(tmp_path, model) as house:
                assert await house.ask("who are you?") == f"I am {name}"


async def test_models_use(tmp_path: Path) -> None:
    async with ModelPeer(echo()) as model:
        async with inside(tmp_path, model) as house:
            assert await house.ask("hi") == "You said: hi [answer-1]"
        async with inside(tmp_path, models={"main": {"use": "offline"}}) as house:
            assert "You said" not in await house.ask("hi")
        azure = {"use": "azure", "endpoint": model.url, "deployment": "of-ours", "api_key": "key"}
        async with inside(tmp_path, models={"main": azure}) as house:
            assert await house.ask("hi") == "You said: hi [answer-2]"
            assert "/deployments/of-ours/" in model.asked[-1].path


@pytest.mark.parametrize(("more", "sent"), [({}, None), ({"temperature": 0.5}, 0.5)])
async def test_models_temperature(tmp_path: Path, more: dict[str, Any], sent: object) -> None:
    async with ModelPeer(echo()) as model:
        models = {"main": openai(model, **more)}
        async with inside(tmp_path, model, models=models) as house:
            await house.ask("hi")
        assert model.asked[0].body.get("temperature") == sent


async def test_models_api_version(tmp_path: Path) -> None:
    async with ModelPeer(echo()) as model:
        for version in ("2024-10-21", "2025-04-01"):
            azure = {"use": "azure", "endpoint": model.url, "deployment": "ours", "api_key": "key"}
            models = {"main": {**azure, "api_version": version}}
            async with inside(tmp_path, models=models) as house:
                await house.ask("hi")
            assert model.asked[-1].query == {"api-version": version}


async def test_models_max_output_tokens(tmp_path: Path) -> None:
    async with ModelPeer(echo()) as model:
        models = {"main": openai(model, max_output_tokens=77)}
        async with inside(tmp_path, model, models=models) as house:
            await house.ask("hi")
        assert 77 in model.asked[0].body.values()


# ---- answer ----------------------------------------------------------------------------------


async def test_answer_model(tmp_path: Path) -> None:
    async with ModelPeer(named("one")) as one, ModelPeer(named("two")) as two:
        for chosen, name in (("main", "one"), ("second", "two")):
            async with inside(tmp_path, one, two, answer={"model": chosen}) as house:
                assert await house.ask("who are you?") == f"I am {name}"


@pytest.mark.parametrize(
    ("fallback", "words"), [([], "would not take"), (["second"], "I am the second")]
)
async def test_answer_fallback(tmp_path: Path, fallback: list[str], words: str) -> None:
    async with ModelPeer(key="another") as broken, ModelPeer(named("the second")) as second:
        answer = {"fallback": fallback}
        async with inside(tmp_path, broken, second, answer=answer) as house:
            assert words in await house.ask("who are you?")


async def test_answer_persona(tmp_path: Path) -> None:
    async with ModelPeer(telling) as model:
        for persona in ("You are a pirate.", "You are a librarian."):
            async with inside(tmp_path, model, answer={"persona": persona}) as house:
                assert persona in await house.ask("who are you?")


@pytest.mark.parametrize(
    ("tools", "offered"),
    [("all", "calculate convert now"), (["calculator"], "calculate"), ([], "")],
)
async def test_answer_tools(tmp_path: Path, tools: object, offered: str) -> None:
    config: dict[str, Any] = {"answer": {"tools": tools}, "plugins": [CLOCK, SUMS]}
    async with ModelPeer(telling) as model, inside(tmp_path, model, **config) as house:
        assert (await house.ask("what can you do?")).rpartition(" / ")[2] == offered


@pytest.mark.parametrize(("max_steps", "words"), [(8, "after 2"), (2, "several steps")])
async def test_answer_max_steps(tmp_path: Path, max_steps: int, words: str) -> None:
    def script(asked: Asked) -> Answer:
        done = sum(message["role"] == "tool" for message in asked.messages)
        if done == 2:
            return Answer(text="after 2")
        return Answer(calls=[Call("calculate", {"expression": "1+1"})])

    config: dict[str, Any] = {"answer": {"max_steps": max_steps}, "plugins": [SUMS]}
    async with ModelPeer(script) as model, inside(tmp_path, model, **config) as house:
        assert words in await house.ask("think hard")


@pytest.mark.slow
@pytest.mark.parametrize(("deadline", "words"), [("120s", "at last"), ("1s", "longer than")])
async def test_answer_deadline(tmp_path: Path, deadline: str, words: str) -> None:
    let_go = asyncio.Event()
    script = always(Answer(text="at last", waits={0: let_go}))
    async with (
        ModelPeer(script) as model,
        inside(tmp_path, model, answer={"deadline": deadline}) as house,
    ):
        await house.say("take your time")
        await model.wait_for(lambda: model.open)
        if deadline == "1s":
            await model.wait_for(lambda: not model.open)
        let_go.set()
        assert words in (await house.has_sent(1))[0]


# ---- audiences, operators, adapters, plugins -------------------------------------------------


async def test_audiences_persona_model_and_tools(tmp_path: Path) -> None:
    guests = {"persona": "You greet guests.", "model": "second", "tools": ["clock"]}
    config: dict[str, Any] = {**GUESTS, "plugins": [CLOCK, SUMS]}
    async with ModelPeer(telling) as one, ModelPeer(telling) as two:
        async with inside(tmp_path, one, two, audiences={"guests": {}}, **config) as house:
            said = await house.ask("who are you?")
            assert "Parley" in said
            assert "calculate" in said
        async with inside(tmp_path, one, two, audiences={"guests": guests}, **config) as house:
            said = await house.ask("who are you?")
            assert "You greet guests." in said
            assert said.endswith("/ convert now")
            assert (len(one.asked), len(two.asked)) == (1, 1)


async def test_audiences_limits(tmp_path: Path) -> None:
    calls = always(Answer(calls=[Call("calculate", {"expression": "1+1"})]))
    guests = {"max_steps": 1, "fallback": ["second"], "deadline": "60s"}
    config: dict[str, Any] = {**GUESTS, "plugins": [SUMS], "audiences": {"guests": guests}}
    async with (
        ModelPeer(calls) as one,
        ModelPeer(named("the second")) as second,
        inside(tmp_path, one, second, **config) as house,
    ):
        assert "several steps" in await house.ask("think hard")
        one.key = "another"
        assert await house.ask("who are you?") == "I am the second"


@pytest.mark.parametrize(
    ("window", "told"), [(None, 6), ({"messages": 2}, 4), ({"tokens": 100}, 2)]
)
async def test_audiences_window(tmp_path: Path, window: dict[str, int] | None, told: int) -> None:
    counting = by_words({"now": lambda asked: Answer(text=str(len(asked.messages)))}, echo())
    guests = {} if window is None else {"window": window}
    config: dict[str, Any] = {**GUESTS, "audiences": {"guests": guests}}
    async with ModelPeer(counting) as model, inside(tmp_path, model, **config) as house:
        for _ in range(2):
            await house.ask("a long story " * 100)
        assert await house.ask("and now?") == str(told)


@pytest.mark.parametrize(
    ("sender", "words"), [("list:ann", "new conversation"), ("list:x", "only an operator")]
)
async def test_operators_sender(tmp_path: Path, sender: str, words: str) -> None:
    async with inside(tmp_path, operators=[{"sender": sender}]) as house:
        assert words in await house.ask("/new", sender=ANN, direct=False)


@pytest.mark.parametrize(("roles", "offered"), [(["cashier"], True), (["operator"], False)])
async def test_operators_roles(tmp_path: Path, roles: list[str], offered: bool) -> None:
    (tmp_path / "shop.py").write_text(PLUGIN, encoding="utf-8")
    operators = [{"sender": "list:ann", "roles": roles}, {"sender": "list:x", "roles": ["cashier"]}]
    config: dict[str, Any] = {"operators": operators, "plugins": [{"use": "./shop.py"}]}
    async with ModelPeer(telling) as model, inside(tmp_path, model, **config) as house:
        assert ("open_till" in await house.ask("what can you do?", sender=ANN)) is offered
        assert "open_till" not in await house.ask("what can you do?", sender=BOB)


async def test_plugins_use(tmp_path: Path) -> None:
    async with ModelPeer(telling) as model:
        for plugins, offered in (([], ""), ([SUMS], "calculate")):
            async with inside(tmp_path, model, plugins=plugins) as house:
                assert (await house.ask("what can you do?")).rpartition(" / ")[2] == offered


async def test_adapters_tenant_and_audience(tmp_path: Path) -> None:
    """One store behind two configurations: what one tenant said is unknown to the other."""
    script = by_words({"what": lambda asked: Answer(text=str(len(asked.messages)))}, echo())
    async with ModelPeer(script) as model, inside(tmp_path, model) as house:
        await house.ask("my secret is 42")
        assert await house.ask("what do you know?") == "4"
        store, clock = house.app.store, house.clock
        adapters = {"list": {**LIST, "tenant": "another"}}
        other = inside(tmp_path, model, store=store, clock=clock, adapters=adapters)
        async with other as neighbour:
            assert await neighbour.ask("what do you know?") == "2"


async def test_adapters_use(tmp_path: Path) -> None:
    adapters = {"list": LIST, "second": LIST}
    async with ModelPeer(echo()) as model, inside(tmp_path, model, adapters=adapters) as house:
        await house.ask("hi", adapter="second")
        assert house.platform().texts == []
    with pytest.raises(ConfigError, match="no such module"):
        async with inside(tmp_path, adapters={"list": {"use": "tests.journeys.lister"}}):
            pass
