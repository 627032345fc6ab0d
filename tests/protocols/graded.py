# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""A protocol and a model of it as a user writes them: votes, and a list of numbers for each answer.

The tests copy this file to a folder of their own and run it from there; it imports nothing of the tests.
"""

import time

import numpy as np

from rmeval.data.tables import EvidenceTable
from rmeval.protocols import BaseProtocol, Question, fold_steps, fold_votes
from rmeval.types import Observation

VOTES = 3


class Graded(BaseProtocol):
    """Each response is graded in steps, by three votes."""

    name = "graded@1"
    prompt = "Grade each step of the answer from 0 to 1."

    def asks(self, item, responses, comparisons):
        return [Question((index,), vote) for index in range(responses) for vote in range(VOTES)]

    def parse(self, request, raw):
        if raw == "":
            return Observation(request.key, "refused")
        if raw.endswith("..."):
            return Observation(request.key, "no_verdict", error="the text ends before the last grade")
        try:
            grades = tuple(map(float, raw.split()))
        except ValueError:
            return Observation(request.key, "unparsed", error=f"no grades: {raw}")
        return Observation(request.key, values={"steps": grades}, choice=int(np.argmin(grades)))

    def variants(self, observations):
        return ["min/mean", "mean/mean"]

    def notes(self, observations, rows):
        worst = observations.choice[rows]
        return [f"the first step is the worst in {(worst == 0).sum()} of {(worst >= 0).sum()} grades"]

    def fold(self, items, observations, rows, variant):
        steps, votes = variant.split("/")
        grades = fold_steps(observations.vectors["steps"], rows, steps).reshape(-1, VOTES)
        return EvidenceTable(items, variant, fold_votes(grades, votes))


class Grader:
    """Says grades in words; the longer an answer is, the better. Every tenth is refused, cut off or broken."""

    protocol = "graded.py:Graded"

    def __init__(self, wait=0.0):
        self.wait = wait

    def answer(self, questions):
        time.sleep(self.wait)
        return [self._one(q["prompt"][0]["content"], q["responses"][0]["content"], q["vote"]) for q in questions]

    def _one(self, prompt, text, vote):
        kind = (sum(map(ord, prompt + text)) + vote) % 30
        if kind < 4:
            return ["", "0.5 0....", "good", "nan 1"][kind]
        # The last step is worse in the last vote.
        return f"{len(text) / 100} {len(text) / 200} {len(text) / (300 + 100 * vote)}"
