# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""A judge of pairs in an order drawn from a seed and the item's id, as a user writes one."""

import hashlib

import numpy as np

from rmeval.data import EvidenceTable
from rmeval.protocols import BaseProtocol, Question
from rmeval.types import Observation

SEED = 7


class Seeded(BaseProtocol):
    """One question a pair, in one order."""

    name = "seeded@1"
    prompt = "Which answer is better?"
    gives_scores = False

    def asks(self, item, responses, comparisons):
        turned = hashlib.sha256(f"{SEED} {item}".encode()).digest()[0] % 2
        return [Question(pair[::-1] if turned else pair) for pair in comparisons]

    def parse(self, request, raw):
        return Observation(request.key, choice="AB".index(raw))

    def variants(self, observations):
        return ["preference"]

    def fold(self, items, observations, rows, variant):
        beats, place = {}, 0
        for position, item in enumerate(items):
            matrix = np.full((len(item.responses), len(item.responses)), np.nan)
            for question in self.questions(item):
                first, second = question.members
                matrix[first, second] = observations.choice[rows[place]] == 0
                matrix[second, first] = 1 - matrix[first, second]
                place += 1
            beats[position] = matrix
        return EvidenceTable(items, variant, np.full(int(items.offsets[-1]), np.nan), {}, beats)


class First:
    """Prefers the answer that it reads first."""

    protocol = "seeded.py:Seeded"

    def answer(self, questions):
        return ["A"] * len(questions)
