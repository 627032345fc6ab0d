"""Builds the head that a `HeadLayout` describes from the weights of a checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from rmeval.engines.head_layout import HeadLayout, parts_of
from rmeval.engines.hf.checkpoint import Checkpoint
from rmeval.engines.hf.heads import HEAD, names_in, read_weight
from rmeval.errors import ModelError

__all__ = ["put_layout_on"]


def put_layout_on(body: Any, checkpoint: Checkpoint, layout: HeadLayout, left_over: Iterable[str]) -> None:
    """Attach the head to the body of its network, as the module `HEAD`.

    Args:
        body: The body.
        checkpoint: The checkpoint.
        layout: The layout of its head.
        left_over: Names of the weights that the body did not take.

    Raises:
        ModelError: If a weight is missing or left over, or shapes do not fit.
    """
    weights = _Weights(checkpoint, layout)
    config = body.config.get_text_config()
    width = config.hidden_size * layout.together
    chains = [_chain(steps, weights, config, checkpoint.source) for steps in (layout.layers, layout.gate) if steps]
    _refuse_left_over(checkpoint, layout, {*left_over, *weights.beside}, weights.taken)
    head = _Head(chains)
    try:
        with torch.inference_mode():
            outputs = [chain(torch.zeros(1, width)).shape[1] for chain in chains]
    except (RuntimeError, IndexError) as error:
        raise ModelError(
            f"{checkpoint.source}: the layers {layout.title} do not fit each other or hidden states of width {width} "
            f"({error}): check the card"
        ) from error
    if len(set(outputs)) > 1:
        raise ModelError(
            f"{checkpoint.source}: the head has {outputs[0]} outputs and its gate {outputs[1]}: check the card"
        )
    body.add_module(HEAD, head)


class _Weights:
    """The weights of a head by name."""

    def __init__(self, checkpoint: Checkpoint, layout: HeadLayout) -> None:
        self._source = checkpoint.source
        self._unbiased = frozenset(layout.unbiased)
        extra = {file for file, _ in layout.files}
        own = [file for file in checkpoint.weights() if file.name not in extra]
        self._files: dict[str, tuple[Path, str]] = {name: (file, name) for name, file in names_in(own).items()}
        self.beside: set[str] = set()
        for name, prefix in layout.files:
            if (path := checkpoint.file(name)) is None:
                raise ModelError(f"{checkpoint.source} has no {name}, which holds its head: check that it is complete")
            if path.suffix != ".safetensors" and not checkpoint.layout.pickle:
                raise ModelError(
                    f"{checkpoint.name} has its head in {name}, a pickle, which can run code when loaded: if you trust "
                    "it, give `model_kwargs` use_safetensors=false"
                )
            found = {prefix + inside: (path, inside) for inside in names_in([path])}
            self.beside |= found.keys()
            self._files |= found
        self.taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def bias(self, layer: str) -> torch.Tensor | None:
        """The bias of a linear layer, in float32; None if it has none.

        Raises:
            ModelError: If it is missing, and the layout does not say that it may be.
        """
        name = f"{layer}.bias"
        return self(name) if name in self or layer not in self._unbiased else None

    def __call__(self, name: str) -> torch.Tensor:
        """A weight, in float32.

        Raises:
            ModelError: If it is missing.
        """
        if name not in self._files:
            hint = ", and names layers without a bias in 'unbiased'" if name.endswith(".bias") else ""
            raise ModelError(
                f"{self._source} has no weights {name}, which its head needs: check that it was saved completely, "
                f"and that the card is that of this model{hint}"
            )
        self.taken.add(name)
        file, inside = self._files[name]
        return read_weight(file, inside).float()


def _refuse_left_over(checkpoint: Checkpoint, layout: HeadLayout, names: set[str], taken: set[str]) -> None:
    """Reject weights that neither the body nor the head reads, because the head may need them.

    Raises:
        ModelError: If there are any.
    """
    allowed = [re.compile(one) for one in layout.ignore]
    counters = {f"{name.rpartition('.')[0]}.num_batches_tracked" for name in taken}
    left = sorted(name for name in names - taken - counters if not any(one.fullmatch(name) for one in allowed))
    if left:
        raise ModelError(
            f"{checkpoint.source} holds the weights {left[0]}{' and others' if len(left) > 1 else ''}, which neither "
            f"its body nor the head ({layout.title}) reads: the card is that of another model, or lacks a layer"
        )


class _Head(nn.Module):
    """The outputs of each chain, one after the other."""

    def __init__(self, chains: list[nn.Sequential]) -> None:
        super().__init__()
        self.chains = nn.ModuleList(chains)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """float[rows, outputs of all chains] from float[rows, width]."""
        return torch.cat([chain(hidden) for chain in self.chains], 1)


def _chain(steps: Iterable[str], weights: _Weights, config: Any, source: str) -> nn.Sequential:
    return nn.Sequential(*(_step(step, weights, config, source) for step in steps)).eval()


def _step(step: str, weights: _Weights, config: Any, source: str) -> nn.Module:
    operation, value = parts_of(step)
    if operation in ("linear", "stack"):
        return (_linear if operation == "linear" else _stack)(value, weights, source)
    if operation == "norm":
        return _norm(value, weights)
    if operation == "features":
        return _Features(value, weights, config, source)
    if operation in _PLAIN:
        return _PLAIN[operation]()
    if operation == "softmax":
        return _Softmax(_temperature(value, config, source))
    if operation == "normalizer":
        return _Normalizer(value, weights, config, source)
    if operation in ("matrix", "scale"):
        return _Product(weights(value), operation == "matrix")
    return _Groups(operation, int(value))


_PLAIN: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def _linear(name: str, weights: _Weights, source: str) -> nn.Linear:
    weight = weights(f"{name}.weight")
    bias = weights.bias(name)
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        raise ModelError(
            f"{source}: {name}.weight has the shape {tuple(weight.shape)}, which is not that of a linear layer"
        )
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _stack(name: str, weights: _Weights, source: str) -> nn.Module:
    """One linear layer, or the even-numbered layers of a `Sequential` whose odd-numbered modules are ReLUs."""
    if f"{name}.weight" in weights or f"{name}.0.weight" not in weights:
        return _linear(name, weights, source)
    layers: list[nn.Module] = [_linear(f"{name}.0", weights, source)]
    while f"{name}.{len(layers) + 1}.weight" in weights:
        layers += [nn.ReLU(), _linear(f"{name}.{len(layers) + 1}", weights, source)]
    return nn.Sequential(*layers)


def _norm(name: str, weights: _Weights) -> nn.BatchNorm1d:
    given = {part: weights(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias")}
    layer = nn.BatchNorm1d(len(given["running_mean"]))
    layer.load_state_dict(given, strict=False)
    return layer


def _temperature(value: str, config: Any, source: str) -> float:
    if not value:
        return 1.0
    name, _, absent = value.partition("=")
    try:
        return float(name)
    except ValueError:
        stated = getattr(config, name, float(absent) if absent else None)
        if not isinstance(stated, int | float) or not stated:
            raise ModelError(
                f"the config of {source} states {stated!r} for {name}, by which the card divides logits: it must be "
                "a number other than 0"
            ) from None
        return float(stated)


class _Softmax(nn.Module):
    """The softmax of the outputs divided by a temperature."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        """Probabilities float[rows, outputs]."""
        return functional.softmax(found / self.temperature, 1)


class _Product(nn.Module):
    """The product with a stored matrix or number."""

    def __init__(self, factor: torch.Tensor, matrix: bool) -> None:
        super().__init__()
        self.matrix = matrix
        self.register_buffer("factor", factor)

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        """float[rows, outputs]."""
        factor: torch.Tensor = self.get_buffer("factor")
        return found @ factor if self.matrix else found * factor.reshape(1, -1)


class _Normalizer(nn.Module):
    """The normalizer of safe-rlhf: off unless the config states `do_normalize`; a cost is scaled and not shifted."""

    def __init__(self, name: str, weights: _Weights, config: Any, source: str) -> None:
        super().__init__()
        kind = getattr(config, "score_type", "reward")
        if kind not in ("reward", "cost", "critic"):
            raise ModelError(f"the config of {source} states score_type {kind!r}: it must be reward, cost or critic")
        # safe-rlhf takes the statistics of the config where the weights hold none.
        stored = {part: weights(f"{name}.{part}") for part in ("mean", "var", "count") if f"{name}.{part}" in weights}
        mean = stored.get("mean", _stated(config, "mean", 0.0))
        deviation = stored.get("var", _stated(config, "var", 1.0)).sqrt() + 1e-8
        on = bool(getattr(config, "do_normalize", False)) and kind != "critic"
        self.register_buffer("shift", mean if on and kind == "reward" else torch.zeros_like(mean))
        self.register_buffer("deviation", deviation if on else torch.ones_like(deviation))

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        """float[rows, outputs]."""
        return (found - self.get_buffer("shift")) / self.get_buffer("deviation")


def _stated(config: Any, name: str, otherwise: float) -> torch.Tensor:
    value = getattr(config, name, None)
    return torch.as_tensor(otherwise if value is None else value, dtype=torch.float32).reshape(-1)


class _Features(nn.Module):
    """The features of a sparse autoencoder, without those that are not among the largest (SARM)."""

    def __init__(self, name: str, weights: _Weights, config: Any, source: str) -> None:
        super().__init__()
        kept = getattr(config, "sae_k", None)
        if type(kept) is not int or kept < 1:
            raise ModelError(
                f"the config of {source} states {kept!r} for sae_k, the number of features that are kept: write that "
                "of the model's training into config.json"
            )
        self.kept = kept
        self.encoder = _linear(f"{name}.encoder", weights, source)
        for bias in ("pre_bias", "latent_bias"):
            self.register_buffer(bias, weights(f"{name}.{bias}"))

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        """float[rows, features]."""
        # The constant is that of the published code, which divides by the sample's deviation.
        standard = (found - found.mean(1, keepdim=True)) / (found.std(1, keepdim=True) + 1e-6)
        features = self.encoder(standard - self.get_buffer("pre_bias")) + self.get_buffer("latent_bias")
        largest = features.topk(self.kept, 1)
        return torch.zeros_like(features).scatter(1, largest.indices, largest.values)


class _Groups(nn.Module):
    """One output for each group of consecutive outputs: their mean, their first, or an expectation over levels."""

    def __init__(self, operation: str, size: int) -> None:
        super().__init__()
        self.operation, self.size = operation, size

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        """float[rows, groups] from float[rows, groups * size]."""
        groups = found.reshape(len(found), -1, self.size)
        if self.operation == "mean":
            return groups.mean(2)
        if self.operation == "every":
            return groups[:, :, 0]
        expected: torch.Tensor = functional.softmax(groups, 2) @ torch.linspace(0, 1, self.size, device=found.device)
        return expected
