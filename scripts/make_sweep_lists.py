"""Write the lists of models that come with `rmeval sweep`: the models of published boards that anybody can load.

python scripts/make_sweep_lists.py [--check]

Run it again after a change of `src/rmeval/published` or `src/rmeval/models/cards`; `--check` writes nothing, and the
exit code is 1 if a list is out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rmeval.models.cards import Descriptor, descriptor_of
from rmeval.models.cards.card import card_of
from rmeval.published import PublishedRow, published_boards

LISTS = Path(__file__).resolve().parent.parent / "src/rmeval/sweep/lists"
# The protocol of judges whose card names none: that of the benchmark's own code.
PROTOCOLS = {"rm-bench": "ab", "reward-bench": "reward-bench/generative"}
OWN_PROTOCOLS = {
    r"gaotang/RM-R1-DeepSeek-.*": "rm-r1-reasoning",
    r"gaotang/RM-R1-.*": "rm-r1",
    r"WisdomShell/RewardAnything-.*": "principles",
}
# Where another repository has the same weights in a format that loads.
SAME_WEIGHTS = {"nvidia/Llama-3.1-Nemotron-70B-Reward": "nvidia/Llama-3.1-Nemotron-70B-Reward-HF"}
HUB = re.compile(r"https://huggingface\.co/([\w.-]+/[\w.-]+)")
# Without open weights: services, files of training data in the place of a name, and models of unknown place.
CLOSED = re.compile(
    r"(?i)(openai|anthropic|cohere |google/(gemini|flame)|poll/|ai2/|my_model|meta-metrics/|AtlaAI/Selene-1$).*"
)
SERVED = re.compile(r".*-Turbo$")


def main() -> None:
    """Write the lists, or check them."""
    old = []
    for benchmark in PROTOCOLS:
        path, text = LISTS / f"{benchmark}.yaml", list_of(benchmark)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            old.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    print("out of date:" if "--check" in sys.argv else "written:", ", ".join(old) or "none")  # noqa: T201
    sys.exit(1 if old and "--check" in sys.argv else 0)


def list_of(benchmark: str) -> str:
    """Return the list of the models on the boards of a benchmark, best first."""
    boards = published_boards(benchmark)
    entries: dict[str, str] = {}
    left: dict[str, str] = {}
    for row in (row for board in boards for row in board.rows):
        found = descriptor_of(row.model)
        name = hub_id(row, found)
        reason = why_not(row.model, name)
        if reason or name is None:
            left.setdefault(row.model, reason)
        else:
            entries.setdefault(name.casefold(), f"  - {entry(name, found, row.kind, PROTOCOLS[benchmark])}\n")
    about = f"the models of {' and '.join(board.name for board in boards)} whose weights can be loaded"
    lines = [
        "# Written by scripts/make_sweep_lists.py from rmeval's published results and model cards: do not edit it.\n",
        f"about: {about}\n",
        "models:\n",
        *entries.values(),
        *(f"# left out: {model}: {reason}\n" for model, reason in left.items()),
    ]
    return "".join(lines)


def hub_id(row: PublishedRow, found: Descriptor | None) -> str | None:
    """Return a model's id on the hub, as its card, its address or its name on the board states it."""
    if found is not None and "/" in found.name:
        return SAME_WEIGHTS.get(found.name, found.name)
    if address := HUB.fullmatch(row.url):
        return address[1]
    return row.model if re.fullmatch(r"[\w.-]+/[\w.-]*[\w-]", row.model) else None


def why_not(model: str, name: str | None) -> str:
    """Return why a model of a board is not in the list; empty if it is."""
    if name is None:
        return "rmeval knows no id of it on the hub"
    if CLOSED.fullmatch(model) or CLOSED.fullmatch(name):
        return "no open weights are known"
    if " + " in model:
        return "several outputs of a model that is in the list are combined"
    if SERVED.fullmatch(name):
        return "served only"
    card = card_of(name)
    return f"cannot be loaded: {card.reason}" if card is not None and card.status == "unloadable" else ""


def entry(name: str, found: Descriptor | None, stated: str, protocol: str) -> str:
    """Return a model's entry: its id, with the options that its card does not set."""
    card = card_of(name)
    load = {} if card is None else dict(card.load)
    kind = (
        found.kind if found is not None and found.kind else "judge" if stated.startswith(GENERATIVE) else "classifier"
    )
    options: dict[str, str] = {}
    if kind == "judge" and "protocol" not in load:
        options["protocol"] = next((own for key, own in OWN_PROTOCOLS.items() if re.fullmatch(key, name)), protocol)
    if kind == "implicit" and "ref_model" not in load and found is not None and "/" in found.base_model:
        options["ref_model"] = found.base_model
    if kind == "comparator" and "kind" not in load:
        options["kind"] = kind
    pairs = "".join(f", {key}: {value}" for key, value in options.items())
    return f"{{id: {name}{pairs}}}" if options else name


GENERATIVE = ("Generative", "GenRM", "Reasoning", "ReasRM", "LLM")


if __name__ == "__main__":
    main()
