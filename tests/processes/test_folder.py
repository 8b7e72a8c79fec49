from pathlib import Path

from hds.up import short_folder


def test_what_a_killed_start_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    with short_folder(str(tmp_path)) as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    folder.mkdir(mode=0o700)
    (folder / "queue").touch()
    with short_folder(str(tmp_path)) as again:
        assert again == folder
        assert not list(again.iterdir())
    assert not folder.exists()


def test_each_data_folder_has_its_own(tmp_path: Path) -> None:
    with short_folder(str(tmp_path / "a")) as one, short_folder(str(tmp_path / "b")) as other:
        assert one != other
