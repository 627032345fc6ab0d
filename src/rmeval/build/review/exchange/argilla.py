"""Argilla 2: a folder that `rg.Dataset.from_disk` reads, and the folder or records that its exports write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.build.review.exchange.fields import list_at, mapping_at, read_json_list, text_at
from rmeval.build.review.exchange.tasks import Annotation, Task, fields_of, question_titles
from rmeval.build.review.questions import VERDICTS
from rmeval.errors import DataError, explain_os_error
from rmeval.files import json_bytes, replacing

__all__ = ["read_argilla", "write_argilla"]

_RECORDS = "records.json"


def write_argilla(tasks: Sequence[Task], out: Path, name: str) -> list[Path]:
    """Write a data set that `rg.Dataset.from_disk` creates on a server.

    Args:
        tasks: The tasks.
        out: The folder.
        name: The data set's name.

    Returns:
        The files.

    Raises:
        RunError: If a file cannot be written.
    """
    files = {
        out / ".argilla" / "dataset.json": {"name": name, "allow_extra_metadata": False},
        out / ".argilla" / "settings.json": _settings(tasks),
        out / _RECORDS: [_record(task) for task in tasks],
    }
    try:
        (out / ".argilla").mkdir(parents=True, exist_ok=True)
        for path, value in files.items():
            with replacing(path) as file:
                file.write(json_bytes(value, indent=1) + b"\n")
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    return list(files)


def _record(task: Task) -> dict[str, Any]:
    return {
        "id": task.key,
        "fields": {"prompt": task.prompt, **task.responses},
        "metadata": {"texts": task.texts, "domain": task.domain},
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def _settings(tasks: Sequence[Task]) -> dict[str, Any]:
    options = [{"value": verdict, "text": verdict, "description": None} for verdict in VERDICTS]
    questions: list[dict[str, Any]] = []
    for name, title in question_titles(tasks).items():
        labels = {"type": "label_selection", "options": options, "visible_options": len(options)}
        questions += [
            _part(f"verdict_{name}", title, labels, True),
            _part(f"comment_{name}", f"Comment: {title}", {"type": "text", "use_markdown": False}, False),
        ]
    text = {"type": "text", "use_markdown": False}
    fields = [_part("prompt", "Prompt", text, True)]
    fields += [_part(name, name.replace("_", " ").capitalize(), text, False) for name in fields_of(tasks)]
    metadata = [
        {"name": name, "title": name, "settings": {"type": "terms", "values": None}, "visible_for_annotators": False}
        for name in ("texts", "domain")
    ]
    return {
        "guidelines": "A verdict describes the text: a wrong response is incorrect, also where that is intended.",
        "questions": questions,
        "fields": fields,
        "vectors": [],
        "metadata": metadata,
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def _part(name: str, title: str, settings: Mapping[str, Any], required: bool) -> dict[str, Any]:
    return {"name": name, "title": title, "required": required, "settings": dict(settings)}


def read_argilla(path: Path) -> list[Annotation]:
    """Read the annotations of an export.

    Args:
        path: The folder that `Dataset.to_disk` wrote, or the file that `records.to_json` wrote.

    Raises:
        RmevalError: If it cannot be read or is something else.
    """
    file = path / _RECORDS if path.is_dir() else path
    found: list[Annotation] = []
    for number, record in enumerate(read_json_list(file), 1):
        where = f"{file} record {number}"
        if "responses" not in record:
            raise DataError(f"{where} has no field responses: write the records with `to_json`, without `flatten`")
        key = text_at(record, "id", where)
        texts = text_at(mapping_at(record, "metadata", where), "texts", where)
        for annotator, given in _by_annotator(mapping_at(record, "responses", where), where).items():
            verdicts = {name.removeprefix("verdict_"): text for name, text in given if name.startswith("verdict_")}
            comments = {name.removeprefix("comment_"): text for name, text in given if name.startswith("comment_")}
            found.append(Annotation(where, key, texts, annotator, verdicts, comments))
    return found


def _by_annotator(responses: Mapping[str, Any], where: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for annotator, name, value in _values(responses, where):
        found.setdefault(annotator, []).append((name, value))
    return found


def _values(responses: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    for name in responses:
        for response in list_at(responses, name, where):
            if response.get("value") is not None:
                yield str(response.get("user_id")), name, text_at(response, "value", where)
