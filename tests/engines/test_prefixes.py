"""The walk through a prefix tree: each token once, with the right tokens before it, wherever it is cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rmeval.engines.prefixes import Cursor, Piece, PrefixTree

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), max_size=25)
budgets = st.integers(1, 40)
caps = st.none() | st.integers(1, 5)


def walk(tree: PrefixTree, budget: int, cap: int | None = None) -> list[Piece]:
    cursor, pieces = Cursor(), []
    while (piece := tree.piece(cursor, budget, cap)) is not None:
        assert piece.after != cursor, "the walk stands still"
        pieces.append(piece)
        cursor = piece.after
    return pieces


def test_a_tree_by_hand() -> None:
    """Three answers to one prompt, 7 8 9: the first two begin with 1, the third is another's beginning."""
    tree = PrefixTree([[7, 8, 9, 1, 2], [7, 8, 9], [7, 8, 9, 1, 3]])
    assert (tree.order, tree.shared.tolist(), tree.total, tree.distinct) == ([1, 0, 2], [0, 3, 4], 13, 6)
    (piece,) = walk(tree, 100)
    assert piece.tokens.tolist() == [7, 8, 9, 1, 2, 3]
    assert piece.positions.tolist() == [0, 1, 2, 3, 4, 4]
    assert [stretch.path for stretch in piece.stretches] == [((0, 3),), ((0, 5),), ((0, 4), (5, 6))]
    assert [(one.index, one.rows(np.array([-1])).tolist()) for one in piece.finished] == [(1, [2]), (0, [4]), (2, [5])]


@given(sequences, budgets, caps)
def test_each_token_of_the_tree_once(sequences: list[list[int]], budget: int, cap: int | None) -> None:
    tree = PrefixTree(sequences)
    pieces = walk(tree, budget, cap)
    prefixes = {tuple(sequence[:stop]) for sequence in sequences for stop in range(1, len(sequence) + 1)}
    assert sum(len(piece.tokens) for piece in pieces) == tree.distinct == len(prefixes)
    assert sorted(one.index for piece in pieces for one in piece.finished) == list(range(len(sequences)))
    assert all(len(piece.tokens) <= budget for piece in pieces)
    assert cap is None or all(len(piece.finished) <= cap for piece in pieces)


@given(sequences, budgets, caps)
def test_what_comes_before_each_token_is_there(sequences: list[list[int]], budget: int, cap: int | None) -> None:
    kept = np.empty(0, np.int64)
    for piece in walk(PrefixTree(sequences), budget, cap):
        assert piece.kept == len(kept)
        rows = np.concatenate([kept, piece.tokens])
        places = np.concatenate([np.arange(len(kept)), piece.positions])
        for stretch in piece.stretches:
            own = np.concatenate([np.arange(*span) for span in stretch.path])
            assert places[own].tolist() == list(range(stretch.start + stretch.rows[1] - stretch.rows[0]))
            whole = next(s for s in sequences if s[: len(own)] == rows[own].tolist())
            assert whole[stretch.start : len(own)] == rows[range(*stretch.rows)].tolist()
        for one in piece.finished:
            assert rows[one.rows(np.arange(len(sequences[one.index])))].tolist() == sequences[one.index]
        kept = rows[np.concatenate([np.arange(*span) for span in piece.keep])] if piece.keep else kept[:0]


@given(sequences, st.integers(12, 40))
def test_no_sequence_is_divided_that_fits(sequences: list[list[int]], budget: int) -> None:
    tree = PrefixTree(sequences)
    for piece in walk(tree, budget):
        place = piece.after.place
        assert piece.after.reached == (tree.shared[place] if place < len(sequences) else 0)
