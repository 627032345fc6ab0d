"""Attacks with hostile values on the command line: no traceback, no control character, a one-sentence error."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from scripts.attacks.harness import Done, Share, Tally, call, last_line

COMMANDS = {
    "run": ["baseline:longest", "-b", "pairs", "--data", "pairs.jsonl", "-o", "fuzz"],
    "score": ["plugin.py:f", "conversations.jsonl", "-o", "out.jsonl"],
    "token-scores": ["plugin.py:f", "conversations.jsonl", "-o", "out.jsonl"],
    "import": ["scores.csv", "-b", "pairs", "--data", "pairs.jsonl", "-o", "fuzz"],
    "show": ["runs"],
    "analyze": ["runs/pairs/baseline-longest"],
    "compare": ["runs"],
    "cite": ["runs"],
    "items": ["pairs", "--data", "pairs.jsonl"],
    "errata": ["rm-bench"],
    "doctor": ["plugin.py:f", "-b", "pairs", "--data", "pairs.jsonl"],
    "list": [],
    "demo": ["--size", "16", "-o", "fuzz"],
}
"""Commands, each with valid arguments."""
HOSTILE = (
    "",
    " ",
    "-",
    "--",
    "-1",
    "0",
    "1",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "9" * 400,
    str(10**30),
    "1.5",
    "true",
    "null",
    "[]",
    "{}",
    "a=b",
    "=",
    "a=",
    "x=nan",
    "x=[1",
    "a=1,a=2",
    ",",
    "x" * 100_000,
    "\x1b]0;x\x07",
    "\x9b31m",
    "a\nb",
    "a\rb",
    "\u202eevil",
    "\ud800",
    "\udcff",
    "caf\udce9",
    "模型",
    "$\\frac{1}{$",
    "[red]x[/red]",
    "%s%n",
    "../../..",
    "~",
    "~nobody",
    "/",
    ".",
    "..",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/stdin",
    "/proc/self/mem",
    "/proc/self/environ",
    "x.py:f",
    ":",
    "x:",
    ":f",
    "http://localhost:1/x",
    "s3://x",
    "baseline:",
    "baseline:x",
    "a/b",
    "a/b/c",
    "a/b@",
    "rmeval/tiny",
    "rmeval/none",
    "index:0",
    "index:-1",
    "weights:1,2",
    "weights:nan",
    "logit:A",
    "logit:",
    "logit:A-B",
    "float32",
    "bfloat16",
    "cuda:99",
    "meta",
    "half-ties@1",
    "official@99",
    "z-mean",
    "hard",
    "all",
    "core",
)
OPTIONS = {
    "model": (
        "--dtype",
        "--device",
        "--revision",
        "--tokenizer",
        "--tokenizer-kwargs",
        "--chat-template",
        "--template-kwargs",
        "--allow-dropped-roles",
        "--trust-remote-code",
        "--model-kwargs",
        "--batch-size",
        "--max-length",
        "--on-overlength",
        "--head",
        "--reduce",
        "--scale",
        "--shift",
        "--kind",
        "--base-model",
        "--ref-model",
        "--ref-revision",
        "--beta",
        "--boundary",
        "--comparison",
        "--against",
        "--min-label-mass",
        "--sequential",
    ),
    "items": (
        "--columns",
        "--roles",
        "--ignore-keys",
        "--split",
        "--config",
        "--size",
        "--languages",
        "--subset",
        "--n-items",
        "--seed",
        "--limit",
    ),
    "own": (
        "-b",
        "--benchmark",
        "--data",
        "-o",
        "--out",
        "--store-text",
        "--break-lock",
        "--variant",
        "--policy",
        "--plots",
        "--plot",
        "--dark",
        "--json",
        "--metric",
        "--scope",
        "--ensemble",
        "--from-subsets",
        "--oracle",
        "--name",
        "--steps",
        "--items-from-scores",
        "--dtypes",
    ),
}
FLAGS = {
    "--trust-remote-code",
    "--sequential",
    "--store-text",
    "--break-lock",
    "--dark",
    "--json",
    "--from-subsets",
    "--oracle",
    "--items-from-scores",
}
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u2069]")


def command_lines(share: Share) -> Tally:
    """Run random command lines of mostly valid arguments with one or more hostile values."""
    tally = Tally("command lines with hostile values")
    made = _files(share.folder)
    for number in range(share.tries):
        line = _draw(share.dice, made)
        done = call(line, prepare=lambda: _enter(share.folder))
        shown = " ".join(part if len(part) < 60 else f"{part[:60]}..." for part in line)
        tally.add(_fault(done), f"{number} rmeval {shown!r}: {last_line(done)}")
    return tally


def _fault(done: Done) -> str | None:
    text = done.out + done.err
    if done.fault:
        return done.fault
    if UNSAFE.search(text):
        return "control character"
    if any(len(line) > LONG for line in done.err.splitlines()):
        return "long error"
    return "refused" if done.code else None


LONG = 10_000
"""Maximum number of characters of a line on standard error."""


def _enter(folder: Path) -> None:
    """Change to a folder, limit the size of files, and close standard input."""
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 26, 1 << 26))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _files(folder: Path) -> list[str]:
    """Create files of every kind; return their names and other plausible values."""
    subsets = ("\x1b[2J", "a\nb", "even")
    rows = [{"prompt": f"q{n}", "chosen": "aaa", "rejected": "b", "subset": subsets[n % 3]} for n in range(6)]
    texts = {
        "pairs.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "conversations.jsonl": '{"prompt": "q", "response": "r"}\n' * 3,
        "scores.csv": "item_id,response,score\n" + "".join(f"{n},{k},{k}\n" for n in range(1, 7) for k in (0, 1)),
        "empty": "",
        "broken.json": '{"a": [',
        "deep.json": "[" * 100_000,
        "suite.yaml": "benchmarks:\n- id: pairs\n  data: pairs.jsonl\n",
        "raises.py": "def f(c):\n    raise ValueError('\\x1b]0;pwn\\x07 ' + 'v' * 5_000_000)\n",
        "plugin.py": "def f(conversations):\n    return [float(len(c[-1]['content'])) for c in conversations]\n",
        "wrong.py": "raise SystemExit('\\x1b[2J')\n",
        "locked": "x",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "bytes").write_bytes(bytes(range(256)) * 10)
    (folder / "locked").chmod(0)
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(folder / "socket"))
    for model in ("baseline:longest", "baseline:shortest"):
        run = ["run", model, "-b", "pairs", "--data", "pairs.jsonl", "-o", "runs"]
        done = call(run, prepare=lambda: _enter(folder))
        assert done.code == 0, done.err
    code = ["raises.py:f", "plugin.py:f", "wrong.py:f"]
    others = [
        "bytes",
        "folder",
        "loop",
        "fifo",
        "socket",
        "baseline:longest",
        "pairs",
        "rm-bench-synthetic",
        "rm-bench",
    ]
    return [*texts, *code, *others, "even", "nowhere/x.jsonl", "out.jsonl", "runs"]


def _draw(dice: random.Random, made: Sequence[str]) -> list[str]:
    def value() -> str:
        return dice.choice(made) if dice.random() < 0.6 else dice.choice(HOSTILE)

    command = dice.choice(list(COMMANDS)) if dice.random() < 0.97 else value()
    line = [command, *COMMANDS.get(command, [])]
    for place in range(1, len(line)):
        if dice.random() < 0.07:
            line[place] = value()
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        option = dice.choice(dice.choice(list(OPTIONS.values())))
        line += [option] if option in FLAGS and dice.random() < 0.9 else [option, value()]
    if dice.random() < 0.1:
        line.pop()
    return line
