"""Secrets stay out of what is written; ordinary texts stay as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval import DataError, ModelError, RunError
from rmeval.benchmarks import load_benchmark
from rmeval.importers.run import import_scores
from rmeval.messages import shortened
from rmeval.redaction import redacted, secret_in, secret_name
from rmeval.report.run import run_view
from rmeval.report.terminal import print_views
from rmeval.results.result import open_run
from tests.checkpoints import make_checkpoint
from tests.command import process

TOKEN = "hf_" + "aB3dE5" * 6

SECRETS = [
    TOKEN,
    "sk-" + "abcDEF123456" * 4,
    "sk-ant-api03-a1B2c3D4e5F6g7H8i9J0-kk",
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1" * 20,
    "xoxb-123456789012-abc",
    "AKIAIOSFODNN7EXAMPLE",
    "AIza" + "a1b2c3d" * 5,
    "Bearer abcdef0123456789abcdef",
    "Authorization: Basic dXNlcjpwYXNz",
    "https://user:pa55w0rd@host.org/x",
    "https://h/x?token=abcdefg&b=1",
    "https://h/x?X-Amz-Signature=aaaa",
    "eyJhbGciOiJIUzI1NiIs.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4",
    "api_key='abc123def456ghi'",
    "{'Authorization': 'Basic dXNlcjpwYXNz'}",
    "sk-proj-abcDEF123456_ghiJKL7890-mnop",
    "sk_live_51H8abcdEFGH1234ijkl5678",
    "BEARER abcdef0123456789abcdef",
    f"model_{TOKEN}",
    repr(f"\n{TOKEN}"),
    repr(f"\x1b{TOKEN}"),
    repr(f"\u202e{TOKEN}"),
    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret(secret: str) -> None:
    found = redacted({"a": [f"before {secret} after"]})["a"][0]
    assert "[redacted]" in found and secret not in found and found.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "0123456789abcdef" * 4,
        "0123456789abcdef0123456789abcdef01234567",
        "hf_org/model",
        "org/sk-reward-model-70b-instruct",
        "sk-learn-model-of-many-words-v2",
        "the tokenizer gives token 400 where it knows 300 tokens",
        "bos_token='<|im_start|>'",
        "https://huggingface.co/org/model/tree/main?x=1",
        "https://host:8080/path",
        "git@github.com:org/repo.git",
        "Bearer responsibilities",
        "s3://bucket/key",
        "key: value",
        "max_tokens=4096",
    ],
)
def test_what_is_none(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "HF_TOKEN",
        "hfToken",
        "apiKey",
        "api-key",
        "headers",
        "Authorization",
        "proxies",
        "hf.token",
        "access_tokens",
        "cookies",
        "repos_token",
        "AWS_SECRET_ACCESS_KEY",
    ],
)
def test_names_of_secrets_are_refused_at_any_depth(name: str) -> None:
    assert secret_name(name)
    for given in ({name: "x"}, {"adapter": {name: "x"}}, {"a": [{"b": {name: "x"}}]}):
        with pytest.raises(ModelError, match="set HF_TOKEN instead"):
            rmeval.load_model("anything", model_kwargs=given)


def test_values_of_secrets_are_refused_under_any_name() -> None:
    with pytest.raises(ModelError, match="set HF_TOKEN instead") as found:
        rmeval.load_model("anything", tokenizer_kwargs={"a": [TOKEN]})
    assert TOKEN not in str(found.value)


@pytest.mark.parametrize(
    "name",
    [
        "bos_token",
        "num_labels",
        "max_tokens",
        "key_mapping",
        "num_key_value_heads",
        "yes_token",
        "good_token",
        "stop_tokens",
        "text_key",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert secret_in({name: {"quant_method": "bitsandbytes", "load_in_4bit": True}}) is None


def test_the_working_directory_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "OLDPWD"):
        monkeypatch.setenv(name, "/home/somebody/models")
    assert redacted("/home/somebody/models/rm") == "/home/somebody/models/rm"
    assert secret_name("pwd")


def test_values_of_secret_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "quite-plain-words")
    assert redacted("refused: quite-plain-words is unknown") == "refused: [redacted] is unknown"


def test_nothing_of_a_run_holds_a_secret(tmp_path: Path) -> None:
    """A scorer's errors quote it, its file's name and the data's address hold it."""
    scorer = tmp_path / "mine.py"
    scorer.write_text(
        "import logging\n"
        "def score(conversations):\n"
        f"    logging.getLogger('rmeval').warning('at https://me:{TOKEN}@host')\n"
        "    if conversations[0][-1]['content'] == 'good':\n"
        "        return [1.0] * len(conversations)\n"
        f"    raise RuntimeError('401 for https://me:pa55w0rd@host/?token=abc1 with {TOKEN}')\n"
    )
    out = tmp_path / "runs"
    done = process("-m", "rmeval", "run", f"{scorer}:score", "-b", "rm-bench-synthetic", "--size", "4", "-o", str(out))
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", "response": "good"}\n')
    scored = process("-m", "rmeval", "score", f"{scorer}:score", str(rows), "-o", str(tmp_path / "scored.jsonl"))
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    written += (tmp_path / "scored.jsonl").read_bytes()
    said = "".join([done.stdout, done.stderr, scored.stdout, scored.stderr])
    assert b"401 for" in written and "note: at" in said
    for secret in (TOKEN, "pa55w0rd", "token=abc1"):
        assert secret.encode() not in written and secret not in said


def test_a_secret_that_is_cut_in_two() -> None:
    for place in range(60, 130):
        found = shortened("." * place + TOKEN + "." * 200)
        assert TOKEN[:12] not in found and TOKEN[-12:] not in found
        found = shortened("." * 200 + TOKEN + "." * place)
        assert TOKEN[:12] not in found and TOKEN[-12:] not in found


def test_tables_show_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / f"{TOKEN}.jsonl"
    file.write_text(json.dumps({"prompt": "q", "chosen": "ab", "rejected": "c", "subset": f"of {TOKEN}"}))
    print_views([run_view(rmeval.evaluate("baseline:longest", "pairs", str(file), out=str(tmp_path / "runs")))])
    shown = capsys.readouterr().out
    assert TOKEN not in shown and "of [redacted]" in shown


def test_subsets_that_become_one_without_their_secrets(tmp_path: Path) -> None:
    """Two numbers would have one name; each of several calls would show one or the other."""
    file = tmp_path / "pairs.jsonl"
    row = {"prompt": "q", "chosen": "ab", "rejected": "c"}
    file.write_text("".join(json.dumps(row | {"subset": f"https://h/?key={n}"}) + "\n" for n in (1, 2)))
    with pytest.raises(DataError, match="two subsets of pairs differ only in what looks like a secret"):
        rmeval.evaluate("baseline:longest", "pairs", data=str(file), out=str(tmp_path / "runs"))


@pytest.mark.slow
def test_error_sentences(tmp_path: Path) -> None:
    done = process("-m", "rmeval", "run", f"./{TOKEN}/model", "-b", "rm-bench-synthetic")
    assert done.returncode == 2 and TOKEN not in done.stderr and "[redacted]" in done.stderr
    done = process("-m", "rmeval", "run", f"https://me:{TOKEN}@host/model", "-b", "rm-bench-synthetic")
    assert done.returncode == 2 and TOKEN not in done.stderr and "user or a password" in done.stderr


def test_a_name_that_looks_like_a_secret(tmp_path: Path) -> None:
    """A run is identified by the name of an import, and could not be read with another in its place."""
    data, scores = tmp_path / "data.jsonl", tmp_path / TOKEN / "scores.jsonl"
    data.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    scores.parent.mkdir()
    scores.write_text('{"item_id": "0", "response": 0, "score": 1}\n{"item_id": "0", "response": 1, "score": 0}\n')
    bench = load_benchmark("pairs", str(data))
    with pytest.raises(RunError, match=r"the identity of the model \[redacted\] contains what looks like a secret"):
        import_scores(scores, bench, tmp_path / "runs", name=TOKEN)
    assert not (tmp_path / "runs").exists()
    assert import_scores(scores, bench, tmp_path / "runs").value("accuracy") == 1.0


def test_a_models_folder_whose_path_looks_like_a_secret(tmp_path: Path) -> None:
    data, model = tmp_path / "data.jsonl", tmp_path / TOKEN
    data.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n')
    make_checkpoint(model)
    result = rmeval.evaluate(model, "pairs", data, out=tmp_path / "runs")
    assert TOKEN not in str(result.path)
    assert open_run(result.path).records == result.records
