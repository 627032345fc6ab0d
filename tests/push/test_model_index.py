from __future__ import annotations

import pytest
from huggingface_hub import EvalResult
from huggingface_hub.repocard import ModelCard

from rmeval.errors import DataError
from rmeval.push.model_index import card_with_results
from tests.push.conftest import card_results


def result(value: float = 0.5, data: str = "d", args: dict[str, str] | None = None, kind: str = "t") -> EvalResult:
    return EvalResult(
        task_type=kind,
        dataset_type=data,
        dataset_name=data,
        dataset_args={"rmeval": "0.1.0"} if args is None else args,
        metric_type="accuracy",
        metric_name="hard all",
        metric_value=value,
    )


def with_results(text: str, *results: EvalResult) -> str:
    return card_with_results(text, "m", lambda _: list(results))


CARD = """---
# a comment of the author
license: mit   # stays
language:
- en
model-index:
- name: "Mine"
  results:
  - task: {type: text-generation}
    dataset: {type: d, name: d}
    metrics: [{type: accuracy, value: 0.50}]
---

# Title

---
not: metadata
---
"""


def test_all_else_in_the_card_stays() -> None:
    made = with_results(CARD, result())
    before, after = CARD.split("\n---\n", 1)
    assert made.startswith(before)
    assert made.endswith("\n---\n" + after)
    values = [one.metric_value for one in card_results(made)]
    assert values == [0.5, 0.5]


def test_results_of_others_stay_and_own_ones_are_replaced() -> None:
    once = with_results(CARD, result(0.5), result(0.7, "other"))
    assert with_results(once, result(0.5), result(0.7, "other")) == once
    twice = card_results(with_results(once, result(0.25)))
    assert sorted(one.metric_value for one in twice) == [0.25, 0.5, 0.7]
    assert next(one for one in twice if one.metric_value == 0.5).task_type == "text-generation"


@pytest.mark.parametrize("text", ["", "# Title\n", "text\n---\nno: metadata\n---\n"])
def test_a_card_without_metadata_gets_them(text: str) -> None:
    made = with_results(text, result())
    assert made.startswith("---\nmodel-index:\n- name: m\n")
    assert made.endswith(text)
    assert ModelCard(made).data.get("model_name") == "m"


def test_line_endings_stay() -> None:
    made = with_results("---\r\nlicense: mit\r\n---\r\ntext\r\n", result())
    assert "\n" not in made.replace("\r\n", "")


def test_empty_metadata() -> None:
    assert ModelCard(with_results("---\n---\ntext", result())).text == "text"


def test_names_of_untrusted_origin_stay_text() -> None:
    hostile = 'x: {a\n---\n"<script>'
    made = with_results("---\nlicense: mit\n---\nbody\n", result(data=hostile))
    assert [one.dataset_name for one in card_results(made)] == [hostile]
    assert made.endswith("---\nbody\n")


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("license: [", "not valid YAML"),
        ("- a\n- b", "not a mapping"),
        ("model-index: x", "the model-index"),
        ("model-index: [x]", "the model-index"),
        ("model-index:\n- results: x", "the model-index"),
    ],
)
def test_a_broken_card_is_an_error(metadata: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        with_results(f"---\n{metadata}\n---\n", result())


def test_the_task_is_that_of_the_card() -> None:
    seen: list[str] = []

    def results(task: str) -> list[EvalResult]:
        seen.append(task)
        return [result(kind=task)]

    card_with_results("---\npipeline_tag: text-ranking\n---\n", "m", results)
    card_with_results("---\npipeline_tag: [1]\n---\n", "m", results)
    assert seen == ["text-ranking", "text-classification"]
