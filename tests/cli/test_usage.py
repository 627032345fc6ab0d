"""What the command line refuses: plain sentences, and the spelling that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import rmeval
from tests.command import command

Capture = pytest.CaptureFixture[str]
RUN = "run baseline:longest -b pairs --data DATA -o OUT"
TINY = "run rmeval/tiny -b pairs --data DATA -o OUT"
LISTED = r" \(choose one of .+\)"
SENTENCES = {
    f"{RUN} --n-items abc": r"--n-items must be a whole number, not 'abc'; see .* -h",
    f"{RUN} --n-items 1.5": r"--n-items must be a whole number, not '1.5'; see .* -h",
    f"{RUN} --n-items 0": r"--n-items must be at least 1, not 0; see .* -h",
    f"{RUN} --seed -3": r"--seed must be at least 0, not -3; see .* -h",
    f"{RUN} --scale x": r"--scale must be a number, not 'x'; see .* -h",
    f"{RUN} --n-items": r"--n-items needs a value; see .* -h",
    f"{RUN} --sed 3": r"no such option: --sed; did you mean --seed\?; see .* -h",
    f"{RUN} --qqq 3": r"no such option: --qqq; see .* -h",
    "run baseline:longest": r"--benchmark is missing; see .* -h",
    "score baseline:longest": r"CONVERSATIONS is missing; see .* -h",
    "list benchmrks": r"WHAT 'benchmrks' is unknown: did you mean benchmarks\? \(choose .*; see .* -h",
    "shw runs": r"no such command 'shw': did you mean show\?; see .* -h",
    "qqq": r"no such command 'qqq'; see .* -h",
    "show RUN --format latx": rf"--format 'latx' is unknown: did you mean latex\?{LISTED}; see .* -h",
    "show RUN --format xml": r"--format 'xml' is unknown: choose one of table, .*; see .* -h",
    "show RUN --rule half-tie": rf"'half-tie' is not a score rule: did you mean half-ties@1\?{LISTED}",
    "show RUN --rule official": rf"'official' is not a score rule: did you mean official@1\?{LISTED}",
    "analyze RUN --protocol pointwis@1": r"there is no protocol 'pointwis@1' .*: did you mean pointwise@1\? .*",
    "compare RUNS --metric acuracy": r"pairs has no acuracy on all: did you mean --metric accuracy\? .*",
    "compare RUNS --margin 0": r"--margin must be a number of points above 0 and below 100, such as 2, not 0",
    "compare RUNS --margin 100": r"--margin must be a number of points above 0 and below 100, such as 2, not 100",
    "compare RUNS --margin nan": r"--margin must be a number of points above 0 and below 100, such as 2, not nan",
    "compare RUNS --margin two": r"--margin must be a number, not 'two'; see .* -h",
    "compare RUNS --intervals singel": rf"--intervals 'singel' is unknown: did you mean single\?{LISTED}; see .* -h",
    "compare RUNS --ensemble z-men": rf"'z-men' is not an ensemble: did you mean z-mean\?{LISTED}",
    "run baseline:longst -b pairs --data DATA": r"there is no baseline 'longst': did you mean baseline:longest\? .*",
    f"{TINY} --kind clasifier": rf"there is no kind of model 'clasifier': did you mean classifier\?{LISTED}",
    f"{TINY} --dtype float23": rf"there is no dtype 'float23': did you mean float32\?{LISTED}",
    f"{TINY} --on-overlength skp": rf"there is no length policy 'skp': did you mean skip\?{LISTED}",
    f"{TINY} --kind implicit --boundary rewardbnch": rf".*: did you mean reward-bench\?{LISTED}",
    f"{TINY} --kind comparator --against al": rf"--against 'al' is unknown: did you mean all\?{LISTED}",
    f"{TINY} --kind comparator --comparison leters": r"there is no comparison leters: did you mean letters\? .*",
    f"{RUN} --subset evn": r"there is no subset 'evn': did you mean even\? .*",
    "run baseline:longest -b rmbnch": r"there is no benchmark 'rmbnch': did you mean rm-bench\? .*",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    data = folder / "data.jsonl"
    data.write_text('{"prompt": "q", "chosen": "aa", "rejected": "b", "subset": "even"}\n' * 2)
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "pairs", data, out=folder / "runs")
    return folder


@pytest.mark.parametrize("words", SENTENCES)
def test_sentences(words: str, runs: Path, tmp_path: Path, capsys: Capture) -> None:
    import re

    run = next((runs / "runs" / "pairs" / "baseline-longest").iterdir())
    parts = {"DATA": runs / "data.jsonl", "OUT": tmp_path / "out", "RUNS": runs / "runs", "RUN": run}
    done = command(capsys, *(parts.get(word, word) for word in words.split()))
    (line,) = done.err.splitlines()
    assert done.code == 2
    assert re.fullmatch(f"error: {SENTENCES[words]}", line), line
    assert not (tmp_path / "out").exists()
