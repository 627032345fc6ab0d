"""What names from files, paths and exceptions do to a terminal: nothing. Each is shown as `visible` writes it."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

import rmeval
from rmeval.importers.run import import_scores
from rmeval.messages import visible
from tests.command import Done, command
from tests.samples import pair_rows

Capture = pytest.CaptureFixture[str]

HOSTILE = {
    "colour": "\x1b[31mred",
    "clears": "\x1b[2J\x1b[H",
    "title": "\x1b]0;pwned\x07",
    "link": "\x1b]8;;file:///etc/passwd\x1b\\x",
    "C1": "\x9b31m\x85\x9d",
    "NUL": "a\x00b",
    "returns": "a\rb",
    "deletes": "ab\b\b\x7f",
    "turned": "\u202etxt.exe\u2066\u200f",
    "separators": "a\u2028b\u2029\x0b\x0c",
    "forges": "pairs\nall  99.9 99.0-99.9  1",
    "markup": "[red]x[/red] [link=file:///x]y[/link] :smile:",
    "formula": "$\\frac{1}{$",
}
NAME = "".join(HOSTILE.values())
FILE = NAME.replace("/", "").replace("\x00", "")[:90]


class Place(NamedTuple):
    folder: Path
    name: str


def build(folder: Path, names: list[str], name: str, checkpoint: Path) -> Place:
    """Data, runs, plugins and a checkpoint, with these names of subsets and this name of all else."""
    rows = [
        row | {"subset": names[n % len(names)], "id": f"{names[n % len(names)]}/{n}"}
        for n, row in enumerate(pair_rows(26))
    ]
    folder.mkdir()
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scores = [{"item_id": row["id"], "response": k, "score": n % 3 - k} for n, row in enumerate(rows) for k in (0, 1)]
    (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
    (folder / "raises.py").write_text(f"def f(conversations):\n    raise ValueError({name!r})\n")
    (folder / "fails.py").write_text(f"raise ImportError({name!r})\n")
    (folder / "talk.jsonl").write_text(json.dumps({"prompt": name, "response": name}) + "\n")
    shutil.copytree(checkpoint, folder / name)
    rmeval.evaluate("baseline:longest", "pairs", data, out=folder / "runs")
    benchmark = rmeval.load_benchmark("pairs", str(data))
    import_scores(folder / "scores.jsonl", benchmark, folder / "runs", name=name)
    return Place(folder, name)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> tuple[Place, Place]:
    """The same twice: with hostile names, and with names that are their escapes, letter for letter."""
    folder = tmp_path_factory.mktemp("places")
    names = list(HOSTILE.values())
    return (
        build(folder / "a", names, FILE, checkpoint),
        build(folder / "b", [visible(name) for name in names], visible(FILE), checkpoint),
    )


COMMANDS = {
    "run": "run baseline:shortest -b pairs --data DATA -o OUT",
    "run of a plugin that raises": "run FOLDER/raises.py:f -b pairs --data DATA -o OUT",
    "run of a plugin that fails": "run FOLDER/fails.py:f -b pairs --data DATA",
    "run of a checkpoint": "run CHECKPOINT -b pairs --data DATA -o OUT --limit 3",
    "run of a subset": "run baseline:longest -b pairs --data DATA --subset NAME",
    "show of several": "show FOLDER/runs",
    "show": "show RUN",
    "analyze": "analyze RUN",
    "errors": "errors RUN",
    "errors of two": "errors RUN --other FOLDER/runs/pairs/baseline-longest",
    "errors of a subset": "errors RUN --subset NAME --cell NAME",
    "compare": "compare FOLDER/runs --ensemble mean",
    "variance": "variance FOLDER/runs --metric NAME",
    "analyze of labels": "analyze RUN --label-errors NAME=0.1",
    "compare by": "compare FOLDER/runs --metric NAME",
    "cite": "cite FOLDER/runs",
    "import": "import FOLDER/scores.jsonl -b pairs --data DATA -o OUT --name NAME",
    "import of others": "import FOLDER/talk.jsonl -b pairs --data DATA -o OUT",
    "score": "score FOLDER/raises.py:f FOLDER/talk.jsonl -o OUT.jsonl",
    "token-scores": "token-scores CHECKPOINT FOLDER/talk.jsonl -o OUT.jsonl --plot OUT.png",
    "doctor": "doctor CHECKPOINT -b pairs --data DATA --n-items 2",
    "errata": "errata NAME",
    "no such command": "NAME",
    "no such option": "show --NAME",
    "no such choice": "list NAME",
    "no number": "run x -b pairs --batch-size NAME",
    "no such model": "run ./NAME -b pairs --data DATA",
    "no such file": "run baseline:longest -b pairs --data NAME",
}


def run(capsys: Capture, words: str, place: Place) -> Done:
    parts = {
        "FOLDER": str(place.folder),
        "DATA": str(place.folder / "data.jsonl"),
        "OUT": str(place.folder / "out"),
        "RUN": str(next((place.folder / "runs" / "pairs").glob("[!b]*"))),
        "CHECKPOINT": str(place.folder / place.name),
        "NAME": place.name,
    }
    arguments = [re.sub("|".join(parts), lambda found: parts[found[0]], word) for word in words.split()]
    return command(capsys, *arguments)


def acts(text: str) -> list[str]:
    """The characters that would act on a terminal."""
    return [letter for letter in text if visible(letter, lines=True) != letter or letter == "\t"]


@pytest.mark.parametrize("what", COMMANDS)
def test_output_is_that_of_names_which_are_the_escapes(what: str, places: tuple[Place, Place], capsys: Capture) -> None:
    hostile, spelled = (run(capsys, COMMANDS[what], place) for place in places)
    assert (acts(hostile.out), acts(hostile.err)) == ([], [])
    assert hostile.code == spelled.code
    assert hostile.out.count("\n") == spelled.out.count("\n")
    assert hostile.err.count("\n") == spelled.err.count("\n")
    if hostile.code == 2:
        assert (hostile.err.startswith("error: "), hostile.err.count("error: ")) == (True, 1)
        assert "Traceback" not in hostile.err


@pytest.mark.parametrize(
    "what", ["show RUN --json", "analyze RUN --json", "compare FOLDER/runs --json", "items pairs --data DATA"]
)
def test_json_is_safe_and_loses_nothing(what: str, places: tuple[Place, Place], capsys: Capture) -> None:
    done = run(capsys, what, places[0])
    assert (done.code, acts(done.out)) == (0, []), done.err
    if what.startswith("items"):
        subsets = {json.loads(line)["subset"] for line in done.out.splitlines()}
        assert subsets == set(HOSTILE.values())
    else:
        assert any(json.dumps(name)[1:-1] in json.dumps(json.loads(done.out)) for name in HOSTILE.values())


@pytest.mark.parametrize("what", ["show of several", "show", "errors", "compare", "score"])
@pytest.mark.slow
def test_a_terminal_gets_the_same_codes(what: str, places: tuple[Place, Place]) -> None:
    """Colours and movements are those that rich writes for harmless names."""
    codes = []
    for place in places:
        words = COMMANDS[what].replace("FOLDER", str(place.folder)).replace("DATA", str(place.folder / "data.jsonl"))
        words = words.replace("RUN", str(next((place.folder / "runs" / "pairs").glob("[!b]*"))))
        text = terminal(*words.replace("OUT", str(place.folder / "out")).split())
        codes.append(set(re.findall("\x1b[^a-zA-Z]*[a-zA-Z]", text)))
        assert set(acts(re.sub("\x1b\\[[0-9;?]*[a-zA-Z]|\r", "", text))) == set()
    assert codes[0] == codes[1]


def terminal(*arguments: str) -> str:
    """What `rmeval ARGUMENTS` writes to a pseudo-terminal."""
    main, other = pty.openpty()
    found = b""

    def read() -> None:
        nonlocal found
        while True:
            try:
                part = os.read(main, 1 << 16)
            except OSError:
                return
            if not part:
                return
            found += part

    reader = threading.Thread(target=read)
    reader.start()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "200"}
    subprocess.run(
        [sys.executable, "-m", "rmeval", *arguments],
        stdout=other,
        stderr=other,
        env=environment,
        timeout=300,
        check=False,
    )
    os.close(other)
    reader.join()
    os.close(main)
    return found.decode()


LONG = [
    "run MODEL -b pairs",
    "run x.py:VALUE -b pairs",
    "run baseline:VALUE -b pairs",
    "run baseline:longest -b VALUE",
    "run baseline:longest -b pairs --data VALUE",
    "run baseline:longest -b pairs --data DATA --subset VALUE",
    "run baseline:longest -b pairs --data DATA --columns VALUE",
    "run baseline:longest -b pairs --data DATA --columns a=VALUE",
    "run baseline:longest -b pairs --data DATA --model-kwargs VALUE",
    "run CHECKPOINT -b pairs --data DATA --dtype VALUE",
    "run CHECKPOINT -b pairs --data DATA --device VALUE",
    "run CHECKPOINT -b pairs --data DATA --kind VALUE",
    "run CHECKPOINT -b pairs --data DATA --head VALUE",
    "run CHECKPOINT -b pairs --data DATA --reduce VALUE",
    "run CHECKPOINT -b pairs --data DATA --reduce weights:VALUE",
    "run CHECKPOINT -b pairs --data DATA --on-overlength VALUE",
    "run CHECKPOINT -b pairs --data DATA --chat-template VALUE",
    "run CHECKPOINT -b pairs --data DATA --template-kwargs VALUE",
    "run CHECKPOINT -b pairs --data DATA --tokenizer VALUE",
    "run CHECKPOINT -b pairs --data DATA --batch-size VALUE",
    "show VALUE",
    "show FOLDER/runs/pairs/baseline-longest --policy VALUE",
    "compare FOLDER/runs --metric VALUE",
    "compare FOLDER/runs --ensemble VALUE",
    "import VALUE -b pairs --data DATA",
    "import FOLDER/scores.jsonl -b pairs --data DATA --steps VALUE",
    "score x.py:f VALUE -o OUT",
    "list VALUE",
    "VALUE",
    "list --VALUE",
]


@pytest.mark.parametrize("words", LONG)
def test_no_error_quotes_a_long_value(
    words: str, places: tuple[Place, Place], checkpoint: Path, capsys: Capture
) -> None:
    value = "v\x1b\n" * 100_000
    parts = {
        "MODEL": value,
        "VALUE": value,
        "DATA": str(places[0].folder / "data.jsonl"),
        "FOLDER": str(places[0].folder),
    }
    parts["CHECKPOINT"] = str(checkpoint)
    arguments = [re.sub("|".join(parts), lambda found: parts[found[0]], word) for word in words.split()]
    done = command(capsys, *arguments)
    assert (done.code, done.err.count("\n"), acts(done.err)) == (2, 1, []), done.err[:500]
    assert done.err.startswith("error: ")
    assert len(done.err) < 12_000


def test_an_exception_holds_one_safe_line() -> None:
    for kind in (rmeval.RmevalError, rmeval.DataError, rmeval.ModelError, rmeval.RunError):
        error = kind(f"{NAME} is wrong: {'x' * 5_000_000}: change it")
        assert acts(str(error)) == []
        assert "\n" not in str(error)
        assert len(str(error)) < 5_000
        assert str(error).startswith("\\x1b[31mred")
        assert "change it" in str(error)


def test_all_output_goes_one_way() -> None:
    """What prints, and what makes text for a console, is in two files; all others use these."""
    source = Path(rmeval.__file__).parent
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if any(_prints(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert found == {"cli/output.py", "report/terminal.py"}


def _prints(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in ("print", "typer.echo", "typer.secho", "Console", "Text", "Text.assemble") or name.endswith(
        ("stdout.write", "stderr.write", "stream.write")
    )
