"""How the numbers of a report were computed: formulas, rules, versions, identities of models, and commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval._version import __version__
from rmeval.metrics.outcomes import SCORE_RULES
from rmeval.report.page.contents import Section, Shown
from rmeval.report.page.reported import ReportedBenchmark, ReportedRun
from rmeval.report.views import Row, Table, View
from rmeval.results.described import data_text, selection_text
from rmeval.results.result import Result

__all__ = ["made_view", "method_section", "run_command"]

_TIES = {"loss": "a tie counts as lost", "share": "a tie of k responses at the top counts 1/k"}
_FAILURES = {
    "loss": "a comparison without a score counts as lost",
    "exclude": "comparisons without a score are excluded",
    "share": "a comparison of k responses without a score counts 1/k",
}
_VERSIONS = ("rmeval", "python", "torch", "transformers", "vllm", "device", "served_model", "served_by", "begun")
"""Entries of a run's last session that its numbers may depend on."""


def method_section(benchmarks: Sequence[ReportedBenchmark], commands: Sequence[str]) -> Section:
    """Return the section on the method.

    Args:
        benchmarks: The benchmarks with their runs.
        commands: The command of the report itself.
    """
    rules = sorted({record.rule for one in benchmarks for run in one.runs for record in run.result.records})
    table = Table(
        "benchmarks",
        ("", "data", "revision", "contents", "gold", "formulas", "rule", "intervals"),
        tuple(_benchmark_row(one) for one in benchmarks),
        "what was measured; contents and gold: digests of the items and of their labels",
        left=("data", "revision", "contents", "gold", "formulas", "rule", "intervals"),
    )
    shows = [f"rmeval show {shlex.quote(str(run.result.path))}" for one in benchmarks for run in one.runs]
    return Section(
        "Method",
        "method",
        text=(
            f"rmeval {__version__} computed all numbers from the observations in the run folders, without a model.",
            *(f"{name}: {_TIES[rule.tie]}; {_FAILURES[rule.failure]}." for name, rule in _known(rules)),
            "Intervals cover 95% and are clustered by the underlying problem, because items of one problem are not "
            "independent. Null baselines are scores without a model, such as the length of a response, on the same "
            "items; their ties count one half.",
            "Differences of models are paired on the items that both have; p-values are of a cluster sign-flip test, "
            "corrected for the number of pairs (Holm). A model leads another one only if that p-value is below 5%.",
            "Each run's identity (weights, tokenizer, template, precision, engine) is in its own section. To compute "
            "the numbers again from the run folders:",
        ),
        commands=(*commands, *shows),
        views=(Shown("method", View("all benchmarks" if len(benchmarks) > 1 else benchmarks[0].name, (table,))),),
    )


def _known(rules: Sequence[str]) -> Iterator[tuple[str, Any]]:
    yield from ((name, SCORE_RULES[name]) for name in rules if name in SCORE_RULES)


def _benchmark_row(one: ReportedBenchmark) -> Row:
    manifests = [run.result.manifest for run in one.runs]
    records = [record for run in one.runs for record in run.result.records]

    def joined(values: Iterator[object]) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in values if value))

    return Row(
        one.name,
        (
            joined(manifest["benchmark"].get("source") or data_text(manifest) for manifest in manifests),
            joined(manifest["benchmark"].get("revision") for manifest in manifests),
            joined(manifest["identity"].get("contents") for manifest in manifests),
            joined(manifest.get("gold") for manifest in manifests),
            joined(iter(sorted({record.formula for record in records}))),
            joined(iter(sorted({record.rule for record in records}))),
            joined(iter(sorted({record.ci_method for record in records if record.ci_method}))),
        ),
    )


def made_view(run: ReportedRun) -> View:
    """Return the view of everything that a run's scores depend on, and of the versions that computed them."""
    manifest = run.result.manifest
    identity: Mapping[str, Any] = manifest["identity"]
    session: Mapping[str, Any] = manifest["sessions"][-1] if manifest["sessions"] else {}
    facts = {
        "kind": manifest["model"]["kind"],
        "run": run.result.path.name,
        **{f"identity: {name.replace('_', ' ')}": value for name, value in identity.items()},
        "selection": selection_text(manifest["selection"]),
        **{name.replace("_", " "): session[name] for name in _VERSIONS if name in session},
        "template": session.get("template_example"),
    }
    rows = tuple(Row(name, (_text(value),)) for name, value in facts.items() if value not in (None, "", {}, []))
    table = Table("made", ("", "value"), rows, "how the scores were made", left=("value",), layout="lines")
    return View(manifest["benchmark"]["id"], (table,), model=run.name)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def run_command(result: Result) -> str:
    """Return a command that makes the scores of a run again; empty for imported scores.

    Options beyond those of the benchmark, the selection, the protocol, the engine and the precision are in the run's
    identity.
    """
    manifest = result.manifest
    made, selection, identity = manifest["benchmark"], manifest["selection"], manifest["identity"]
    if manifest["protocol"].startswith("imported"):
        return ""
    words = ["rmeval", "run", str(manifest["model"]["name"]), "-b", made["spec"]]
    if made["data"]:
        words += ["--data", made["data"]]
    words += _option_words(made.get("options", {}))
    for subset in selection.get("subsets") or ():
        words += ["--subset", subset]
    seed = made.get("options", {}).get("seed", selection.get("seed", 0))
    for name, value in (("n-items", selection.get("n_items")), ("limit", selection.get("limit")), ("seed", seed)):
        words += [f"--{name}", str(value)] if value else []
    for name in ("engine", "dtype"):
        words += [f"--{name}", identity[name]] if isinstance(identity.get(name), str) else []
    return shlex.join([*words, "-o", str(_root(result.path))])


def _option_words(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if name != "seed" and isinstance(value, int | str | list | tuple):
            yield from (
                "--set",
                f"{name}={','.join(map(str, value)) if isinstance(value, list | tuple) else value}",
            )


def _root(folder: Path) -> Path:
    """The folder of runs, three levels above a run folder."""
    return folder.parents[2] if len(folder.parents) > 2 else folder.parent
