"""The table of cited numbers: its groups, and its two sizes."""

import functools
from typing import NoReturn

import pytest

from entropax import validate
from entropax.validate import GROUPS, Group, Row, find, rows

GOOD = Row("n", "somewhere", 1.0, 1.0 + 1e-10, 1e-9)


def test_both_sizes_share_their_code() -> None:
    """What is quick is the same function, perhaps told of a smaller model; or it is left out."""
    kinds = {"same": 0, "smaller": 0, "left out": 0}
    for full, quick in GROUPS.values():
        if quick is None:
            kinds["left out"] += 1
        elif quick is full:
            kinds["same"] += 1
        else:
            assert isinstance(quick, functools.partial)
            assert quick.func is full
            kinds["smaller"] += 1
    assert all(kinds.values())


def test_groups_are_found_by_name_and_by_what_they_begin_with() -> None:
    assert find() == list(GROUPS)
    assert find(["usui"]) == ["usui"]
    # in the order of the table, each once
    assert find(["optimal", "machines-dot", "steady", "optimal-trap"]) == [
        "steady",
        "machines-dot",
        "optimal-drive",
        "optimal-erasure",
        "optimal-trap",
        "optimal-slow",
    ]
    with pytest.raises(ValueError, match="no rows named `machine`; there are: steady, junction"):
        find(["usui", "machine"])


def test_rows_of_either_size(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {
        "small": Group(lambda: iter([GOOD]), lambda: iter([GOOD])),
        "smaller": Group(lambda: iter([GOOD] * 3), lambda: iter([GOOD])),
        "large": Group(lambda: iter([GOOD] * 5), None),
    }
    monkeypatch.setattr(validate, "GROUPS", groups)
    assert len(list(rows(find()))) == 9
    assert len(list(rows(find(), quick=True))) == 2
    assert len(list(rows(["large"]))) == 5


def test_rows_are_computed_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> NoReturn:
        raise RuntimeError("asked for")

    monkeypatch.setattr(
        validate, "GROUPS", {"a": Group(lambda: iter([GOOD]), None), "b": Group(failing, None)}
    )
    lazily = rows(["a", "b"])
    assert next(lazily) is GOOD
    with pytest.raises(RuntimeError, match="asked for"):
        next(lazily)


def test_cheap_rows_agree() -> None:
    """Closed forms that compile next to nothing."""
    for row in rows(["chain", "memory"], quick=True):
        assert row.agrees, row
