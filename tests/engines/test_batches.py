from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rmeval.engines.hf.batches import plan_batches

lengths = st.lists(st.integers(0, 50), max_size=60)


@given(lengths, st.integers(1, 200), st.none() | st.integers(1, 8))
def test_each_once_within_the_budget(lengths: list[int], budget: int, cap: int | None) -> None:
    batches = list(plan_batches(lengths, budget, cap))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[position] for position in batch)
        assert padded <= budget or len(batch) == 1
        assert cap is None or len(batch) <= cap


@given(lengths, st.integers(1, 200), st.integers(0, 20))
def test_the_rest_of_an_interrupted_run_is_batched_as_before(lengths: list[int], budget: int, done: int) -> None:
    batches = list(plan_batches(lengths, budget))
    left = sorted(position for batch in batches[done:] for position in batch)
    again = [[left[p] for p in batch] for batch in plan_batches([lengths[p] for p in left], budget)]
    assert again == batches[done:]
