"""A run's folder: new ones never collide, files appear whole, records stay few."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mdl.errors import DamagedRecord, MdlError
from mdl.folder import (
    FileJournal,
    environment,
    file_in_the_way,
    last_line,
    locked,
    locked_by,
    new_folder,
    trim,
    write_atomically,
    write_json,
)
from tests.full_disk import files_up_to

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_run_is_called_after_its_time_and_name(tmp_path: Path) -> None:
    assert new_folder(tmp_path / "runs", "first", NOW).name == "20260102-030405-first"


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    folders = [new_folder(tmp_path, "same", NOW) for _ in range(3)]
    assert [folder.name[-6:] for folder in folders] == ["5-same", "same-1", "same-2"]


def test_a_place_where_no_folder_can_be_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MdlError, match=r"cannot make the run's folder .*: Not a directory"):
        new_folder(tmp_path / "file", "x", NOW)


def test_a_file_where_a_folder_is_to_be_is_found_however_deep(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    assert file_in_the_way(file) == file_in_the_way(file / "runs" / "today") == file
    assert file_in_the_way(tmp_path / "runs" / "today") is None


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert [each.name for each in tmp_path.iterdir()] == ["value.json"]


def test_a_record_and_every_new_folder_on_the_way_to_it_are_on_the_disk_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that a power cut takes away takes its records with it."""
    synced = set()
    fsync = os.fsync

    def noting(handle: int) -> None:
        synced.add(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noting)
    FileJournal(tmp_path, 3).write("model", 1, {"parameters": np.zeros(2)})
    assert {tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints" / "3"} <= synced


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()  # a folder: no file can take its place
    with pytest.raises(OSError, match="target"):
        write_atomically(target, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["target"]


def test_what_could_not_be_written_is_named(tmp_path: Path) -> None:
    target = tmp_path / "model-000003.safetensors"
    with pytest.raises(OSError, match=rf"File too large: '{target}'"), files_up_to(1 << 20):
        write_atomically(target, b"x" * (1 << 20) + b"y")
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", b"s")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_shared_file_is_as_others_that_the_user_makes(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_atomically(tmp_path / "page", b"p", shared=True)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "page")}
    assert len(modes) == 1


def test_the_environment_names_versions_and_is_json() -> None:
    found = json.loads(json.dumps(environment()))
    assert {"mdl", "python", "packages", "cores"} <= set(found)
    assert "torch" in found["packages"]


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 3)
    # A transposed array is not contiguous, which the file format would not mind but get wrong.
    arrays: dict[str, NDArray[Any]] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "b": np.array([1, 2**63], np.uint64),
    }
    journal.write("model", 1, arrays)
    found = journal.read("model", 1)
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_what_was_never_written_is_none(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 0)
    assert journal.read("model", 1) is None
    assert journal.newest("model", 9) is None
    assert journal.epochs("model") == []


def test_only_the_last_two_records_of_a_name_are_kept(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 1)
    for epoch in range(8, 13):
        journal.write("model", epoch, {"epoch": np.array([epoch])})
    journal.write("sets", 1, {"sets": np.zeros(1)})
    assert journal.epochs("model") == [11, 12]
    assert journal.epochs("sets") == [1]


def test_the_newest_record_is_found_up_to_an_epoch(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 1)
    for epoch in (4, 5):
        journal.write("model", epoch, {"epoch": np.array([epoch])})
    for until, expected in ((9, 5), (5, 5), (4, 4)):
        newest = journal.newest("model", until)
        assert newest is not None
        assert newest["epoch"] == [expected]
    assert journal.newest("model", 2) is None


def test_writing_an_earlier_epoch_again_forgets_nothing_later(tmp_path: Path) -> None:
    """What was opened in later epochs binds a second course through them: its record must stay."""
    journal = FileJournal(tmp_path, 1)
    for epoch in (4, 5, 1):
        journal.write("sets", epoch, {"sets": np.array([epoch])})
    assert journal.epochs("sets") == [1, 4, 5]


@pytest.mark.parametrize("size", [0, 4, 40])
def test_a_damaged_record_is_named_with_what_to_do(tmp_path: Path, size: int) -> None:
    journal = FileJournal(tmp_path, 2)
    journal.write("sets", 3, {"a": np.zeros(4)})
    [path] = (tmp_path / "checkpoints" / "2").iterdir()
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedRecord, match=f"{path} is damaged .*begin a new one"):
        journal.read("sets", 3)


def test_records_of_a_course_not_taken_can_be_forgotten(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path, 1)
    for epoch in (4, 5):
        journal.write("model", epoch, {"a": np.zeros(1)})
        journal.write("sets", epoch, {"a": np.zeros(1)})
    journal.forget("model", 4)
    assert journal.epochs("model") == [4]
    assert journal.epochs("sets") == [4, 5]


def test_a_folder_in_use_is_refused_to_others_and_free_again_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(MdlError, match="in use"), locked(tmp_path):
        raise AssertionError
    with locked(tmp_path) as held:
        assert held == tmp_path


def test_a_lock_of_another_name_leaves_the_folder_to_others(tmp_path: Path) -> None:
    with locked_by(tmp_path, "lock-1"), locked(tmp_path), locked_by(tmp_path, "lock-2"):
        with pytest.raises(MdlError, match="in use"), locked_by(tmp_path, "lock-1"):
            raise AssertionError


def test_parties_keep_their_records_apart(tmp_path: Path) -> None:
    FileJournal(tmp_path, 1).write("model", 1, {"a": np.zeros(1)})
    assert FileJournal(tmp_path, 2).epochs("model") == []


LINES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=20)


@given(lines=LINES, until=st.dictionaries(st.integers(0, 3), st.integers(0, 5)))
def test_trimming_keeps_what_belongs_to_finished_epochs_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, int]], until: dict[int, int]
) -> None:
    path = tmp_path_factory.mktemp("trim") / "metrics.jsonl"
    events = [{"party": party, "epoch": epoch} for party, epoch in lines]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    kept = trim(path, until)
    assert kept == [event for event in events if event["epoch"] <= until.get(event["party"], 0)]
    assert [json.loads(line) for line in path.read_text().splitlines()] == kept


def test_trimming_drops_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"party": 1, "epoch": 1}\n{"party": 1, "ep')
    assert trim(path, {1: 5}) == [{"party": 1, "epoch": 1}]


def test_trimming_what_is_not_there_makes_it_empty(tmp_path: Path) -> None:
    assert trim(tmp_path / "none.jsonl", {}) == []
    assert (tmp_path / "none.jsonl").read_bytes() == b""


@pytest.mark.parametrize("torn", [b"", b'{"epoch": 3'])
def test_the_last_whole_line_is_found_and_what_a_crash_tore_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = b'{"epoch": 1}\n{"epoch": 2}\n'
    path.write_bytes(whole + torn)
    assert last_line(path) == {"epoch": 2}
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [None, b"", b'{"epoch"'])
def test_a_file_without_a_whole_line_has_no_last(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "metrics.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert last_line(path) is None
    assert not path.exists() or path.read_bytes() == b""
