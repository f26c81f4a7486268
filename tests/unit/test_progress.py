"""The progress bar: one run after another, interrupted ones, and late callbacks."""

import jax
import pytest

from entropax import progress


@pytest.mark.misuse
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


def test_a_bar_in_python_is_drawn_on_the_error_stream(capsys: pytest.CaptureFixture) -> None:
    with progress.bar("loss", 4, shown=True) as show:
        for step in range(4):
            show(step + 1, f"{step:.1f}")
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = [f"loss {step + 1} of 4: {step:.1f}" for step in range(4)]
    assert shown.err.splitlines() == lines  # no terminal: a line each time


def test_a_bar_that_is_not_shown_draws_nothing(capsys: pytest.CaptureFixture) -> None:
    with progress.bar("loss", 4, shown=False) as show:
        show(1, "0.5")
    assert capsys.readouterr() == ("", "")


def test_a_compiled_loop_draws_its_last_line(capsys: pytest.CaptureFixture) -> None:
    meter = progress.RichProgressMeter()

    @jax.jit
    def loop(x: jax.Array) -> jax.Array:
        state = meter.init()
        for part in (0.5, 1.0):
            state = meter.step(state, x * part)
        meter.close(state)
        return x

    jax.block_until_ready(loop(1.0))
    jax.effects_barrier()
    assert progress._live is None
    assert "100%" in capsys.readouterr().err
