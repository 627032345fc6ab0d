"""Mathematics: hot samples, checked against the key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import Field

from rmeval.build import config
from rmeval.build.records import Candidate, Check, Dropped, Problem, Record, Side
from rmeval.build.stage import REWRITERS, PlannedCalls
from rmeval.build.tools import Ask, Tools

__all__ = ["MathRecipe"]


class MathOptions(config.Options):
    """Options of `math`.

    Attributes:
        samples: Number of solutions of each problem.
        temperature: Temperature.
    """

    samples: int = Field(8, ge=2)
    temperature: float = Field(1.0, ge=0)


class MathRecipe:
    """Keeps a right and a wrong solution of each problem."""

    Options: type[config.Options] = MathOptions
    roles: tuple[config.Role, ...] = ("writer",)
    rewriters = REWRITERS

    def respond(self, records: Sequence[Record], options: Any, tools: Tools) -> Iterable[Record | Dropped]:
        """Sample solutions, and keep one of each side."""
        prompt = tools.prompts.get("math/solve")
        asks = [
            Ask("writer", prompt, {"problem": record.problem.prompt}, sample, options.temperature)
            for record in records
            for sample in range(options.samples)
        ]
        answers = iter(tools.ask(asks, "solutions"))
        for record in records:
            own = [next(answers) for _ in range(options.samples)]
            found: dict[str, Candidate] = {}
            for sample, answer in enumerate(own):
                if not answer.ok:
                    continue
                is_right = _final(answer.text) == record.problem.answer
                side: Side = "chosen" if is_right else "rejected"
                check = Check("key", "pass", f"answer {_final(answer.text)}")
                name = tools.name_of("writer")
                candidate = Candidate(
                    f"{side}-0", side, answer.text, None, name, prompt.version, answer.key, sample, checks=(check,)
                )
                found.setdefault(side, candidate)
            if len(found) < 2:
                yield Dropped(record.key, f"no {'right' if 'chosen' not in found else 'wrong'} sample")
            else:
                yield Record(record.problem, (found["chosen"], found["rejected"]))

    def check(self, texts: Sequence[tuple[Problem, Candidate]], options: Any, tools: Tools) -> list[tuple[Check, ...]]:
        """Compare the final answer with the key."""
        found: list[tuple[Check, ...]] = []
        for problem, candidate in texts:
            is_right = _final(candidate.text) == problem.answer
            found.append((Check("key", "pass" if is_right == (candidate.side == "chosen") else "fail"),))
        return found

    def substance(self, text: str) -> str:
        """The final answer."""
        return _final(text)

    def planned(self, records: Sequence[Record], options: Any) -> list[PlannedCalls]:
        """One call for each sample."""
        count = len(records) * options.samples
        size = sum(len(one.problem.prompt) for one in records) * options.samples // 4
        return [PlannedCalls("writer", count, count, size, count * 300)]

    def planned_checks(self, texts: int, options: Any) -> list[PlannedCalls]:
        """No calls."""
        return []


def _final(text: str) -> str:
    found = re.findall(r"-?\d+", text)
    return found[-1] if found else ""
