"""What the processes of parties are told at their start."""

import os

import pytest

from mdl import forks


def test_what_is_told_is_told_to_children_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    before = dict(os.environ)
    with forks._told(forks._MEMORY):
        assert os.environ["MALLOC_ARENA_MAX"] == "1"
        assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "131072", "the user's own stays"
    assert dict(os.environ) == before
