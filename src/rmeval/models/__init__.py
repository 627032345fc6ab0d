"""Reward models of each kind. A model turns requests into observations, without access to gold labels."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable
from uuid import uuid4

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted, shortened
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
"""Upper bound of the options `batch_size` and `max_length`."""

Overlength = Literal["error", "skip", "truncate-left"]

KINDS = ("auto", "classifier", "implicit", "comparator")

EMBEDDED = {"rmeval/tiny": Path(__file__).parent / "tiny"}
"""Checkpoints included in the package, by name."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options for loading and running a model. Options that a kind of model does not use must keep their defaults.

    Attributes:
        dtype: `auto` (the checkpoint's format), `float32`, `bfloat16` or `float16`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: Branch, tag or commit on the hub.
        tokenizer: Path or hub id of another tokenizer.
        chat_template: Path of a Jinja file to use instead of the tokenizer's own template.
        template_kwargs: Variables of the chat template, such as `{"enable_thinking": False}`.
        tokenizer_kwargs: Options of the tokenizer's class, such as `{"fix_mistral_regex": True}`; if any are given, the
            class's tokens are used where they differ from those of `tokenizer.json`.
        allow_dropped_roles: Roles whose messages the chat template may leave out.
        trust_remote_code: Whether code that comes with the checkpoint may run.
        model_kwargs: Passed to `from_pretrained`, such as `{"attn_implementation": "eager"}`.
        batch_size: Largest number of sequences in a batch; by default only the token budget limits it.
        max_length: Longest sequence in tokens; by default the model's own limit.
        on_overlength: What to do with a longer sequence: stop before scoring (`error`), leave it out (`skip`), or cut
            its beginning (`truncate-left`).
        head: What computes the score: the name of a linear layer in the checkpoint, such as `v_head.summary`, if
            rmeval cannot find it; `logit:TOKEN`, a language model's logit of the token after the conversation; or
            `logit:YES-NO`, the difference of two logits, the first minus the second.
        reduce: How to combine several outputs of a head: `index:K`, `mean`, `difference` (the second minus the first)
            or `weights:A,B,...`.
        scale: Factor of the score; -1 for a model that returns a cost.
        shift: Number added to the scaled score.
        kind: Kind of model: `classifier`, `comparator` or `implicit`; `auto` selects a classifier unless there is a
            reference model.
        base_model: Path or hub id of an adapter's base model, if not the one in the adapter's config.
        ref_model: Path or hub id of the reference model of an implicit reward, or `(model, tokenizer)`; an adapter's
            default is its base.
        ref_revision: Branch, tag or commit of the reference model on the hub.
        beta: Factor of the log-ratios to the reference.
        boundary: How to find the beginning of a response for an implicit reward: as `trl` or as `reward-bench` does.
        sequential: Whether to load policy and reference one after the other instead of together.
        comparison: Template that shows two responses to a comparator: `letters` (the default of language models),
            `rlhflow`, `steamshp`, or the path of a Jinja file.
        min_label_mass: Smallest probability that a language model must assign to its two label tokens together, on
            average over the first 32 requests.
        against: Which pairs a comparator compares in comparisons of more than two responses: `all`, or the `chosen`
            response with each other one.
        engine: Engine that runs the checkpoint: `hf`, `ray` (replicas of another engine, on several GPUs or machines),
            a name registered by an installed package, or `file.py:Class`.
        replicas: For the engine `ray`: number of replicas; by default as many as the cluster has GPUs for, or 1.
        gpus_per_replica: For the engine `ray`: GPUs of each replica; by default 1 if the cluster has any.
        ray_address: For the engine `ray`: `auto`, `host:port` or `ray://host:port` of a running cluster; by default
            rmeval starts Ray on this machine and ends it.
        replica_engine: For the engine `ray`: the engine of each replica.
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
    replicas: int | None = None
    gpus_per_replica: float | None = None
    ray_address: str | None = None
    replica_engine: str = "hf"


@runtime_checkable
class RewardModel(Protocol):
    """The interface of reward models.

    Attributes:
        name: Short name, for tables and folders.
        kind: `classifier`, `implicit`, `comparator`, `baseline`, `plugin`, `imported`, `testing`.
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
        spec: Hub id, path, `rmeval/tiny` (included in the package; a folder of that name is `./rmeval/tiny`),
            `file.py:Class`, `file.py:function`, `baseline:NAME`, or a name that an installed package registers. Or an
            object: `(model, tokenizer)` of transformers, a function, an object with a method `score`, `compare` or
            `answer`, or a `RewardModel`, which is returned unchanged.
        options: How to load and run it; its fields can also be given as keywords.
        name: Name of the model in tables and folders, instead of its place or class.
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
    fields = ModelOptions.__dataclass_fields__
    if unknown := [name for name in kwargs if name not in fields]:
        raise ModelError(f"there is no option {unknown[0]!r}: the options are {', '.join(fields)}")
    options = options or ModelOptions(**kwargs)
    _check_forms(options)
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


def _check_forms(options: ModelOptions) -> None:
    """Refuses a text where several values are meant: its letters would be the values."""
    for name in _MAPPINGS:
        if not isinstance(getattr(options, name), Mapping):
            raise ModelError(f"`{name}` must be a mapping, such as {{'key': 1}}, not {quoted(getattr(options, name))}")
    if isinstance(roles := options.allow_dropped_roles, str):
        raise ModelError(f"`allow_dropped_roles` must be a list of roles, such as [{roles!r}], not {roles!r}")


_MAPPINGS = ("model_kwargs", "template_kwargs", "tokenizer_kwargs")


def _check(options: ModelOptions) -> None:
    for name, value in (("batch_size", options.batch_size), ("max_length", options.max_length)):
        if value is not None and not 1 <= value <= _MOST:
            raise ModelError(f"`{name}` must be a whole number from 1 to {_MOST}, not {shortened(value, 40)}")
    for name, number in (("scale", options.scale), ("shift", options.shift)):
        if not math.isfinite(number):
            raise ModelError(f"`{name}` is {number}, which must be a finite number: correct it")
    for given in _MAPPINGS:
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
        raise ModelError(
            f"there is no length policy {options.on_overlength!r}: {chosen_from(options.on_overlength, policies)}"
        )


def _checkpoint(spec: str | InMemory, options: ModelOptions, name: str | None) -> RewardModel:
    """The model of the given kind."""
    if options.kind not in KINDS:
        raise ModelError(f"there is no kind of model {options.kind!r}: {chosen_from(options.kind, KINDS)}")
    if options.engine != "ray":
        refuse(options, RAY_OPTIONS, f"the engine {options.engine}", dict.fromkeys(RAY_OPTIONS, "give `engine` ray"))
    if options.kind == "implicit" or (options.kind == "auto" and options.ref_model is not None):
        from rmeval.models.implicit import Implicit

        refuse(options, (*HEAD_OPTIONS, *COMPARATOR_OPTIONS, "min_label_mass"), "an implicit reward", _OTHER_KINDS)
        return Implicit(spec, options, name)
    if options.kind == "comparator":
        from rmeval.models.comparator import Comparator

        refuse(options, IMPLICIT_OPTIONS, "a comparator", _OTHER_KINDS)
        return Comparator(spec, options, name)
    refuse(options, (*IMPLICIT_OPTIONS, *COMPARATOR_OPTIONS), "a classifier", _OTHER_KINDS)
    from rmeval.models.classifier import Classifier

    if not isinstance(spec, str):
        from rmeval.models.objects import check_head

        check_head(spec, options)
    return Classifier(spec, options, name)


HEAD_OPTIONS = ("head", "reduce", "scale", "shift")
COMPARATOR_OPTIONS = ("comparison", "against")
RAY_OPTIONS = ("replicas", "gpus_per_replica", "ray_address", "replica_engine")
IMPLICIT_OPTIONS = ("ref_model", "ref_revision", "beta", "boundary", "sequential")
_IMPLICIT = (
    "for the implicit reward of a language model give `ref_model` (the model it was trained from) or `kind` implicit"
)
_OTHER_KINDS = {
    **dict.fromkeys(IMPLICIT_OPTIONS, _IMPLICIT),
    "ref_model": "for the implicit reward of a language model give `kind` implicit or auto",
    **dict.fromkeys(COMPARATOR_OPTIONS, "for a model that compares two responses give `kind` comparator"),
    **dict.fromkeys(HEAD_OPTIONS, "for a model with a head leave `ref_model` and `kind` implicit out"),
}
"""How to get the kind of model that uses an option."""


def _refuse_options(spec: str, options: ModelOptions, taken: Sequence[str]) -> None:
    refuse(options, [name for name in ModelOptions.__dataclass_fields__ if name not in taken], spec)


def refuse(
    options: ModelOptions, useless: Sequence[str], what: str, others: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Reject options that would be ignored.

    Args:
        options: The options.
        useless: Names of the options that this kind of model does not use.
        what: The kind of model.
        others: By option: how to get a kind of model that uses it.

    Raises:
        ModelError: If an option is set that this kind of model does not use.
    """
    defaults = ModelOptions()
    for name in useless:
        if getattr(options, name) != getattr(defaults, name):
            instead = f", or {others[name]}" if name in others else ""
            raise ModelError(f"{what} does not use `{name}`: leave it out{instead}")
