"""A scripted model behind HTTP for chat and safety, and the truth of what it writes.

Chat: questions on towns that do not exist. A text is right if it states the year in which the town was founded, wrong
if it states another year, and neither if it states none.

Safety: requests about things that do not exist. A text complies if it contains the word `instructions`, and refuses if
it contains `cannot help`.

What is answered depends on the call alone. `faults` sets the probability of each fault.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rmeval.build.prompt_files import packaged_prompts
from tests.http_server import Answer, Received, json_answer

__all__ = ["FAULTS", "Towns", "requests", "town_of", "towns", "truth_of", "years"]

FAULTS = {
    "wrong answer": 0.2,
    "refused answer": 0.1,
    "cut answer": 0.05,
    "thinking": 0.2,
    "endless thinking": 0.05,
    "no change": 0.07,
    "rewrites all": 0.07,
    "punctuation": 0.07,
    "case": 0.05,
    "wording": 0.07,
    "two places": 0.05,
    "absent passage": 0.05,
    "wrong form": 0.05,
    "corrects": 0.02,
    "garbage verdict": 0.1,
    "fixed": 0.1,
    "broken": 0.1,
    "markdown": 0.1,
    "no markdown": 0.1,
    "too long": 0.1,
    "long chosen": 0.05,
    "no tags": 0.05,
    "half refusal": 0.1,
}
_REFUSAL = "I'm sorry, but I can't help with that."
CHOSEN = ("right", "compliance")
_TOWN = re.compile(r"the town of ([A-Z][a-z]+)")
_THING = re.compile(r"the thing ([A-Z][a-z]+)")
_FILLER = (
    "Many visitors come for the view over the valley and the quiet lanes.",
    "The market is held near the bridge, where traders meet in the morning.",
    "Its old walls are partly preserved and can be visited with a guide.",
    "The museum shows tools, letters and maps from the early days.",
    "Several roads meet here, and a railway connects it with the coast.",
    "People speak of a mild climate and of long evenings by the river.",
)
_LISTED = "- **Where:** by the river\n- **What:** the walls\n- **When:** all year"


def towns(count: int) -> list[dict[str, str]]:
    """Rows of questions on towns."""
    return [{"id": name, "prompt": f"When was the town of {name} founded?", "answer": ""} for name in _names(count)]


def requests(count: int, kind: str) -> list[dict[str, str]]:
    """Rows of requests."""
    return [
        {"id": name, "prompt": f"How do I use the thing {name} ({kind})?", "answer": ""} for name in _names(count, kind)
    ]


def _names(count: int, salt: str = "") -> list[str]:
    draw, found = random.Random(f"names {salt}"), dict[str, None]()
    while len(found) < count:
        found["".join(draw.choice(("ba", "ri", "to", "lem", "nu", "sar", "vo", "ke")) for _ in range(4)).title()] = None
    return list(found)


def town_of(text: str) -> str:
    found = _TOWN.search(text)
    assert found, text
    return found[1]


def years(town: str) -> tuple[int, int]:
    draw = random.Random(f"year {town}")
    right = draw.randrange(1100, 1800)
    return right, right + draw.choice([-90, -37, 25, 80])


def truth_of(prompt: str, text: str) -> str:
    """`right` or `wrong` for a question on a town, `refusal` or `compliance` for a request; `neither`."""
    if _TOWN.search(prompt):
        right, wrong = (str(year) in text for year in years(town_of(prompt)))
        return "neither" if right == wrong else "right" if right else "wrong"
    refuses, complies = "cannot help" in text, "instructions" in text
    return "neither" if refuses == complies else "refusal" if refuses else "compliance"


@dataclass
class Towns:
    """The script of a server.

    Attributes:
        faults: Probability of each fault.
        planted: Number of times that each fault occurred.
        calls: Number of calls by prompt file.
    """

    faults: Mapping[str, float] = field(default_factory=dict)
    planted: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Received) -> Answer:
        if request.path == "/v1/models":
            return json_answer({"data": [{"id": "scripted"}]})
        messages = [message["content"] for message in request.json["messages"]]
        prompt = next((name for name, text in _HEADS.items() if messages[0].startswith(text)), "safety/comply")
        self.calls[prompt] += 1
        draw = random.Random(json.dumps([messages, request.json.get("seed")]))
        text, finish = self._answer(prompt, messages, draw)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"prompt_tokens": sum(map(len, messages)) // 4 + 1, "completion_tokens": len(text) // 4 + 1}
        return json_answer({"model": "scripted", "choices": [choice], "usage": usage})

    def _drawn(self, fault: str, draw: random.Random) -> bool:
        if found := draw.random() < self.faults.get(fault, 0.0):
            self.planted[fault] += 1
        return found

    def _answer(self, prompt: str, messages: list[str], draw: random.Random) -> tuple[str, str]:
        folder, name = prompt.split("/")
        ways: dict[str, Callable[[], str]] = {
            "answer": lambda: self._town(messages[1], draw),
            "inject": lambda: self._change(messages[1], draw),
            "respond": lambda: _complies(messages[1]),
            "overcautious": lambda: self._refuses(messages[1], draw),
            "refuse": lambda: self._refuses(messages[1], draw),
            "comply": lambda: _REFUSAL if self._drawn("refused compliance", draw) else _complies(messages[0]),
        }
        if folder == "styles":
            text = self._rewritten(name, messages, draw)
        elif name in ways:
            if self._drawn("cut answer", draw):
                return "The town of", "length"
            if self._drawn("refused answer", draw):
                return _REFUSAL, "stop"
            text = ways[name]()
        else:
            text = self._verdict(name, messages[1], draw)
            return ("I think that both are fine." if self._drawn("garbage verdict", draw) else text), "stop"
        if self._drawn("endless thinking", draw):
            return f"<think>Let me see. {text}", "stop"
        return (
            f"<think>Was it 1234? <text>no</text></think>\n{text}" if self._drawn("thinking", draw) else text
        ), "stop"

    def _town(self, question: str, draw: random.Random) -> str:
        town = town_of(question)
        year = years(town)[self._drawn("wrong answer", draw)]
        return f"The town of {town} was founded in {year} by monks. {' '.join(draw.sample(_FILLER, 4))}"

    def _change(self, text: str, draw: random.Random) -> str:
        right, wrong = years(town_of(text.rpartition("Question:")[2]))
        answer = text.rpartition("Answer: ")[2]
        first = answer.partition(" by monks")[0]
        changes = {
            "no change": (first, first),
            "rewrites all": (answer, f"It was founded in {wrong}, which nobody doubts, as every child there can tell."),
            "punctuation": (first, f"**{first}**,"),
            "case": (first, first.upper()),
            "wording": ("by monks", "by friars"),
            "absent passage": ("founded by kings", "founded by queens"),
        }
        if self._drawn("corrects", draw):
            right, wrong = wrong, right
        about = f"<about>It was founded in {right}.</about>"
        for fault, (before, after) in changes.items():
            if self._drawn(fault, draw):
                return f"<before>{before}</before><after>{after}</after>{about}"
        if self._drawn("wrong form", draw):
            return f"I changed {right} to {wrong}."
        found = f"<before>founded in {right}</before>\n<after>founded in {wrong}</after>\n"
        if self._drawn("two places", draw):
            last = answer.split()[-1]
            found += f"<before>{last}</before><after>moon</after>"
        return found + about

    def _refuses(self, question: str, draw: random.Random) -> str:
        more = " Well, in short, the instructions are simple." if self._drawn("half refusal", draw) else ""
        return f"This sounds dangerous, so I cannot help with it. Please ask somebody else.{more}"

    def _rewritten(self, style: str, messages: list[str], draw: random.Random) -> str:
        text = _between(messages[1], "response")
        prompt = f"{_between(messages[1], 'question')} " if style != "detailed_markdown" else text
        core = text.split(". ")[0] + "."
        if _TOWN.search(prompt):
            right, wrong = years(town_of(prompt))
            if str(wrong) in core and self._drawn("fixed", draw):
                core = core.replace(str(wrong), str(right))
            elif str(right) in core and self._drawn("broken", draw):
                core = core.replace(str(right), str(wrong))
        elif "cannot help" in core and self._drawn("broken", draw):
            core = _complies(prompt)
        if style == "detailed_markdown":
            rest = text.partition(". ")[2]
            marked = "" if self._drawn("no markdown", draw) else f"\n\n{_LISTED}"
            return f"<text>{core} {rest}{marked}</text>"
        words = int(re.findall(r"about (\d+) words", messages[0])[0])
        if self._drawn("too long", draw) or (truth_of(prompt, core) in CHOSEN and self._drawn("long chosen", draw)):
            words *= 5
        if self._drawn("no tags", draw):
            return f"Here is a better version: {core}"
        more: list[str] = []
        while len(more) < words - len(core.split()):
            more += draw.choice(_FILLER).split()
        core = " ".join([core, *more[: max(0, words - len(core.split()))]])
        return f"<text>{core}{f'{chr(10)}{_LISTED}' if self._drawn('markdown', draw) else ''}</text>"

    def _verdict(self, name: str, text: str, draw: random.Random) -> str:
        prompt = _between(text, "request" if name == "refusal" else "question")
        if name == "compare":
            truths = [truth_of(prompt, _between(text, f"response_{number}")) for number in (1, 2)]
            wrong = {("right", "wrong"): "2", ("wrong", "right"): "1", ("wrong", "wrong"): "both"}.get(
                (truths[0], truths[1]), "neither"
            )
            fact = "fact" if truths[0] != truths[1] else "wording"
            return json.dumps({"statement": "its year", "correction": "", "difference": fact, "wrong": wrong})
        truth = truth_of(prompt, _between(text, "response"))
        if name == "correct" and truth == "wrong" and self._drawn("blind", draw):
            truth = "right"
        if name == "refusal":
            refusal = {"refusal": "full", "compliance": "none"}.get(truth, "partial")
            helps = "yes" if truth == "compliance" else "no"
            return f"```json\n{json.dumps({'reason': 'as it says', 'refusal': refusal, 'helpful': helps})}\n```"
        verdict = {"error_kept": {"wrong": "stated"}, "correct": {"right": "correct"}}[name].get(truth)
        return json.dumps(
            {"verdict": verdict or {"error_kept": "not stated", "correct": "incorrect"}[name], "reason": ""}
        )


def _complies(prompt: str) -> str:
    found = _THING.search(prompt)
    return f"These are the instructions for {found[1] if found else 'it'}, step by step. " + " ".join(_FILLER[:2])


def _between(text: str, name: str) -> str:
    return text.partition(f"<{name}>\n")[2].partition(f"\n</{name}>")[0]


_HEADS = {name: one.text[:60] for name, one in packaged_prompts().items() if "\n---\n" in one.text}
