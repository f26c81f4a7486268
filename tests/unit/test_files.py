"""Files are whole, or not there."""

from pathlib import Path

import pytest

from entropax._files import durable, is_partial


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def interrupted() -> None:
        with durable(path) as file:
            file.write(b"half")
            (partial,) = tmp_path.iterdir()
            assert is_partial(partial)
            assert not path.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())
    for text in (b"one", b"two"):
        with durable(path) as file:
            file.write(text)
        assert path.read_bytes() == text
    assert not is_partial(path)


def test_who_comes_second_leaves_the_first_ones_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for text in (b"one", b"two"):
        with durable(path, replace=False, suffix="-1") as file:
            file.write(text)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
