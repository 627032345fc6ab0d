"""`rmeval candidates`."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.values import pairs_of
from rmeval.cli.views import write_views

if TYPE_CHECKING:
    from rmeval.build.tools import Progress
    from rmeval.candidates import CandidateSummary, WriterOptions

__all__ = ["candidates_command"]

_SAMPLING, _QUALITY = "Sampling", "Quality"


class Verify(StrEnum):
    """What decides on quality."""

    auto = "auto"
    key = "key"
    tests = "tests"
    none = "none"


class Unclear(StrEnum):
    """How an unclear outcome counts."""

    null = "null"
    wrong = "wrong"


class Layout(StrEnum):
    """Layout of a file of problems."""

    auto = "auto"
    rows = "rows"
    humaneval = "humaneval"
    humanevalpack = "humanevalpack"
    mbpp = "mbpp"
    gsm8k = "gsm8k"
    math = "math"
    preferences = "preferences"


def _sampling(text: str, *names: str, minimum: float | None = None, maximum: float | None = None) -> Any:
    return typer.Option(*names, help=text, min=minimum, max=maximum, rich_help_panel=_SAMPLING)


_SAMPLES: dict[str, tuple[Any, Any]] = {
    "n": (
        Annotated[int, _sampling("Number of candidates of each problem; can be raised.", "-n", "--n", minimum=1)],
        16,
    ),
    "temperature": (Annotated[float, _sampling("Temperature.", minimum=0)], 0.7),
    "top_p": (Annotated[float, _sampling("Share of the probability that tokens are drawn from.", maximum=1)], 1.0),
    "max_new_tokens": (Annotated[int, _sampling("Limit of a candidate in tokens.", minimum=1)], 2048),
    "seed": (Annotated[int, _sampling("Seed of sampling; each candidate has its own.", minimum=0)], 0),
    "prompt": (
        Annotated[
            Path | None,
            _sampling("Jinja file of the prompt, with {{ problem }}. Default: as in rmeval build, for maths or code."),
        ],
        None,
    ),
}
_MODEL = (
    *("base_url", "served_model", "judge_kwargs", "api_key_env", "concurrency", "retries"),
    *("connect_timeout", "read_timeout", "timeout", "max_requests", "max_tokens", "max_cost", "prices"),
    *("dtype", "device", "revision", "tokenizer", "tokenizer_kwargs", "chat_template", "template_kwargs"),
    *("trust_remote_code", "model_kwargs", "batch_size", "max_length", "on_overlength", "engine", "base_model"),
    *("replicas", "gpus_per_replica", "ray_address", "replica_engine"),
)
"""The options of models that language models take."""


def _takes_sampling(function: Any) -> Any:
    return o.takes(function, "samples", _SAMPLES, dict)


def _quality(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_QUALITY)


_VERIFYING: dict[str, tuple[Any, Any]] = {
    "verify": (
        Annotated[
            Verify,
            _quality("What decides on quality: key (math-verify), tests (sandbox), none, or auto: what a problem has."),
        ],
        Verify.auto,
    ),
    "unclear": (
        Annotated[
            Unclear,
            _quality("How a candidate counts that may be right: null (not known; best-of-N leaves it out), or wrong."),
        ],
        Unclear.null,
    ),
    "no_sandbox": (
        Annotated[bool, _quality("Run code with your permissions if bubblewrap does not work here.", "--no-sandbox")],
        False,
    ),
    "overwrite": (o.Overwrite, False),
    "break_lock": (o.BreakLock, False),
}
"""How candidates are verified and stored, whether they are written here or were before."""


def _takes_verifying(function: Any) -> Any:
    return o.takes(function, "verifying", _VERIFYING, _verifying)


def _verifying(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "verify": given["verify"].value,
        "unclear": given["unclear"].value,
        "require_sandbox": not given["no_sandbox"],
        "overwrite": given["overwrite"],
        "break_lock": given["break_lock"],
    }


_READING: dict[str, tuple[Any, Any]] = {
    "layout": (Annotated[Layout, typer.Option(help="Layout of the problems.", rich_help_panel=o.DATA)], Layout.auto),
    "columns": (
        Annotated[
            str | None,
            typer.Option(
                help="The file's names of columns, such as prompt=question,answer=key.", rich_help_panel=o.DATA
            ),
        ],
        None,
    ),
    "limit": (
        Annotated[
            int | None, typer.Option(help="Number of problems to take from the start.", min=1, rich_help_panel=o.DATA)
        ],
        None,
    ),
}


def _takes_reading(function: Any) -> Any:
    return o.takes(function, "reading", _READING, _reading)


def _reading(given: dict[str, Any]) -> dict[str, Any]:
    columns = pairs_of(given["columns"], "--columns") or {}
    return {"layout": given["layout"].value, "columns": columns, "limit": given["limit"]}


@o.takes_some_model_options(*_MODEL)
@_takes_sampling
@_takes_reading
@_takes_verifying
def candidates_command(
    problems: Annotated[
        Path,
        typer.Argument(
            help="File of problems (HumanEval, MBPP, GSM8K, MATH, or columns prompt and answer or tests), or of "
            "candidates to verify (responses, and reference or tests).",
            show_default=False,
        ),
    ],
    samples: dict[str, Any],
    reading: dict[str, Any],
    verifying: dict[str, Any],
    options: dict[str, Any],
    out: Annotated[Path, typer.Option("-o", "--out", help="File of candidates: .jsonl, .json or .parquet.")],
    writer: Annotated[
        str | None,
        typer.Option(
            help="Language model: http://HOST:PORT/v1, any-llm:PROVIDER/MODEL, a folder or hub id. Without it, "
            "responses in the file are verified."
        ),
    ] = None,
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", help="Leave out candidates whose calls failed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count calls, tokens and cost; send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
) -> None:
    """Write N candidates for each problem with a language model, and verify them by key or tests.

    Calls are kept in FILE.calls: the same command continues where it stopped, and a larger -n writes only the new ones.

    rmeval candidates problems.jsonl --writer http://localhost:8000/v1 -n 16 -o candidates.jsonl

    rmeval candidates candidates-without-gold.jsonl -o candidates.jsonl
    """
    from rmeval.cli.build.extra import need_build
    from rmeval.cli.logs import show_warnings

    show_warnings()
    need_build("the command candidates")
    from rmeval.candidates import WriterOptions
    from rmeval.cli.build.progress import build_progress

    own = None
    if writer is None:
        _refuse_without_writer(dry_run, samples, options)
    else:
        own = WriterOptions(writer, **samples, **reading, model=options, accept_failures=accept_failures)
    if dry_run and own is not None:
        _count(problems, out, own, verifying["verify"], as_json)
        return
    with build_progress(out.name) as progress:
        found = _made(problems, out, own, progress, verifying)
    _show(found, as_json)


def _made(
    problems: Path, out: Path, own: WriterOptions | None, progress: Progress, verifying: dict[str, Any]
) -> CandidateSummary:
    from rmeval.candidates import verify_candidates, write_candidates

    if own is None:
        return verify_candidates(problems, out, progress=progress, **verifying)
    return write_candidates(problems, out, own, progress=progress, **verifying)


def _show(found: CandidateSummary, as_json: bool) -> None:
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.candidates import candidates_view

    write_views([candidates_view(found)])
    echo(f"written: {found.file}", err=True)
    if found.passes:
        echo(f"next: rmeval run MODEL -b best-of-n --data {shlex.quote(str(found.file))}", err=True)


def _refuse_without_writer(dry_run: bool, samples: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuse options that only a writer uses.

    Raises:
        RmevalError: If one is given.
    """
    from rmeval.errors import RmevalError

    changed = [name for name, (_, default) in _SAMPLES.items() if samples[name] != default]
    changed += [name for name in ("base_url", "served_model") if options.get(name) is not None]
    if dry_run or changed:
        name = "dry_run" if dry_run else changed[0]
        raise RmevalError(f"`{name}` is for calls of a language model: name it with `writer`, or leave this out")


def _count(problems: Path, out: Path, own: WriterOptions, verify: Any, as_json: bool) -> None:
    """Print what the command would send."""
    from rmeval.candidates import plan_candidates
    from rmeval.report.dry_run import dry_run_view

    found = plan_candidates(problems, out, own, verify)
    if as_json:
        echo_json(found.to_dict(), indent=1)
    else:
        write_views([dry_run_view([found])])
