"""Wrong examples as they are shown: texts stay texts in every format, and their words are marked."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rmeval.messages import visible
from rmeval.report.csv_ import csv_text
from rmeval.report.html import html_text
from rmeval.report.json_ import json_value
from rmeval.report.latex import latex_text
from rmeval.report.markdown import markdown_text
from rmeval.report.terminal import views_text
from rmeval.report.views import View
from rmeval.report.wrong import wrong_view
from rmeval.results.examples import JudgedResponse, Tally, WrongExample, WrongExamples

HOSTILE = (
    "\x1b[31mred\x1b]0;pwned\x07 \x9b31m a\rb \u202etxt.exe\u2066 <script>alert(1)</script> javascript:x "
    "[red]x[/red] $\\frac{1}{$ & a|b *c* _d_ `e` %f ~g #h {i} ^k\n\n=1+1\n\tx\u2028y"
)


def view(
    chosen: str, rejected: str, prompt: str = "user: why", full: bool = False, scores: tuple[float, float] = (1.0, 2.0)
) -> View:
    one = WrongExample(
        "item 1",
        "loss",
        scores[0] - scores[1],
        "mine",
        "maths",
        "chosen/rejected",
        "problem 1",
        prompt,
        JudgedResponse(chosen, scores[0], 1.0, "a person"),
        JudgedResponse(rejected, scores[1], 0.0),
        4,
    )
    found = WrongExamples("pairs", "mine", "score", (one,), (Tally("mine", 1, 2, 9),), ("a note",), Path("runs/x"))
    return wrong_view(found, full)


def test_the_terminal_shows_both_responses_side_by_side() -> None:
    text = views_text([view("It is Aro.", "It may be Fay.")])
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[3] == "misjudged: 3 of 9 comparisons (1 loss, 2 ties); 1 shown, worst margin first"
    assert "1. item 1  outcome loss  margin -1  subset maths  cell chosen/rejected  problem problem 1" in lines
    assert lines[lines.index("prompt") + 1] == "  user: why"
    (captions,) = (line for line in lines if "gold 1" in line)
    assert re.split("  +", captions.strip()) == [
        "chosen: score 1, gold 1, a person",
        "rejected (best of 3): score 2, gold 0",
    ]
    (texts,) = (line for line in lines if "Aro" in line)
    assert re.split("  +", texts.strip()) == ["It {+is Aro+}.", "It [-may be Fay-]."]
    assert lines[-2:] == ["! a note", "run: runs/x"]


def test_markdown_and_latex_have_bold_words() -> None:
    own = view("It is Aro.", "It may be Fay.\n  then x*y")
    markdown = markdown_text([own])
    assert "| It **is Aro**. | It **may be Fay**.<br>&nbsp;&nbsp;**then x\\*y** |" in markdown
    latex = latex_text([own])
    assert r"It \textbf{is Aro}. & It \textbf{may be Fay}. \newline ~~\textbf{then x*y} \\" in latex
    assert latex.count("\\begin{") == latex.count("\\end{") == 1


@pytest.mark.parametrize(
    ("chosen", "rejected", "shown"),
    [
        ("x = -1", "x = 1", r"x = <strong>-</strong>1"),
        ("x - 1", "x + 1", r"x **-** 1"),
        ("f(a)b", "f(c)b", r"f(**a**)b"),
        # Asterisks beside a letter do not begin bold text before punctuation.
        ("a-.b", "a+,b", r"a<strong>-.</strong>b"),
    ],
)
def test_bold_words_are_bold_by_the_rules_of_markdown(chosen: str, rejected: str, shown: str) -> None:
    (row,) = (
        line for line in markdown_text([view(chosen, rejected)]).splitlines() if line.startswith(f"| {shown[:2]}")
    )
    assert row.startswith(f"| {shown} | ")


def test_csv_and_json_have_plain_columns() -> None:
    own = view("It is Aro.\nSo.", "It may be Fay." * 500, prompt="user: " + "why " * 900)
    (row,) = csv.DictReader(io.StringIO(csv_text([own])))
    (record,) = json_value([own])[0]["rows"]
    wanted = {
        "benchmark": "pairs",
        "model": "mine",
        "table": "wrong",
        "item": "item 1",
        "outcome": "loss",
        "margin": -1.0,
        "subset": "maths",
        "cell": "chosen/rejected",
        "cluster": "problem 1",
        "erratum": None,
        "prompt": "user: " + "why " * 900,
        "chosen": "It is Aro.\nSo.",
        "rejected": "It may be Fay." * 500,
        "members": 4,
        "chosen_score": 1.0,
        "rejected_score": 2.0,
        "chosen_gold": 1.0,
        "rejected_gold": 0.0,
        "chosen_source": "a person",
        "rejected_source": None,
    }
    assert record == wanted
    assert row == {name: "" if value is None else str(value) for name, value in wanted.items()}


def test_long_texts_state_what_is_left_out() -> None:
    prompt = "user: " + "why " * 900
    same = "word " * 400
    short, full = (views_text([view(f"{same}Aro.", f"{same}Fay.", prompt, full=full)]) for full in (False, True))
    counts = [int(number) for number in re.findall(r"\.\.\. (\d+) *\n? *characters *\n? *left", short)]
    assert len(counts) >= 1
    assert counts[0] + short.count("why") * 4 == pytest.approx(3_600, abs=8)
    assert "left out" not in full
    assert full.count("why") == 900
    assert "{+Aro+}" in short


def test_scores_that_differ_look_different() -> None:
    text = views_text([view("a", "b", scores=(12.3456789, 12.3456799))])
    assert "score 12.345679," in text.replace("12.3456789", "12.345679")
    assert len(set(re.findall(r"score (\S+),", text))) == 2


def test_preferences_have_no_scores() -> None:
    sides = JudgedResponse("yes", None, None), JudgedResponse("no", None, None)
    one = WrongExample("i", "tie", 0.0, "mine", "s", "t", "i", "user: why", *sides, erratum="both are right")
    found = WrongExamples(
        "pairs", "mine", "orders/mean", (one,), (Tally("mine", 0, 1, 1),), (), Path("x"), scored=False
    )
    lines = [line.rstrip() for line in views_text([wrong_view(found)]).splitlines()]
    assert lines[1:4] == [
        "score: orders/mean",
        "marked: the words in which the two responses differ",
        "margin: the model's preference for the chosen response (0, 0.5 or 1) less one half",
    ]
    assert "1. i  outcome tie  margin 0  subset s  cell t  erratum both are right" in lines
    assert re.split("  +", lines[lines.index("prompt") + 2].strip()) == ["chosen", "rejected"]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_texts_stay_texts() -> None:
    own = view(HOSTILE, f"{HOSTILE} other", prompt=HOSTILE)
    for text in (views_text([own]), markdown_text([own]), latex_text([own]), html_text([own])):
        assert [letter for letter in text if visible(letter, lines=True) != letter or letter == "\t"] == []
        assert "\\x1b" in text.replace("textbackslash{}", "\\").replace("\\\\", "\\")
    for row in csv.reader(io.StringIO(csv_text([own]))):
        assert [letter for cell in row for letter in cell if visible(letter, lines=True) != letter] == []
    page = Tags()
    page.feed(html_text([own]))
    expected = "div p strong br table thead tbody tr th td mark ul li code"
    assert set(page.tags) <= set(expected.split())
    assert set(page.attributes) <= {"class", "scope", "dir", "align"}
    assert "<script>alert(1)</script>" in page.text
    latex = latex_text([own])
    bare = re.sub(r"\\[{}$&#_%]|\\text\w+\{\}|\{\[\}|\{\]\}|\$-\$", "", latex)
    assert not set("$#%^") & set(bare.partition("\n")[2])
    (record,) = json_value([own])[0]["rows"]
    assert record["chosen"] == HOSTILE
    (cells,) = (line for line in markdown_text([own]).splitlines() if "other" in line)
    assert len(re.findall(r"(?<!\\)\|", cells)) == 3
    assert "<script" not in markdown_text([own]).replace("\\<", "")


def test_texts_from_right_to_left_are_below_each_other() -> None:
    text = views_text([view("שלום עולם", "hello")])
    (line,) = (line for line in text.splitlines() if "שלום" in line)
    assert "hello" not in line
    assert "hello" in text
    (line,) = (line for line in views_text([view("天气很好", "hello")]).splitlines() if "天气" in line)
    assert "hello" in line


def test_two_models_have_a_table_each() -> None:
    def example(model: str, other: str, item: str) -> WrongExample:
        sides = JudgedResponse("yes", 1.0, 1.0, other_score=5.0), JudgedResponse("no", 2.0, 0.0, other_score=4.0)
        return WrongExample(item, "loss", -1.0, model, "s", "t", item, "user: why", *sides, 2, other, 1.0)

    examples = (example("A", "B", "i"), example("B", "A", "j"))
    tallies = (Tally("A", 1, 0, 7, "B"), Tally("B", 1, 0, 7, "A"))
    found = wrong_view(WrongExamples("pairs", "A", "score", examples, tallies, (), Path("x")))
    text = views_text([found])
    assert text.splitlines()[0].rstrip() == "pairs  A and B"
    assert "B right, A wrong: 1 of 7 comparisons (1 loss, 0 ties)" in text
    assert "A right, B wrong: 1 of 7 comparisons (1 loss, 0 ties)" in text
    assert "margin of B 1" in text
    assert "chosen: score 1, B 5, gold 1" in text
    records = json_value([found])[0]["rows"]
    names = ("item", "model", "right_model", "other_margin", "chosen_other_score", "rejected_other_score")
    assert [[one[name] for name in names] for one in records] == [
        ["i", "A", "B", 1.0, 5.0, 4.0],
        ["j", "B", "A", 1.0, 5.0, 4.0],
    ]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
