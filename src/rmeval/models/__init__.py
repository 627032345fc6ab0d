"""Reward models of each kind. A model turns requests into observations, without access to gold labels."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import uuid4

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, shortened
from rmeval.models.options import (
    COMPARATOR_OPTIONS,
    CONVENTION_OPTIONS,
    HEAD_OPTIONS,
    IMPLICIT_OPTIONS,
    JUDGE_OPTIONS,
    OTHER_KINDS,
    REPLICA_OPTIONS,
    SERVED_OPTIONS,
    SERVER_OPTIONS,
    STEP_OPTIONS,
    ModelOptions,
    check_options,
    model_options,
    refuse,
    refuse_all_but,
)
from rmeval.plugins import is_file_spec, registered
from rmeval.types import Observation, Request

if TYPE_CHECKING:
    from rmeval.engines import InMemory

__all__ = [
    "ModelOptions",
    "RewardModel",
    "load_model",
    "model_names",
]

logger = logging.getLogger(__name__)


_HUB_PAGE = re.compile(r"(?i)https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)")
_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(/.*)?")
KINDS = ("auto", "classifier", "implicit", "comparator", "process")

EMBEDDED = {"rmeval/tiny": Path(__file__).parent / "tiny"}
"""Checkpoints included in the package, by name."""


@runtime_checkable
class RewardModel(Protocol):
    """The interface of reward models.

    Attributes:
        name: Short name, for tables and folders.
        kind: `classifier`, `implicit`, `comparator`, `process`, `served`, `judge`, `baseline`, `plugin`, `imported`,
            `testing`.
        protocol: Name of the protocol whose requests it takes: `pointwise@1` for a score of each response.
    """

    name: str
    kind: str
    protocol: str

    def identity(self) -> dict[str, Any]:
        """Everything that the scores depend on, as JSON; found without loading weights."""
        ...

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Yield the observations of requests in batches, in any order.

        There may be more requests than fit into memory; see `rmeval.data.spool`.

        Raises:
            ModelError: If the model cannot be loaded or used.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """Facts about the run, for the manifest; complete after `observe`."""
        ...


def is_address(spec: str) -> bool:
    """Whether a model is given by the address of a server."""
    return spec.lower().startswith(("http://", "https://"))


def pairwise_protocol(against: str) -> str:
    """Name of the protocol that compares `all` responses of a comparison, or the `chosen` response with the others.

    Raises:
        ModelError: If `against` is neither.
    """
    from rmeval.protocols.pairwise import PAIRWISE, PAIRWISE_CHOSEN

    names = {"all": PAIRWISE.name, "chosen": PAIRWISE_CHOSEN.name}
    if against not in names:
        raise ModelError(f"`against` {against!r} is unknown: {chosen_from(against, names)}")
    return names[against]


def refuse_comparators(model: RewardModel) -> None:
    """Raise a ModelError for a model that compares responses, where a score of each response is needed."""
    if (protocol := model.protocol) != "pointwise@1":
        what = (
            "compares two responses and does not score one"
            if protocol.startswith("pairwise")
            else f"uses the protocol {protocol}"
        )
        raise ModelError(f"{model.name} {what}: use it with rmeval run on a benchmark")


def model_names() -> dict[str, str]:
    """Names of models that other packages registered under the entry-point group `rmeval.models`."""
    return registered("rmeval.models", {})


def unknown_state() -> str:
    """The part of an identity that stands for an unknown state; two calls never return the same."""
    return f"unknown {uuid4().hex}"


def load_model(
    spec: object, options: ModelOptions | None = None, *, name: str | None = None, **kwargs: Any
) -> RewardModel:
    """Open a model; weights are loaded when the first request is scored.

    Args:
        spec: Hub id, path, `rmeval/tiny` (included in the package; a folder of that name is `./rmeval/tiny`), the
            address of a server such as `http://localhost:8000`, `file.py:Class`, `file.py:function`, `baseline:NAME`,
            or a name that an installed package registers. Or an object: `(model, tokenizer)` of transformers, a
            function, an object with a method `score`, `compare` or `answer`, or a `RewardModel`, which is returned
            unchanged.
        options: How to load and run it; its fields can also be given as keywords.
        name: Name of the model in tables and folders, instead of its place or class.
        **kwargs: Fields of `ModelOptions` and of its `server`.

    Raises:
        ModelError: If there is no such model, or it cannot be used.
    """
    if isinstance(spec, RewardModel) and not isinstance(spec, type):
        given = [*(["name"] if name is not None else []), *(["options"] if options is not None else []), *kwargs]
        if given:
            raise ModelError(
                f"the model is already loaded: give {', '.join(given)} to load_model, or check the spelling"
            )
        return spec
    options = options or model_options(**kwargs)
    check_options(options)
    if options.ref_model is not None and not isinstance(options.ref_model, str):
        from rmeval.models.objects import with_held_reference

        options = with_held_reference(options)
    if isinstance(spec, str | Path):
        from rmeval.models.carded import apply_card

        options = apply_card(str(spec), options)
    found = _named(str(spec), options) if isinstance(spec, str | Path) else _held(spec, options)
    if name is not None:
        if not isinstance(name, str) or not name.strip():
            raise ModelError(f"`name` must be a text that is not empty, not {shortened(name, 40)}")
        found.name = name
    return found


def _held(given: object, options: ModelOptions) -> RewardModel:
    """The model of an object that the calling program holds."""
    from rmeval.models.objects import PythonObject, hold

    held = hold(given, options)
    if not isinstance(held, PythonObject) and options.judge.protocol is not None:
        from rmeval.models.judge.find import find_judge

        return find_judge(held, options)
    return held if isinstance(held, PythonObject) else _checkpoint(held, options, None)


def _named(spec: str, options: ModelOptions) -> RewardModel:
    """The model that a name or a place finds."""
    if not spec:
        raise ModelError("the model's name is empty: give a hub id, a folder, file.py:Class or baseline:longest")
    if options.judge.protocol is not None or options.judge.base_url is not None or spec.startswith("any-llm:"):
        from rmeval.models.judge.find import find_judge

        return find_judge(str(EMBEDDED.get(spec, spec)), options)
    if spec.startswith("baseline:"):
        from rmeval.models.baseline import Baseline

        refuse_all_but(("batch_size",), options, spec)
        return Baseline(spec.removeprefix("baseline:"))
    if is_address(spec):
        from rmeval.models.served.model import Served

        if found := _HUB_PAGE.match(spec):
            raise ModelError(f"{spec} is a page of the hub and not a server: give the model's id {found[1]}")
        refuse_all_but(SERVED_OPTIONS, options, spec)
        return Served(spec, options)
    if _HOST_AND_PORT.fullmatch(spec) and not Path(spec).exists():
        raise ModelError(f"there is no model at {spec}: write http://{spec} if it is the address of a server")
    if is_file_spec(spec):
        from rmeval.models.plugin import Plugin

        refuse_all_but(("batch_size", "model_kwargs", "against"), options, spec)
        return Plugin(spec, spec, options)
    if "/" not in spec and spec in (names := model_names()):
        from rmeval.models.plugin import Plugin

        refuse_all_but(("batch_size", "model_kwargs", "against"), options, spec)
        return Plugin(spec, names[spec], options)
    if spec in EMBEDDED and Path(spec).is_dir():
        logger.warning("%s is the model included in the package: give ./%s for the local folder", spec, spec)
    return _checkpoint(str(EMBEDDED.get(spec, spec)), options, spec if spec in EMBEDDED else None)


def _checkpoint(spec: str | InMemory, options: ModelOptions, name: str | None) -> RewardModel:
    """The model of the given kind."""
    if options.kind not in KINDS:
        raise ModelError(f"there is no kind of model {options.kind!r}: {chosen_from(options.kind, KINDS)}")
    refuse(options, (*SERVER_OPTIONS, *JUDGE_OPTIONS), "a model that rmeval runs itself", OTHER_KINDS)
    if options.engine != "ray":
        refuse(options, REPLICA_OPTIONS, f"the engine {options.engine}", OTHER_KINDS)
    if options.kind == "process" or (options.kind == "auto" and options.steps is not None):
        from rmeval.models.process import Process

        useless = (*IMPLICIT_OPTIONS, *COMPARATOR_OPTIONS, *CONVENTION_OPTIONS, "question", "reduce", "scale", "shift")
        refuse(options, useless, "a process reward model", OTHER_KINDS)
        return Process(spec, options, name)
    refuse(options, STEP_OPTIONS, "a model of this kind", OTHER_KINDS)
    if options.kind == "implicit" or (options.kind == "auto" and options.ref_model is not None):
        from rmeval.models.implicit import Implicit

        refuse(options, (*HEAD_OPTIONS, *COMPARATOR_OPTIONS, "min_label_mass"), "an implicit reward", OTHER_KINDS)
        return Implicit(spec, options, name)
    if options.kind == "comparator":
        from rmeval.models.comparator import Comparator

        refuse(options, (*IMPLICIT_OPTIONS, *CONVENTION_OPTIONS, "question"), "a comparator", OTHER_KINDS)
        return Comparator(spec, options, name)
    refuse(options, (*IMPLICIT_OPTIONS, *COMPARATOR_OPTIONS), "a classifier", OTHER_KINDS)
    from rmeval.models.classifier import Classifier

    if not isinstance(spec, str):
        from rmeval.models.objects import check_head

        check_head(spec, options)
    return Classifier(spec, options, name)
