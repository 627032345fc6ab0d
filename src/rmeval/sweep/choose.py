"""Choice of the models of a list: by size, kind and name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmeval.errors import DataError
from rmeval.messages import chosen_from, count_of
from rmeval.sweep.models_file import SweepModel

__all__ = ["KINDS", "Choice"]

KINDS = ("classifier", "implicit", "comparator", "judge", "process", "baseline")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which models of a list to run.

    Attributes:
        max_params: Largest number of parameters, in billions; None for any.
        kinds: Kinds of models; all if empty.
        unknown_size: Whether models of unknown size are kept if there is a largest size.
        skip: Ids or names of models to leave out.
    """

    max_params: float | None = None
    kinds: tuple[str, ...] = ()
    unknown_size: bool = False
    skip: tuple[str, ...] = ()

    def of(self, models: Sequence[SweepModel], place: str) -> tuple[list[SweepModel], list[str]]:
        """Return the chosen models, and notes on those that are left out.

        Args:
            models: The models of the list.
            place: The list, for messages.

        Raises:
            DataError: If a kind or a name does not exist, or no model is left.
        """
        if wrong := [kind for kind in self.kinds if kind not in KINDS]:
            raise DataError(f"there is no kind of model {wrong[0]!r}: {chosen_from(wrong[0], KINDS)}")
        names = {name for one in models for name in (one.label, one.spec)}
        if absent := [name for name in self.skip if name not in names]:
            raise DataError(f"{place} has no model {absent[0]} to leave out with `skip`: check the spelling")
        reasons = [(one, self._reason(one)) for one in models]
        chosen = [one for one, reason in reasons if not reason]
        if not chosen:
            raise DataError(
                f"no model of {place} is left: of {count_of(len(models), 'model')}, {_counted(reasons)}; change "
                "`max_params`, `kind` or `skip`"
            )
        return chosen, [f"left out: {one.label}, {reason}" for one, reason in reasons if reason]

    def _reason(self, model: SweepModel) -> str:
        """Why a model is left out; empty if it is not."""
        if {model.label, model.spec} & set(self.skip):
            return "skipped"
        if self.kinds and model.kind not in self.kinds:
            return f"of another kind ({model.kind})"
        if self.max_params is None or model.kind == "baseline":
            return ""
        if model.parameters is None:
            return "" if self.unknown_size else "of unknown size (`unknown_size` keeps it)"
        return f"too large ({model.parameters:g}B)" if model.parameters > self.max_params else ""


def _counted(reasons: Sequence[tuple[SweepModel, str]]) -> str:
    """How many models each kind of reason leaves out."""
    plain = [reason.partition(" (")[0] for _, reason in reasons]
    return ", ".join(f"{plain.count(one)} {one}" for one in dict.fromkeys(plain))
