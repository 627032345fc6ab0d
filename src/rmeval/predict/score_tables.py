"""Tables with a row for each model and columns of numbers: runs, boards, and what rmeval wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.data.reading import iterate_fields, read_object, stem_of
from rmeval.errors import DataError
from rmeval.messages import alike, count_of, nearest, quoted, shortened
from rmeval.results.result import Result, open_run
from rmeval.store.manifest import find_runs
from rmeval.store.run import UNFINISHED
from rmeval.types import FloatArray

__all__ = ["Column", "ScoreTable", "find_column", "read_score_tables"]

MODEL_COLUMNS = ("model", "model name", "reward model", "policy", "policy model", "name", "rm")
"""Names of the column with the models, in the order in which they are tried."""
_EMPTY = {"", "-", "--", "n/a", "na", "nan", "none", "null", "not available", "?"}
_MARKED = re.compile(r"^[*†‡\s]+|[*†‡%\s]+$")
_MOST_LISTED = 8


@dataclass(frozen=True)
class ScoreTable:
    """Numbers of models.

    Attributes:
        name: Name of the table: of its file, or of the benchmark of its runs.
        source: The file or folder, for messages.
        models: Name of each row's model.
        columns: Name of each column of numbers.
        values: float64[models, columns]; NaN where there is no number.
        text_columns: Columns with both numbers and words, each with its first cell of words and the place of that.
        notes: Notes for the reader, one sentence each.
    """

    name: str
    source: str
    models: tuple[str, ...]
    columns: tuple[str, ...]
    values: FloatArray
    text_columns: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of one of several tables.

    Attributes:
        table: The table.
        name: The name of the column.
        values: float64[models].
    """

    table: ScoreTable
    name: str
    values: FloatArray

    @property
    def full_name(self) -> str:
        """The name with that of the table, which columns of runs already contain."""
        return self.name if self.name.startswith(f"{self.table.name}:") else f"{self.table.name}:{self.name}"


def columns_of(tables: Iterable[ScoreTable]) -> list[Column]:
    """Return all columns of tables."""
    return [Column(table, name, table.values[:, k]) for table in tables for k, name in enumerate(table.columns)]


def find_column(name: str, tables: Sequence[ScoreTable], option: str) -> Column:
    """Return the column with this name, with or without the name of its table.

    Args:
        name: The name; case and separators may differ from those of the table.
        tables: The tables.
        option: The parameter that has the name, for messages.

    Raises:
        DataError: If there is no such column of numbers, or there are several.
    """
    columns = columns_of(tables)
    keys = [(column, {column.name, column.full_name, column.name.removesuffix(":all")}) for column in columns]
    found = [column for column, names in keys if name in names]
    found = found or [column for column, names in keys if any(alike(name, own) for own in names)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(column.full_name for column in found)
        raise DataError(f"`{option}`: {quoted(name)} is the name of several columns: give one of {listed}")
    for table in tables:
        for column, cell in table.text_columns.items():
            if name == column or alike(name, column) or alike(name, f"{table.name}:{column}"):
                raise DataError(f"{table.source}: column {column!r} must contain numbers only, not {cell}: correct it")
    named = [column.name for column in columns]
    meant = nearest(name, {*named, *(column.full_name for column in columns)})
    shown = ", ".join(named[:_MOST_LISTED]) + (f" and {len(named) - _MOST_LISTED} more" if named[_MOST_LISTED:] else "")
    hint = f"did you mean {meant}? (there are {shown})" if meant else f"choose from {shown}"
    where = ", ".join(table.source for table in tables)
    raise DataError(f"`{option}`: there is no column of numbers {quoted(name)} in {where}: {hint}")


def read_score_tables(places: Sequence[str | Path | Result], parameter: str) -> list[ScoreTable]:
    """Read tables and runs; the runs of a benchmark form one table.

    Args:
        places: Files of tables, run folders or folders of runs, results of runs, and packaged boards such as
            `published:rm-bench`.
        parameter: The parameter that has the places, for messages.

    Raises:
        RmevalError: If one cannot be read, has no models or no numbers.
    """
    if not places:
        raise DataError(f"`{parameter}` is empty: give tables or run folders")
    results: list[Result] = []
    tables: list[ScoreTable] = []
    for place in places:
        if isinstance(place, Result):
            results.append(place)
        elif Path(place).is_dir():
            results += [open_run(folder) for folder in _runs(Path(place))]
        elif str(place).startswith("published:"):
            from rmeval.predict.published_tables import published_table

            tables.append(published_table(str(place)))
        else:
            tables += _read_file(Path(place))
    tables += _of_runs(results)
    names = Counter(table.name for table in tables)
    if twice := [name for name, count in names.items() if count > 1]:
        sources = ", ".join(table.source for table in tables if table.name == twice[0])
        raise DataError(f"`{parameter}`: {sources} have the same name {quoted(twice[0])}: rename a file")
    return tables


def _runs(folder: Path) -> list[Path]:
    found = [own for own in find_runs(folder) if (own / "run.json").exists()]
    if not found:
        raise DataError(f"{folder} has no runs in it: give a folder that `rmeval run` wrote, or the file of a table")
    return found


def _of_runs(results: Sequence[Result]) -> Iterator[ScoreTable]:
    """Yield a table of each benchmark.

    Raises:
        DataError: If a model has two runs on a benchmark.
    """
    by_benchmark: dict[str, dict[str, Result]] = {}
    for result in results:
        own = by_benchmark.setdefault(str(result.manifest["benchmark"]["id"]), {})
        model = str(result.manifest["model"]["name"])
        if model in own and own[model].path.resolve() != result.path.resolve():
            raise DataError(
                f"{own[model].path} and {result.path} are both runs of {shortened(model)}: give one run of each model"
            )
        own[model] = result
    for benchmark, runs in by_benchmark.items():
        rows = {model: _numbers(benchmark, result) for model, result in runs.items()}
        columns = list(dict.fromkeys(name for numbers in rows.values() for name in numbers))
        values = np.array([[numbers.get(name, np.nan) for name in columns] for numbers in rows.values()])
        source = f"{count_of(len(runs), 'run')} of {benchmark}"
        yield ScoreTable(benchmark, source, tuple(rows), tuple(columns), values, {}, tuple(_rules(benchmark, runs)))


def _numbers(benchmark: str, result: Result) -> dict[str, float]:
    """Return the numbers of a run's first score, named `benchmark:metric:scope`."""
    first = result.records[0].variant if result.records else ""
    return {
        f"{benchmark}:{record.metric}:{record.scope}": record.value
        for record in result.records
        if record.variant == first and ":" not in record.metric
    }


def _rules(benchmark: str, runs: Mapping[str, Result]) -> Iterator[str]:
    for model, result in runs.items():
        yield from (f"{model} on {benchmark}: {note}" for note in result.notes if note.startswith(UNFINISHED))
    data = {str(result.manifest["benchmark"].get("digest", "")) for result in runs.values()}
    if len(data) > 1:
        yield f"the runs of {benchmark} are on different items: their numbers are not comparable"


def _read_file(path: Path) -> list[ScoreTable]:
    rows = list(_rows(path))
    if policies := [(row, where) for row, where in rows if row.get("table") == "policies"]:
        # Of `rmeval style-control`; its other tables are not of policies.
        return [_table(path, [(_without(row, "table", "benchmark"), where) for row, where in policies])]
    written = [row for row, _ in rows if "table" in row and "benchmark" in row]
    if len(written) == len(rows):
        return [_written(path, rows)]
    return [_table(path, rows)]


def _without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if name not in names}


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the rows of a file; an object of objects has a row for each name, and views of rmeval have rows in them.

    Raises:
        DataError: If the file has another shape.
    """
    found = read_object(path)
    if found is not None:
        if not found or not all(isinstance(value, dict) for value in found.values()):
            raise DataError(
                f"{path}: a JSON object must have an object of numbers for each model, as in "
                '{"model-a": {"hard": 0.7}}: give this, or a list of objects with a column model'
            )
        yield from (({"model": name, **value}, f"{path} {shortened(name)}") for name, value in found.items())
        return
    for row, where in iterate_fields(path):
        inner = row.get("rows")
        if isinstance(inner, list) and "benchmark" in row:
            yield from ((own, where) for own in inner if isinstance(own, dict))
        else:
            yield row, where


def _written(path: Path, rows: Sequence[tuple[dict[str, Any], str]]) -> ScoreTable:
    """Return a table that `rmeval show` or `rmeval compare` wrote.

    Raises:
        DataError: If it has another view, or is of one run.
    """
    cells: dict[tuple[str, str], float] = {}
    for row, where in rows:
        kind, benchmark = row["table"], row["benchmark"]
        if kind == "runs":
            _put(cells, (str(row["model"]), f"{benchmark}:{row.get('number') or 'value'}"), row.get("value"), where)
    ranked = [str(row["name"]) for row, _ in rows if row["table"] == "ranking" and row.get("rank from")]
    for row, where in rows:
        for model in ranked if row["table"] == "numbers" else ():
            _put(cells, (model, f"{row['benchmark']}:{row.get('name')}"), row.get(model), where)
        if row["table"] == "ranking" and str(row["name"]) in ranked:
            names = [name for name in row if f"{name} low" in row and "rank" not in name and "difference" not in name]
            for name in names:
                _put(cells, (str(row["name"]), f"{row['benchmark']}:{name}"), row.get(name), where)
    models, columns = (list(dict.fromkeys(key[side] for key in cells)) for side in (0, 1))
    if not cells:
        raise DataError(
            f"{path} is not a table of several models: give a table of `rmeval show FOLDER` or `rmeval compare` in "
            "CSV or JSON, or run folders"
        )
    values = np.array([[cells.get((model, column), np.nan) for column in columns] for model in models])
    return ScoreTable(stem_of(path), str(path), tuple(models), tuple(columns), values, {})


def _put(cells: dict[tuple[str, str], float], key: tuple[str, str], cell: Any, where: str) -> None:
    value = number_in(cell)
    if value is None or np.isnan(value):
        return
    if cells.get(key, value) != value:
        raise DataError(f"{where}: {shortened(key[0])} has a second value of {key[1]}: give one run of each model")
    cells[key] = value


def _table(path: Path, rows: Sequence[tuple[dict[str, Any], str]]) -> ScoreTable:
    every = dict.fromkeys(name for row, _ in rows for name in row)
    # The ends of intervals are no results.
    names = [name for name in every if not _is_end(name, every)]
    by = _model_column(path, names)
    kept = [(row, where) for row, where in rows if str(row.get(by) or "").strip()]
    models = tuple(str(row[by]).strip() for row, _ in kept)
    columns: dict[str, list[float]] = {}
    mixed: dict[str, str] = {}
    for name in names:
        cells = [number_in(row.get(name)) for row, _ in kept]
        numbers = [cell for cell in cells if cell is not None and not np.isnan(cell)]
        if name == by or not numbers:
            continue
        if None in cells:
            row, where = kept[cells.index(None)]
            mixed[name] = f"{quoted(row[name], 40)} ({where})"
            continue
        columns[name] = [float("nan") if cell is None else cell for cell in cells]
    if not columns and not mixed:
        raise DataError(f"{path} has no column of numbers: add one with a number of each model")
    values = np.array(list(columns.values()), np.float64).T.reshape(len(models), len(columns))
    notes = [f"{path}: {count_of(len(rows) - len(kept), 'row')} without a model"] if len(kept) < len(rows) else []
    notes += [f"{path}: column {name} has cells of words, such as {cell}" for name, cell in mixed.items()]
    notes += _units(path, columns)
    notes += _percent_signs(path, columns, [row for row, _ in kept])
    return ScoreTable(stem_of(path), str(path), models, tuple(columns), values, mixed, tuple(notes))


def _is_end(name: str, names: Mapping[str, None]) -> bool:
    """Return whether a column has the ends of the intervals of another one, as rmeval writes them."""
    return any(name.endswith(end) and name.removesuffix(end) in names for end in (" low", " high"))


def _model_column(path: Path, names: Sequence[str]) -> str:
    for wanted in MODEL_COLUMNS:
        found = [name for name in names if alike(name, wanted)]
        if found:
            return found[0]
    shown = ", ".join(map(shortened, names[:_MOST_LISTED]))
    raise DataError(f"{path} has no column with the models (the columns are {shown}): name one of them model")


def _units(path: Path, columns: Mapping[str, Sequence[float]]) -> Iterator[str]:
    for name, cells in columns.items():
        known = [cell for cell in cells if cell > 0]
        if (
            known
            and max(known) > 20
            and sum(cell <= 1 for cell in known) > 0
            and all(0 <= cell <= 100 for cell in known)
        ):
            least = min(known)
            yield (
                f"{path}: column {name} may mix shares and percentages ({least:g} and {max(known):g}): check its units"
            )


def _percent_signs(path: Path, columns: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for name in columns:
        known = [row[name] for row in rows if not np.isnan(number_in(row.get(name)) or 0.0)]
        marked = sum("%" in str(cell) for cell in known)
        if 0 < marked < len(known):
            yield (
                f"{path}: column {name} has a percent sign in {marked} of {len(known)} numbers, and all are read "
                "without it: check its units"
            )


def number_in(cell: Any) -> float | None:
    """Return the number in a cell: with or without a percent sign or a footnote's mark; NaN if empty, None if none."""
    if cell is None:
        return float("nan")
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        cell = str(cell)  # As in a CSV file; an int may be too large for a float.
    if not isinstance(cell, str):
        return None
    text = _MARKED.sub("", cell)
    if text.casefold() in _EMPTY:
        return float("nan")
    if "_" in text:  # Python reads 1_5 as 15.
        return None
    try:
        value = float(text.replace("\u2212", "-"))
    except ValueError:
        return None
    return value if np.isfinite(value) else float("nan")
