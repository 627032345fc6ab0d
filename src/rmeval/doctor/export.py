"""Exports a reward model with a value head for servers, and checks the export against the original."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.benchmarks import GENERATED, load_benchmark
from rmeval.engines import Place
from rmeval.errors import ModelError, RmevalError, RunError, reason_of
from rmeval.files import folder_draft
from rmeval.messages import chosen_from, count_of
from rmeval.models import load_model
from rmeval.models.classifier import Classifier
from rmeval.models.options import CONVENTION_OPTIONS, ModelOptions, model_options, refuse
from rmeval.types import Conversation, FloatArray

if TYPE_CHECKING:
    from rmeval.engines.hf.engine import HFEngine
    from rmeval.engines.hf.export import Target
    from rmeval.rendering.chat import TokenArray

__all__ = ["Exported", "export_model"]

FORMS = ("seqcls",)
COMPARED = 12
"""Number of conversations whose scores are compared."""
_GENERATION = "generation_config.json"
_TEMPLATE = "chat_template.jinja"
_TEMPLATES = "additional_chat_templates"


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported model and its comparison with the original.

    Attributes:
        path: The folder; it does not exist if the scores differ.
        architecture: Its class in transformers.
        head: Name of the original's layer that is now `score`.
        shift: The original's scores minus the export's: the bias that was left out.
        compared: Number of conversations whose scores were compared.
        difference: The largest difference of a score, apart from `shift`.
        noise: The largest difference that rounding explains.
        spread: Standard deviation of the original's scores.
        agrees: Whether all differences are within the noise.
        notes: Notes for the user, one sentence each.
    """

    path: Path
    architecture: str
    head: str
    shift: float
    compared: int
    difference: float
    noise: float
    spread: float
    agrees: bool
    notes: tuple[str, ...] = ()


def export_model(
    model: str | Path,
    out: str | Path,
    form: str = "seqcls",
    *,
    overwrite: bool = False,
    drop_bias: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Exported:
    """Write a checkpoint with a linear value head as a sequence classifier that vLLM, SGLang and TEI serve.

    The folder appears under its name only after transformers' `AutoModelForSequenceClassification` has returned the
    original's scores for some conversations.

    Args:
        model: Folder or hub id.
        out: The folder to write.
        form: `seqcls`, the architecture's own `*ForSequenceClassification`.
        overwrite: Whether to replace a checkpoint that exists there.
        drop_bias: Whether to leave out a bias of the head, which transformers' classifiers do not have.
        progress: Called with the number of steps that are done and the total.
        **options: Fields of `ModelOptions` that say how to load it: `dtype` (also of the export), `device`, `head`,
            `revision`, `tokenizer`, `chat_template`, `trust_remote_code`, `model_kwargs`.

    Returns:
        The comparison. If its scores differ (`agrees`), the folder is removed.

    Raises:
        RmevalError: If the model cannot be exported, or the folder cannot be written.
    """
    if form not in FORMS:
        raise ModelError(f"there is no form {form!r} of an export: {chosen_from(form, FORMS)}")
    folder = Path(out).resolve()
    _check_folder(folder, Path(model), overwrite)
    original, engine = _loaded(str(model), model_options(**options))

    from rmeval.engines.hf.export import find_target

    target = find_target(engine.network)
    if target.bias and not drop_bias:
        raise ModelError(
            f"{model}: the head {target.head} has the bias {target.bias:.6g}, which transformers drops in silence when "
            "it loads a sequence classifier, and vLLM adds: give `drop_bias` to export without it: all scores "
            f"change by {-target.bias:+.6g}, and all comparisons stay the same"
        )
    try:
        with folder_draft(folder) as draft:
            found = _written(original, engine, target, draft, progress)
            if found.agrees:
                _put(draft, folder)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror or error}): free some space or choose another `out`; nothing "
            "was written"
        ) from error
    return replace(found, path=Path(out))


def _check_folder(folder: Path, model: Path, overwrite: bool) -> None:
    """Check that a folder may be written.

    Raises:
        RmevalError: If it exists and may not be replaced.
    """
    if not folder.parent.is_dir():
        raise RmevalError(f"there is no folder {folder.parent}: create it, or choose another `out`")
    if not folder.exists():
        return
    if not overwrite:
        raise RmevalError(f"{folder} exists: choose another `out`, or give `overwrite`")
    if not (folder / "config.json").is_file():
        raise RmevalError(f"{folder} is not the folder of a checkpoint, and is not replaced: choose another `out`")
    if folder in (own := model.resolve(), *own.parents):
        raise RmevalError(f"{folder} holds the model that is exported: choose another `out`")


def _loaded(model: str, options: ModelOptions) -> tuple[Classifier, HFEngine]:
    """The model and its engine.

    Raises:
        ModelError: If it is not a checkpoint with a head that the engine hf runs, or options do not fit.
    """
    try:
        from rmeval.engines.hf.engine import HFEngine
    except ModuleNotFoundError as error:
        from rmeval.extras import need_extra

        raise need_extra(error, f"the model {model}") from error

    loaded = load_model(model, options)
    if not isinstance(loaded, Classifier) or not isinstance(loaded.engine, HFEngine) or loaded.labels is not None:
        raise ModelError(f"{model} is not a checkpoint with a value head: give the folder or hub id of one")
    ways = "if a card sets it, give `card` none, and a `chat_template` that writes the same"
    what = "an export, whose rendering is that of its chat template,"
    refuse(loaded.options, CONVENTION_OPTIONS, what, dict.fromkeys(CONVENTION_OPTIONS, ways))
    if loaded.options.layout is not None:
        raise ModelError(
            f"{model} has a head of several layers ({loaded.options.layout.title}), which servers do not run: use it "
            "with the engine hf"
        )
    network = loaded.engine.network
    if changed := [name for name in options.model_kwargs if hasattr(network.config, name)]:
        raise ModelError(
            f"`model_kwargs` {changed[0]} changes the config: change it in the checkpoint's config.json, so that the "
            "export has it too"
        )
    return loaded, loaded.engine


def _written(
    original: Classifier, engine: HFEngine, target: Target, draft: Path, progress: Callable[[int, int], None]
) -> Exported:
    """Write all files into a folder, and compare the result with the original."""
    import torch

    from rmeval.engines.hf.export import own_scores, write_classifier

    options = original.options
    conversations = _conversations()
    sequences = _sequences(original, conversations)
    # transformers reads the score at the last token that is not the padding token, wherever that token stands.
    padding = original.engine.network.config.get_text_config().pad_token_id  # type: ignore[attr-defined]
    hidden = padding is not None and any(int(one[-1]) == padding for one in sequences)
    dtype = None if options.dtype == "auto" else getattr(torch, options.dtype)
    write_classifier(engine.network, target, draft, dtype, not hidden, progress)
    _copy_tokenizer(original, draft)
    if (generation := engine.network.checkpoint.file(_GENERATION)) is not None:
        shutil.copyfile(generation, draft / _GENERATION)
    notes = [*_notes(original, target, hidden), *_other_tokens(original, draft, conversations)]
    before = _scores(original, engine, sequences)
    if not np.isfinite(before).all():
        raise ModelError(
            f"{original.name} returns {before[~np.isfinite(before)][0]} as a score, so its weights are damaged or too "
            "large for their number format: correct the checkpoint, or give another `dtype`"
        )
    engine.release()
    after, floor = own_scores(draft, sequences, options.dtype, options.device)
    apart = np.abs(before - target.bias - after)
    noise = floor * np.maximum(1.0, np.abs(before))
    if np.max(noise) > np.std(before) / 2:
        notes.append(
            f"rounding explains differences of {np.max(noise):.2g}, and the scores have a standard deviation of only "
            f"{np.std(before):.2g}: compare again with `dtype` float32 to be sure"
        )
    return Exported(
        path=draft,
        architecture=target.architecture,
        head=target.head,
        shift=target.bias,
        compared=len(sequences),
        difference=float(np.max(apart)),
        noise=float(np.max(noise)),
        spread=float(np.std(before)),
        agrees=bool(np.all(apart <= noise)),
        notes=tuple(notes),
    )


def _conversations() -> list[Conversation]:
    """Generated conversations; each response of the first items."""
    items = load_benchmark(GENERATED, size=8).load()
    found = [item.conversation(number) for item in items for number in range(len(item.responses))]
    return found[:: max(1, len(found) // COMPARED)][:COMPARED]


def _sequences(model: Classifier, conversations: Sequence[Conversation]) -> list[TokenArray]:
    """The token ids of conversations; of long ones the last that the model takes.

    Raises:
        ModelError: If the chat template rejects all of them.
    """
    rendered = model.texts.renderer.render(conversations)
    found = [one.tokens[-model.texts.limit :] if model.texts.limit else one.tokens for one in rendered if not one.error]
    if not found:
        raise ModelError(f"{rendered[0].error}: give another template with `chat_template`")
    return found


def _scores(model: Classifier, engine: HFEngine, sequences: Sequence[TokenArray]) -> FloatArray:
    found = np.full(len(sequences), np.nan)
    for reading in engine.batched(1).run(sequences, model.readout(sequences)):
        for index, values in zip(reading.indices, reading.values, strict=True):
            found[index] = model.score_of(values)
    return found


def _notes(original: Classifier, target: Target, hidden: bool) -> list[str]:
    notes = []
    if target.bias:
        notes.append(
            f"the bias of {target.head} is left out: give `shift` {target.bias:.9g} to get the scores of "
            f"{original.name}"
        )
    if target.left_out:
        some = ", ".join(target.left_out[:3]) + (", ..." if len(target.left_out) > 3 else "")
        notes.append(f"{count_of(len(target.left_out), 'weight')} of other layers are left out: {some}")
    if hidden:
        notes.append(
            "conversations end with the padding token, before which transformers would read the score: the config of "
            "the export names no padding token, so that transformers refuses batches instead"
        )
    return notes


def _other_tokens(original: Classifier, folder: Path, conversations: Sequence[Conversation]) -> list[str]:
    """A note if a server that renders conversations with the exported tokenizer reads other tokens than rmeval.

    Raises:
        ModelError: If transformers does not load that tokenizer, or something was lost in it.
    """
    import jinja2
    from transformers import AutoTokenizer

    from rmeval.loading import LOADING_ERRORS
    from rmeval.rendering.boundary import tokenise

    rendered = original.texts.renderer.render(conversations)
    shown = [
        [message.to_dict() for message in one]
        for one, own in zip(conversations, rendered, strict=True)
        if not own.error
    ]
    try:
        found = tokenise(AutoTokenizer.from_pretrained(folder), shown, ())
    except (jinja2.TemplateError, *LOADING_ERRORS) as error:
        raise ModelError(
            f"transformers does not render conversations with the exported tokenizer ({reason_of(error)}): give "
            "another one with `tokenizer`"
        ) from error
    expected = [one.tokens.tolist() for one in rendered if not one.error]
    if not (other := sum(a != list(b) for a, b in zip(expected, found, strict=True))):
        return []
    source = original.texts.renderer.tokens
    if source.difference is None:
        raise ModelError(
            f"the exported tokenizer yields other tokens for {count_of(other, 'conversation')} than the one of "
            f"{original.name}: save that tokenizer again, and export the model with it (`tokenizer`)"
        )
    return [
        f"a server that renders conversations itself reads other tokens than {original.name}, as transformers' "
        "class of the tokenizer differs from its file: send token ids instead of messages"
    ]


def _copy_tokenizer(model: Classifier, folder: Path) -> None:
    """Copy the tokenizer's files and the chat template."""
    from rmeval.hub import hub_file
    from rmeval.rendering.files import tokenizer_files
    from rmeval.rendering.named_templates import read_template
    from rmeval.rendering.special_tokens import written_out
    from rmeval.repository import TOKENIZER_CONFIG

    options = model.options
    place = model.engine.tokenizer() if options.tokenizer is None else Place(options.tokenizer)
    assert isinstance(place, Place)
    source = Path(place.source)
    if not source.is_dir():
        source = hub_file(place.source, TOKENIZER_CONFIG, place.revision).path.parent
    for file in tokenizer_files(source):
        shutil.copyfile(file, folder / file.name)
    if (source / _TEMPLATES).is_dir():
        shutil.copytree(source / _TEMPLATES, folder / _TEMPLATES)
    if options.chat_template is not None:
        written = written_out(read_template(options.chat_template), model.texts.renderer.tokenizer)
        (folder / _TEMPLATE).write_text(written, encoding="utf-8")
        config = folder / TOKENIZER_CONFIG
        stated = json.loads(config.read_text(encoding="utf-8"))
        if stated.pop("chat_template", None) is not None:
            config.write_text(f"{json.dumps(stated, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def _put(draft: Path, folder: Path) -> None:
    """Move a draft to its place; a checkpoint that is there is removed after the move."""
    if not folder.exists():
        draft.rename(folder)
        return
    with folder_draft(folder) as old:
        folder.replace(old)
        draft.rename(folder)
