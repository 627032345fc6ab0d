"""What verdicts do with the items of a build: waiting, leaving out, and checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rmeval.build import BuildFolder, BuildResult, Dropped, Record, build
from rmeval.build.review.log import Review, ReviewLog
from rmeval.build.review.questions import EXPECTED, Question, ReviewVerdict, question_digest
from tests.build.test_towns import built, config
from tests.build.towns import Towns
from tests.http_server import serve

COUNTS = {"chat": 6, "response": 4, "refuse": 4}
WRONG: dict[Question, ReviewVerdict] = {"chosen": "incorrect", "rejected": "correct", "styles": "incorrect"}


def judge(
    folder: Path,
    reviewer: str,
    records: list[Record],
    changed: Mapping[str, Mapping[Question, ReviewVerdict]] | None = None,
    adjudicates: bool = False,
) -> None:
    """Verdicts on all questions of some records: as expected, except `changed` by key and question."""
    with ReviewLog(folder / "4-review", reviewer) as log:
        for record in records:
            own = {**EXPECTED, **(changed or {}).get(record.key, {})}
            if adjudicates:
                own = dict((changed or {})[record.key])
            log.append(
                [
                    Review(record.key, question, verdict, question_digest(record, question), adjudicates=adjudicates)
                    for question, verdict in own.items()
                ]
            )


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """A build up to style control, which each test copies."""
    folder = tmp_path_factory.mktemp("styled")
    found = built(folder, Towns(), COUNTS)
    return folder, list(found.stages["styles"].records)


class Built:
    """A copy of a build up to style control."""

    def __init__(self, folder: Path, source: Path) -> None:
        import shutil

        shutil.copytree(source, folder, dirs_exist_ok=True)
        self.folder, self.out = folder, folder / "out"

    def run(self, **review: object) -> BuildResult:
        """Run the build up to the review; its model answers nothing, since nothing may be called."""
        with serve(Towns()) as server:
            found = build(config(self.folder, server, COUNTS, whole={"review": review}), self.out, until="review")
            assert not [one for one in server.received if one.path.endswith("completions")]
        return found


@pytest.fixture
def own(tmp_path: Path, styled: tuple[Path, list[Record]]) -> tuple[Built, list[Record]]:
    return Built(tmp_path / "build", styled[0]), styled[1]


def test_nothing_waits_by_default_and_verdicts_count_all_the_same(own: tuple[Built, list[Record]]) -> None:
    one, records = own
    first = one.run()
    assert (first.waits, len(first.stages["review"].records)) == (None, len(records))
    assert first.stages["review"].facts["review"]["reviewed"] == 0
    judge(one.out, "anna", records[:2], {records[0].key: {"chosen": "incorrect"}})
    again = one.run()
    assert [drop.key for drop in again.stages["review"].dropped] == [records[0].key]
    assert len(again.stages["review"].records) == len(records) - 1
    facts = again.stages["review"].facts["review"]
    assert (facts["reviewed"], facts["items_by_reviewer"]) == (2, {"anna": 2})
    judged = next(each for each in again.stages["review"].records if each.key == records[1].key)
    for candidate in judged.candidates:
        assert [check.by for check in candidate.checks[-2:]] == ["reviewer:anna", "reviewer:anna"]
        assert candidate.verified


def test_a_build_waits_for_the_verdicts_that_it_needs(own: tuple[Built, list[Record]]) -> None:
    one, records = own
    found = one.run(reviewers=2, share=0.5)
    needed = found.stages["review"].facts["review"]["needed"]
    assert len(needed) == 3 + 2 + 2
    assert found.waits == (
        f"7 items need the verdicts of 2 reviewers (`rmeval build review {one.out} --reviewer NAME`): judge them, and "
        "run the same command again"
    )
    assert len(found.stages["review"].records) == len(records) - 7
    wanted = [record for record in records if record.key in needed]
    judge(one.out, "anna", wanted)
    assert "7 items need" in str(one.run(reviewers=2, share=0.5).waits)
    judge(one.out, "bert", wanted[:-1], {wanted[0].key: {"rejected": "unsure"}})
    assert one.run(reviewers=2, share=0.5).waits == (
        f"1 item needs the verdicts of 2 reviewers (`rmeval build review {one.out} --reviewer NAME`) and 1 item needs "
        f"an adjudication (`rmeval build review {one.out} --reviewer NAME --adjudicate`): judge them, and run the same "
        "command again"
    )
    judge(one.out, "bert", wanted[-1:])
    judge(one.out, "carl", wanted[:1], {wanted[0].key: {"rejected": "incorrect"}}, adjudicates=True)
    last = one.run(reviewers=2, share=0.5)
    assert (last.waits, len(last.stages["review"].records)) == (None, len(records))
    decided = next(record for record in last.stages["review"].records if record.key == wanted[0].key)
    by = [check.by for check in decided.of("rejected")[0].checks if check.by.startswith("reviewer")]
    assert by == ["reviewer:anna", "reviewer:carl", "reviewer:anna", "reviewer:bert"]
    assert decided.of("rejected")[0].verified
    facts = last.stages["review"].facts["review"]
    assert (facts["disagreements"], facts["adjudicated"]) == (1, 1)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"chosen": "incorrect"}, "reviewers found the chosen response incorrect"),
        ({"rejected": "correct"}, "reviewers found the rejected response correct"),
        ({"styles": "incorrect"}, "reviewers found that a style changes the substance"),
        ({"styles": "unsure"}, "reviewers are unsure"),
    ],
)
def test_reasons(own: tuple[Built, list[Record]], changed: dict[Question, ReviewVerdict], reason: str) -> None:
    one, records = own
    judge(one.out, "anna", records, {records[3].key: changed})
    assert one.run(reviewers=1).stages["review"].dropped == [
        Dropped(records[3].key, reason, f"anna: {next(iter(changed.values()))}")
    ]
    kept = one.run(reviewers=1, on_unsure="keep").stages["review"].records
    assert len(kept) == len(records) - (reason != "reviewers are unsure")
    assert all(candidate.verified for record in kept for candidate in record.candidates)


def test_reviewers_who_disagree_where_none_is_required(own: tuple[Built, list[Record]]) -> None:
    one, records = own
    judge(one.out, "anna", records[:1])
    judge(one.out, "bert", records[:1], {records[0].key: {"chosen": "unsure"}})
    dropped = one.run().stages["review"].dropped
    assert [(drop.reason, drop.detail) for drop in dropped] == [("reviewers disagree", "anna: correct; bert: unsure")]


def test_verdicts_on_other_texts_do_not_count(own: tuple[Built, list[Record]]) -> None:
    one, records = own
    with ReviewLog(one.out / "4-review", "anna") as log:
        log.append([Review(records[0].key, "chosen", "incorrect", "0" * 32)])
    assert one.run().stages["review"].dropped == []


def test_verdicts_before_style_control_count_for_the_texts_made_from_them(own: tuple[Built, list[Record]]) -> None:
    one, records = own
    bases = BuildFolder(one.out).read("responses")
    assert bases is not None
    base = {record.key: record for record in bases.records}[records[0].key]
    with ReviewLog(one.out / "4-review", "anna") as log:
        log.append([Review(base.key, "rejected", "correct", question_digest(base, "rejected"))])
    assert [drop.key for drop in one.run().stages["review"].dropped] == [records[0].key]
    judge(one.out, "anna", records[:1])  # Later texts of the same person take precedence.
    assert one.run().stages["review"].dropped == []
