"""What the hub refuses, as one sentence; the token is in none of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmeval.errors import RmevalError
from rmeval.push import plan_dataset, runs_to_share
from tests.command import process
from tests.hub import GATED
from tests.push.conftest import TOKEN
from tests.writable_hub import WritableHub


def refused(run: Path, repo: str = "me/results") -> str:
    """The sentence with which a push ends."""
    with pytest.raises(RmevalError) as error:
        plan_dataset(runs_to_share(run), repo).send()
    message = str(error.value)
    assert TOKEN not in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "the hub does not accept the token for the data set me/results: log in"),
        (403, "the token may not write to the data set me/results: use a repository of your own"),
        (429, "the hub refuses further requests for the data set me/results (429, too many): wait"),
        (413, "the hub refuses the request for the data set me/results (413: refused): try again later"),
    ],
)
def test_a_status_gives_a_sentence(hub: WritableHub, longest: Path, status: int, sentence: str) -> None:
    (hub.root / "datasets/me/results").mkdir(parents=True)
    hub.refuses = status
    # The hub's client takes a 401 without a reason for a repository that is not there.
    expected = "the data set me/results is not on the hub, or is private" if status == 401 else sentence
    assert refused(longest).startswith((sentence, expected))
    assert hub.commits == []


@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 500])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_hub_that_repeats_the_token(
    hub: WritableHub, longest: Path, status: int, in_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of any form stays out of messages, also that of a login."""
    token = "plain token of me"
    hub.users[token] = "me"
    monkeypatch.setenv("HF_TOKEN", token)
    if in_file:
        monkeypatch.delenv("HF_TOKEN")
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "token").write_text(token)
    (hub.root / "datasets/me/results").mkdir(parents=True)
    hub.refuses, hub.repeats_the_token = status, True
    assert token not in refused(longest)
    assert hub.commits == []


def test_a_token_that_is_not_valid(hub: WritableHub, longest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 30)
    assert "the hub does not accept the token" in refused(longest)


def test_no_token(hub: WritableHub, longest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "there is no token of the hub to write to me/results: log in" in refused(longest)
    assert hub.requests == []
    # Without a token, a plan that is only shown still reads what is public.
    assert plan_dataset(runs_to_share(longest), "me/results", write=False).missing


def test_a_gated_data_set(hub: WritableHub, longest: Path) -> None:
    assert "is gated: accept its terms" in refused(longest, GATED)


@pytest.mark.parametrize("repo", ["results", "me/", "/results", "me/a/b", "me/../x", "me/a--b", "-/x", "me/a b", ""])
def test_a_name_without_an_owner_gets_none(hub: WritableHub, longest: Path, repo: str) -> None:
    assert "`to_dataset` must be OWNER/NAME" in refused(longest, repo)
    assert hub.requests == []


def test_a_name_that_is_too_long(hub: WritableHub, longest: Path) -> None:
    assert "is not a valid name on the hub" in refused(longest, "me/" + "x" * 200)


def test_no_connection(hub: WritableHub, longest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "the data set me/results cannot be reached (" in refused(longest)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "because HF_HUB_OFFLINE is set: unset it" in refused(longest)


def test_the_command_in_a_process_of_its_own(hub: WritableHub, longest: Path, tmp_path: Path) -> None:
    environment = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    push = ["-m", "rmeval", "push", longest, "--to-dataset", "me/results"]
    assert os.environ["HF_TOKEN"] == TOKEN
    done = process(*push, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the data set me/results: new private repository, and commit of 4 files: http")
    assert TOKEN not in done.stdout + done.stderr
    # The token of `hf auth login` is used as well.
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "token").write_text(TOKEN)
    other = process(*push[:-1], "me/other", **environment | {"HF_TOKEN": ""})
    assert other.returncode == 0, other.stderr
    assert TOKEN not in "".join(path.read_text("utf-8", "replace") for path in hub.root.rglob("*") if path.is_file())
    dead = process(*push, **environment | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert (dead.returncode, dead.stdout) == (2, "")
    assert dead.stderr.startswith("error: the data set me/results cannot be reached")
    assert len(dead.stderr.splitlines()) == 1
