"""A stand-in for an OpenAI-compatible chat-completions service."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import msgspec
from aiohttp import web

from tests.peers.faults import (
    Fault,
    Faults,
    answered,
    cut,
    garbage,
    hang,
    holds,
    late,
    page,
    picture,
    slow_head,
)
from tests.peers.log import Json, Log
from tests.peers.model_answers import (
    Answer,
    Asked,
    Call,
    Dialect,
    Flaw,
    FlawKind,
    Replay,
    Script,
    Usage,
    always,
    echo,
    tool_then_answer,
)
from tests.peers.model_replay import Tape, load
from tests.peers.model_rules import Problem, check, tokens_of
from tests.peers.model_speech import Speech
from tests.peers.model_stream import STREAM_ERROR, Head, body_of
from tests.peers.server import Exchange, Peer, Reply

CHAT = "/chat/completions"
AZURE = "/openai/deployments/"
ROOTS = ("/v1/", "/openai/")
"""Nothing is anywhere else: who forgets the end of the address is told so, as by the real ones."""
_decode = msgspec.json.Decoder(Json).decode


def rate_limited(retry_after: float | None = 1) -> Fault:
    """429 that passes, with or without a `Retry-After`."""
    problem = Problem(
        "Rate limit reached for requests", None, "rate_limit_exceeded", 429, "requests"
    )
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return answered("rate_limited", 429, problem.as_json(), headers)


def out_of_quota() -> Fault:
    """429 that does not pass."""
    reason = "You exceeded your current quota, please check your plan and billing details."
    code = "insufficient_quota"
    return answered("out_of_quota", 429, Problem(reason, None, code, 429, code).as_json())


def failure(status: int = 500) -> Fault:
    """A 5xx with the provider's error object."""
    return answered("failure", status, STREAM_ERROR)


def error_in_200() -> Fault:
    """An error object where an answer should be, and the status says that all is well."""
    return answered("error_in_200", 200, STREAM_ERROR)


def flawed(kind: str, at: int = 2, every: float = 1.0) -> Flaw:
    """A stream that goes wrong before chunk `at`."""
    return Flaw(FlawKind(kind), at, every)


FAULTS: dict[str, Callable[..., Fault | Flaw]] = {
    "rate_limited": rate_limited,
    "out_of_quota": out_of_quota,
    "failure": failure,
    "error_in_200": error_in_200,
    "page": page,
    "picture": picture,
    "garbage": garbage,
    "hang": hang,
    "cut": cut,
    "late": late,
    "slow_head": slow_head,
    "flaw": flawed,
}


class ModelPeer(Peer):
    """A model behind a script. `base_url` goes into the client as it is.

    A request that a strict provider refuses is refused here; `budget` is the context length in
    tokens of four characters. Without `models` it has no list of them.
    """

    name = "model"

    def __init__(
        self,
        script: Script | None = None,
        *,
        key: str | None = None,
        budget: int | None = None,
        dialect: Dialect | None = None,
        models: tuple[str, ...] | None = ("peer-model",),
        log: Log | None = None,
        port: int = 0,
        keep: int | None = None,
    ) -> None:
        super().__init__(log=log, port=port, keep=keep)
        self.script: Script = script or echo()
        self.key = key
        self.budget = budget
        self.dialect = dialect or Dialect()
        self.models = models
        self.faults: Faults[Fault | Flaw] = Faults()
        self.asked: list[Asked] = []

    @property
    def base_url(self) -> str:
        """What the openai client calls `base_url`."""
        return f"{self.url}/v1"

    @property
    def open(self) -> list[Asked]:
        """Requests that are still being answered."""
        return [asked for asked in self.asked if asked.ended_at is None]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request: a chat completion, or the list of models."""
        there = request.path.startswith(ROOTS)
        if there and request.path.endswith(CHAT) and request.method == "POST":
            return await self._chat(request)
        exchange = self.begin(request.path, {})
        problem = self._check_key(request)
        lists = there and self.models is not None and request.path.endswith("/models")
        if problem is None and lists and request.method == "GET":
            names = self.models or ()
            data = [{"id": name, "object": "model", "owned_by": "peer"} for name in names]
            return self.send(exchange, Reply(200, {"object": "list", "data": data}))
        reason = f"Invalid URL ({request.method} {request.path})"
        return self._refuse(exchange, problem or Problem(reason, status=404))

    async def control(self, path: str, body: Json) -> object:
        """For a driver in another process: faults and what to answer."""
        match path:
            case "faults":
                fault = FAULTS[body["name"]](**body.get("args", {}))
                when = holds(body["match"]) if "match" in body else None
                self.faults.plan(fault, when=when, times=body.get("times", 1))
            case "answer":
                self.script = always(Answer(**body))
            case "tool":
                call = Call(body["name"], body.get("arguments", {}))
                self.script = tool_then_answer(call)
            case "echo":
                self.script = echo()
            case _:
                return await super().control(path, body)
        return True

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            exchange = self.begin("chat", {})
            reason = "We could not parse the JSON body of your request."
            return self._refuse(exchange, Problem(reason))
        exchange = self.begin("chat", body, streamed=bool(body.get("stream")))
        asked = Asked(exchange.number, request.path, body, exchange.at, query=dict(request.query))
        self.keep(self.asked, asked)
        speech = Speech(self, request, exchange, asked)
        try:
            return await self._answer(request, exchange, asked, speech)
        except ConnectionError:
            speech.closed()
            return web.Response(status=500)
        except asyncio.CancelledError:
            speech.closed()
            raise
        finally:
            asked.ended_at = self.log.now()
            self.tell()

    async def _answer(
        self, request: web.BaseRequest, exchange: Exchange, asked: Asked, speech: Speech
    ) -> web.StreamResponse:
        planned = self.faults.take("chat", asked.body)
        if isinstance(planned, Fault) and not planned.effect:
            return await self.go_wrong(request, exchange, planned, lambda: Reply(500))
        problem = self._check(request, asked)
        if problem is not None:
            asked.refused = problem.message
            return self._refuse(exchange, problem)
        said = asked.answer = self.script(asked)
        head = self._head(asked)
        if isinstance(said, Replay):
            tape = load(said)
            return await speech.tape(tape) if isinstance(tape, Tape) else self.send(exchange, tape)
        usage = said.usage or _usage(asked, said)
        if isinstance(planned, Fault):
            truth = Reply(200, body_of(said, head, usage))
            return await self.go_wrong(request, exchange, planned, lambda: truth)
        if planned is not None:
            exchange.fault = planned.name
            said = asked.answer = replace(said, flaw=planned)
        if asked.streamed:
            return await speech.stream(said, head, usage)
        return await speech.whole(said, head, usage)

    def _check(self, request: web.BaseRequest, asked: Asked) -> Problem | None:
        body = asked.body
        if AZURE in request.path:
            if not request.query.get("api-version"):
                return Problem("Resource not found", code="404", status=404)
            deployment = request.path.partition(AZURE)[2].partition("/")[0]
            body = {"model": deployment, **body}
        return self._check_key(request) or check(body, budget=self.budget, dialect=self.dialect)

    def _check_key(self, request: web.BaseRequest) -> Problem | None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.key is None or self.key in (bearer, request.headers.get("api-key")):
            return None
        reason = "Incorrect API key provided."
        return Problem(reason, code="invalid_api_key", status=401)

    def _head(self, asked: Asked) -> Head:
        options = asked.body.get("stream_options") or {}
        model = str(asked.body.get("model") or "peer-model")
        asked_usage = bool(options.get("include_usage"))
        return Head(f"chatcmpl-{asked.number:08}", model, self.dialect, asked_usage)

    def _refuse(self, exchange: Exchange, problem: Problem) -> web.Response:
        return self.send(exchange, Reply(problem.status, problem.as_json()))


def _usage(asked: Asked, answer: Answer) -> Usage:
    said = len(answer.text) + sum(len(call.text) for call in answer.calls)
    reasoning = -(-len(answer.reasoning) // 4)
    return Usage(tokens_of(asked.body), -(-said // 4) + reasoning, reasoning)
