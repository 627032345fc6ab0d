"""The registry of protocols: built-in protocols, protocols of installed packages, and `file.py:Class`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.cache import files_digest
from rmeval.errors import ModelError, RunError
from rmeval.messages import nearest, quoted
from rmeval.plugins import is_file_spec, load_object, package_of, registered
from rmeval.protocols.base import ProtocolLike
from rmeval.protocols.judging.best import JudgeBest
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.card_file import built_in_cards, card_of, find_card, read_card
from rmeval.protocols.judging.options import JudgeOptions, options_of
from rmeval.protocols.judging.pairs import JudgePairs
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.rating import JudgeRateAll, JudgeRating
from rmeval.protocols.outside import OutsideProtocol
from rmeval.protocols.pairwise import PAIRWISE, PAIRWISE_CHOSEN
from rmeval.protocols.pointwise import IMPORTED, POINTWISE
from rmeval.protocols.verdicts import VERDICTS, VERDICTS_BOTH

__all__ = ["BUILTIN", "FoundProtocol", "judge_protocol", "load_protocol", "protocol_names", "stored_protocol"]

BUILTIN: dict[str, ProtocolLike] = {
    protocol.name: protocol for protocol in (POINTWISE, IMPORTED, PAIRWISE, PAIRWISE_CHOSEN, VERDICTS, VERDICTS_BOTH)
}
_GROUP = "rmeval.protocols"
_NAME = re.compile(r"\S+@\d+")


@dataclass(frozen=True, slots=True)
class FoundProtocol:
    """A protocol and its origin.

    Attributes:
        protocol: The protocol.
        spec: The name that loads it: a registered name, or `file.py:Class`.
        code: The version of its code in a run's identity: the digest of its file, or the installed package and its
            version; None for built-in protocols.
        card: The card of a judge's protocol, for the run folder; None for other protocols.
    """

    protocol: ProtocolLike
    spec: str
    code: str | None = None
    card: Mapping[str, Any] | None = None

    @property
    def identity(self) -> dict[str, str]:
        """The entries of the protocol in a run's identity."""
        own = {} if self.code is None else {"protocol_code": self.code}
        return {"protocol": self.protocol.name, **own}


def protocol_names() -> list[str]:
    """The names of all protocols, built-in and registered by installed packages."""
    return list(registered(_GROUP, dict.fromkeys((*BUILTIN, *built_in_cards()), "")))


_WITH_OPTIONS = re.compile(r"(?P<name>.+?)(\[(?P<options>[^\[\]]*)\])?")
_KINDS: dict[str, type[JudgeProtocol]] = {
    "pair": JudgePairs,
    "best": JudgeBest,
    "rate": JudgeRating,
    "rate-all": JudgeRateAll,
}


def judge_protocol(options: JudgeOptions) -> JudgeProtocol:
    """The protocol of a judge.

    Raises:
        RmevalError: If there is no such protocol, it is not that of a judge, or an option does not fit it.
    """
    if options.suffix and str(options.protocol).endswith("]"):
        raise ModelError(
            f"`protocol` {options.protocol} has options: give {options.suffix} there too, or leave these out"
        )
    found = load_protocol(f"{options.protocol}{options.suffix}").protocol
    if not isinstance(found, JudgeProtocol):
        raise RunError(
            f"`protocol` {found.name} is not that of a judge: leave it out, or choose {', '.join(built_in_cards())}"
        )
    return found.sampled(options)


def stored_protocol(card: Mapping[str, Any], name: str) -> JudgeProtocol:
    """The protocol of a judge's run, from the card in its folder.

    Args:
        card: The card.
        name: The protocol's name with its options, such as `mine@1[votes=3]`.

    Raises:
        RmevalError: If the card or an option is wrong.
    """
    found = _WITH_OPTIONS.fullmatch(name)
    own = card_of(card, name)
    return _of_card(own, own.name, (found["options"] if found else None) or "")


def _judge(spec: str) -> FoundProtocol | None:
    """The judge's protocol that a text loads; None if it names another one."""
    found = _WITH_OPTIONS.fullmatch(spec)
    if found is None:
        return None
    name = found["name"]
    card = read_card(Path(name)) if name.endswith(".toml") else find_card(name)
    if card is None:
        return None
    made = _of_card(card, name, found["options"] or "")
    return FoundProtocol(made, made.name, card=card.to_dict())


def _of_card(card: JudgeCard, spec: str, suffix: str) -> JudgeProtocol:
    return _KINDS[card.kind](card, options_of(spec, suffix))


def load_protocol(spec: str) -> FoundProtocol:
    """Load a protocol.

    Args:
        spec: A name, or `file.py:Class`.

    Raises:
        RunError: If there is no protocol of that name, or the object is not a protocol.
    """
    if not isinstance(spec, str):  # As from Python.
        raise RunError(f"`protocol` is {quoted(spec)}, not a name: give one such as five-way, or file.py:Class")
    if spec in BUILTIN:
        return FoundProtocol(BUILTIN[spec], spec)
    if (judge := _judge(spec)) is not None:
        return judge
    if is_file_spec(spec):
        target = spec
    else:
        names = registered(_GROUP, {})
        if spec not in names:
            # `pointwise` is no judge's protocol, and found with its version only.
            known = protocol_names() if "@" in spec else [name for name in protocol_names() if name not in BUILTIN]
            meant = nearest(spec, known)
            raise RunError(
                f"there is no protocol {quoted(spec)} (there are {', '.join(known)}): "
                f"{f'did you mean {meant}? ' if meant else ''}install the package that registers it, or give "
                "file.py:Class"
            )
        target = names[spec]
    made = load_object(target)
    found = made() if inspect.isclass(made) else made
    if not isinstance(found, ProtocolLike):
        raise RunError(f"{target} is not a protocol: derive it from rmeval.protocols.BaseProtocol")
    if not isinstance(found.name, str) or not _NAME.fullmatch(found.name) or found.name in BUILTIN:
        raise RunError(
            f"{target} has the name {quoted(found.name)}: give it a unique name with a version, such as graded@1"
        )
    try:
        hash(found)
    except TypeError:
        raise RunError(
            f"{target} cannot be hashed: leave out its method __eq__, or use @dataclass(frozen=True)"
        ) from None
    file = Path(target.rpartition(":")[0])
    code = f"sha256:{files_digest([file])}" if is_file_spec(target) else package_of(target)
    return FoundProtocol(OutsideProtocol(found, target), spec, code)
