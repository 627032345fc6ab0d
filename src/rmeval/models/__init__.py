"""Reward models, by kind. A model turns requests into observations, and has no access to gold labels."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable
from uuid import uuid4

from rmeval.errors import ModelError
from rmeval.messages import shortened
from rmeval.plugins import is_file_spec, registered
from rmeval.redaction import secret_in
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

_MOST = 1_000_000_000
"""Most sequences of a batch, and tokens of a sequence, that an option can ask for."""

Overlength = Literal["error", "skip", "truncate-left"]

KINDS = ("auto", "classifier", "implicit", "comparator")

EMBEDDED = {"rmeval/tiny": Path(__file__).parent / "tiny"}
"""Checkpoints that come with the package, by name."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is loaded and run. Options that a kind does not use must keep their defaults.

    Attributes:
        dtype: `auto` (the checkpoint's own), `float32`, `bfloat16` or `float16`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: Branch, tag or commit on the hub.
        tokenizer: Path or hub id of another tokenizer.
        chat_template: Path of a Jinja file to use instead of the tokenizer's own template.
        template_kwargs: Variables of the chat template, such as `{"enable_thinking": False}`.
        tokenizer_kwargs: Options of the tokenizer's class, such as `{"fix_mistral_regex": True}`; with any, its tokens
            are used where they differ from those of its `tokenizer.json`.
        allow_dropped_roles: Roles whose messages the chat template may leave out.
        trust_remote_code: Whether code that comes with the checkpoint may run.
        model_kwargs: Passed to `from_pretrained`, such as `{"attn_implementation": "eager"}`.
        batch_size: Largest number of sequences in a batch; None leaves it to the token budget.
        max_length: Longest sequence in tokens; None takes the model's own limit.
        on_overlength: What to do with a longer one: stop before scoring, leave it out, or cut its beginning.
        head: What makes the score: the name of a linear layer in the checkpoint, such as `v_head.summary`, where it is
            not found by itself; or `logit:TOKEN`, a language model's logit for the token after the conversation;
            or `logit:YES-NO`, the first's less the second's.
        reduce: One number from a head's several: `index:K`, `mean`, `difference` (the second less the first) or
            `weights:A,B,...`.
        scale: What a score is multiplied by; -1 where the model gives a cost.
        shift: What is added to it then.
        kind: What the checkpoint is: `classifier`, `comparator` or `implicit`; `auto` takes it for a classifier unless
            there is a reference model.
        base_model: Path or hub id of the model that an adapter belongs to, where its config does not find it.
        ref_model: Path or hub id of the reference of an implicit reward, or `(model, tokenizer)`; an adapter's is its
            base.
        ref_revision: Branch, tag or commit of the reference on the hub.
        beta: What log-ratios to the reference are multiplied by.
        boundary: Where an answer begins for an implicit reward: as `trl` counts, or as `reward-bench` does.
        sequential: Whether policy and reference are in memory one after the other.
        comparison: How a comparator is shown two answers: `letters` (of language models, if None), `rlhflow`,
            `steamshp`, or a Jinja file's path.
        min_label_mass: Least part of a language model's probability that the two tokens which it answers by must have,
            on average of the first 32 answers.
        against: What a comparator compares in comparisons of more than two: `all` with each other, or the `chosen` with
            each.
        engine: What runs a checkpoint: `hf`, one that an installed package adds, or `file.py:Class`.
    """

    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = None
    tokenizer: str | None = None
    chat_template: str | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    tokenizer_kwargs: Mapping[str, Any] = field(default_factory=dict)
    allow_dropped_roles: tuple[str, ...] = ()
    trust_remote_code: bool = False
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    max_length: int | None = None
    on_overlength: Overlength = "error"
    head: str | None = None
    reduce: str | None = None
    scale: float = 1.0
    shift: float = 0.0
    kind: str = "auto"
    base_model: str | None = None
    ref_model: str | InMemory | None = None
    ref_revision: str | None = None
    beta: float = 1.0
    boundary: str = "trl"
    sequential: bool = False
    comparison: str | None = None
    against: str = "all"
    min_label_mass: float = 0.5
    engine: str = "hf"


@runtime_checkable
class RewardModel(Protocol):
    """Anything that scores answers.

    Attributes:
        name: Short name, for tables and folders.
        kind: `classifier`, `implicit`, `comparator`, `baseline`, `plugin`, `imported`, `testing`.
        protocol: Name of the protocol whose requests it takes: `pointwise@1` for a score of each response.
    """

    name: str
    kind: str
    protocol: str

    def identity(self) -> dict[str, Any]:
        """All that its scores depend on, as JSON; found without loading weights."""
        ...

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Answers requests, in batches, in an order of its own choosing.

        There may be more requests than fit into memory; `rmeval.data.spool` has what helps with that.

        Raises:
            ModelError: If it cannot be loaded or used.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """What is worth knowing of what it did, for the manifest; complete after `observe`."""
        ...


def pairwise_protocol(against: str) -> str:
    """Name of the protocol that compares `all` answers of a comparison, or the `chosen` with each.

    Raises:
        ModelError: If it is neither.
    """
    from rmeval.protocols.pairwise import PAIRWISE, PAIRWISE_CHOSEN

    names = {"all": PAIRWISE.name, "chosen": PAIRWISE_CHOSEN.name}
    if against not in names:
        raise ModelError(f"`against` {against!r} is unknown: choose one of {', '.join(names)}")
    return names[against]


def refuse_comparators(model: RewardModel) -> None:
    """Raises a ModelError for a model that compares answers, where a score of each is wanted."""
    if (protocol := model.protocol) != "pointwise@1":
        what = "compares two answers and scores none" if protocol.startswith("pairwise") else f"answers by {protocol}"
        raise ModelError(f"{model.name} {what}: use it with rmeval run on a benchmark")


def model_names() -> dict[str, str]:
    """Names of models that other packages registered under the entry-point group `rmeval.models`."""
    return registered("rmeval.models", {})


def unknown_state() -> str:
    """What stands in an identity for what cannot be known of a model: never the same twice."""
    return f"unknown {uuid4().hex}"


def load_model(
    spec: object, options: ModelOptions | None = None, *, name: str | None = None, **kwargs: Any
) -> RewardModel:
    """Finds a model; weights are loaded when the first request is answered.

    Args:
        spec: Hub id, path, `rmeval/tiny` (which comes with the package; a folder of that name is `./rmeval/tiny`),
            `file.py:Class`, `file.py:function`, `baseline:NAME`, or a name that an installed package registered.
            Or what a program holds: `(model, tokenizer)` of transformers, a function, an object with a method
            `score`, `compare` or `answer`, or a `RewardModel`, which is returned as it is.
        options: How to load and run it; or give its fields as keywords.
        name: What tables and folders call it, if not by its place or class.
        **kwargs: Fields of `ModelOptions`.

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
    try:
        options = options or ModelOptions(**kwargs)
    except TypeError as error:
        raise ModelError(f"{error}: the options are {', '.join(ModelOptions.__dataclass_fields__)}") from error
    _check(options)
    if options.ref_model is not None and not isinstance(options.ref_model, str):
        from rmeval.models.objects import with_held_reference

        options = with_held_reference(options)
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
    return held if isinstance(held, PythonObject) else _checkpoint(held, options, None)


def _named(spec: str, options: ModelOptions) -> RewardModel:
    """The model that a name or a place finds."""
    if not spec:
        raise ModelError("the model's name is empty: give a hub id, a folder, file.py:Class or baseline:longest")
    if spec.startswith("baseline:"):
        from rmeval.models.baseline import Baseline

        _refuse_options(spec, options, ("batch_size",))
        return Baseline(spec.removeprefix("baseline:"))
    if is_file_spec(spec):
        from rmeval.models.plugin import Plugin

        _refuse_options(spec, options, ("batch_size", "model_kwargs", "against"))
        return Plugin(spec, spec, options)
    if "/" not in spec and spec in (names := model_names()):
        from rmeval.models.plugin import Plugin

        _refuse_options(spec, options, ("batch_size", "model_kwargs", "against"))
        return Plugin(spec, names[spec], options)
    if spec in EMBEDDED and Path(spec).is_dir():
        logger.warning("%s is the model included in the package: give ./%s for the local folder", spec, spec)
    return _checkpoint(str(EMBEDDED.get(spec, spec)), options, spec if spec in EMBEDDED else None)


def _check(options: ModelOptions) -> None:
    for name, value in (("batch_size", options.batch_size), ("max_length", options.max_length)):
        if value is not None and not 1 <= value <= _MOST:
            raise ModelError(f"`{name}` must be a whole number from 1 to {_MOST}, not {shortened(value, 40)}")
    for name, number in (("scale", options.scale), ("shift", options.shift)):
        if not math.isfinite(number):
            raise ModelError(f"`{name}` is {number}, with which no score is a number: give a finite one")
    for given in ("model_kwargs", "template_kwargs", "tokenizer_kwargs"):
        try:
            # The template's variables are checked against the template.
            json.dumps({} if given == "template_kwargs" else getattr(options, given), allow_nan=False, default=str)
        except (RecursionError, TypeError, ValueError) as error:
            raise ModelError(f"{given} cannot be stored ({error}): give values that JSON can represent") from error
        if secret := secret_in(getattr(options, given)):
            raise ModelError(f"{secret} is in {given}, which are stored in the run folder: set HF_TOKEN instead")
    if not 0 <= options.min_label_mass <= 1:
        raise ModelError(f"`min_label_mass` must be between 0 and 1, not {options.min_label_mass}")
    if options.on_overlength not in (policies := get_args(Overlength)):
        raise ModelError(f"there is no length policy {options.on_overlength!r}: choose one of {', '.join(policies)}")


def _checkpoint(spec: str | InMemory, options: ModelOptions, name: str | None) -> RewardModel:
    """A model of the kind that is asked for."""
    if options.kind not in KINDS:
        raise ModelError(f"there is no kind of model {options.kind!r}: choose one of {', '.join(KINDS)}")
    if options.kind == "implicit" or (options.kind == "auto" and options.ref_model is not None):
        from rmeval.models.implicit import Implicit

        refuse(options, (*HEAD_OPTIONS, *COMPARATOR_OPTIONS, "min_label_mass"), "an implicit reward")
        return Implicit(spec, options, name)
    if options.kind == "comparator":
        from rmeval.models.comparator import Comparator

        refuse(options, IMPLICIT_OPTIONS, "a comparator")
        return Comparator(spec, options, name)
    refuse(options, (*IMPLICIT_OPTIONS, *COMPARATOR_OPTIONS), "a classifier")
    from rmeval.models.classifier import Classifier

    if not isinstance(spec, str):
        from rmeval.models.objects import check_head

        check_head(spec, options)
    return Classifier(spec, options, name)


HEAD_OPTIONS = ("head", "reduce", "scale", "shift")
COMPARATOR_OPTIONS = ("comparison", "against")
IMPLICIT_OPTIONS = ("ref_model", "ref_revision", "beta", "boundary", "sequential")


def _refuse_options(spec: str, options: ModelOptions, taken: Sequence[str]) -> None:
    refuse(options, [name for name in ModelOptions.__dataclass_fields__ if name not in taken], spec)


def refuse(options: ModelOptions, useless: Sequence[str], what: str) -> None:
    """An option that would be ignored is a misunderstanding.

    Raises:
        ModelError: If one is set that this kind of model does not use.
    """
    defaults = ModelOptions()
    for name in useless:
        if getattr(options, name) != getattr(defaults, name):
            raise ModelError(f"{what} does not use `{name}`: leave it out")
