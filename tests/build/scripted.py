"""A scripted strong model behind HTTP: it knows problems, and a table of what it wrote states what is right.

known = with_mutants(humaneval(shared, 40)) + gsm8k(shared, 40)
model = ScriptedModel(known, right=0.6)
with serve(model) as server:
    ...  # A build whose writer is {model: f"{server.url}/v1", served_model: scripted}.
    model.truth["HumanEval/3"][text].right
    model.repeated()

Which prompt file a call renders is found by the texts around its variables. What is answered depends on the seed of the
call alone. `model.on("chat/inject", answer)` sets the answer to another prompt file; `answer(seen)` returns a text, or
one with how it ends: `Reply(text, "length")`.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rmeval.build.prompt_files import PromptFile, packaged_prompts
from tests.build.known import Known, other_forms
from tests.build.wrong_code import EMPTY, FLAKY, FORGED, LOOP, off, wrapped
from tests.http_server import Answer, Received, json_answer

__all__ = ["CODE_KINDS", "MATH_KINDS", "Reply", "ScriptedModel", "Seen", "Truth"]

CODE_KINDS = {
    "mutant": 6.0,
    "off": 2.0,
    "syntax": 1.0,
    "loop": 0.3,
    "flaky": 2.0,
    "forged": 2.0,
    "empty": 0.5,
    "prose": 1.0,
    "two solutions": 0.5,
    "cut": 0.5,
    "refused": 0.5,
}
"""What a solution is that is not right, with weights."""
MATH_KINDS = {"wrong": 8.0, "no box": 2.0, "two boxes": 1.0, "empty box": 0.5, "cut": 0.5, "refused": 0.5}


@dataclass(frozen=True)
class Truth:
    """What is known of a text.

    Attributes:
        kind: How it was made: `right`, `mutant`, `forged` and so on.
        right: Whether it is right; None if it is neither, such as a refusal, or right by chance.
        core: Its code, final answer or statement.
    """

    kind: str
    right: bool | None
    core: str


@dataclass(frozen=True)
class Reply:
    text: str
    finish: str = "stop"


@dataclass(frozen=True)
class Seen:
    """A call as a handler gets it.

    Attributes:
        prompt: Name of the prompt file.
        problem: The problem that occurs in the messages.
        text: All messages.
        known: The texts in them that the model wrote before, in their order, with what is known of them.
        draw: Random numbers of the call's seed.
    """

    prompt: str
    problem: Known
    text: str
    known: tuple[tuple[str, Truth], ...]
    draw: random.Random


Handler = Callable[[Seen], "Reply | str"]


@dataclass
class ScriptedModel:
    """The script of a server.

    Attributes:
        known: The problems.
        right: Probability of a right solution.
        code: Weights of the kinds of code that is not right.
        math: Weights of the kinds of final answers that are not right.
        faithful: Probability that a rewriting keeps the substance and has its style.
        name: The model's name.
        wait: Seconds before each answer.
        prompts: The prompt files that calls may render.
        truth: What is known of each text, by the problem's id, and by the text with and without its reasoning.
        bodies: How often each call came, by its messages and seed.
    """

    known: Iterable[Known]
    right: float = 0.5
    code: Mapping[str, float] = field(default_factory=lambda: CODE_KINDS)
    math: Mapping[str, float] = field(default_factory=lambda: MATH_KINDS)
    faithful: float = 0.9
    name: str = "scripted"
    wait: float = 0.0
    prompts: Mapping[str, PromptFile] = field(default_factory=packaged_prompts)
    truth: dict[str, dict[str, Truth]] = field(default_factory=dict)
    bodies: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._problems = sorted(self.known, key=lambda one: -len(one.text))
        # Prompts of problems are parts of other prompts.
        named = {name: _literals(one.text) for name, one in self.prompts.items() if not name.startswith("problems/")}
        self._literals = {name: literals for name, literals in named.items() if literals}
        self._handlers: dict[str, Handler] = {}
        self._wrote: dict[str, Known] = {}
        self._lock = threading.Lock()

    def on(self, prompt: str, handler: Handler) -> None:
        """Set how calls of a prompt file are answered."""
        self._handlers[prompt] = handler

    def __call__(self, request: Received) -> Answer:
        """Answer a request."""
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": self.name}]})
        body = request.json
        text = "\n".join(message["content"] for message in body["messages"])
        with self._lock:
            self.bodies[hashlib.sha256(request.body).hexdigest()] += 1
            try:
                reply = self._reply(text, random.Random(f"{body.get('seed')} {len(text)}"))
            except (AssertionError, KeyError) as error:
                # An answer that is not sent again, so that the test ends.
                return json_answer({"error": {"message": f"{type(error).__name__}: {error}"}}, 400)
        message = {"role": "assistant", "content": reply.text}
        usage = {"prompt_tokens": len(text) // 4 + 1, "completion_tokens": len(reply.text) // 4 + 1}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish}
        return json_answer({"model": self.name, "choices": [choice], "usage": usage}, wait=self.wait)

    def repeated(self) -> int:
        """Number of calls that came more than once with the same messages, seed and limit."""
        return sum(count - 1 for count in self.bodies.values())

    def calls(self) -> int:
        """Number of all calls."""
        return sum(self.bodies.values())

    def _reply(self, text: str, draw: random.Random) -> Reply:
        prompt, problem = self.prompt_of(text), self.problem_of(text)
        known = [(own, truth) for own, truth in self.truth.get(problem.id, {}).items() if own in text]
        seen = Seen(prompt, problem, text, tuple(sorted(known, key=lambda one: (text.index(one[0]), one[0]))), draw)
        found = self._handlers.get(prompt, self.answer)(seen)
        return found if isinstance(found, Reply) else Reply(found)

    def prompt_of(self, text: str) -> str:
        """Name of the prompt file that a text was rendered from."""
        plain = " ".join(text.split())

        def share(name: str) -> tuple[bool, float, int]:
            begins = plain.startswith(self._literals[name][0][:60])
            sizes = [(len(one), one in plain) for one in self._literals[name]]
            own = sum(size for size, there in sizes if there)
            return begins, own / max(1, sum(size for size, _ in sizes)), own

        return max(self._literals, key=share)

    def problem_of(self, text: str) -> Known:
        """The problem that occurs in a text: the longest, and of several the one whose other texts occur too."""
        found = self._problem_in(text)
        assert found is not None, f"a prompt contains no known problem: {text[:500]}"
        return found

    def knows(self, text: str) -> bool:
        """Whether a problem, or a response that the model wrote, occurs in a prompt."""
        return self._problem_in(text) is not None

    def _problem_in(self, text: str) -> Known | None:
        found = [one for one in self._problems if one.text in text]
        if not found:
            # Such as a prompt that only asks for another format.
            return self._wrote.get(text.partition("<response>\n")[2].partition("\n</response>")[0])
        same = [one for one in found if one.text == found[0].text]
        return max(same, key=lambda one: sum(other in text for other in one.also))

    def learn(self, problem: Known, text: str, truth: Truth) -> str:
        """Store what is known of a text, and return it."""
        own = self.truth.setdefault(problem.id, {})
        for read in (text, text.rpartition("</think>")[2].strip()):
            earlier = own.setdefault(read, truth)
            self._wrote[read] = problem
            assert earlier.right == truth.right, f"{problem.id}: one text is both {earlier.kind} and {truth.kind}"
        return text

    def answer(self, seen: Seen) -> Reply | str:
        """Answer a prompt that has no handler: `.../solve`."""
        if seen.prompt.endswith("/solve"):
            return self.solve(seen)
        raise AssertionError(f"the scripted model has no answer to {seen.prompt}: set one with `on`")

    def solve(self, seen: Seen) -> Reply | str:
        """Write a solution, right or not."""
        return self._code(seen) if seen.problem.kind == "code" else self._final(seen)

    def _code(self, seen: Seen) -> Reply | str:
        problem, draw = seen.problem, seen.draw
        kind = "right" if draw.random() < self.right else _drawn(self.code, draw)
        if kind == "refused":
            return Reply("I cannot help with that.", "content_filter")
        if kind == "cut":
            return Reply(f"```python\n{problem.right[: len(problem.right) // 2]}", "length")
        core = self._core(kind, problem, draw)
        right = {"right": True, "flaky": None, "two solutions": None, "prose": None}.get(kind, False)
        return self.learn(problem, _presented(core, kind, problem, draw), Truth(kind, right, core))

    @staticmethod
    def _core(kind: str, problem: Known, draw: random.Random) -> str:
        """Code of a kind."""
        entry = problem.entry_point
        if kind in ("mutant", "two solutions") and problem.wrong:
            return draw.choice(problem.wrong)
        if kind == "syntax":
            return problem.right.replace("return", "retrun (", 1) + "\n)"
        made: dict[str, Callable[[], str]] = {
            "right": lambda: problem.right,
            "flaky": lambda: wrapped(problem.right, entry, FLAKY[draw.choice(sorted(FLAKY))]),
            "forged": lambda: FORGED[draw.choice(sorted(FORGED))].format(entry=entry),
            "loop": lambda: LOOP.format(entry=entry),
            "empty": lambda: EMPTY.format(entry=entry),
            "prose": lambda: "",
        }
        return made.get(kind, lambda: off(problem.right, entry))()

    def _final(self, seen: Seen) -> Reply | str:
        problem, draw = seen.problem, seen.draw
        kind = "right" if draw.random() < self.right else _drawn(self.math, draw)
        if kind == "refused":
            return Reply("I cannot help with that.", "content_filter")
        if kind == "cut":
            return Reply("First we write down what is given, and then", "length")
        if kind == "right":
            other = draw.random() < 0.3
            core = draw.choice(other_forms(problem.right)) if other else problem.right
            return self.learn(problem, _reasoned(core, problem, draw), Truth("right", True, core))
        wrong = draw.choice(problem.wrong)
        if kind == "wrong":
            return self.learn(problem, _reasoned(wrong, problem, draw), Truth("wrong", False, wrong))
        text = {
            "no box": f"We find that the result is {draw.choice([problem.right, wrong])}, which can be checked.",
            "two boxes": f"It is \\boxed{{{problem.right}}}. On second thought, it is \\boxed{{{wrong}}}.",
            "empty box": "The answer is \\boxed{}.",
        }[kind]
        return self.learn(problem, text, Truth(kind, None, ""))


def _drawn(weights: Mapping[str, float], draw: random.Random) -> str:
    names = sorted(weights)
    return draw.choices(names, [weights[name] for name in names])[0]


def _literals(template: str) -> list[str]:
    """The texts of a template around its variables."""
    parts = re.split(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|^---\s*$", template, flags=re.DOTALL | re.MULTILINE)
    return [plain for part in parts if len(plain := " ".join(part.split())) > 3]


_BEFORE = ("Here is a solution.", "The idea is to go through the values once.", "Let us write the function.")
_AFTER = ("It takes linear time.", "The edge cases are covered by the condition.", "Tell me if you need more detail.")


def _presented(core: str, kind: str, problem: Known, draw: random.Random) -> str:
    """Code in a response, as language models write it."""
    if kind == "prose":
        return f"{draw.choice(_BEFORE)} Sort the values, and compare each with the next one."
    if kind == "two solutions":
        other = problem.right
        blocks = [core, other] if draw.random() < 0.5 else [other, core]
        return "\n\n".join(f"Version {number}:\n\n```python\n{code}\n```" for number, code in enumerate(blocks, 1))
    block = f"```{draw.choice(['python', 'py', 'Python', ''])}\n{core}\n```"
    form = draw.choice(["block", "around", "example", "thinking", "bare"])
    if form == "bare" and kind not in ("syntax", "prose"):
        return core
    if form == "around":
        return f"{draw.choice(_BEFORE)}\n\n{block}\n\n{draw.choice(_AFTER)}"
    if form == "example":
        return f"{draw.choice(_BEFORE)}\n\n{block}\n\nFor example:\n\n```python\nprint({problem.entry_point})\n```"
    if form == "thinking":
        trap = problem.wrong[0] if kind == "right" and problem.wrong else problem.right
        return f"<think>\nMaybe this:\n```python\n{trap}\n```\nNo.\n</think>\n\n{draw.choice(_BEFORE)}\n\n{block}"
    return block


def _reasoned(core: str, problem: Known, draw: random.Random) -> str:
    """A final answer in a response."""
    end = draw.choice(["The answer is $\\boxed{%s}$.", "\\boxed{%s}", "Therefore we get\n\\[\n\\boxed{%s}\n\\]"]) % core
    form = draw.choice(["short", "steps", "thinking", "after"])
    if form == "thinking":
        trap = problem.wrong[0] if draw.random() < 0.5 else problem.right
        return f"<think>\nIs it \\boxed{{{trap}}}? Let me check.\n</think>\n\nWe compute it directly. {end}"
    if form == "after":
        return f"First write down what is given.\n\n{end}\n\nThe result can be checked by going backwards."
    steps = "" if form == "short" else "1. Write down what is given.\n2. Solve for the unknown.\n\n"
    return f"{steps}{end}"
