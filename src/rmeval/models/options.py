"""Options of models: what they are, which kind of model uses which, and their checks."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from rmeval.errors import ModelError
from rmeval.messages import chosen_from, quoted, shortened
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.redaction import secret_in
from rmeval.transport.options import ServerOptions

if TYPE_CHECKING:
    from rmeval.engines import InMemory
    from rmeval.engines.head_layout import HeadLayout
    from rmeval.protocols.step_layout import StepLayout

__all__ = [
    "COMPARATOR_OPTIONS",
    "CONVENTION_OPTIONS",
    "GROUPS",
    "HEAD_OPTIONS",
    "IMPLICIT_OPTIONS",
    "JUDGE_OPTIONS",
    "OPTIONS",
    "OTHER_KINDS",
    "RENDERING_OPTIONS",
    "REPLICA_OPTIONS",
    "SERVED_OPTIONS",
    "SERVER_OPTIONS",
    "STEP_OPTIONS",
    "ModelOptions",
    "check_options",
    "model_options",
    "refuse",
    "refuse_all_but",
]

_MOST = 1_000_000_000
"""Upper bound of the options `batch_size` and `max_length`."""

Overlength = Literal["error", "skip", "truncate-left"]
SystemRole = Literal["keep", "merge", "error"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options for loading and running a model. Options that a kind of model does not use must keep their defaults.

    Attributes:
        dtype: `auto` (the checkpoint's format), `float32`, `bfloat16` or `float16`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`.
        revision: Branch, tag or commit on the hub.
        tokenizer: Path or hub id of another tokenizer.
        chat_template: Path of a Jinja file, or name of an included template such as `tulu`, to use instead of the
            tokenizer's own template.
        template_kwargs: Variables of the chat template, such as `{"enable_thinking": False}`.
        tokenizer_kwargs: Options of the tokenizer's class, such as `{"fix_mistral_regex": True}`; if any are given, the
            class's tokens are used where they differ from those of `tokenizer.json`.
        allow_dropped_roles: Roles whose messages the chat template may leave out.
        system_role: What becomes of system messages: the chat template shows them (`keep`), they begin the user's next
            message, before a blank line (`merge`), or a conversation with one is not scored (`error`).
        append_eos: Whether a sequence that does not end with the EOS token gets one.
        bos_tokens: Number of BOS tokens at the beginning of a sequence: 0, 1 or 2; by default as many as the template
            writes.
        system_message: Content of a system message for conversations without one; may be empty.
        question: Text of a message of the user after the response, before the generation prompt, for a language model
            whose answer to it is the score.
        trust_remote_code: Whether code that comes with the checkpoint may run.
        model_kwargs: Arguments that the engine passes on: `hf` to `from_pretrained`, such as
            `{"attn_implementation": "eager"}`; `vllm` to vLLM, such as `{"tensor_parallel_size": 2}`.
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
        kind: Kind of model: `classifier`, `comparator`, `implicit` or `process`; `auto` selects a classifier unless
            there is a reference model, or a step layout.
        base_model: Path or hub id of an adapter's base model, if not the one in the adapter's config.
        ref_model: Path or hub id of the reference model of an implicit reward, or `(model, tokenizer)`; an adapter's
            default is its base.
        ref_revision: Branch, tag or commit of the reference model on the hub.
        beta: Factor of the log-ratios to the reference.
        boundary: How to find the beginning of a response for an implicit reward: as `trl` or as `reward-bench` does.
        sequential: Whether to load policy and reference one after the other instead of together.
        comparison: Template that shows two responses to a comparator: `letters` (the default of language models),
            `rlhflow`, `steamshp`, `pairrm`, `better-pairrm`, or the path of a Jinja file.
        min_label_mass: Smallest probability that a language model must assign to its two label tokens together, on
            average over the first 32 requests.
        against: Which pairs a comparator compares in comparisons of more than two responses: `all`, or the `chosen`
            response with each other one.
        engine: Engine that runs the checkpoint: `hf`, `vllm`, `ray` (replicas of another engine, on several GPUs or
            machines), a name registered by an installed package, or `file.py:Class`.
        replicas: For the engine `ray`: number of replicas; by default as many as the cluster has GPUs for, or 1.
        gpus_per_replica: For the engine `ray`: GPUs of each replica; by default 1 if the cluster has any.
        ray_address: For the engine `ray`: `auto`, `host:port` or `ray://host:port` of a running cluster; by default
            rmeval starts Ray on this machine and ends it.
        replica_engine: For the engine `ray`: the engine of each replica.
        served_model: Name under which a server serves the model; not needed if it serves only one.
        dialect: Form of a server's requests and answers, such as `vllm-classify@1`, or a TOML file that describes it;
            `auto` finds it out.
        bounded_ok: Whether the raw scores of a served model are between 0 and 1; otherwise such scores are an error,
            because a server may return probabilities.
        card: How a published model is loaded: `auto` (by its hub id, if there is a card), `none`, the name of a card, a
            model's id, or a TOML file.
        layout: Layout of a head of several layers, which a card gives.
        steps: How a process reward model reads the steps of a response, which a card gives.
        split_steps: For process reward models: text at which a response is split into steps, such as a line break,
            also written as a backslash and n; by default as the card says.
        server: How a server is called; its fields can also be given as keywords of `load_model`.
        judge: Protocol, votes, orders and sampling of a generative judge; likewise.
        given: Names of options that were given, maybe with their defaults: a card does not replace them.
    """

    dtype: str = "auto"
    device: str = "auto"
    revision: str | None = None
    tokenizer: str | None = None
    chat_template: str | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    tokenizer_kwargs: Mapping[str, Any] = field(default_factory=dict)
    allow_dropped_roles: tuple[str, ...] = ()
    system_role: str = "keep"
    append_eos: bool = False
    bos_tokens: int | None = None
    system_message: str | None = None
    question: str | None = None
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
    served_model: str | None = None
    dialect: str = "auto"
    bounded_ok: bool = False
    card: str = "auto"
    layout: HeadLayout | None = None
    steps: StepLayout | None = None
    split_steps: str | None = None
    server: ServerOptions = field(default_factory=ServerOptions)
    judge: JudgeOptions = field(default_factory=JudgeOptions)
    given: frozenset[str] = field(default=frozenset(), compare=False)


GROUPS: Mapping[str, type[ServerOptions] | type[JudgeOptions]] = {"server": ServerOptions, "judge": JudgeOptions}
"""Fields of `ModelOptions` that hold options of their own."""
OPTIONS = tuple(
    dict.fromkeys(
        (
            *(name for name in ModelOptions.__dataclass_fields__ if name not in (*GROUPS, "given")),
            *(name for group in GROUPS.values() for name in group.__dataclass_fields__),
        )
    )
)
"""The options of models by name, those of `ModelOptions.server` and `ModelOptions.judge` among them."""


def model_options(**kwargs: Any) -> ModelOptions:
    """The options of a model from keywords: the fields of `ModelOptions` and of its `server`.

    Raises:
        ModelError: If there is no such option, or a value is not valid.
    """
    if unknown := [name for name in kwargs if name not in OPTIONS and name not in GROUPS]:
        raise ModelError(f"there is no option {unknown[0]!r}: the options are {', '.join(OPTIONS)}")
    given = frozenset(kwargs)
    judged = kwargs.get("protocol") is not None
    for name, group in GROUPS.items():
        # Comparators and judges both have `against`.
        fields = [one for one in group.__dataclass_fields__ if judged or one not in ModelOptions.__dataclass_fields__]
        if own := {field: kwargs.pop(field) for field in fields if field in kwargs}:
            kwargs[name] = replace(kwargs.get(name, group()), **own)
    return ModelOptions(**kwargs, given=given)


def check_options(options: ModelOptions) -> None:
    """Check the form and the range of each value.

    Raises:
        ModelError: If one is not valid.
    """
    _check_forms(options)
    _check_choices(options)
    _check(options)


def _check_forms(options: ModelOptions) -> None:
    """Refuses a text where several values are meant: its letters would be the values."""
    for name in _MAPPINGS:
        if not isinstance(getattr(options, name), Mapping):
            raise ModelError(f"`{name}` must be a mapping, such as {{'key': 1}}, not {quoted(getattr(options, name))}")
    for name, kind, form in _TYPES:
        value = getattr(options, name)
        if value != ModelOptions.__dataclass_fields__[name].default and type(value).__name__ != kind:
            raise ModelError(f"`{name}` must be a {form}, not {quoted(value)}: correct it")
    if isinstance(roles := options.allow_dropped_roles, str):
        raise ModelError(f"`allow_dropped_roles` must be a list of roles, such as [{roles!r}], not {roles!r}")


def _check_choices(options: ModelOptions) -> None:
    for name, chosen, choices in (
        ("length policy", options.on_overlength, get_args(Overlength)),
        ("`system_role`", options.system_role, get_args(SystemRole)),
    ):
        if chosen not in choices:
            raise ModelError(f"there is no {name} {chosen!r}: {chosen_from(chosen, choices)}")


_TYPES = (("card", "str", "text"), ("layout", "HeadLayout", "HeadLayout"), ("steps", "StepLayout", "StepLayout"))
"""Options whose type is checked, by name, since a check must not import the layouts: type, and type in words."""
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
    if options.bos_tokens not in (None, 0, 1, 2):
        raise ModelError(f"`bos_tokens` must be 0, 1 or 2, not {shortened(options.bos_tokens, 40)}")
    if not 0 <= options.min_label_mass <= 1:
        raise ModelError(f"`min_label_mass` must be between 0 and 1, not {options.min_label_mass}")


REPLICA_OPTIONS = ("replicas", "gpus_per_replica", "ray_address", "replica_engine")
"""Options of the engine `ray` only."""
SERVER_OPTIONS = ("served_model", "dialect", "bounded_ok", "server")
"""Options of served models only."""
JUDGE_OPTIONS = ("judge",)
"""Options of judges only."""
CONVENTION_OPTIONS = ("system_role", "append_eos", "bos_tokens", "system_message")
"""Options of conversations that end in a response, as classifiers and implicit rewards read them."""
SERVED_OPTIONS = (
    *SERVER_OPTIONS,
    "tokenizer",
    "tokenizer_kwargs",
    "chat_template",
    "template_kwargs",
    "allow_dropped_roles",
    *CONVENTION_OPTIONS,
    "trust_remote_code",
    "batch_size",
    "max_length",
    "on_overlength",
    "reduce",
    "scale",
    "shift",
)
RENDERING_OPTIONS = (
    "chat_template",
    "template_kwargs",
    *CONVENTION_OPTIONS,
    "tokenizer_kwargs",
    "trust_remote_code",
    "max_length",
    "on_overlength",
)
"""Options of conversations that rmeval renders, which a served model uses with a tokenizer only."""
HEAD_OPTIONS = ("head", "layout", "question", "reduce", "scale", "shift")
STEP_OPTIONS = ("steps", "split_steps")
COMPARATOR_OPTIONS = ("comparison", "against")
IMPLICIT_OPTIONS = ("ref_model", "ref_revision", "beta", "boundary", "sequential")
_IMPLICIT = (
    "for the implicit reward of a language model give `ref_model` (the model it was trained from) or `kind` implicit"
)
_OTHER_PLACES = {
    **dict.fromkeys(SERVER_OPTIONS, "for a model behind a server give its address, such as http://localhost:8000"),
    "judge": "for a generative judge give `protocol`",
}
OTHER_KINDS = {
    **dict.fromkeys(IMPLICIT_OPTIONS, _IMPLICIT),
    "ref_model": "for the implicit reward of a language model give `kind` implicit or auto",
    **dict.fromkeys(COMPARATOR_OPTIONS, "for a model that compares two responses give `kind` comparator"),
    **dict.fromkeys(CONVENTION_OPTIONS, "for a model that reads one response give `kind` classifier or implicit"),
    **dict.fromkeys(STEP_OPTIONS, "for a process reward model give its `card`, and leave `kind` out"),
    **dict.fromkeys(HEAD_OPTIONS, "for a model with a head leave `ref_model` and `kind` implicit out"),
    **dict.fromkeys(REPLICA_OPTIONS, "give `engine` ray"),
    **_OTHER_PLACES,
}
"""How to get the kind of model that uses an option."""


def refuse_all_but(taken: Collection[str], options: ModelOptions, what: str) -> None:
    """Reject all options except those that a kind of model uses; see `refuse`."""
    refuse(
        options,
        [name for name in ModelOptions.__dataclass_fields__ if name not in (*taken, "card", "given")],
        what,
        _OTHER_PLACES,
    )


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
            given = _changed(getattr(options, name)) if name in GROUPS else name
            raise ModelError(f"{what} does not use `{given}`: leave it out{instead}")


def _changed(group: ServerOptions | JudgeOptions) -> str:
    """The first option of a group that does not have its default."""
    default = type(group)()
    return next(name for name in group.__dataclass_fields__ if getattr(group, name) != getattr(default, name))
