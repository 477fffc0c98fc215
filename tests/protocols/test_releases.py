from pathlib import Path

from mdl.folder import FileJournal
from mdl.protocols.releases import count_contribution, count_private, counted


def test_counts_outlive_the_process_and_the_checkpoints_that_are_dropped(tmp_path: Path) -> None:
    assert count_contribution(FileJournal(tmp_path, 1), 10) == {"contributions": 1, "parameters": 10}
    assert count_private(FileJournal(tmp_path, 1), 200) == {"examples": 200, "private_epochs": 1}
    FileJournal(tmp_path, 1).forget("model", 0)
    assert count_contribution(FileJournal(tmp_path, 1), 5) == {"contributions": 2, "parameters": 15}
    assert count_private(FileJournal(tmp_path, 1), 200, epochs=3) == {"examples": 200, "private_epochs": 4}
    assert counted(FileJournal(tmp_path, 1)) == {
        "contributions": 2,
        "parameters": 15,
        "examples": 200,
        "private_epochs": 4,
    }


def test_each_party_counts_for_itself_and_nothing_is_counted_that_was_not_released(tmp_path: Path) -> None:
    count_private(FileJournal(tmp_path, 1), 200)
    assert counted(FileJournal(tmp_path, 1)) == {"examples": 200, "private_epochs": 1}
    assert counted(FileJournal(tmp_path, 2)) == {}
