"""Judges by batch files: calls are written as lines of a file, and outputs read from the files of results.

The format is that of OpenAI's batches, which `vllm run-batch` and other providers take too. A call is named by its
`custom_id`: the judge's mark, the request's key, and `.2` for a call with twice the budget of tokens, after an output
that was cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rmeval.data.json_text import parse_json
from rmeval.errors import ModelError, OpenBatchError, explain_os_error, reason_of
from rmeval.messages import count_of, quoted, shortened
from rmeval.models.judge.chat import ChatJudge
from rmeval.protocols.judging import Asked, Form, Output

__all__ = ["BatchFile", "BatchJudge", "BatchResults"]

_URL = "/v1/chat/completions"
_MOST_LINES = 50_000
_MOST_BYTES = 200_000_000
"""OpenAI's limits of one file."""
_AT_ONCE = 64
_ID = re.compile(r"(?P<mark>[0-9a-f]{12})-(?P<key>[0-9a-f]{32})(?P<second>\.2)?")


class BatchFile:
    """Lines of calls; a file that would exceed the limits of a batch continues in `NAME-2`, `NAME-3` and so on.

    Attributes:
        files: The files that were written.
        lines: Number of their lines.
    """

    def __init__(self, path: Path, most_lines: int = _MOST_LINES, most_bytes: int = _MOST_BYTES) -> None:
        """Check that there is no such file yet, which may have been sent already.

        Raises:
            ModelError: If there is.
        """
        if path.exists():
            raise ModelError(f"{path} exists, and may be a batch that runs: remove it, or name another `batch_out`")
        if not path.parent.is_dir():
            raise ModelError(f"there is no folder {path.parent} for `batch_out`: create it, or choose another place")
        self.files: list[Path] = []
        self.lines = 0
        self._path = path
        self._most = (most_lines, most_bytes)
        self._used = self._most
        self._ids: set[str] = set()

    def write(self, lines: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Add calls, each once.

        Args:
            lines: The `custom_id` and the body of each call.

        Raises:
            RmevalError: If a file cannot be written.
        """
        for name, body in lines:
            if name in self._ids:
                continue
            self._ids.add(name)
            text = json.dumps({"custom_id": name, "method": "POST", "url": _URL, "body": body}, allow_nan=False)
            self._append(f"{text}\n".encode())

    def _append(self, line: bytes) -> None:
        lines, size = self._used
        if lines + 1 > self._most[0] or size + len(line) > self._most[1]:
            number = len(self.files) + 1
            name = self._path.name if number == 1 else f"{self._path.stem}-{number}{self._path.suffix}"
            self.files.append(self._path.with_name(name))
            lines = size = 0
        try:
            with self.files[-1].open("xb" if not lines else "ab") as file:
                file.write(line)
        except OSError as error:
            raise explain_os_error(error, str(self.files[-1])) from error
        self._used = (lines + 1, size + len(line))
        self.lines += 1


class _Line(NamedTuple):
    """Where a result is, and whether it is an answer."""

    file: int
    start: int
    answered: bool


class BatchResults:
    """The results in some files, in any order; of each only the place is kept in memory.

    Attributes:
        twice: Number of results that another one contradicts; the first of them counts.
    """

    def __init__(self, files: Sequence[Path], mark: str) -> None:
        """Find all results.

        Args:
            files: The files, as a batch returned them.
            mark: The judge's mark, with which each `custom_id` begins.

        Raises:
            ModelError: If a file cannot be read, is not a file of results, or belongs to another judge.
        """
        self._files = files
        self._places: dict[str, _Line] = {}
        self.twice = 0
        for number, file in enumerate(files):
            for start, where, line in _lines(file):
                name, answered = _named(line, where, mark)
                self._add(name, _Line(number, start, answered))

    def _add(self, name: str, line: _Line) -> None:
        known = self._places.get(name)
        if known is None or (line.answered and not known.answered):
            self._places[name] = line
        elif line.answered and self._answer(known) != self._answer(line):
            self.twice += 1

    def of(self, name: str) -> Any:
        """The line of a result; None if there is none."""
        place = self._places.get(name)
        return None if place is None else self._read(place)

    def _answer(self, place: _Line) -> Any:
        return self._read(place)["response"]["body"].get("choices")

    def _read(self, place: _Line) -> Any:
        with self._files[place.file].open("rb") as file:
            file.seek(place.start)
            return parse_json(file.readline().decode("utf-8"), halves=True)


def _lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    """The lines of a file of results: where each begins, its name for messages, and its content.

    Raises:
        ModelError: If the file cannot be read, or a line is not JSON.
    """
    try:
        with path.open("rb") as file:
            start = 0
            for number, line in enumerate(file, 1):
                where = f"{path} line {number}"
                if line.strip():
                    try:
                        yield start, where, parse_json(line.decode("utf-8"), halves=True)
                    except ValueError as error:
                        raise ModelError(
                            f"{where} is not JSON ({shortened(error, 80)}): give the file as the batch returned it"
                        ) from None
                start += len(line)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({reason_of(error)}): correct `batch_in`") from error


def _named(line: Any, where: str, mark: str) -> tuple[str, bool]:
    """The `custom_id` of a result, and whether it is an answer.

    Raises:
        ModelError: If it is no result, or one of another judge.
    """
    name = line.get("custom_id") if isinstance(line, Mapping) else None
    if not isinstance(name, str) or not {"response", "error"} & set(line):
        sent = isinstance(line, Mapping) and "url" in line
        what = "is a call and not its result" if sent else "is not a result of a batch"
        raise ModelError(f"{where} {what}: give the file of results that the batch returned")
    found = _ID.fullmatch(name)
    if found is None:
        raise ModelError(f"{where} has the custom_id {quoted(name)}, which rmeval did not write: leave this file out")
    if found["mark"] != mark:
        raise ModelError(
            f"{where} belongs to another run (its custom_id begins with {found['mark']}, and those of this judge with "
            f"{mark}): give the files of this model, protocol and sampling, or the options with which the batch was "
            "written"
        )
    response = line.get("response")
    body = response.get("body") if isinstance(response, Mapping) else None
    answered = isinstance(body, Mapping) and response.get("status_code", 200) == 200 and not line.get("error")
    return name, answered


class BatchJudge:
    """Takes outputs from the results of batches, and writes the calls that have none to a file.

    Attributes:
        forms: The forms of a verdict that it can return.
        name: Name of the model.
    """

    forms: frozenset[Form] = frozenset({"text", "labels"})

    def __init__(self, chat: ChatJudge, mark: str, results: BatchResults, out: BatchFile | None) -> None:
        """Join them.

        Args:
            chat: Makes the bodies of calls, and reads answers; nothing is sent.
            mark: 12 hex digits of the judge's identity.
            results: The results that are there.
            out: The file to which the other calls are written; None to write none.
        """
        self.name = chat.name
        self._chat = chat
        self._mark = mark
        self._results = results
        self._out = out
        self._twice: dict[str, Output] = {}
        self._used = self._errors = self._left = 0

    def identity(self) -> dict[str, Any]:
        """What it would be without a batch."""
        return self._chat.identity()

    def facts(self) -> dict[str, Any]:
        """How many results were used, and how many of them are errors."""
        counts = {"results": self._used, "errors": self._errors, "contradicted": self._results.twice}
        return {"served_model": self.name, "batch": counts}

    def outputs(self, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
        """Yield each request that has a result, with its output.

        Raises:
            OpenBatchError: If there are others.
        """
        left = 0
        found: list[tuple[Asked, Output]] = []
        for one in asked:
            if (output := self._output(one)) is None:
                left += 1
                continue
            found.append((one, output))
            if len(found) >= _AT_ONCE:
                yield found
                found = []
        if found:
            yield found
        self._left += left
        if self._left and not self._twice:
            left, self._left = self._left, 0
            raise self._open(left)

    def _output(self, one: Asked) -> Output | None:
        """The output of a request; None if a batch has still to run for it."""
        name = f"{self._mark}-{one.request.key}"
        if name in self._twice:
            return self._twice.pop(name)
        first = self._of(name, one)
        if first is not None and not _is_cut_off(first, one):
            return first
        last = self._of(f"{name}.2", one)
        if last is None:
            if self._out is not None:
                again = (f"{name}.2", one._replace(limit=2 * one.limit))
                called, call = (name, one) if first is None else again
                self._out.write([(called, self._chat.body(call))])
            return None
        # The judge runs an output that is cut off again, whose result with twice the budget is there.
        if first is not None:
            self._twice[name] = last
        elif _is_cut_off(last, one):
            self._twice[name] = replace(last, usage={})
        return first or last

    def _of(self, name: str, one: Asked) -> Output | None:
        """The output in a result; None if there is none, or a failure whose call is written again."""
        if (line := self._results.of(name)) is None:
            return None
        self._used += 1
        response = line.get("response")
        stated = response.get("status_code", 200) if isinstance(response, Mapping) else None
        status = stated if type(stated) is int else None
        body = response.get("body") if isinstance(response, Mapping) else None
        if status == 200 and isinstance(body, Mapping) and not line.get("error"):
            return self._chat.read(one, body)
        self._errors += 1
        if self._out is not None and (status in (None, 200, 408, 429) or status >= 500):
            return None
        said = shortened(_message(line.get("error")) or _message(body) or "there is no answer", 200)
        return Output(error=f"the batch did not run this call ({'' if status is None else f'HTTP {status}: '}{said})")

    def _open(self, left: int) -> OpenBatchError:
        """The error for requests without a result."""
        what = f"{count_of(left, 'request')} {'has' if left == 1 else 'have'} no result"
        if self._out is None:
            return OpenBatchError(
                f"{what} in the batch files: write their calls to a new one with `batch_out`, or leave `batch_in` out "
                "to send them now; the results that were there are kept",
                written=False,
            )
        files = ", ".join(map(str, self._out.files))
        return OpenBatchError(
            f"{what}: {count_of(self._out.lines, 'call')} written to {files}; run this batch, and give the files that "
            "it returns as `batch_in`",
            written=True,
        )


def _is_cut_off(output: Output, one: Asked) -> bool:
    return output.finish == "length" and one.prompt.form == "text"


def _message(data: Any) -> str | None:
    """What an error says, in the shapes of several servers."""
    if isinstance(data, str):
        return data or None
    if isinstance(data, Mapping):
        return next((said for name in ("message", "error", "code") if (said := _message(data.get(name)))), None)
    return None
