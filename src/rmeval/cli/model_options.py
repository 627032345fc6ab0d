"""The fields of `rmeval.models.ModelOptions` as options of commands: annotation and default."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rmeval.cli.judge_options import JUDGE_OPTIONS
from rmeval.cli.replica_options import REPLICA_OPTIONS
from rmeval.cli.server_options import SERVER_OPTIONS

__all__ = ["MODEL", "MODEL_OPTIONS"]

MODEL = "Model"


def _model(text: str, *names: str, minimum: int | None = None) -> Any:
    return typer.Option(*names, help=text, min=minimum, rich_help_panel=MODEL)


MODEL_OPTIONS: dict[str, tuple[Any, Any]] = {
    "dtype": (
        Annotated[str, _model("auto (as in the checkpoint), float32, bfloat16 or float16.")],
        "auto",
    ),
    "card": (
        Annotated[str, _model("Card that says how to load the model: auto (by hub id), none, a name, or a TOML file.")],
        "auto",
    ),
    "device": (Annotated[str, _model("auto, cpu, cuda, cuda:1 or mps.")], "auto"),
    "revision": (Annotated[str | None, _model("Branch, tag or commit on the hub.")], None),
    "tokenizer": (Annotated[str | None, _model("Another tokenizer: folder or hub id.")], None),
    "tokenizer_kwargs": (
        Annotated[
            list[str] | None,
            _model("KEY=VALUE for the tokenizer's class, as fix_mistral_regex=true. Repeatable."),
        ],
        None,
    ),
    "chat_template": (
        Annotated[
            str | None,
            _model("Template to use instead of the tokenizer's: a Jinja file, or a name of rmeval list templates."),
        ],
        None,
    ),
    "template_kwargs": (
        Annotated[
            list[str] | None,
            _model("KEY=VALUE for the chat template, as enable_thinking=false. Repeatable."),
        ],
        None,
    ),
    "allow_dropped_roles": (
        Annotated[
            list[str] | None,
            _model("Role that the template may omit. Repeatable.", "--allow-dropped-roles"),
        ],
        None,
    ),
    "system_role": (
        Annotated[
            str, _model("System messages: keep (the template shows them), merge (into the user's next), or error.")
        ],
        "keep",
    ),
    "append_eos": (Annotated[bool, _model("End each sequence with the EOS token.", "--append-eos")], False),
    "bos_tokens": (
        Annotated[int | None, _model("Number of BOS tokens at the beginning, 0 to 2. Default: the template's.")],
        None,
    ),
    "system_message": (Annotated[str | None, _model("System message of conversations without one.")], None),
    "question": (
        Annotated[str | None, _model("User's message after the response, whose answer --head logit:YES-NO reads.")],
        None,
    ),
    "trust_remote_code": (
        Annotated[bool, _model("Run code from the model's repository.", "--trust-remote-code")],
        False,
    ),
    "model_kwargs": (
        Annotated[list[str] | None, _model("KEY=VALUE for from_pretrained, or for vLLM. Repeatable.")],
        None,
    ),
    "batch_size": (
        Annotated[
            int | None, _model("Maximum number of sequences in a batch. Default: set by a token budget.", minimum=1)
        ],
        None,
    ),
    "max_length": (
        Annotated[
            int | None, _model("Maximum length of a conversation in tokens. Default: the model's limit.", minimum=1)
        ],
        None,
    ),
    "on_overlength": (
        Annotated[str, _model("What to do with longer conversations: error, skip or truncate-left.")],
        "error",
    ),
    "head": (
        Annotated[str | None, _model("Name of the head in the checkpoint, or logit:TOKEN or logit:YES-NO.")],
        None,
    ),
    "reduce": (
        Annotated[
            str | None, _model("How to reduce several outputs to one score: index:K, mean, difference, weights:A,B.")
        ],
        None,
    ),
    "split_steps": (
        Annotated[str | None, _model("For process rewards: text between the steps of a response, such as '\\n'.")],
        None,
    ),
    "scale": (Annotated[float, _model("Factor that multiplies the score; -1 for a cost.")], 1.0),
    "shift": (Annotated[float, _model("Number added to the scaled score.")], 0.0),
    "kind": (
        Annotated[
            str,
            _model("auto, classifier, comparator (of two responses), implicit (auto with --ref-model), or process."),
        ],
        "auto",
    ),
    "engine": (
        Annotated[
            str, _model("Engine that runs the network: hf, vllm, ray (several GPUs or machines), or file.py:Class.")
        ],
        "hf",
    ),
    "base_model": (
        Annotated[
            str | None, _model("For an adapter: its base model, if its config does not name one that can be found.")
        ],
        None,
    ),
    "ref_model": (
        Annotated[str | None, _model("For implicit rewards: the reference model. Default for an adapter: its base.")],
        None,
    ),
    "ref_revision": (
        Annotated[str | None, _model("For implicit rewards: the reference's branch, tag or commit.")],
        None,
    ),
    "beta": (Annotated[float, _model("For implicit rewards: factor of the log-ratios.")], 1.0),
    "boundary": (
        Annotated[str, _model("For implicit rewards: where a response begins, trl or reward-bench.")],
        "trl",
    ),
    "comparison": (
        Annotated[
            str | None,
            _model(
                "For comparators: how two responses are rendered: letters, rlhflow, steamshp, pairrm, better-pairrm, "
                "or a Jinja file."
            ),
        ],
        None,
    ),
    "against": (
        Annotated[
            str,
            _model("For more than two responses compared in pairs: all pairs, or the chosen one with each other one."),
        ],
        "all",
    ),
    "min_label_mass": (
        Annotated[float, _model("For verdicts by label probabilities: minimum probability of the labels together.")],
        0.5,
    ),
    "sequential": (
        Annotated[bool, _model("For implicit rewards: keep one model in memory at a time.", "--sequential")],
        False,
    ),
    **JUDGE_OPTIONS,
    **REPLICA_OPTIONS,
    **SERVER_OPTIONS,
}
