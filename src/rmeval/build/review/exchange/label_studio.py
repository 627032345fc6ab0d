"""Label Studio: tasks with a labeling interface, and the JSON export of a project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rmeval.build.review.exchange.fields import list_at, mapping_at, read_json_list, text_at
from rmeval.build.review.exchange.tasks import Annotation, Task, fields_of, question_titles
from rmeval.build.review.questions import VERDICTS
from rmeval.errors import DataError, explain_os_error
from rmeval.files import json_bytes, replacing

__all__ = ["interface_of", "read_label_studio", "write_label_studio"]


def write_label_studio(tasks: Sequence[Task], out: Path) -> list[Path]:
    """Write the tasks, and beside them the labeling interface as XML.

    Args:
        tasks: The tasks.
        out: The JSON file.

    Returns:
        Both files.

    Raises:
        RunError: If a file cannot be written.
    """
    names = fields_of(tasks)
    interface = out.with_suffix(".xml")
    data = [
        {
            "data": {
                "record": task.key,
                "texts": task.texts,
                "domain": task.domain,
                "prompt": task.prompt,
                **{name: task.responses.get(name, "") for name in names},
            }
        }
        for task in tasks
    ]
    try:
        with replacing(out) as file:
            file.write(json_bytes(data, indent=1) + b"\n")
        with replacing(interface) as file:
            file.write(interface_of(tasks).encode() + b"\n")
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    return [out, interface]


def interface_of(tasks: Sequence[Task]) -> str:
    """The labeling interface: the texts, and for each question a choice and a comment."""
    view = ElementTree.Element("View")

    def add(tag: str, **attributes: str) -> ElementTree.Element:
        return ElementTree.SubElement(view, tag, attributes)

    add("Header", value="Prompt")
    add("Text", name="prompt", value="$prompt")
    names = fields_of(tasks)
    for name in names:
        _, place, *style = name.split("_")
        add("Header", value=f"Response {place}: {' '.join(style)}")
        add("Text", name=name, value=f"${name}")
    for name, title in question_titles(tasks).items():
        shown = next((own for own in names if own.split("_")[1] == name), names[0])
        add("Header", value=title)
        choices = add("Choices", name=f"verdict_{name}", toName=shown, choice="single", showInLine="true")
        for verdict in VERDICTS:
            ElementTree.SubElement(choices, "Choice", value=verdict)
        add(
            "TextArea", name=f"comment_{name}", toName=shown, placeholder="Comment", editable="true", maxSubmissions="1"
        )
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode")


def read_label_studio(path: Path) -> list[Annotation]:
    """Read the annotations of a project's JSON export.

    Args:
        path: The file, as the format JSON of Label Studio writes it; JSON_MIN has no place for several annotators.

    Raises:
        RmevalError: If it cannot be read or is something else.
    """
    found: list[Annotation] = []
    for number, task in enumerate(read_json_list(path), 1):
        where = f"{path} task {number}"
        if "annotations" not in task:
            raise DataError(f"{where} has no field annotations: export the project in the format JSON, not JSON_MIN")
        data = mapping_at(task, "data", where)
        for annotation in list_at(task, "annotations", where):
            if annotation.get("was_cancelled"):
                continue
            results = list(_results(annotation, where))
            verdicts = {name.removeprefix("verdict_"): text for name, text in results if name.startswith("verdict_")}
            comments = {name.removeprefix("comment_"): text for name, text in results if name.startswith("comment_")}
            key, texts = text_at(data, "record", where), text_at(data, "texts", where)
            found.append(Annotation(where, key, texts, _annotator(annotation), verdicts, comments))
    return found


def _results(annotation: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """The name of each control, and its label or text."""
    for result in list_at(annotation, "result", where):
        name, value = text_at(result, "from_name", where), mapping_at(result, "value", where)
        given = value.get("choices", value.get("text", []))
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise DataError(f"{where}: the value of {name} is not a list of texts: export the project again")
        if name.startswith("verdict_") and len(texts) != 1:
            raise DataError(f"{where}: {name} has {len(texts)} labels: choose one, and export the project again")
        yield name, "\n".join(texts)


def _annotator(annotation: Mapping[str, Any]) -> str:
    """The annotator's e-mail address or number; projects export the one or the other."""
    found = annotation.get("completed_by")
    if isinstance(found, Mapping):
        found = found.get("email") or found.get("id")
    return str(found)
