"""Reading of a domain's files: problems with unique ids, and rows that cannot be problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from rmeval.build.config import BuildConfig, DomainConfig
from rmeval.build.problems.layouts import Found, Layout, LeftOut, find_layout
from rmeval.build.problems.suites import python_error
from rmeval.build.prompt_files import PromptFiles
from rmeval.build.records import Dropped, Problem, Source
from rmeval.data.digests import digest
from rmeval.data.rows import Row, iterate_rows
from rmeval.data.unpacking import errors_of
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.sandbox import LANGUAGES

__all__ = ["ReadProblem", "digest_of", "read_problems"]

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """A problem, with what filters read.

    Attributes:
        problem: The problem.
        text: It in the words of its source.
        fields: The row's columns.
        where: The row, for messages.
    """

    problem: Problem
    text: str
    fields: Mapping[str, Any]
    where: str


def read_problems(
    name: str, domain: DomainConfig, config: BuildConfig, prompts: PromptFiles
) -> Iterator[ReadProblem | Dropped]:
    """Yield the problems of a domain, and the rows that cannot be problems, in the order of its files.

    Args:
        name: The domain.
        domain: Its options.
        config: The config.
        prompts: The prompt files.

    Raises:
        DataError: If a file is missing, empty or broken, a row lacks a column or has a wrong value, or an id occurs
            twice.
    """
    reader = _Reader(name, domain, config, prompts)
    for file in domain.problems.files:
        yield from reader.read(file)


def digest_of(path: Path) -> str:
    """Digest of a file's bytes.

    Raises:
        DataError: If it cannot be read.
    """
    with errors_of(path), path.open("rb") as file:
        return file_digest(file, "blake2b").hexdigest()[:32]


class _Reader:
    """The problems of one domain, whose ids are unique over all its files."""

    def __init__(self, name: str, domain: DomainConfig, config: BuildConfig, prompts: PromptFiles) -> None:
        self._name, self._domain, self._config, self._prompts = name, domain, config, prompts
        self._given: dict[str, str] = {}
        self._texts: dict[str, int] = {}

    def read(self, file: str) -> Iterator[ReadProblem | Dropped]:
        """Yield what a file contains."""
        path = self._config.path(file)
        layout: Layout | None = None
        prefix = ""
        for raw in iterate_rows(path):
            row = self._renamed(raw)
            if layout is None:
                found, layout = find_layout(self._domain.problems.layout, self._domain.problems.columns, row)
                prefix = {"gsm8k": "GSM8K/", "math": "MATH/"}.get(found, "")
            yield self._one(row, layout, prefix, file, row.where.removeprefix(str(path)).strip())

    def _renamed(self, row: Row) -> Row:
        """The row with the layout's names of columns."""
        columns = self._domain.problems.columns
        return Row({**row.fields, **{own: row.get(given) for own, given in columns.items()}}, row.where)

    def _one(self, row: Row, layout: Layout, prefix: str, file: str, place: str) -> ReadProblem | Dropped:
        found = layout.read(row, self._prompts)
        if isinstance(found, LeftOut):
            own = self._id(found.id, f"{prefix}{file}:{place}", row.where)
            return Dropped(f"{self._name}/{own}", found.reason, found.detail)
        own = self._id(found.id, f"{prefix}{digest(found.text)[:_DIGITS]}", row.where)
        if broken := python_error(found.tests):
            return Dropped(f"{self._name}/{own}", "tests that do not compile", broken)
        problem = self._problem(found, own, row, Source(file, place, self._licence(row)))
        return ReadProblem(problem, found.text, row.fields, row.where)

    def _id(self, given: str | None, made: str, where: str) -> str:
        """The id of a row; one without an id is identified by its text, and by its number among equal texts."""
        if given is None:
            self._texts[made] = number = self._texts.get(made, 0) + 1
            given = made if number == 1 else f"{made}-{number}"
        if (earlier := self._given.setdefault(given, where)) != where:
            raise DataError(f"{where}: the id {quoted(given)} occurs already at {earlier}: give each problem its own")
        return given

    def _licence(self, row: Row) -> str:
        own = row.optional_text("licence") or row.optional_text("license")
        return own or self._domain.licence or self._config.licence

    def _language(self, row: Row) -> str:
        own = row.optional_text("language") or ""
        # Files of code have the programming language in a column of this name.
        return self._config.language if own.lower() in ("", *LANGUAGES) else own

    def _problem(self, found: Found, own: str, row: Row, source: Source) -> Problem:
        return Problem(
            id=own,
            domain=self._name,
            prompt=found.text if found.prompt is None else found.prompt,
            source=source,
            language=self._language(row),
            answer=found.answer,
            tests=found.tests,
            meta=found.meta,
        )
