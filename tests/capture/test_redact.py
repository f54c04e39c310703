"""Scrubbing: the table shared with the launcher, and what must hold for any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture import redact

CASES = json.loads((Path(__file__).parent / "scrub_cases.json").read_text())
WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from("=:/@?&'\" -_aKk"), max_size=40)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["in"])[:40].encode("ascii", "replace").decode())
def test_shared_table(case: dict[str, list[str]]) -> None:
    assert redact.scrub_argv(case["in"]) == case["out"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["in"])[:40].encode("ascii", "replace").decode())
def test_scrubbing_twice_changes_nothing_more(case: dict[str, list[str]]) -> None:
    assert redact.scrub_argv(case["out"]) == case["out"]


@given(st.lists(WORDS, max_size=6))
def test_as_many_words_as_before(words: list[str]) -> None:
    assert len(redact.scrub_argv(words)) == len(words)


@given(WORDS)
def test_words_without_a_mark_stay(word: str) -> None:
    plain = word.replace("=", "").replace(":", "")
    assert redact.scrub_word(plain) == plain


@given(st.text("abc/:@'\"& ", min_size=1, max_size=12).filter(lambda value: value != redact.HIDDEN))
def test_a_whole_value_never_survives(value: str) -> None:
    assert redact.scrub_word(f"--password={value}") == "--password=***"


@given(WORDS, st.from_regex(r"[A-Za-z0-9+/]{12,30}", fullmatch=True), WORDS)
def test_a_quoted_json_secret_never_survives(before: str, secret: str, after: str) -> None:
    clean_before = before.replace('"', "").replace("'", "").replace(secret, "")
    text = redact.scrub(f'{clean_before} {{"api_key": "{secret}"}} {after.replace(secret, "")}')
    assert secret not in text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("running: tool --password hunter2 --n 3\nok", "running: tool --password *** --n 3\nok"),
        ("password = hunter2\nnext = 1", "password = ***\nnext = 1"),
        ("Authorization: Basic YWRhOnB3\nHost: x", "Authorization: ***\nHost: x"),
        ("cloning https://ada:pw@host/r.git\n", "cloning https://***@host/r.git\n"),
        ("API_KEY=abc\nline 2", "API_KEY=***\nline 2"),
        ("max_tokens = 3, --token\n", "max_tokens = 3, --token\n"),
        ("nothing here: at all = 3\n", "nothing here: at all = 3\n"),
    ],
)
def test_scrub_text(text: str, clean: str) -> None:
    assert redact.scrub(text) == clean


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "OMP_NUM_THREADS",
        "SLURM_JOB_ID",
        "LOADEDMODULES",
        "_LMFILES_",
        "PMI_RANK",
        "PYTHONPATH",
        "LC_ALL",
        "container",
    ],
)
def test_allowed(name: str) -> None:
    assert redact.is_allowed(name)


@pytest.mark.parametrize(
    "name",
    [
        "SLURM_JWT", "SLURM_SACK_JWKS", "PBS_JOBCOOKIE", "PYTHON_KEYRING_BACKEND", "OMP_SECRET", "CUDA_API_KEY",
        "slurm_job_id", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "PMI_FD", "PMI_PORT", "PMIX_SERVER_URI4",
        "CONDA_TOKEN",
        "SSH_AUTH_SOCK", "OMPI_MCA_orte_precondition_transports", "FLUX_URI", "XDG_RUNTIME_DIR", "",
        "BASH_FUNC_module%%",
        "SLURM_db_password",
    ],
)  # fmt: skip
def test_not_allowed(name: str) -> None:
    assert not redact.is_allowed(name)


def test_environment_is_sorted_filtered_and_scrubbed() -> None:
    environ = {"SLURM_JWT": "x", "PATH": "/bin", "OMP_X": "https://u:p@h/", "HPCPROV_DIR": "/d\udcff"}
    assert list(redact.environment(environ).items()) == [
        ("HPCPROV_DIR", "/d\udcff"),
        ("OMP_X", "https://***@h/"),
        ("PATH", "/bin"),
    ]


def test_every_entry_of_the_tables_is_understood() -> None:
    tables = redact.TABLES
    assert len(tables.names) > 100 and len(tables.prefixes) > 40 and len(tables.tokens) > 15
    assert {"PATH", "HOME"} <= tables.names and "--password" in tables.options
    assert all(name.isidentifier() for name in (*tables.names, *tables.prefixes, *tables.never))
    assert all(count >= 10 for _, count in tables.tokens)


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [
        ("token", True),
        ("tokens", False),
        ("myTokenValue", True),
        ("KEYFRAMES", False),
        ("key-frames", True),
        ("", False),
    ],
)
def test_is_sensitive(name: str, sensitive: bool) -> None:
    assert redact.is_sensitive(name) is sensitive
