"""Verifies whole programs: by their output, or together with a test program."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rmeval.errors import RmevalError
from rmeval.messages import chosen_from, shortened
from rmeval.sandbox.building import build, run_built
from rmeval.sandbox.isolation import Isolated
from rmeval.sandbox.programs import Limits, Outcome, Program
from rmeval.sandbox.suites import TestSuite, Verdict, VerdictStatus

__all__ = ["verify_output", "verify_program"]

_ERROR = re.compile(r"error\b|Exception\b|panicked|Assertion", re.IGNORECASE)
_PLACE = re.compile(r"(?:--> )?(\S+\.(?:js|rs):\d+(?::\d+)?)")
"""The place of an error, on a line without the error."""
_MAIN = {"python": "main.py", "cpp": "main.cpp", "java": "Main.java", "javascript": "main.js", "rust": "main.rs"}


def verify_output(isolated: Isolated, limits: Limits, solution: str, tests: TestSuite) -> Verdict:
    """Compare the output of a program for each input; stop at the first difference.

    The expected output stays in this process. Outputs are equal if they have the same words between white space.
    """
    main = _MAIN.get(tests.language, f"main.{tests.language}")
    built = build(isolated, Program(tests.language, {main: solution}, main))
    if isinstance(built, Outcome):
        return _not_run(built, "")
    seconds = 0.0
    for number, (given, expected) in enumerate(tests.cases, 1):
        found = run_built(isolated, limits, built, given)
        seconds += found.seconds
        place = f"case {number} of {len(tests.cases)}"
        if found.status != "exit" or found.exit_code:
            return _not_run(found, f"{place}: ")
        if found.stdout.split() != expected.split():
            what = f"expected {shortened(expected.strip(), 100)}, not {shortened(found.stdout.strip(), 100)}"
            return Verdict("fail", f"{place}: {what}", seconds)
    return Verdict("pass", "", seconds)


def _not_run(found: Outcome, place: str) -> Verdict:
    """The verdict on a program that did not end well."""
    if found.exit_code == 128 + signal.SIGKILL and found.status == "signal":
        # Also the kernel does this, where the machine has no memory left.
        return Verdict("error", f"{place}the program was killed", found.seconds)
    lines = [line.strip() for line in found.stderr.splitlines() if line.strip()]
    # Other lines are of the traceback, or advice.
    last = next((line for line in lines if _ERROR.search(line)), lines[-1] if lines else "")
    if found.status == "compile" and (where := next(filter(None, map(_PLACE.fullmatch, lines)), None)):
        last = f"{where[1]}: {last}"
    last = shortened(last, 300)
    details: dict[str, tuple[VerdictStatus, str]] = {
        "exit": ("fail", f"exit code {found.exit_code}{f': {last}' if last else ''}"),
        "signal": ("fail", "a signal ended the program"),
        "timeout": ("timeout", "the program exceeded the limit on time"),
        "memory": ("memory", "the program exceeded the limit on memory"),
        "output": ("output", "the program exceeded the limit on output"),
        "compile": ("compile", last),
        "unavailable": ("unavailable", last),
    }
    status, detail = details[found.status]
    return Verdict(status, place + detail, found.seconds)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a test program.

    Attributes:
        context: Code that solution and tests may use.
        solution: The solution.
        tests: The tests, with a main function.
        nonce: Text that nobody can guess, printed after the tests.
    """

    context: str
    solution: str
    tests: str
    nonce: str

    @property
    def together(self) -> str:
        """All in one file."""
        return f"{self.context}\n{self.solution}\n{self.tests}\n"


def _cpp(parts: _Parts) -> Mapping[str, str]:
    # The linker calls this function instead of main, which may end without a return statement.
    end = (
        '#include <cstdio>\nextern "C" int __real_main(int, char **);\n'
        'extern "C" int __wrap_main(int count, char **values) {\n'
        f'int code = __real_main(count, values);\nif (!code) std::puts("\\n{parts.nonce}");\nreturn code;\n}}\n'
    )
    return {"main.cpp": parts.together, "end.cpp": end}


def _java(parts: _Parts) -> Mapping[str, str]:
    end = (
        "public class RmevalEnd {\npublic static void main(String[] values) throws Throwable {\n"
        f'Main.main(values);\nSystem.out.println("\\n{parts.nonce}");\n}}\n}}\n'
    )
    named = re.search(r"\bpublic\s+(?:\w+\s+)*class\s+(\w+)", parts.solution)
    solution = {f"{named[1] if named else 'Solution'}.java": parts.solution}
    return solution | {"Main.java": f"{parts.context}\n{parts.tests}", "RmevalEnd.java": end}


def _javascript(parts: _Parts) -> Mapping[str, str]:
    return {"main.js": f'{parts.together}\nprocess.stdout.write("\\n{parts.nonce}\\n");\n'}


def _rust(parts: _Parts) -> Mapping[str, str]:
    tests = re.sub(r"\bfn\s+main\s*\(", "fn rmeval_tests(", parts.tests)
    end = f'fn main() {{ rmeval_tests(); println!("\\n{parts.nonce}"); }}\n'
    return {"main.rs": f"{parts.context}\n{parts.solution}\n{tests}\n{end}"}


def _go(parts: _Parts) -> Mapping[str, str]:
    tests = re.sub(r"\bfunc\s+main\s*\(", "func rmevalTests(", f"{parts.context}\n{parts.tests}")
    end = f'package main\nimport "fmt"\nfunc main() {{ rmevalTests(); fmt.Println("\\n{parts.nonce}") }}\n'
    return {"solution.go": parts.solution, "tests.go": tests, "main.go": end}


_PROGRAMS: Mapping[str, tuple[Callable[[_Parts], Mapping[str, str]], str, str]] = {
    "cpp": (_cpp, "main.cpp", "-Wl,--wrap=main"),
    "java": (_java, "RmevalEnd.java", ""),
    "javascript": (_javascript, "main.js", ""),
    "rust": (_rust, "main.rs", ""),
    "go": (_go, "main.go", ""),
}


def verify_program(isolated: Isolated, limits: Limits, solution: str, tests: TestSuite) -> Verdict:
    """Compile and run a solution together with its tests.

    A random text is printed after the tests. Solution and tests share a process, so that a solution written to deceive
    these tests can find that text.

    Raises:
        RmevalError: If there is no such language.
    """
    if tests.language not in _PROGRAMS:
        raise RmevalError(f"there is no language {tests.language!r}: {chosen_from(tests.language, _PROGRAMS)}")
    nonce = secrets.token_hex(16)
    make, main, flags = _PROGRAMS[tests.language]
    files = make(_Parts(tests.context, solution, tests.code, nonce))
    built = build(isolated, Program(tests.language, files, main), flags)
    if isinstance(built, Outcome):
        return _not_run(built, "")
    found = run_built(isolated, limits, built, "")
    if found.status != "exit" or found.exit_code:
        return _not_run(found, "")
    if found.stdout.rstrip("\n").rpartition("\n")[2] != nonce:
        return Verdict("fail", "the program ended before the end of the tests", found.seconds)
    return Verdict("pass", "", found.seconds)
