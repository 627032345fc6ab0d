"""Files of problems in each layout, with own contents, and the first stage over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.build import Dropped, Problem, Record, load_config
from rmeval.build.answers import AnswerLog
from rmeval.build.folder import BuildFolder
from rmeval.build.problems.stage import ProblemStage
from rmeval.build.tools import Tools

HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/900",
    "prompt": 'def half(x: float) -> float:\n    """Return half of a number, exactly.\n    >>> half(3)\n    1.5"""\n',
    "entry_point": "half",
    "canonical_solution": "    return x / 2\n",
    "test": "def check(candidate):\n    assert candidate(3) == 1.5\n    assert candidate(-2) == -1\n",
}
MBPP: dict[str, Any] = {
    "task_id": 901,
    "text": "Write a function to double every number of a list.",
    "code": "def double(numbers):\r\n    return [2 * one for one in numbers]",
    "test_setup_code": "",
    "test_list": ["assert double([1, 2]) == [2, 4]", "assert sorted(double([])) == []"],
    "challenge_test_list": [],
}
SANITIZED: dict[str, Any] = {
    "source_file": "x.ipynb",
    "task_id": 902,
    "prompt": "Write a function to find the square root of a number.",
    "code": "import math\ndef root(x):\n    return math.sqrt(x)",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(root(9), 3)"],
}
GSM8K: dict[str, Any] = {
    "question": "A shop sells 12 bags of 100 beads. How many beads are that?",
    "answer": "12 * 100 = <<12*100=1200>>1,200.\n#### 1,200",
}
MATH: dict[str, Any] = {
    "problem": "What is one third of one half?",
    "level": "Level 1",
    "type": "Prealgebra",
    "solution": "We have $\\boxed{6}$ parts, so the answer is $\\boxed{\\frac{1}{6}}$.",
    "idx": 7,
}
PREFERENCES: dict[str, Any] = {
    "id": "p1",
    "prompt": "Why is the sky blue?",
    "chosen": "Scattering.",
    "rejected": "Magic.",
}
PACK: dict[str, Any] = {
    "task_id": "CPP/903",
    "prompt": "int twice(int x){\n",
    "declaration": "int twice(int x){\n",
    "canonical_solution": "    return 2 * x;\n}\n",
    "buggy_solution": "    return x;\n}\n",
    "entry_point": "twice",
    "test": "#undef NDEBUG\n#include<assert.h>\nint main(){ assert(twice(2) == 4); }\n",
    "docstring": "Return twice the number.",
    "instruction": "Write a C++ function `int twice(int x)` to solve the following problem:\nReturn twice the number.",
}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path.name


def run_stage(folder: Path, domains: Mapping[str, Any], **further: Any) -> list[Record | Dropped]:
    """The first stage over domains, whose files are in a folder."""
    whole = {name: {"recipe": "math", **own} for name, own in domains.items()}
    config = {"name": "mine", "models": {"writer": {"model": "http://127.0.0.1:9"}}, "domains": whole, **further}
    (folder / "config.yaml").write_text(json.dumps(config))
    loaded = load_config(folder / "config.yaml")
    logs = AnswerLog(folder / "answers"), AnswerLog(folder / "verdicts")
    tools = Tools(loaded, BuildFolder(folder), *logs, lambda done, total, what: None)
    stage = ProblemStage()
    assert stage.options(loaded) == stage.options(loaded)
    return list(stage.run([], loaded, tools))


def problems_of(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> list[Problem]:
    """The problems of a file of rows."""
    filters = options.pop("filters", {})
    problems = {"file": write_rows(folder / "rows.jsonl", rows), **options}
    found = run_stage(folder, {"d": {"problems": problems, "filters": filters}})
    return [one.problem for one in found if isinstance(one, Record)]


def reasons_of(found: Sequence[Record | Dropped]) -> dict[str, str]:
    """The reason of each problem that was left out, by its id."""
    return {one.key.partition("/")[2]: one.reason for one in found if isinstance(one, Dropped)}
