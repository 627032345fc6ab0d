"""The hub cache within a limit, with the real client and a hub on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rmeval.errors import RmevalError
from rmeval.sweep.disk import bytes_of, gigabytes, room_of
from rmeval.sweep.models_file import SweepModel
from tests import hub
from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.command import process
from tests.sweep import downloads

SIZE = 100_000
"""Bytes of each model's weights."""


@dataclass(frozen=True)
class Machine:
    """A folder of runs, a hub and its cache."""

    folder: Path
    endpoint: str

    def environment(self) -> dict[str, str]:
        place = str(self.folder / "cache")
        return {"HF_ENDPOINT": self.endpoint, "HF_HOME": place, "HF_HUB_CACHE": place, "HF_HUB_OFFLINE": "0"}

    def sweep(self, limit: str, *names: str) -> list[str]:
        """What a sweep over models says."""
        done = process(downloads.__file__, limit, self.folder, *names, **self.environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def download(self, *places: str) -> None:
        """Downloads files, as `model/file`, outside of any sweep."""
        code = "import sys; from rmeval.hub import hub_file; [hub_file(*p.rsplit('/', 1)) for p in sys.argv[1:]]"
        done = process("-c", code, *places, **self.environment())
        assert done.returncode == 0, done.stderr

    @property
    def there(self) -> set[str]:
        """The files in the cache, as `model/file`, whose contents are there too."""
        found = (self.folder / "cache").glob("models--*/snapshots/*/*")
        return {f"{path.parts[-4].split('--')[-1]}/{path.name}" for path in found if path.exists()}

    @property
    def blobs(self) -> int:
        """Bytes that the cache takes."""
        return sum(path.stat().st_size for path in (self.folder / "cache").glob("models--*/blobs/*"))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    for number, name in enumerate(("old", "a", "b", "c", "base")):
        folder = tmp_path / "hub" / "models" / "owner" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(f'{{"name": "{name}"}}')
        (folder / "model.safetensors").write_bytes(bytes([number]) * SIZE)
        # No model needs it where there are safetensors.
        (folder / "pytorch_model.bin").write_bytes(bytes(10 * SIZE))
    with hub.serve(tmp_path / "hub", {}) as endpoint:
        yield Machine(tmp_path, endpoint)


def both(*names: str) -> set[str]:
    return {f"{name}/{file}" for name in names for file in ("config.json", "model.safetensors")}


def test_the_least_recently_used_goes_and_what_was_there_stays(machine: Machine) -> None:
    machine.download("owner/old/config.json", "owner/old/model.safetensors")
    told = machine.sweep("350KB", "owner/a", "owner/b", "owner/c")
    assert told == ["deleted from the hub cache: owner/a (100 KB)"]
    assert machine.there == both("old", "b", "c")
    assert machine.blobs < 350_000
    # Also for the next sweep, what the first one downloaded is its own, and the rest is not.
    told = machine.sweep("250KB", "owner/a")
    assert [line.split()[5] for line in told] == ["owner/b", "owner/c"]
    assert machine.there == both("old", "a")


@pytest.mark.slow
def test_a_model_that_was_there_in_part_loses_what_the_sweep_added(machine: Machine) -> None:
    machine.download("owner/a/config.json")
    assert machine.sweep("150KB", "owner/a", "owner/b") == ["deleted from the hub cache: owner/a (100 KB)"]
    assert machine.there == {"a/config.json", *both("b")}
    assert machine.blobs < 150_000


def test_files_of_a_sweep_that_was_killed_stay_its_own(machine: Machine) -> None:
    machine.download("owner/old/config.json")
    assert machine.sweep("150KB", "owner/a!") == []
    assert machine.there == {"old/config.json", *both("a")}
    # Another program's download in the meantime is no file of the sweep.
    machine.download("owner/old/model.safetensors")
    told = machine.sweep("250KB", "owner/a", "owner/b")
    assert told == ["deleted from the hub cache: owner/a (100 KB)"]
    assert machine.there == both("old", "b")


@pytest.mark.slow
def test_a_reference_that_a_later_model_needs_goes_last(machine: Machine) -> None:
    told = machine.sweep("350KB", "owner/a+owner/base", "owner/b", "owner/c+owner/base")
    assert told == ["deleted from the hub cache: owner/a (100 KB)"]
    assert machine.there == both("b", "c", "base")


def test_a_model_that_does_not_fit_is_one_sentence(machine: Machine) -> None:
    machine.download("owner/old/config.json", "owner/old/model.safetensors")
    (told,) = machine.sweep("150KB", "owner/a")
    assert told == (
        "owner/a: it needs 100 KB in the hub cache, where 100 KB of 150 KB are taken by files that this sweep may not "
        "delete: raise `cache_limit`, or free space with 'hf cache'"
    )
    assert machine.there == both("old")


def test_sizes() -> None:
    assert [bytes_of(text) for text in ("200GB", "1.5 tb", "300", "20 M", "7kb")] == [
        *(200 * 10**9, 1_500_000_000_000, 300, 20_000_000, 7_000)
    ]
    assert [gigabytes(size) for size in (200 * 10**9, 1_500, 3)] == ["200 GB", "1.5 KB", "3 B"]
    for text in ("plenty", "0", "-1GB", "1 XB", "GB"):
        with pytest.raises(RmevalError, match="`cache_limit` must be a size such as 200GB"):
            bytes_of(text)


@pytest.mark.slow
def test_a_sweep_keeps_the_cache_small_and_downloads_no_weights_again(tmp_path: Path) -> None:
    models = tmp_path / "hub" / "models" / "owner"
    tokenizer = make_tokenizer(model_max_length=2048)
    for seed, name in enumerate("ab"):
        make_checkpoint(models / name, seed=seed, tokenizer=tokenizer, max_position_embeddings=2048)
    size = sum(path.stat().st_size for path in (models / "a").iterdir())
    (tmp_path / "models.yaml").write_text("models: [owner/a, owner/b]\n")
    with hub.serve(tmp_path / "hub", {}) as endpoint:
        machine = Machine(tmp_path, endpoint)

        def sweep(*more: object) -> str:
            wanted = ("-b", "rm-bench-synthetic", "--size", 8, "-o", tmp_path / "runs", "--cache-limit", 3 * size // 2)
            done = process("-m", "rmeval", "sweep", tmp_path / "models.yaml", *wanted, *more, **machine.environment())
            assert done.returncode == 0, done.stderr
            return done.stderr

        told = sweep()
        assert "note: deleted from the hub cache: owner/a" in told
        assert (machine.there & both("a"), "b/model.safetensors" in machine.there) == (set(), True)
        told = sweep()
        assert told.count("complete before, nothing to run") == 2
        assert "a/model.safetensors" not in machine.there


def test_a_model_that_the_disk_has_no_room_for_is_one_sentence_and_the_next_runs(machine: Machine) -> None:
    weights = machine.folder / "hub" / "models" / "owner" / "a" / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(2**42)  # A file with a hole, which takes no space.
    if shutil.disk_usage(machine.folder).free > 2**42:
        pytest.skip("the disk has room for 4 TB")
    (told,) = machine.sweep("100TB", "owner/a", "owner/b")
    assert told.startswith("owner/a: it needs 4.4 TB for its files, and the disk of the hub cache has ")
    assert machine.there == both("b")


def test_a_record_that_cannot_be_written_is_told_and_ends_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    room, model = room_of("1TB", tmp_path / "runs", told.append), SweepModel(1, "baseline:longest")
    room.make(model, (), weights=True)
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "runs").touch()
    room.used(model, ())
    (said,) = told
    assert "sweep-downloads.json" in said
    with pytest.raises(RmevalError, match=r"sweep-downloads\.json"):
        room.make(model, (), weights=True)
