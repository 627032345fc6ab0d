"""The names that other packages may import, and what the documentation imports."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from tests.command import process

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# A name that is added here becomes public; CONTRIBUTING.md states how one is removed.
FACES = {
    "rmeval": """
        AcrossBenchmarks Analysis Audit BestOfNCurves Cascade ChosenItems Comparison DataError DryRun Estimate
        Evidence Exported Item ItemAnalysis Jury Lead Leads Message ModelComparison ModelError Observation
        Parity Plan Record Request Response Result RmevalError RunError StyleControl VarianceStudy WrongExample
        WrongExamples __version__ analyze analyze_items audit bon cascade choose_items compare compare_across
        decide dry_run estimate evaluate export jury load_benchmark load_model open_run parity plan score
        style_control variance wrong_examples
        correlate
    """,
    "rmeval.benchmarks": """
        Agreement Benchmark BenchmarkLike Card Erratum FoundBenchmark Option TableBenchmark benchmark_names
        errata_of find_benchmark load_benchmark pair
    """,
    "rmeval.build": """
        BuildConfig BuildFolder BuildResult Candidate Change Check Dropped Problem Record Source StageResult build
        load_config
    """,
    "rmeval.candidates": """
        CandidateSummary WriterOptions plan_candidates verify_candidates write_candidates
    """,
    "rmeval.data": """
        EvidenceTable ItemTable ObservationTable Row Vectors
    """,
    "rmeval.engines": """
        AtPositions Description Engine EngineOptions FirstLogits Generated Generation InMemory LastLogits LastToken
        LogitsAt OwnForward Place Pooled Reading Readout TokenLogProbs TokenSequence engine_names open_engine
        readout_of require_readout
    """,
    "rmeval.errors": """
        DamagedError DataError ModelError OpenBatchError RmevalError RunError UnknownNameError explain_os_error
        explain_read_error reason_of
    """,
    "rmeval.leaderboard": """
        Board BoardNumber BoardRow Site build_site make_boards
    """,
    "rmeval.metrics": """
        Component Composition Counts Difference Equivalence HALF HALF_FAILURES Measure OFFICIAL Outcomes Part
        SCORE_RULES SECTIONS SHARED Shares accuracy_record best_of_k crossed_components headline make_record mixed
        overall
        overall_with_prior pooled section_scores style_substance_records
    """,
    "rmeval.models": """
        ModelOptions RewardModel load_model model_names
    """,
    "rmeval.predict": """
        BestOfNCurves CandidateSet CurvePoint MethodDifference MethodNumber Overoptimisation Picker PolicyStyle
        ScoredCandidates StyleControl StyleWeight Trainings TrainingsComparison best_of_n_curves
        candidates_of_runs compare_trainings style_control_scores write_picks
        Coefficient Correlation CorrelationDifference Correlations LeftOut Match Matches PolicyPoint correlate_scores
    """,
    "rmeval.models.cards": """
        Card Descriptor all_cards all_descriptors card_of descriptor_of find_card
    """,
    "rmeval.published": """
        Beside Place PublishedBoard PublishedRow all_boards beside_published board_named incomparable own_row
        place_among place_notes places_of
        published_boards
    """,
    "rmeval.protocols": """
        STEPS BaseProtocol FoundProtocol ProtocolLike Question StepLayout fold_steps fold_votes
        load_protocol protocol_names request_key
    """,
    "rmeval.protocols.judging": """
        Asked Finish Form HowRead JudgeCard JudgeOptions JudgeProtocol Output Prompt Sampling Writing built_in_cards
        rendered
    """,
    "rmeval.push": """
        HubPlan LoggedRun Sent SharedRun every_eval_ever_files log_runs logged_run logged_values metric_name
        plan_dataset plan_model runs_to_share write_files
    """,
    "rmeval.sandbox": """
        LANGUAGES Limits Outcome Program Sandbox TestSuite Verdict toolchains
    """,
    "rmeval.rendering": """
        ChatTemplate ComparisonPrompt Rendered Renderer load_tokenizer
    """,
    "rmeval.report": """
        Number Passage Row Table View across_view analysis_view audit_view best_of_n_view candidates_view cascade_view
        chosen_view comparison_view csv_text draw_analysis draw_best_of_n draw_cascade draw_comparison draw_matrix
        draw_plan draw_style_control draw_trainings estimate_view html_text item_analysis_view json_value jury_view
        latex_text leads_view markdown_text parity_view plan_view run_view runs_views style_control_view
        trainings_view variance_view views_text write_report wrong_view
        correlations_view draw_correlations
    """,
    "rmeval.report.page": """
        page_html
    """,
    "rmeval.results": """
        AcrossBenchmarks AcrossModel Analysis AnalyzedItem AnalyzedModel BenchmarkDifference Cascade CascadePoint
        CascadeSide Check ChosenItems CorrectedNumbers Design Entry Estimate Facet Failed Goal ItemAnalysis
        JudgedResponse Judging Juror Jury JuryAgreement Lead Leads ModelComparison Plan PlanPoint Result ShortEstimate
        ShortForm Tally VarianceStudy Verification WrongExample WrongExamples analyze_items analyze_run bundle_run
        cascade_runs choose_items cite_runs compare_across compare_runs decide_runs estimate_runs jury_runs make_plan
        open_run study_variance verify_run wrong_examples
    """,
    "rmeval.robustness": """
        Audit AuditedEffect Probing audit_calls audit_model
    """,
    "rmeval.store": """
        Manifest StoredRun find_runs read_manifest read_run
    """,
    "rmeval.testing": """
        Constant Length Noisy make_evidence make_items make_pairs
    """,
    "rmeval.training": """
        EvaluationCallback
    """,
    "rmeval.transport": """
        AnswerFault Call Reply Server ServerError ServerOptions Usage
    """,
    "rmeval.types": """
        MESSAGE_EXTRAS STYLES Comparison Conversation Evidence FloatArray IntArray Item Message
        Observation Record Request Response ScoreRule Status
    """,
}


@pytest.mark.parametrize("face", FACES)
def test_a_face_has_these_names(face: str) -> None:
    module = importlib.import_module(face)
    assert sorted(module.__all__) == sorted(FACES[face].split())
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("face", [face for face in FACES if hasattr(importlib.import_module(face), "__path__")])
def test_no_name_of_a_face_is_a_module(face: str) -> None:
    # Importing the module would replace the name.
    module = importlib.import_module(face)
    assert not {one.name for one in pkgutil.iter_modules(module.__path__)} & set(module.__all__)


# Rendering uses the tokenizers of transformers, and the callback of a trainer is a class of transformers.
@pytest.mark.parametrize("face", sorted(FACES.keys() - {"rmeval.rendering", "rmeval.training"}))
def test_a_face_imports_alone_and_without_torch(face: str) -> None:
    done = process("-c", f"import sys; from {face} import *; print(*{{'torch'}} & set(sys.modules))")
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def imported(page: str) -> list[tuple[str, list[str]]]:
    """The modules of rmeval that the code blocks of a page import, each with the names that it takes of them."""
    code = "".join(re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    found = re.findall(r"^\s*from (rmeval[\w.]*) import (?:\(([\w,\s]+)\)|([\w, ]+)$)", code, re.MULTILINE)
    taken = [(module, re.findall(r"(\w+)(?: as \w+)?", several or few)) for module, several, few in found]
    return taken + [(module, []) for module in re.findall(r"^\s*import (rmeval[\w.]*)", code, re.MULTILINE)]


def test_imports_of_pages_are_found() -> None:
    code = "from rmeval.a.b import c as x, d\nfrom rmeval import (\n  y,\n  z\n)\nPath('''\n  import rmeval.e\n''')\n"
    assert imported(f"```python\n{code}```\nfrom rmeval.f import g\n") == [
        ("rmeval.a.b", ["c", "d"]),
        ("rmeval", ["y", "z"]),
        ("rmeval.e", []),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_import_from_faces(page: Path) -> None:
    for module, names in imported(page.read_text()):
        assert module in FACES, f"{page.name}: {module}"
        assert set(names) <= set(FACES[module].split()), f"{page.name}: {module}"


def test_the_reference_documents_faces() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    documented = re.findall(r"^\.\. auto(?:function|class):: (rmeval[\w.]*)\.(\w+)$", page, re.MULTILINE)
    assert len(documented) > 10
    for module, name in documented:
        assert name in FACES[module].split(), f"{module}.{name}"
