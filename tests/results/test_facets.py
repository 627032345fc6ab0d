"""What differs between runs, from their manifests."""

from __future__ import annotations

from typing import Any

import pytest

from rmeval.errors import RunError
from rmeval.results.facets import facets_of


def manifest(name: str = "m", /, **identity: Any) -> Any:
    return {"model": {"name": name, "kind": "classifier"}, "identity": {"benchmark": "b", "contents": "c", **identity}}


def shown(*manifests: Any, given: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    return [(one.name, one.levels, one.of_run) for one in facets_of(manifests, given)]


def test_a_setting_that_differs_is_the_facet() -> None:
    runs = manifest(dtype="float32", batch=1), manifest(dtype="bfloat16", batch=1)
    assert shown(*runs) == [("dtype", ("bfloat16", "float32"), (1, 0))]
    assert shown(*reversed(runs)) == [("dtype", ("bfloat16", "float32"), (0, 1))]


def test_what_follows_from_the_model_is_no_facet() -> None:
    runs = [
        manifest("a", model="sha256:1", tokenizer="t", dtype="float32"),
        manifest("b", model="sha256:2", tokenizer="u", dtype="bfloat16"),
        manifest("c", model="sha256:3", tokenizer="u", dtype="float32"),
    ]
    assert shown(*runs) == [("model", ("a", "b", "c"), (0, 1, 2))]


def test_models_of_one_name_are_models() -> None:
    runs = manifest("a", model="sha256:1"), manifest("a", model="sha256:2"), manifest("b", model="sha256:3")
    assert shown(*runs) == [("model", ("a, sha256:1", "a, sha256:2", "b, sha256:3"), (0, 1, 2))]


def test_two_crossed_facets() -> None:
    runs = [manifest(name, model=f"sha256:{name}", dtype=dtype) for name in "ab" for dtype in ("x", "y")]
    assert shown(*runs) == [("model", ("a", "b"), (0, 0, 1, 1)), ("dtype", ("x", "y"), (0, 1, 0, 1))]


def test_settings_that_are_not_crossed_are_one_facet() -> None:
    runs = manifest(dtype="x", scale=1), manifest(dtype="y", scale=1), manifest(dtype="y", scale=2)
    assert shown(*runs) == [("run", ("x, 1", "y, 1", "y, 2"), (0, 1, 2))]


def test_an_entry_that_only_some_runs_have() -> None:
    assert shown(manifest(dtype="x"), manifest()) == [("dtype", ("not set", "x"), (1, 0))]


def test_other_facets_and_names() -> None:
    runs = [manifest(model=f"sha256:{k}", dtype="xy"[k % 2], scale=k // 2) for k in range(4)]
    assert shown(*runs) == [("fingerprint", tuple(f"sha256:{k}" for k in range(4)), (0, 1, 2, 3))]
    assert [one[0] for one in shown(*runs, given=("dtype", "scale"))] == ["dtype", "scale"]
    assert [(one[0], one[2]) for one in shown(*runs, given=("seed",))] == [("seed", (0, 1, 2, 3))]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("dtyp",), "the runs do not differ in 'dtyp': did you mean dtype"),
        (("dtype", "seed"), "the runs do not differ in 'seed': choose one of fingerprint, dtype, scale"),
        (("problem",), "`facet` cannot be 'problem': give an entry of the identity, or another name"),
        ((" ",), "`facet` cannot be ' '"),
        (("dtype",), "two runs have the same dtype, but differ in fingerprint, scale"),
        (("dtype", "dtype"), "`facet` is given 2 times: give one or two different names"),
    ],
)
def test_facets_that_cannot_be(given: tuple[str, ...], sentence: str) -> None:
    runs = [manifest(model=f"sha256:{k}", dtype="xy"[k % 2], scale=k // 2) for k in range(4)]
    with pytest.raises(RunError, match=sentence):
        facets_of(runs, given)


def test_runs_that_do_not_differ() -> None:
    with pytest.raises(RunError, match="the runs do not differ in their identity"):
        facets_of([manifest(), manifest()])
    with pytest.raises(RunError, match="two runs have the same identity"):
        facets_of([manifest(), manifest(), manifest(dtype="x")])
