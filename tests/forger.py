"""A submitter who changes a bundle and computes every digest and number in it again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from rmeval.data.digests import contents_digest, gold_digest
from rmeval.results.bundle import opened_bundle, pack
from rmeval.results.checks import State
from rmeval.results.result import compute, write_derived
from rmeval.results.verify import Verification
from rmeval.store.item_columns import COLUMNS
from rmeval.store.items import read_items, reading_items
from rmeval.store.journal import Journal, read_journal, remove_journal
from rmeval.store.manifest import read_json, read_manifest, run_id, write_json
from rmeval.store.parquet import writing
from rmeval.store.run import read_run
from rmeval.types import Observation

__all__ = ["Fields", "Forger", "Rows", "failing"]

Rows = list[dict[str, Any]]
Fields = dict[str, Any]


class Forger:
    """A submitter who unpacks a bundle, changes something, and computes every digest and number again."""

    def __init__(self, bundle: Path, place: Path) -> None:
        self.folder = place / "forged"
        self.file = place / "forged.rmeval.zip"
        with opened_bundle(bundle) as opened:
            shutil.copytree(opened.folder, self.folder)

    def manifest(self, change: Callable[[Any], None]) -> None:
        manifest = read_manifest(self.folder)
        change(manifest)
        write_json(self.folder / "run.json", manifest)

    def items(self, change: Callable[[Rows], Rows], contents: bool = False) -> None:
        """Change the items, and the digests of the manifest with them."""
        file = self.folder / "items.parquet"
        with reading_items(file) as table:
            rows = table.read().to_pylist()
        self._write_items(change(rows))
        stored = read_items(file)

        def digests(manifest: Any) -> None:
            manifest["gold"] = gold_digest(stored)
            if contents:
                own = contents_digest(zip(stored.table.ids, stored.digests(), strict=True))
                manifest["identity"]["contents"] = own

        self.manifest(digests)

    def _write_items(self, rows: Rows) -> None:
        # Each item has a shape of its own, which is slower to read and never wrong.
        shaped = [{**row, "shape": place} for place, row in enumerate(rows)]
        with writing(self.folder / "items.parquet", pa.schema(COLUMNS), None) as writer:
            writer.write_table(pa.Table.from_pylist(shaped, pa.schema(COLUMNS)))

    def journal(self, change: Callable[[Observation], Observation]) -> None:
        batches = [[change(one) for one in batch] for batch in read_journal(self.folder / "journal")]
        self._write_journal(batches)

    def add_to_journal(self, batch: list[Observation]) -> None:
        self._write_journal([*read_journal(self.folder / "journal"), batch])

    def _write_journal(self, batches: list[list[Observation]]) -> None:
        remove_journal(self.folder / "journal")
        with Journal(self.folder / "journal", run_id(read_manifest(self.folder)["identity"])) as journal:
            for batch in batches:
                journal.append(batch)

    def submit(self, metrics: Callable[[Fields], None] | None = None) -> Path:
        """Compute everything again, in the folder of the identity; change the numbers after that."""
        own = run_id(read_manifest(self.folder)["identity"])
        self._write_journal(list(read_journal(self.folder / "journal")))
        folder = self.folder.with_name(own)
        self.folder = self.folder.replace(folder) if folder != self.folder else folder
        with reading_items(self.folder / "items.parquet") as table:
            self._write_items(table.read().to_pylist())
        stored = read_run(self.folder)
        result = compute(stored)
        write_derived(result, stored)
        if metrics is not None:
            fields = read_json(self.folder / "metrics.json")
            metrics(fields)
            write_json(self.folder / "metrics.json", fields)
        pack(result, len(stored.items.table), self.file)
        return self.file


def failing(found: Verification) -> set[str]:
    """The names of the checks that do not hold."""
    return {check.name for check in found.checks if check.state is State.WRONG}
