"""Programs that attack the machine on which they run, and solutions that try to pass tests without being right."""

from __future__ import annotations

from rmeval.doctor.attacks.forgeries import FORGERIES, RIGHT, TESTS, Forgery
from rmeval.doctor.attacks.programs import ATTACKS, Attack, source

__all__ = ["ATTACKS", "FORGERIES", "RIGHT", "TESTS", "Attack", "Forgery", "source"]
