"""Templates of strangers: the same text at each rendering, within bounds."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from transformers.utils import chat_template_utils

from rmeval import ModelError, load_model
from rmeval.rendering.chat import Renderer
from rmeval.rendering.chat_template import ChatTemplate, today
from rmeval.types import Message
from tests.checkpoints import CHATML, make_checkpoint

TALK = (Message("user", "hello"), Message("assistant", "there"))
TAIL = "{% for m in messages %}{{ m['role'] + m['content'] }}{% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("templates") / "m")


def text_of(folder: Path, template: str, tail: str = TAIL) -> str:
    """The conversation as a template lays it out, or why it refuses it."""
    file = folder / "t.jinja"
    file.write_text(template + tail)
    renderer = Renderer(str(folder), str(file))
    (one,) = renderer.render([TALK])
    return one.error or str(renderer.tokenizer.decode(one.tokens))


CLOCKS = [
    "{% set f = '%d %H%M%S%f' %}{{ strftime_now(f) }}",
    "{% set g = strftime_now %}{{ g('%d %H%M%S%f') }}",
    "{% macro m(x) %}{{ x('%d %H%M%S%f') }}{% endmacro %}{{ m(strftime_now) }}",
    "{{ strftime_now('%d %H' ~ '%M%S%f') }}",
    "{{ strftime_now(format='%d %H%M%S%f') }}",
    "{% set n = namespace(f=strftime_now) %}{{ n.f('%d %H%M%S%f') }}",
]


@pytest.mark.parametrize("template", CLOCKS)
def test_no_way_to_the_clock(folder: Path, template: str) -> None:
    assert text_of(folder, template).startswith("26 000000000000user")


def test_seconds_since_1970_are_not_those_of_a_time_zone() -> None:
    assert today("%s %%s %d") == "1721952000 %s 26"


def test_other_users_of_transformers_keep_the_clock(folder: Path) -> None:
    template = "{{ strftime_now('%Y') }}"
    text_of(folder, template)
    assert chat_template_utils._compile_jinja_template(template).render() != "2024"
    assert ChatTemplate(template, "it").compiled().render() == "2024"


def test_the_digest_of_a_template_is_what_it_was(folder: Path) -> None:
    """Run folders of earlier versions have the digest of the text in which the day is written out."""
    (folder / "t.jinja").write_text("{{ strftime_now('%d %b %Y') }}" + TAIL)
    (folder / "u.jinja").write_text("{{ '26 Jul 2024' }}" + TAIL)
    one, two = (Renderer(str(folder), str(folder / name)).identity() for name in ("t.jinja", "u.jinja"))
    assert one == two


@pytest.mark.parametrize(
    "template",
    [
        "{{ [1, 2, 3]|random }}",
        "{{ [[1, 2, 3]]|map('random')|list }}",
        "{{ lipsum() }}",
        "{{ messages|map(attribute='role') }}",
        "{{ 'a' ~ messages[0].items }}",
        "{{ '%s' % raise_exception }}",
        "{{ '{}'.format(messages|map(attribute='role')) }}",
        "{{ '{}'.format(raise_exception) }}",
        "{{ '%s'|format(raise_exception) }}",
        "{{ raise_exception|string|upper }}",
        "{{ raise_exception|trim }}",
        "{{ [raise_exception]|capitalize }}",
        "{{ [raise_exception]|map('upper')|join }}",
        "{{ ''.join([raise_exception|escape]) }}",
        "{{ raise_exception|pprint }}",
        "{{ (({'one': 1, 'two': 2, 'three': 3}.keys()) - [])|first }}",
        "{{ [raise_exception]|string }}",
        "{{ [raise_exception]|join }}",
    ],
)
def test_what_is_another_text_each_time_is_refused(folder: Path, template: str) -> None:
    with pytest.raises(ModelError, match=r"each time: correct the template$"):
        text_of(folder, template)


TEXTS = [
    "{{ 'a' * 10**10 }}",
    "{% set n = 10**10 %}{{ n * 'a' }}",
    "{{ ([0] * 10**10)|length }}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{{ 'a'|center(10**10) }}",
    "{{ ('ab' * 1000000)|sort|length }}",
    "{{ 'a'.ljust(10**10) }}",
    "{{ 'a\nb'|indent(10**10) }}",
    "{{ '\t'.expandtabs(10**10) }}",
    "{{ '%10000000000d'|format(1) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '%*d' % (10**10, 1) }}",
    "{{ '{:{}}'.format(1, 10**10) }}",
    "{{ '{a:10000000000}'.format_map({'a': 1}) }}",
    "{% set b = 'a' * 10**5 %}{{ b|replace('a', b) }}",
    "{% set b = 'a' * 10**5 %}{{ b.replace('', b) }}",
    "{% set b = 'a' * 10**5 %}{{ b.join(b) }}",
    "{% set b = 'a' * 10**5 %}{{ range(100000)|map('string')|join(b) }}",
    "{% set b = 'a' * 10**5 %}{{ b.translate({97: b}) }}",
    "{{ messages|tojson(indent=10**10) }}",
    "{{ [1]|batch(10**10, 'x')|list|length }}",
    "{{ 1.5|round(10**10, 'ceil') }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = ns.x + ['a' * 10**4] %}{% endfor %}",
    "{% set x %}{% for i in range(9999) %}{{ 'a' * 1000 }}{% endfor %}{% endset %}{{ x }}",
    "{% for i in range(9999) %}{% for j in range(9999) %}text{% endfor %}{% endfor %}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
]


@pytest.mark.parametrize("template", TEXTS)
def test_a_template_that_builds_too_much(folder: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_MAX_TEMPLATE_CHARACTERS", "200000")
    with pytest.raises(ModelError, match=r"builds more than 200000 characters.*RMEVAL_MAX_TEMPLATE_CHARACTERS"):
        text_of(folder, template)


@pytest.mark.parametrize("template", ["{% set n = 9 %}{{ n ** (n ** (n ** n)) }}", "{{ 10 ** 9999999 }}"])
def test_numbers_without_end(folder: Path, template: str) -> None:
    assert "a number with too many digits" in text_of(folder, template)


LOOPS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


COMPARED = "{{ range(99999)|select('in', range(99999)|map('string')|list)|list|length }}"


@pytest.mark.parametrize("template", [LOOPS, COMPARED])
def test_a_template_that_takes_too_long(folder: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_MAX_TEMPLATE_SECONDS", "1")
    caught: list[ModelError] = []

    def render() -> None:
        with pytest.raises(ModelError) as found:
            text_of(folder, template)
        caught.append(found.value)

    thread = threading.Thread(target=render)
    thread.start()
    thread.join()
    assert "takes longer than 1 seconds" in str(caught[0]) and "RMEVAL_MAX_TEMPLATE_SECONDS" in str(caught[0])


def test_one_of_several_templates(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_MAX_TEMPLATE_CHARACTERS", "200000")
    made = make_checkpoint(tmp_path / "m")
    (made / "chat_template.jinja").write_text(CHATML)
    (made / "additional_chat_templates").mkdir()
    (made / "additional_chat_templates" / "tool_use.jinja").write_text("{{ 'a' * 10**8 }}" + CHATML)
    renderer = Renderer(str(made), None)
    with pytest.raises(ModelError, match="the chat template tool_use of"):
        renderer.render([TALK], [[{"name": "f"}]])


def test_a_comparison(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMEVAL_MAX_TEMPLATE_CHARACTERS", "200000")
    file = tmp_path / "c.jinja"
    file.write_text("{{ 'a' * 10**8 }}{{ first }}{{ second }}")
    with pytest.raises(ModelError, match=r"the comparison .*c\.jinja builds more than"):
        load_model(str(folder), kind="comparator", comparison=str(file))


@pytest.mark.parametrize("value", [["a"], 5, {"default": 5}])
def test_a_template_that_is_no_text(tmp_path: Path, value: object) -> None:
    made = make_checkpoint(tmp_path / "m")
    (made / "chat_template.jinja").unlink()
    config = json.loads((made / "tokenizer_config.json").read_text())
    (made / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": value}))
    with pytest.raises(ModelError):
        load_model(str(made))


@pytest.mark.parametrize(
    "template",
    [
        "{{ [1, 'a', {'b': none}] }} {{ 1.5 ~ true ~ none }} {{ 'x%05d' % 7 }} {{ '{:>4}'.format('y') }}|",
        "{% set ns = namespace(x='') %}{% for m in messages %}{% set ns.x = ns.x + m.role %}{% endfor %}{{ ns.x }}",
        "{% macro m(x) %}[{{ x }}{{ caller() if caller }}]{% endmacro %}{{ m(1) }}{% call m(2) %}3{% endcall %}",
        "{{ messages|map(attribute='role')|join(', ') }} {{ messages|tojson }} {{ (messages|length) ** 2 }}",
        "{% for m in messages recursive %}{{ loop.index }}{{ loop.last }}{% endfor %}{{ undefined_thing }}",
        "{% filter upper %}a{{ messages[0]['content'] }}{% endfilter %}{{ 'a b'.split()|last|title }}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
        "{% for m in messages[::-1] if m.role == 'user' %}{% continue %}{% else %}x{% endfor %}",
    ],
)
def test_ordinary_templates_give_what_transformers_gives(template: str) -> None:
    given = {"messages": [message.to_dict() for message in TALK], "add_generation_prompt": False}
    plain = chat_template_utils._compile_jinja_template(template).render(**given)
    assert ChatTemplate(template, "it").compiled().render(**given) == plain


def test_keys_and_values_are_texts(folder: Path) -> None:
    assert text_of(folder, "{{ {'a': [1]}.items() }}").startswith("dict_items([('a', [1])])")


@pytest.mark.parametrize("bomb", ["'a'.encode() * 10**10", "(1).to_bytes(10**10, 'big')", "('a'|attr('encode'))() * 9"])
def test_no_way_to_bytes(folder: Path, bomb: str) -> None:
    assert "unsafe" in text_of(folder, "{{ (" + bomb + ")|length }}")
