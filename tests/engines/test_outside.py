"""What engines from outside may do wrong is one sentence, and nothing is lost or counted in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

import rmeval
from rmeval.errors import ModelError
from tests.engines.test_seam import FAKE, folder

WRONG = {
    "list(super().run(sequences, readout))[1:]": "the engine fake did not read 2 of 24 sequences",
    "2 * list(super().run(sequences, readout))": "a Reading of sequence 23 of 24, which it had read already",
    "[Reading((len(sequences),), (np.zeros(1),))]": "a Reading of sequence 24 of 24, .* does not exist",
    "[Reading((0, 1), (np.zeros(1),))]": "a Reading of 2 sequences with 1 array: let it have one array for each",
    "[Reading((0,), (0.0,))]": "returned a number as values: let it return an array",
    "[Reading((0,), (np.array(['a']),))]": r"the engine fake failed \(ValueError: could not convert string",
    "[None, Reading((0,), (np.zeros(1),))]": "did not read 24 of 24 sequences",
    "(1 / 0,)": r"the engine fake failed \(ZeroDivisionError: division by zero\): correct it",
    "5": r"the engine fake failed \(TypeError: 'int' object is not iterable\)",
}


@pytest.mark.parametrize("readings", WRONG)
def test_readings(readings: str, pairs_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(
        f"{FAKE.read_text()}\n\nclass Wrong(Fake):\n    def run(self, sequences, readout):\n        return {readings}\n"
    )
    path = folder(tmp_path / "m")
    with pytest.raises(ModelError, match=WRONG[readings]):
        rmeval.evaluate(str(path), "pairs", pairs_file, out=tmp_path / "runs", engine=f"{file}:Wrong")


@pytest.mark.parametrize("method", ["identity(self)", "own_readout(self)", "tokenizer(self)", "forget(self)"])
def test_methods(method: str, pairs_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(f"{FAKE.read_text()}\n\nclass Wrong(Fake):\n    def {method}:\n        return {{}}['x']\n")
    path = folder(tmp_path / "m")
    with pytest.raises(ModelError, match=r"the engine fake failed \(KeyError: 'x'\): correct it"):
        rmeval.evaluate(str(path), "pairs", pairs_file, out=tmp_path / "runs", engine=f"{file}:Wrong")
