"""`scripts/check_words.py` finds phrases that rmeval's texts avoid."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts/check_words.py"

MODULE = '''"""Which model goes by style."""

ontology = {"contests": "comparisons"}
contests = [whoever for whoever in ()]  # told apart


def find(thing: str) -> str:
    """Returns
    the fault, of which none is known."""
    return f"mend {thing}"
'''

PAGE = """# A page

Run `mend` to mend the file; who
leads is unknown.

```
whoever mends contests
```
"""


def check(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, files)], capture_output=True, text=True, check=False, timeout=60
    )


def test_phrases_in_strings_docstrings_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(MODULE)
    found = check(file)
    places = [line.removeprefix(f"{file}:").rsplit(": ", 1)[0] for line in found.stdout.splitlines()]
    assert found.returncode == 1, found.stderr
    assert [place.split(":")[:2] for place in places] == [
        ["1", " 'goes by'"],
        ["4", " 'told apart'"],
        ["9", " 'of which none'"],
        ["10", " 'mend'"],
    ]


def test_phrases_in_pages_outside_code(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    found = check(file)
    assert found.returncode == 1, found.stderr
    assert [line.removeprefix(f"{file}:").split(":")[:2] for line in found.stdout.splitlines()] == [
        ["3", " 'mend'"],
        ["3", " 'who leads'"],
    ]


def test_text_without_such_phrases(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("Models that share a letter do not differ significantly.\n")
    found = check(file)
    assert (found.returncode, found.stdout) == (0, "")


def test_no_such_phrase_in_the_project() -> None:
    found = check()
    assert found.returncode == 0, found.stdout
