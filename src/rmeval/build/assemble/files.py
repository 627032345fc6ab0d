"""The files of a finished benchmark."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.benchmarks.built import CARD_FILE
from rmeval.build.assemble.card import ITEMS_FILE, toml_text
from rmeval.build.assemble.items import dataset_row, table_row
from rmeval.build.prompt_files import PromptFile
from rmeval.build.records import Candidate, Record
from rmeval.errors import explain_os_error
from rmeval.files import json_bytes

__all__ = ["benchmark_files", "provenance", "write_folder"]

_SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "domain": pa.string(),
        "prompt": pa.string(),
        "chosen": pa.list_(pa.string()),
        "rejected": pa.list_(pa.string()),
        "language": pa.string(),
        "cluster": pa.string(),
        "source": pa.string(),
        "licence": pa.string(),
        "error": pa.struct([(name, pa.string()) for name in ("before", "after", "about")]),
    }
)
_REVIEWER = "reviewer:"


def benchmark_files(
    records: Sequence[Record],
    fields: Mapping[str, Any],
    readme: str,
    before: Mapping[str, Record],
    prompts: Iterable[PromptFile],
) -> dict[str, bytes]:
    """Return the contents of each file by its path; equal records give equal bytes.

    Args:
        records: The complete records.
        fields: The card.
        readme: The data card.
        before: The records before style control, by key, which have the texts that styles were made from.
        prompts: The prompts that were used.
    """
    table = pa.Table.from_pylist([table_row(record, str(fields["licence"])) for record in records], _SCHEMA)
    parquet = io.BytesIO()
    pq.write_table(table, parquet, compression="zstd")
    return {
        "README.md": readme.encode("utf-8", "replace"),
        CARD_FILE: toml_text(fields).encode(),
        ITEMS_FILE: parquet.getvalue(),
        "total_dataset.json": json_bytes([dataset_row(record) for record in records], indent=1) + b"\n",
        "provenance.jsonl.gz": _compressed(json_bytes(one) + b"\n" for one in provenance(records, before)),
        **{f"prompts/{one.name}.jinja": one.text.encode() for one in prompts},
    }


def provenance(records: Sequence[Record], before: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return each record with all its texts; reviewers are numbered, since their names are not published."""
    names = sorted({check.by for record in records for one in record.candidates for check in one.checks})
    reviewers = [name for name in names if name.startswith(_REVIEWER)]
    number = {name: f"{_REVIEWER}{place}" for place, name in enumerate(reviewers, 1)}

    def without_names(one: Candidate) -> Candidate:
        return replace(one, checks=tuple(replace(check, by=number.get(check.by, check.by)) for check in one.checks))

    found = []
    for record in records:
        own = {one.id: one for one in record.candidates}
        earlier = before[record.key].candidates if record.key in before else ()
        every = [*(one for one in earlier if one.id not in own), *own.values()]
        found.append(Record(record.problem, tuple(map(without_names, every))).to_dict())
    return found


def _compressed(lines: Iterable[bytes]) -> bytes:
    held = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=held, mtime=0) as file:
        file.writelines(lines)
    return held.getvalue()


def write_folder(contents: Mapping[str, bytes], target: Path, draft: Path, others: Sequence[Path]) -> dict[str, str]:
    """Write a folder at once: no process sees a part of it.

    Args:
        contents: The files by their paths.
        target: The folder, which is replaced.
        draft: Folder on the same disk where it is written first.
        others: Folders that it replaces too.

    Returns:
        SHA-256 of each file by its path in the folder.

    Raises:
        RunError: If it cannot be written.
    """
    try:
        _remove(draft)
        for name, data in contents.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for folder in (target, *others):
            _remove(folder)
        draft.rename(target)
    except OSError as error:
        raise explain_os_error(error, str(target)) from error
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
