"""Runs programs that nobody has checked, and verifies solutions with tests that they cannot influence."""

from __future__ import annotations

from rmeval.sandbox.box import Sandbox
from rmeval.sandbox.languages import LANGUAGES, toolchains
from rmeval.sandbox.programs import Limits, Outcome, Program
from rmeval.sandbox.suites import TestSuite, Verdict

__all__ = ["LANGUAGES", "Limits", "Outcome", "Program", "Sandbox", "TestSuite", "Verdict", "toolchains"]
