"""A static site of boards, made from bundles and runs, each of which is verified on the way."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rmeval.benchmarks import find_benchmark
from rmeval.errors import RmevalError, RunError, explain_os_error
from rmeval.files import json_bytes, replacing
from rmeval.leaderboard.board import Board, make_boards
from rmeval.leaderboard.pages import Submitted, index_page, run_page, slug_of, state_of, worst_page
from rmeval.leaderboard.table import board_view
from rmeval.report.csv_ import csv_text
from rmeval.report.json_ import json_value
from rmeval.report.views import View
from rmeval.report.wrong import wrong_view
from rmeval.results.bundle import SUFFIX, bundle_name, bundle_run, bundles_in, is_bundle, opened_bundle
from rmeval.results.result import Result
from rmeval.results.verify import Verification, verified
from rmeval.results.wrong import wrong_examples

__all__ = ["Site", "build_site", "state_of_places"]

_LIST = "site.json"
"""The list of the files of a site, by which the next build removes those that it no longer has."""
_OWN = re.compile(r"(?:index\.html|(?:runs|boards|bundles)/[^/\\]+)")


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was written.

    Attributes:
        folder: Its folder.
        boards: Its boards.
        runs: Number of runs on the boards.
        refused: Submissions that are on no board, because a check does not hold.
        notes: A sentence on each folder that was left out.
    """

    folder: Path
    boards: tuple[Board, ...]
    runs: int
    refused: tuple[Verification, ...]
    notes: tuple[str, ...]


def build_site(
    places: Sequence[str | Path],
    out: str | Path,
    *,
    title: str = "Leaderboard",
    published: bool = True,
    data: Mapping[str, str] | None = None,
    with_bundles: bool = True,
    worst: int = 0,
) -> Site:
    """Verify bundles and runs, and write a site with their boards.

    Args:
        places: Bundles, run folders, and folders with such in them.
        out: The folder of the site; other files in it stay.
        title: Title of the site.
        published: Whether boards contain the published results that come with rmeval.
        data: Data of benchmarks by id, to compare items and labels with.
        with_bundles: Whether the site contains the bundles, so that readers can verify them.
        worst: Number of comparisons to show of each run, those that it misjudges worst, with their texts, which come
            from `data` or are generated. Give it only for benchmarks whose licence lets you publish texts.

    Raises:
        RmevalError: If a place does not exist, or the site cannot be written, such as over the page of something else.
    """
    out, notes = Path(out), list[str]()
    if (page := out / "index.html").exists() and page.name not in _listed(out):
        raise RmevalError(f"{page} is not of a leaderboard: give another folder with `out`")
    with ExitStack() as stack:
        drafts = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rmeval-site-")))
        checked: dict[str, Verification] = {}
        files: dict[str, Path] = {}
        refused: list[Verification] = []
        for bundle in _bundles(list(map(Path, places)), drafts, notes):
            found = stack.enter_context(verified(bundle, data=_data_of(bundle, data or {})))
            if not found.holds or found.result is None:
                refused.append(found)
                continue
            name = bundle_name(found.result.manifest).removesuffix(SUFFIX)
            if checked.setdefault(name, found) is not found:
                notes.append(f"{bundle.name} is left out, because {files[name].name} is of the same run")
            else:
                files[name] = bundle
        refused.sort(key=lambda one: one.source.name)
        runs = {
            found.result.path: Submitted(name, found, with_bundles, _worst(found.result, worst, data or {}, notes))
            for name, found in sorted(checked.items())
            if found.result is not None
        }
        boards = make_boards([found.result for _, found in sorted(checked.items()) if found.result], published)
        pages: dict[str, bytes | Path] = dict(_pages(title, boards, runs, refused))
        if with_bundles:
            pages |= {f"bundles/{name}{SUFFIX}": file for name, file in files.items()}
        _write(out, pages)
    return Site(out, boards, len(runs), tuple(refused), tuple(dict.fromkeys(notes)))


def _worst(result: Result, n: int, data: Mapping[str, str], notes: list[str]) -> View | None:
    """The comparisons that a run misjudges worst; None, with a note, if their texts are not available."""
    if not n:
        return None
    name = str(result.manifest["benchmark"]["id"])
    if name not in data and not find_benchmark(name).generated:
        notes.append(f"no texts of {name} are shown: give them with `data` {name}=PLACE")
        return None
    try:
        return wrong_view(wrong_examples(result, n=n, data=data.get(name)))
    except RmevalError as error:
        notes.append(f"no texts of {name} are shown: {error}")
        return None


def _bundles(places: Sequence[Path], drafts: Path, notes: list[str]) -> Iterator[Path]:
    """Yield the bundles at some places, and bundles that are made of runs; a note says what is left out."""
    paths = dict.fromkeys(path for place in places for path in bundles_in(place))
    for path in paths:
        if is_bundle(path) or not path.is_dir():
            yield path
            continue
        made = drafts / f"{len(list(drafts.iterdir()))}{SUFFIX}"
        try:
            bundle_run(path, made)
        except RunError as error:
            notes.append(f"a run is left out: {error}")
        else:
            yield made


def _data_of(bundle: Path, data: Mapping[str, str]) -> str | None:
    """The data of a bundle's benchmark, if the user gives them."""
    if not data:
        return None
    try:
        with opened_bundle(bundle) as found:
            described = found.description.get("benchmark")
    except RmevalError:
        return None  # The verification reports it.
    return data.get(str(described.get("id"))) if isinstance(described, dict) else None


def _pages(
    title: str, boards: Sequence[Board], runs: Mapping[Path, Submitted], refused: Sequence[Verification]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the site, without the bundles."""
    yield "index.html", index_page(title, boards, runs, refused).encode()
    states = {folder: state_of(own.verification) for folder, own in runs.items()}
    names = {folder: own.name for folder, own in runs.items()}
    for place, board in enumerate(boards):
        view = board_view(board, states, names)
        slug = slug_of(board, place)
        yield f"boards/{slug}.csv", csv_text([view]).encode()
        yield f"boards/{slug}.json", json_bytes(json_value([view])[0], indent=1) + b"\n"
        for row in board.rows:
            if row.run is not None and (own := runs.get(row.run)) is not None:
                yield f"runs/{own.name}.html", run_page(title, row, own).encode()
                if own.worst is not None:
                    yield f"runs/{own.name}-worst.html", worst_page(title, row.model, own).encode()


def _write(out: Path, pages: Mapping[str, bytes | Path]) -> None:
    """Write the files or copies of them, and remove those of the last build that are not among them."""
    before = _listed(out)
    try:
        # First of all, so that the next build continues one that is interrupted.
        _list(out, before | pages.keys())
        for name, data in pages.items():
            file = out / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as target:
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, target)
                else:
                    target.write(data)
        for name in before - pages.keys():
            (out / name).unlink(missing_ok=True)
        _list(out, pages.keys())
    except OSError as error:
        raise explain_os_error(error, str(out)) from error


def _list(out: Path, names: Collection[str]) -> None:
    """Write the list of the files."""
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / _LIST) as target:
        target.write(json_bytes({"files": sorted(names)}, indent=1) + b"\n")


def _listed(out: Path) -> set[str]:
    """The files of the last build, by its list."""
    try:
        found = json.loads((out / _LIST).read_text("utf-8"))["files"]
        return {name for name in found if _OWN.fullmatch(name) and ".." not in name}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def state_of_places(places: Sequence[Path]) -> frozenset[tuple[str, int, int]]:
    """The files that a site depends on, with sizes and times, which change when bundles or runs land."""
    found: set[tuple[str, int, int]] = set()
    for path in (path for place in places for path in bundles_in(place)):
        for file in [path / "run.json", path / "metrics.json"] if path.is_dir() else [path]:
            try:
                status = file.stat()
            except OSError:
                continue  # It was removed or is being written.
            found.add((str(file), status.st_size, status.st_mtime_ns))
    return frozenset(found)
