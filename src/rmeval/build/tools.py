"""What stages work with: models that are called, code that is run, and the log of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from rmeval.build.answers import Answer, AnswerLog
from rmeval.build.config import BuildConfig, Role
from rmeval.build.folder import BuildFolder, StageResult
from rmeval.build.prompt_files import PromptFile, PromptFiles
from rmeval.build.registry import StageName
from rmeval.data.digests import digest
from rmeval.errors import ModelError, RmevalError
from rmeval.messages import count_of
from rmeval.models.judge.backend import Backend, HasKey, Spends
from rmeval.models.judge.cut_off import whole_outputs
from rmeval.models.judge.find import find_writer
from rmeval.models.judge.model import seed_of
from rmeval.models.options import model_options
from rmeval.protocols.judging import Asked, Output, Prompt, Sampling
from rmeval.solutions.once import Result
from rmeval.transport.budget import Price, read_prices
from rmeval.transport.calls import Usage
from rmeval.types import Request

if TYPE_CHECKING:
    from rmeval.sandbox import Sandbox, TestSuite, Verdict

__all__ = ["Ask", "Tools"]

Job = TypeVar("Job")

_TOGETHER = 32
"""Number of verdicts that are written to disk together; those of a process that is killed are found again."""
Progress = Callable[[int, int, str], None]
"""Called with the number of calls that are done, their total, and what is running."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that a stage needs; equal asks are one call.

    Attributes:
        role: Which model is called.
        prompt: The prompt file.
        values: The variables of its template.
        sample: Number of the sample, from 0; each has its own seed.
        temperature: Temperature; by default the role's.
        max_new_tokens: Limit in tokens, if smaller than the role's.
        schema: JSON schema of the answer, for servers that can hold a model to it.
    """

    role: Role
    prompt: PromptFile
    values: Mapping[str, Any]
    sample: int = 0
    temperature: float | None = None
    max_new_tokens: int | None = None
    schema: Mapping[str, Any] | None = None


class Tools:
    """Calls of models and runs of code, each of which happens once, however often a build is started.

    Attributes:
        config: The config.
        folder: The files of the build.
        prompts: The prompt files.
        accept_failures: Whether calls that failed count as answers without a text.
        earlier: The results of the stages before the one that runs.
        calls: Number of calls of this process.
    """

    def __init__(
        self,
        config: BuildConfig,
        folder: BuildFolder,
        answers: AnswerLog,
        verdicts: AnswerLog,
        progress: Progress,
        accept_failures: bool = False,
        resends_cut: bool = True,
    ) -> None:
        """Store the parts; nothing is called, and no sandbox is started.

        Args:
            config: The config.
            folder: The files of the build.
            answers: The log of calls.
            verdicts: The log of runs of code.
            progress: Called while calls are made.
            accept_failures: Whether to go on after calls that failed.
            resends_cut: Whether a call whose answer is cut off is sent once more, with twice the limit.
        """
        self.config = config
        self.folder = folder
        self.prompts = PromptFiles(None if config.prompts is None else config.path(config.prompts))
        self.accept_failures = accept_failures
        self._resends_cut = resends_cut
        self._answers, self._verdicts = answers, verdicts
        self._progress = progress
        self._backends: dict[Role, Backend] = {}
        self._facts: dict[str, Any] = {}
        self._asked: dict[tuple[Role, str], set[str]] = {}
        self._unavailable: set[str] = set()
        self._names: Mapping[str, str] | None = None
        self.earlier: Mapping[StageName, StageResult] = {}
        self.calls = 0

    def note(self, **facts: Any) -> None:
        """Store facts of the stage that runs, as JSON types.

        `waits` states why the build cannot go on yet. `files` has the digest of each file that the stage has written,
        by its path in the build's folder: the stage runs again if one is missing or differs.
        """
        self._facts |= facts

    def take_facts(self) -> dict[str, Any]:
        """Return the facts of the stage that ran, with the calls that it needed, and forget them.

        `unavailable` is the number of runs of code that were not possible here: the stage runs again at the next start.
        """
        used = [self._used(role, prompt, keys) for (role, prompt), keys in sorted(self._asked.items())]
        missing = {"unavailable": len(self._unavailable)} if self._unavailable else {}
        found = {"used": used} | missing | self._facts
        self._facts, self._asked, self._unavailable = {}, {}, set()
        return found

    def _used(self, role: Role, prompt: str, keys: Collection[str]) -> dict[str, Any]:
        """What the calls of a role with one prompt used, whichever process made them."""
        answers = [answer for key in keys if (answer := self._answers.get(key)) is not None]
        model = self.name_of(role)
        tokens = [Usage(answer.usage.get("tokens", 0), answer.usage.get("output_tokens", 0)) for answer in answers]
        total = sum(tokens, start=Usage(0))
        price = self._prices.get(model) or self._prices.get("*")
        return {
            "role": role,
            "model": model,
            "prompt": prompt,
            "calls": len(keys),
            "ok": sum(answer.ok for answer in answers),
            "input_tokens": total.input,
            "output_tokens": total.output,
            "cost": None if price is None else price.of(total),
        }

    @cached_property
    def _prices(self) -> Mapping[str, Price]:
        prices = self.config.prices
        return {} if prices is None else read_prices(str(self.config.path(prices)))

    def name_of(self, role: Role) -> str:
        """Name of a role's model, for provenance: what its server calls it, once it was called."""
        if self._names is None:
            self._names = self.folder.models()
        return self._names.get(role) or self.config.role(role).name

    def key(self, ask: Ask) -> str:
        """The key of a call: a digest of the model's name and options, the messages, the sampling and the sample."""
        own = self.config.role(ask.role)
        messages = ask.prompt.messages(ask.values)
        return digest(
            {
                "model": own.name,
                "messages": [message.to_dict() for message in messages],
                "temperature": self._temperature(ask),
                # Without a temperature, nothing is drawn; 0 is the default.
                **({"seed": self.config.seed} if self.config.seed and self._temperature(ask) else {}),
                **({"options": own.writing} if own.writing else {}),
                "top_p": own.top_p,
                "max_new_tokens": self._limit(ask),
                "sample": ask.sample,
                **({"schema": dict(ask.schema)} if ask.schema else {}),
            }
        )

    def ask(self, asks: Sequence[Ask], what: str) -> list[Answer]:
        """Make the calls that have no answer yet, and return the answers in the order of the asks.

        Args:
            asks: The calls.
            what: What is done, for the progress bar: `code: solutions`.

        Raises:
            ModelError: If a model cannot be called, a budget is spent, or calls failed and that is not accepted;
                answers that came are kept.
        """
        keys = [self.key(one) for one in asks]
        for key, one in zip(keys, asks, strict=True):
            self._asked.setdefault((one.role, one.prompt.version), set()).add(key)
        wanted = {key: one for key, one in zip(keys, asks, strict=True) if self._answers.get(key) is None}
        failed: dict[str, Answer] = {}
        done, total = len(set(keys)) - len(wanted), len(set(keys))
        for batch in self._sent(wanted):
            self._answers.append(batch)
            failed |= {one.key: one for one in batch if one.status == "error"}
            done += len(batch)
            self.calls += len(batch)
            self._progress(done, total, what)
        if failed and not self.accept_failures:
            first = next(iter(failed.values()))
            raise ModelError(
                f"{count_of(len(failed), 'call')} of {total} failed while making {what} ({first.error}): run the same "
                "command again to send only these, or use `accept_failures` to go on without them"
            )
        found = {key: answer for key in keys if (answer := self._answers.get(key)) is not None}
        return [found.get(key) or failed[key] for key in keys]

    def _sent(self, wanted: Mapping[str, Ask]) -> Iterator[list[Answer]]:
        """Send calls, those of one model together."""
        groups: dict[Role, list[Asked]] = {}
        for key, one in wanted.items():
            prompt = Prompt(one.prompt.messages(one.values), schema=one.schema)
            seed = seed_of(self.config.seed, key)
            asked = Asked(Request(key, key, (), (), ()), prompt, self._limit(one), seed, self._temperature(one))
            groups.setdefault(one.role, []).append(asked)
        for role, own in groups.items():
            backend = self._backend(role)
            for found in whole_outputs(backend, own) if self._resends_cut else backend.outputs(own):
                yield [_answer(one.key, output, backend) for one, output in found]

    def _temperature(self, ask: Ask) -> float:
        return self.config.role(ask.role).temperature if ask.temperature is None else ask.temperature

    def _limit(self, ask: Ask) -> int:
        most = self.config.role(ask.role).max_new_tokens
        return most if ask.max_new_tokens is None else min(ask.max_new_tokens, most)

    def _backend(self, role: Role) -> Backend:
        """What calls a role's model; roles with the same model share it."""
        if role not in self._backends:
            own = self.config.role(role)
            alike = next((one for one in self._backends if self.config.role(one) == own), None)
            if alike is not None:
                backend = self._backends[alike]
            else:
                sampling = Sampling(own.temperature, own.top_p, own.max_new_tokens)
                budget = {name: getattr(self.config, name) for name in ("max_cost", "max_requests", "max_tokens")}
                prices = None if self.config.prices is None else str(self.config.path(self.config.prices))
                options = model_options(**budget | {"prices": prices, "served_model": own.served_model} | own.options)
                backend = find_writer(own.model, options, sampling)
            self.folder.check_models({role: backend.name})
            self._backends[role], self._names = backend, None
        return self._backends[role]

    @property
    def cost(self) -> float | None:
        """What the calls of this process cost in dollars; None without prices."""
        every = {id(one): one for one in self._backends.values()}
        costs = [one.cost for one in every.values() if isinstance(one, Spends)]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if known else None

    @cached_property
    def sandbox(self) -> Sandbox:
        """The sandbox, with the config's options."""
        from rmeval.build.sandbox_options import SandboxOptions

        return self.config.part(SandboxOptions, "sandbox").sandbox()

    def need_sandbox(self) -> None:
        """Open the sandbox before the calls whose answers it runs, which would be paid in vain.

        Raises:
            RmevalError: If it does not work here.
        """
        self.sandbox  # noqa: B018  It is opened by its first use.

    @cached_property
    def _limits(self) -> dict[str, Any]:
        """The options of the sandbox on which a verdict depends."""
        from rmeval.build.sandbox_options import SandboxOptions

        return self.config.part(SandboxOptions, "sandbox").model_dump(exclude={"require"})

    def verify(self, jobs: Sequence[tuple[str, TestSuite]], what: str, repeat: int = 0) -> list[Verdict]:
        """Run solutions against tests, each once, and return the verdicts in the order of the jobs.

        Args:
            jobs: Solutions with their tests.
            what: What is done, for the progress bar.
            repeat: Number of the run, from 0: another number runs the same code again, with other hashes of texts.

        Raises:
            RmevalError: If code cannot be run at all.
        """
        from rmeval.sandbox import Verdict

        same = {"limits": self._limits, **({"repeat": repeat} if repeat else {})}
        keys = [digest({"solution": solution, "tests": asdict(tests), **same}) for solution, tests in jobs]

        def run(wanted: Iterable[tuple[str, tuple[str, TestSuite]]]) -> Iterator[Result]:
            for key, verdict in self.sandbox.verify_many(((key, *job) for key, job in wanted), hash_seed=repeat):
                # A missing compiler may be there at the next start.
                yield Result(key, asdict(verdict), verdict.status != "unavailable")

        found = self.once(dict(zip(keys, jobs, strict=True)), run, what)
        missing = {key: found[key]["detail"] for key in keys if found[key]["status"] == "unavailable"}
        if missing and not self.accept_failures:
            raise RmevalError(
                f"{count_of(len(missing), 'run')} of code of {len(keys)} were not possible here "
                f"({next(iter(missing.values()))}): correct the cause, and run the same command again to repeat only "
                "these, or use `accept_failures` to go on without them"
            )
        self._unavailable |= set(missing)
        return [Verdict(**found[key]) for key in keys]

    def once(
        self, jobs: Mapping[str, Job], run: Callable[[Iterable[tuple[str, Job]]], Iterator[Result]], what: str
    ) -> dict[str, Any]:
        """Do each job once, however often a build is started, and return the results by key.

        Args:
            jobs: The jobs by a digest of all that the result depends on.
            run: Does those that have no result yet, and yields their results in any order.
            what: What is done, for the progress bar.
        """
        answers = {key: self._verdicts.get(key) for key in jobs}
        found = {key: json.loads(answer.text) for key, answer in answers.items() if answer is not None}
        wanted = [(key, job) for key, job in jobs.items() if key not in found]
        results = run(wanted) if wanted else iter(())
        while batch := list(islice(results, _TOGETHER)):
            self._keep([Answer(one.key, "ok", json.dumps(one.value)) for one in batch if one.lasts])
            found |= {one.key: one.value for one in batch}
            self._progress(len(found), len(jobs), what)
        return found

    def _keep(self, results: Sequence[Answer]) -> None:
        self._verdicts.append(results)


def _answer(key: str, output: Output, backend: Backend) -> Answer:
    usage = dict(output.usage)
    if output.error is not None and output.finish != "overlength":
        return Answer(key, "error", error=output.error, usage=usage)
    text = backend.without_key(output.text) if isinstance(backend, HasKey) else output.text
    status = {"stop": "ok", "length": "cut", "refused": "refused", "overlength": "overlength"}[output.finish]
    return Answer(key, status, text, output.error, usage)  # type: ignore[arg-type]
