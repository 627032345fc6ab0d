"""Mathematics: hot samples, whose final answers are compared with the key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rmeval.build import config
from rmeval.build.config import Role
from rmeval.build.prompt_files import packaged_prompts
from rmeval.build.recipes.samples import (
    Finding,
    SampleOptions,
    draw_samples,
    kept,
    planned_samples,
    status_of,
    with_findings,
)
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.stage import REWRITERS, PlannedCalls
from rmeval.build.tools import Tools
from rmeval.solutions.algebra import Algebra, equalities, unreadable_keys
from rmeval.solutions.final_answers import final_answers, normalised

__all__ = ["MathOptions", "MathRecipe"]

_PROMPT = "math/solve"
_STATES = {"equal": "right", "different": "wrong", "unclear": "unclear"}


class MathOptions(SampleOptions):
    """Options of `math`.

    Attributes:
        no_answer: Whether a response without a final answer is `wrong`, or `skip`: neither right nor wrong.
    """

    no_answer: Literal["skip", "wrong"] = "skip"


class MathRecipe:
    """Keeps responses whose final answer equals the key, and such with another answer."""

    Options: type[config.Options] = MathOptions
    roles: tuple[Role, ...] = ("writer",)
    rewriters: Mapping[Side, Role] = REWRITERS

    def respond(self, records: Sequence[Record], options: Any, tools: Tools) -> Iterable[Record | Dropped]:
        """Sample solutions, compare their answers with the key, and keep some of each side."""
        with Algebra() as algebra:
            keys = {record.problem.answer for record in records}
            unreadable = unreadable_keys(keys, algebra, tools, "keys")
            usable = []
            for record in records:
                if not normalised(record.problem.answer):
                    yield Dropped(record.key, "no key")
                elif record.problem.answer in unreadable:
                    yield Dropped(record.key, "key that cannot be compared", record.problem.answer)
                else:
                    usable.append(record)
            prompt = tools.prompts.get(_PROMPT)
            samples = draw_samples([one.problem for one in usable], prompt, _values, options, tools, "solutions")
            texts = [
                (record.problem, sample.text)
                for record, own in zip(usable, samples, strict=True)
                for sample in own
                if sample.text
            ]
            found = with_findings(samples, _findings(texts, options, algebra, tools))
        counts = Counter(one.state for own in found for _, one in own)
        for domain in dict.fromkeys(record.problem.domain for record in usable):
            tools.note(**{f"samples of {domain}": dict(sorted(counts.items()))})
        for record, own in zip(usable, found, strict=True):
            yield kept(record, own, options, "key")

    def check(self, texts: Sequence[tuple[Problem, Candidate]], options: Any, tools: Tools) -> list[tuple[Check, ...]]:
        """Compare the final answer of each text with the key."""
        with Algebra() as algebra:
            found = _findings([(problem, one.text) for problem, one in texts], options, algebra, tools)
        return [(status_of(one.side, finding, "key"),) for (_, one), finding in zip(texts, found, strict=True)]

    def substance(self, text: str) -> str | None:
        """The final answer."""
        found = final_answers(text)
        return normalised(found[0]) if len(found) == 1 else None

    def planned(self, records: Sequence[Record], options: Any) -> list[PlannedCalls]:
        """One call for each sample."""
        return planned_samples([one.problem for one in records], packaged_prompts()[_PROMPT], options)

    def planned_checks(self, texts: int, options: Any) -> list[PlannedCalls]:
        """No calls: answers are compared on this machine."""
        return []


def _values(problem: Problem) -> dict[str, Any]:
    return {"problem": problem.prompt, "language": problem.language}


def _findings(
    texts: Sequence[tuple[Problem, str]], options: MathOptions, algebra: Algebra, tools: Tools
) -> list[Finding]:
    """Whether the final answer of each text is right."""
    answers = [final_answers(text) for _, text in texts]
    pairs = [(problem.answer, own[0]) for (problem, _), own in zip(texts, answers, strict=True) if len(own) == 1]
    equal = iter(equalities(pairs, algebra, tools, "final answers"))
    return [
        Finding(_STATES[next(equal)], f"answer {own[0]}") if len(own) == 1 else _without(own, options)
        for own in answers
    ]


def _without(answers: Sequence[str], options: MathOptions) -> Finding:
    """What is found of a text that has no final answer, or several."""
    if answers:
        return Finding("several answers", ", ".join(answers))
    return Finding("wrong" if options.no_answer == "wrong" else "no final answer", "no final answer")
