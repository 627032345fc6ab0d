"""The options of the first stage: where problems come from, and which are kept."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from rmeval.build.options import Options
from rmeval.messages import quoted

__all__ = ["FilterOptions", "LayoutName", "OverlapOptions", "ProblemOptions", "Range"]

LayoutName = Literal["auto", "rows", "humaneval", "humanevalpack", "mbpp", "gsm8k", "math", "preferences"]


class ProblemOptions(Options):
    """Where the problems of a domain come from.

    Attributes:
        file: File of rows, relative to the config, or a list of files: JSON Lines, JSON, CSV or parquet.
        layout: Layout of the rows: `rows`, `humaneval`, `humanevalpack`, `mbpp`, `gsm8k`, `math` or `preferences`;
            `auto` recognises it by the columns.
        columns: The file's names of columns, where they differ from those of the layout, such as `{prompt: question}`.
        limit: Largest number of problems that are kept; the seed chooses them.
    """

    file: str | list[str]
    layout: LayoutName = "auto"
    columns: dict[str, str] = Field(default={})
    limit: int | None = Field(default=None, ge=1)

    @field_validator("file")
    @classmethod
    def _named(cls, file: str | list[str]) -> str | list[str]:
        if not file or "" in [file, *file]:
            raise ValueError("name at least one file")
        return file

    @property
    def files(self) -> list[str]:
        """The files."""
        return [self.file] if isinstance(self.file, str) else self.file


class Range(Options):
    """A range of numbers.

    Attributes:
        min: The smallest.
        max: The largest.
    """

    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _has_numbers(self) -> Range:
        if self.max is not None and self.max < self.min:
            raise ValueError("max must not be below min")
        return self


class OverlapOptions(Options):
    """A benchmark whose problems must not occur.

    Attributes:
        benchmark: Its name, see `rmeval list benchmarks`.
        data: Its file or folder, relative to the config; by default it is downloaded.
    """

    benchmark: str
    data: str | None = None


class FilterOptions(Options):
    """Which problems of a domain are kept.

    Attributes:
        characters: Length of the text in characters.
        words: Length of the text in words.
        text_languages: Languages of the text, such as `[en, de]`; a text that is in another language with a probability
            of at least 0.9 is left out. Empty: any language.
        include: Regular expressions, each of which must match somewhere in the text.
        exclude: Regular expressions that must not match.
        where: Values that a column may have, by column, such as `{level: [Level 4, Level 5]}`.
        near_duplicates: Share of 3-word sequences in common (Jaccard index) from which a text is a near-duplicate of an
            earlier one, of any domain, and left out; null keeps near-duplicates.
        overlap: Benchmarks whose problems are left out: names, or mappings with `benchmark` and `data`.
        containment: Share of a text's 8-word sequences that one prompt of such a benchmark contains from which the
            text overlaps it.
    """

    characters: Range = Range()
    words: Range = Range()
    text_languages: list[str] = Field(default=[])
    include: list[str] = Field(default=[])
    exclude: list[str] = Field(default=[])
    where: dict[str, list[str | int | float | bool]] = Field(default={})
    near_duplicates: float | None = Field(default=0.8, gt=0, le=1)
    overlap: list[str | OverlapOptions] = Field(default=[])
    containment: float = Field(default=0.2, gt=0, le=1)

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{quoted(pattern)} is no regular expression ({error})") from error
        return patterns

    @property
    def benchmarks(self) -> list[OverlapOptions]:
        """The benchmarks of `overlap`."""
        return [OverlapOptions(benchmark=one) if isinstance(one, str) else one for one in self.overlap]
