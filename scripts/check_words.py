"""Find phrases that the project's texts avoid, in strings and comments of the source and in the documentation.

python scripts/check_words.py [FILE ...]
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_name("words.txt")
TEXTS = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_NAME = re.compile(r"""[rbfu]*["'][\w./:-]*["']""", re.IGNORECASE)  # Names and keys, such as "comparisons".
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Print each occurrence with a suggestion; the exit code is 1 if there is one."""
    given = [Path(name).resolve() for name in sys.argv[1:]]
    files = given or [*sorted((ROOT / "src").rglob("*.py")), *documents()]
    found = [line for path in files for line in places(path)]
    for line in found:
        print(line)  # noqa: T201
    sys.exit(1 if found else 0)


def documents() -> list[Path]:
    """Return the documentation pages, without decisions."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def phrases() -> dict[re.Pattern[str], str]:
    """Return the phrases and the suggestions."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" => ", 1) for line in lines if line and not line.startswith("#")]
    return {re.compile(phrase.replace(" ", r"\s+"), re.IGNORECASE): instead for phrase, instead in pairs}


def places(path: Path) -> Iterator[str]:
    """Yield each occurrence of a phrase in a file, as `file:line: phrase: suggestion`."""
    own = phrases()
    for start, text in texts(path):
        for phrase, instead in own.items():
            for match in phrase.finditer(text):
                number = start + text.count("\n", 0, match.start())
                words = " ".join(match[0].split())
                yield f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{number}: {words!r}: {instead}"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file that people read, each with the number of its first line."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in TEXTS and not _NAME.fullmatch(token.string):
                yield token.start[0], token.string
    else:
        yield 1, _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), source)


if __name__ == "__main__":
    main()
