"""Programs that attack the machine on which they run, and solutions that try to pass tests without being right."""

from __future__ import annotations

from rmeval.doctor.attacks.access import ACCESS
from rmeval.doctor.attacks.attack import Attack, source
from rmeval.doctor.attacks.forgeries import FORGERIES, RIGHT, TESTS, Forgery
from rmeval.doctor.attacks.resources import RESOURCES

__all__ = ["ATTACKS", "FORGERIES", "RIGHT", "TESTS", "Attack", "Forgery", "source"]

ATTACKS = (*RESOURCES, *ACCESS)
