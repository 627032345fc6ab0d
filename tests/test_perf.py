from __future__ import annotations

import pytest
from perf.ways import padded
from perf.workloads import BLOCK, blocks_of


@pytest.mark.parametrize(("size", "count"), [(24, 3), (129, 3), (228, 5), (1000, 1)])
def test_blocks_are_neighbours_and_one_in_each_part(size: int, count: int) -> None:
    for seed in range(20):
        found = blocks_of(range(size), count, seed)
        part = size // count
        for number, block in enumerate(found):
            assert block == list(range(block[0], block[0] + BLOCK))
            assert number * part <= block[0] and block[-1] < (number + 1) * part
        assert len(found) == count


def test_the_seed_decides_where_blocks_lie() -> None:
    assert blocks_of(range(1000), 3, 7) == blocks_of(range(1000), 3, 7) != blocks_of(range(1000), 3, 8)


def test_few_items_are_one_block() -> None:
    assert blocks_of("abc", 3, 0) == [["a", "b", "c"]]


def test_the_references_batches_are_padded_to_their_longest() -> None:
    """Batches of eight: first all first answers, then the second ones."""
    rows = [[[1] * length, [2]] for length in (1, 2, 3, 4, 5, 6, 7, 8, 9)]
    # First answers of the first eight items; the last first answer with seven second ones; two second ones.
    assert padded(rows) == 8 * 8 + 8 * 9 + 2 * 1
