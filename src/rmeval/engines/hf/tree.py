"""The forward pass over pieces of a prefix tree, for every architecture with a replaceable attention function.

All layers process the tokens of a piece in one row, without padding; only attention depends on which tokens belong to
the same sequence. transformers registers attention and mask functions by name (`transformers.AttentionInterface`,
`transformers.AttentionMaskInterface`). The attention function registered here attends stretch by stretch, each stretch
to its path: its own sequence up to its last token. Keys and values of the path that the next piece needs are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface

from rmeval.engines.prefixes import Finished, Piece, Span

__all__ = ["Layers", "TreeError", "TreeNetwork", "by_hand", "unshareable", "window_mask", "window_of"]

_NAME = "rmeval_tree"
_KNOWN = frozenset({"full_attention", "sliding_attention"})
_SCALED = frozenset({"dynamic", "longrope"})
Layers = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values by layer, [1, heads, tokens, width] each."""
_ADDED = ("position_bias", "head_mask", "cu_seq_lens_q")
"""Arguments that change attention in ways that this module does not implement."""


class TreeError(Exception):
    """The architecture's attention does not work on a prefix tree; the plain path is used instead."""


def unshareable(model: Any, longest: int) -> str | None:
    """The reason why prefixes cannot be shared, found without running the network; None if there is no known reason.

    Args:
        model: A transformers model.
        longest: Number of tokens of the longest sequence.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    if other := sorted(kinds - _KNOWN):
        return f"it has layers of {', '.join(other)}"
    if not getattr(model, "_supports_attention_backend", False) or not model._can_set_attn_implementation():
        return "its attention cannot be replaced"
    if getattr(config, "is_causal", True) is False or model.config.is_encoder_decoder:
        return "its attention looks ahead"
    if rope_depends_on_length(config, longest):
        return "its rotary embedding depends on the length of the sequence"
    return None


def rope_depends_on_length(config: Any, longest: int) -> bool:
    """Whether rotary angles depend on the length of a sequence, and the longest is long enough for that."""
    given = getattr(config, "rope_parameters", None) or {}
    nested = [one for one in given.values() if isinstance(one, dict)] or [given]
    if not any(one.get("rope_type") in _SCALED for one in nested):
        return False
    original = [one.get("original_max_position_embeddings") for one in nested]
    trained = [length for length in (*original, getattr(config, "original_max_position_embeddings", None)) if length]
    return bool(longest > min(trained, default=config.max_position_embeddings))


class _Masks:
    """Attention masks: 0 where a token may attend, minus infinity elsewhere.

    There is one wide mask per window; the mask of any block of queries is a part of it.
    """

    def __init__(self) -> None:
        self._wide: dict[tuple[int, torch.device, torch.dtype], torch.Tensor] = {}

    def of(self, new: int, seen: int, window: int, like: torch.Tensor) -> torch.Tensor:
        """float[new, seen]: the mask of the last `new` of `seen` positions, at most `window` back if it is not 0."""
        name = (window, like.device, like.dtype)
        wide = self._wide.get(name)
        if wide is None or wide.shape[0] < new or wide.shape[1] - wide.shape[0] < seen - new:
            rows, before = _block(like.device), max(2 * (seen - new), 1024)
            row = torch.arange(before, before + rows, device=like.device)[:, None]
            column = torch.arange(before + rows, device=like.device)[None, :]
            hidden = (column > row) | (column <= row - window) if window else column > row
            wide = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -torch.inf)
            self._wide[name] = wide
        before = wide.shape[1] - wide.shape[0]
        return wide[:new, before - (seen - new) : before + new]


def _block(device: torch.device) -> int:
    """Number of queries to compute at once, small enough that few masked products are computed."""
    return 256 if device.type == "cpu" else 2048


@dataclass(slots=True)
class _Pass:
    """The state of attention for the current piece."""

    piece: Piece
    kept: Layers
    masks: _Masks
    keep: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    all: list[tuple[torch.Tensor, torch.Tensor]] | None = None

    def extend(self, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the kept path and of the piece; each call belongs to the next layer."""
        if self.kept:
            old = self.kept[len(self.keep)]
            key, value = torch.cat([old[0], key], 2), torch.cat([old[1], value], 2)
        # Copies, because views would keep the keys of the whole piece in memory.
        self.keep.append((_rows(key, self.piece.keep).clone(), _rows(value, self.piece.keep).clone()))
        if self.all is not None:
            self.all.append((key, value))
        return key, value


_Path = tuple[Layers, torch.Tensor | None]
"""Keys and values by layer, and last hidden states, of the kept path."""

_PASS: ContextVar[_Pass] = ContextVar("rmeval_tree_pass")


def _rows(tensor: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """Rows of the second to last dimension; a single span is a view."""
    if len(spans) == 1:
        return tensor[:, :, spans[0][0] : spans[0][1]]
    return torch.cat([tensor[:, :, start:stop] for start, stop in spans], 2) if spans else tensor[:, :, :0]


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of a piece, with the shapes of transformers: [1, heads, tokens, width] to [1, tokens, heads, width].

    Args:
        module: The layer.
        query: Queries of the new tokens.
        key: Their keys, with the same number of heads or fewer.
        value: Their values.
        attention_mask: The result of `window_mask`: the layer's window, 0 for none.
        scaling: Factor of the products; by default the inverse square root of the width.
        softcap: Bound of the products (Gemma 2).
        s_aux: A product per head without a value, the attention sink (GPT-OSS).
        **others: Further arguments of the layer.
    """
    window = window_of(module, attention_mask, others)
    current = _PASS.get()
    key, value = current.extend(key, value)
    out = query.new_empty(1, query.shape[2], query.shape[1], value.shape[3])
    for stretch in current.piece.stretches:
        own, content = _rows(key, stretch.path), _rows(value, stretch.path)
        first, after = (row - current.piece.kept for row in stretch.rows)
        for start in range(first, after, _block(query.device)):
            stop = min(start + _block(query.device), after)
            seen = stretch.start + stop - first
            least = max(0, seen - (stop - start) - window + 1) if window else 0
            given = query[:, :, start:stop], own[:, :, least:seen], content[:, :, least:seen]
            mask = current.masks.of(stop - start, seen - least, window, query)
            if softcap is None and s_aux is None:
                result = _products(*given, mask, scaling)
            else:
                sinks = None if s_aux is None else s_aux.view(1, -1, 1, 1)
                result = by_hand(*given, mask, scaling, softcap, sinks)
            out[:, start:stop] = result.transpose(1, 2)
    return out, None


def window_of(module: torch.nn.Module, attention_mask: torch.Tensor | None, others: Mapping[str, Any]) -> int:
    """The window of a layer, 0 for none, from the mask that `window_mask` returned.

    Raises:
        TreeError: If its attention is not causal, or uses arguments that are not implemented.
    """
    if attention_mask is None or getattr(module, "is_causal", True) is False:
        raise TreeError("one of its layers has no causal mask")
    if changed := [name for name in _ADDED if others.get(name) is not None]:
        raise TreeError(f"its attention uses {changed[0]}")
    return int(attention_mask.view(-1)[0])


def _products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and query.device.type == "cuda":
        # Kernels with a mask need a key for each head; the fallback without that would store all products.
        key, value, groups = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1), 1
    return functional.scaled_dot_product_attention(query, key, value, mask, scale=scaling, enable_gqa=groups > 1)


def by_hand(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scaling: float | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Attention with capped products (Gemma 2, arXiv 2408.00118, section 2) or sinks (GPT-OSS's modeling code).

    Args:
        query: [sequences, heads, tokens, width].
        key: [sequences, heads or fewer, tokens, width], as `value`.
        value: See `key`.
        mask: Added to the products.
        scaling: Factor of the products; by default the inverse square root of the width.
        softcap: Bound of the products.
        sinks: A product without a value, which broadcasts to the shape of `query` with width 1.
    """
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    products = query @ key.transpose(2, 3) * (query.shape[3] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        products = torch.tanh(products / softcap) * softcap
    products = products + mask
    if sinks is not None:
        products = torch.cat([products, sinks.expand(*products.shape[:3], 1)], 3)
    weights = torch.softmax(products, 3, dtype=torch.float32).to(query.dtype)
    return weights[..., : key.shape[2]] @ value


def window_mask(*_: Any, local_size: int | None = None, use_vmap: bool = False, **others: Any) -> torch.Tensor:
    """The window of a layer in place of a mask; 0 if it attends to all earlier tokens."""
    if use_vmap or "allow_is_bidirectional_skip" in others:
        raise TreeError("its mask is not the causal one")
    return torch.full((1, 1, 1, 1), local_size or 0)


class TreeNetwork:
    """A network that computes the pieces of a prefix tree in the order of the walk."""

    def __init__(self, model: Any, whole: bool = False) -> None:
        """Store a transformers model for which `unshareable` returned None.

        Args:
            model: The model.
            whole: Whether `path` is called for the sequences that end in a piece.
        """
        self._model = model
        self._whole = whole
        self._all: Layers = ()
        self._before: str = model.config._attn_implementation
        self._masks = _Masks()
        self._kept: _Path = ((), None)
        self._next: _Path = ((), None)
        AttentionInterface.register(_NAME, _attention)
        AttentionMaskInterface.register(_NAME, window_mask)

    def hidden(self, piece: Piece, device: torch.device) -> torch.Tensor:
        """Last hidden states of a piece's rows, the kept path first: float[kept + new, width].

        Raises:
            TreeError: If the architecture does not support a tree.
        """
        layers, states_before = self._kept
        if states_before is not None and not len(piece.tokens):  # Only repetitions of computed sequences.
            self._all = layers
            self._next = (
                [(_rows(key, piece.keep), _rows(value, piece.keep)) for key, value in layers],
                _rows(states_before[None, None], piece.keep)[0, 0],
            )
            return states_before
        current = _Pass(piece, layers, self._masks, all=[] if self._whole else None)
        mark = _PASS.set(current)
        try:
            self._model.set_attn_implementation(_NAME)
            with torch.inference_mode():
                states: torch.Tensor = self._model.base_model(
                    input_ids=torch.as_tensor(piece.tokens, device=device)[None],
                    position_ids=torch.as_tensor(piece.positions, device=device)[None],
                    use_cache=False,
                ).last_hidden_state[0]
                if states_before is not None:
                    states = torch.cat([states_before, states])
                self._next = (
                    (current.keep, _rows(states[None, None], piece.keep)[0, 0].clone()) if piece.keep else ((), None)
                )
        finally:
            _PASS.reset(mark)
            self._model.set_attn_implementation(self._before)
        if not current.keep:
            raise TreeError("it does not call the registered attention function")
        self._all = current.all or ()
        return states

    def path(self, one: Finished) -> Layers:
        """Keys and values of a sequence that ended in the last piece, by layer."""
        return [(_rows(key, one.path), _rows(value, one.path)) for key, value in self._all]

    def advance(self) -> None:
        """Move to the next piece; before that, the last piece or a smaller one from the same place can be repeated."""
        self._kept, self._all = self._next, ()
