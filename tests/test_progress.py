"""The progress bar: one run after another, interrupted ones, and late callbacks."""

import pytest

from entropax import progress


def test_a_new_run_starts_from_zero_and_late_callbacks_are_ignored(
    capsys: pytest.CaptureFixture,
) -> None:
    progress._begin()
    progress._draw(0.7)  # and interrupted
    progress._begin()
    assert progress._live is not None
    assert progress._live.tasks[0].completed == 0.0
    progress._draw(0.5)
    progress._draw(0.4)  # the slower member of a batch
    assert progress._live.tasks[0].completed == 0.5
    progress._draw(1.0)
    assert progress._live is None
    progress._draw(1.0)
    assert progress._live is None
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "100%" in shown.err
