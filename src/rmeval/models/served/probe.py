"""Finds out which server answers at an address, which model it serves, and which dialect calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, shortened
from rmeval.transport import Call, Server
from rmeval.transport.dialects import DIALECTS, Dialect, find_dialect

__all__ = ["ABSENT", "JUDGE", "ServedModel", "find_served"]

JUDGE = "give `protocol`, such as five-way, to run a language model as a judge"
"""What to do with a server that writes texts."""
ABSENT = (404, 405, 501)
"""Statuses of a route that a server does not have."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What is known of a served model before it is called.

    Attributes:
        dialect: The dialect of its server.
        name: The name under which it is served, if it has one.
        root: Where the server loaded it from, as the server states it.
        limit: Longest sequence in tokens, as the server states it.
        server: The server and its version, as far as they are known.
    """

    dialect: Dialect
    name: str | None
    root: str | None = None
    limit: int | None = None
    server: str | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """A model in a server's list."""

    name: str
    root: str | None = None
    owner: str | None = None
    limit: int | None = None


def find_served(server: Server, address: str, dialect: str, name: str | None) -> ServedModel:
    """Find dialect and served name, with as few calls as possible.

    Args:
        server: The server.
        address: Its address, for messages.
        dialect: Name of the dialect, a TOML file, or `auto`.
        name: The served name; None if the server serves only one model.

    Raises:
        ModelError: If the server cannot be reached, does not serve this model, or is not known.
    """
    probe = _Probe(server, address)
    return probe.recognise(name) if dialect == "auto" else probe.describe(find_dialect(dialect), name)


class _Probe:
    """Reads what servers state of themselves; each route is called at most once."""

    def __init__(self, server: Server, address: str) -> None:
        self._server = server
        self._address = address
        self._answers: dict[str, Any] = {}

    def _get(self, path: str) -> Any:
        """The JSON of a route; None if the server has no such route, or it returns something else."""
        if path not in self._answers:
            reply = self._server.call(Call(None, path, method="GET"), accept=ABSENT)
            # A route that exists but does not answer now says nothing about the server.
            if reply.fault not in (None, "status", "body") or _is_busy(reply.status):
                raise ModelError(
                    f"the server at {self._address} does not answer ({reply.error}): check the address, the server "
                    "and its log"
                )
            self._answers[path] = reply.data
        return self._answers[path]

    def recognise(self, name: str | None) -> ServedModel:
        """Find the dialect from what the server states."""
        owners = {one.owner for one in self._listed("v1/models")}
        if "vllm" in owners:
            return self.describe(DIALECTS[self._vllm()], name)
        routes = self._routes()
        if "sglang" in owners or {"/model_info", "/get_model_info"} & routes:
            self._refuse_generation()
            return self.describe(DIALECTS["sglang-classify@1"], name)
        if "/get_reward" in routes:
            return self.describe(DIALECTS["openrlhf-get-reward@1"], name)
        if {"/classify", "/models"} <= routes:
            return self.describe(DIALECTS["infinity-classify@1"], name)
        if self._tei() is not None:
            return self.describe(DIALECTS["tei-predict@1"], name)
        raise ModelError(
            f"the server at {self._address} does not show which one it is (v1/models, openapi.json and info were "
            f"tried): give `dialect`, one of {', '.join(DIALECTS)}, or a TOML file that describes its requests"
            f"{self._as_judge()}"
        )

    def _as_judge(self) -> str:
        """How to run what the server serves as a judge, if it has the routes of a language model."""
        chats = any(route.endswith("/chat/completions") for route in self._routes())
        listed = isinstance(self._get("v1/models"), Mapping)
        return f"; {JUDGE}" if chats or listed else ""

    def describe(self, dialect: Dialect, name: str | None) -> ServedModel:
        """Find the served name for a dialect."""
        kind = dialect.traits.name
        if kind.startswith("openrlhf"):
            return ServedModel(dialect, name, server="OpenRLHF")
        if kind.startswith("tei"):
            return self._of_tei(dialect, name)
        listed = list(self._listed("models" if kind.startswith("infinity") else "v1/models"))
        if not listed:
            return ServedModel(dialect, name)
        one = self._choose(listed, name)
        return ServedModel(dialect, one.name, one.root, one.limit, one.owner)

    def _choose(self, listed: list[_Listed], name: str | None) -> _Listed:
        names = [one.name for one in listed]
        if name is None and len(listed) == 1:
            return listed[0]
        if name is None:
            raise ModelError(
                f"the server at {self._address} serves {len(listed)} models: give one as `served_model`: "
                f"{', '.join(names)}"
            )
        found = next((one for one in listed if one.name == name), None)
        if found is None:
            raise ModelError(f"the server at {self._address} does not serve {name!r}: {chosen_from(name, names)}")
        return found

    def _listed(self, path: str) -> Iterator[_Listed]:
        answer = self._get(path)
        data = answer.get("data") if isinstance(answer, Mapping) else None
        for one in data if isinstance(data, list) else ():
            if isinstance(one, Mapping) and isinstance(name := one.get("id"), str):
                yield _Listed(name, _text(one, "root"), _text(one, "owned_by"), _number(one, "max_model_len"))

    def _vllm(self) -> str:
        """The dialect of a vLLM server, by its routes."""
        routes = self._routes()
        if not routes or "/classify" in routes:
            return "vllm-classify@1"
        if "/pooling" in routes:
            return "vllm-pooling@1"
        raise ModelError(
            f"the vLLM server at {self._address} has no route /classify, so it serves a language model and not a "
            "reward model: start it with the runner pooling and a sequence classifier (for one that NVIDIA NIM "
            f"serves, give `dialect` nim-chat@1), or {JUDGE}"
        )

    def _routes(self) -> set[str]:
        answer = self._get("openapi.json")
        paths = answer.get("paths") if isinstance(answer, Mapping) else None
        return set(paths) if isinstance(paths, Mapping) else set()

    def _refuse_generation(self) -> None:
        """Raise a ModelError if an SGLang server generates text."""
        for path in ("model_info", "get_model_info"):
            answer = self._get(path)
            stated = answer if isinstance(answer, Mapping) else {}
            if stated.get("is_generation") is True:
                raise ModelError(
                    f"the SGLang server at {self._address} serves a language model "
                    f"({shortened(stated.get('model_path'), 100)}): start it with is-embedding, so that it scores, or "
                    f"{JUDGE}"
                )
            if stated:
                return

    def _tei(self) -> Mapping[str, Any] | None:
        answer = self._get("info")
        return answer if isinstance(answer, Mapping) and {"model_id", "model_type"} <= answer.keys() else None

    def _of_tei(self, dialect: Dialect, name: str | None) -> ServedModel:
        stated = self._tei()
        if stated is None:
            return ServedModel(dialect, name, server="TEI")
        kind = stated["model_type"]
        if "embedding" in (kind if isinstance(kind, Mapping | str) else ()):
            raise ModelError(
                f"the TEI server at {self._address} serves {shortened(stated['model_id'], 100)} for embeddings: serve "
                "a sequence classifier"
            )
        served = self._choose([_Listed(str(stated["model_id"]))], name)
        version = f"TEI {_text(stated, 'version') or ''}".strip()
        root = _text(stated, "model_sha")
        return ServedModel(dialect, served.name, root, _number(stated, "max_input_length"), version)


def _is_busy(status: int | None) -> bool:
    return status is not None and (status == 429 or status >= 500) and status not in ABSENT


def _text(value: Mapping[str, Any], name: str) -> str | None:
    return found if isinstance(found := value.get(name), str) else None


def _number(value: Mapping[str, Any], name: str) -> int | None:
    return found if type(found := value.get(name)) is int and found > 0 else None
