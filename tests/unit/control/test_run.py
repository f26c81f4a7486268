"""A descent from one start or from several, interrupted and not."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import entropax as ex
from entropax.control.run import Run

STARTS = [jnp.array([x]) for x in (-2.0, 0.1, 2.5)]


def double_well(x: jax.Array) -> jax.Array:
    """Minima near -1.06 and 0.93; the left one is lower."""
    return jnp.sum((x**2 - 1.0) ** 2 + 0.5 * x)


def test_several_starts_end_where_each_would_alone() -> None:
    together = ex.optimise(double_well, STARTS[0], optax.adam(0.05), steps=50, starts=STARTS[1:])
    assert len(together.runs) == 3
    for start, run in zip(STARTS, together.runs, strict=True):
        alone = ex.optimise(double_well, start, optax.adam(0.05), steps=50)
        np.testing.assert_allclose(run.history, alone.history, rtol=1e-13)
        np.testing.assert_allclose(run.value, alone.value, rtol=1e-12)
    assert float(together.loss) == min(float(run.loss) for run in together.runs)
    assert "best of 3 starts" in repr(together)


def test_the_best_valley_is_returned_and_gone_on_from() -> None:
    every = ex.optimise(double_well, STARTS[2], steps=30, starts=STARTS[:2], tolerance=1e-9)
    roots = np.sort(np.roots([4.0, 0.0, -4.0, 0.5]).real)
    np.testing.assert_allclose(every.value, roots[:1], rtol=0, atol=1e-8)
    ends = [float(run.value[0]) for run in every.runs]
    np.testing.assert_allclose(ends, roots[[2, 0, 0]], rtol=0, atol=1e-8)
    assert all(run.converged for run in every.runs)
    again = ex.optimise(double_well, every, steps=2)
    assert float(again.loss) <= float(every.loss)
    assert again.history.shape[0] > every.history.shape[0]


def test_a_start_that_fails_is_left_behind() -> None:
    def loss(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(x > 3.0, jnp.nan, x**2))

    starts = [jnp.array([4.0]), jnp.array([2.0])]
    run = ex.optimise(loss, starts[0], optax.sgd(0.1), steps=5, starts=starts[1:])
    assert "must be finite, but is nan at step 0" in run.runs[0].failure
    assert run.failure is None
    assert run.history.shape == (5,)
    with pytest.raises(ValueError, match="must be finite at the start, but is nan"):
        ex.optimise(loss, starts[0], optax.sgd(0.1), starts=starts[:1])
    wild = ex.optimise(loss, jnp.array([2.0]), optax.sgd(1.5), starts=starts[1:], throw=False)
    assert all("at step" in run.failure for run in wild.runs)
    with pytest.raises(ex.OptimisationError, match="The best so far, 4, is in"):
        ex.optimise(loss, jnp.array([2.0]), optax.sgd(-1.5), starts=starts[1:])


@pytest.mark.parametrize("optimiser", [None, optax.adam(0.05)], ids=["lbfgs", "adam"])
@pytest.mark.parametrize("further", [[], STARTS[1:]], ids=["one", "three"])
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    optimiser: optax.GradientTransformation | None,
    further: list[jax.Array],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(steps: int, folder: str) -> ex.Optimised:
        store = tmp_path / folder
        return ex.optimise(
            double_well, STARTS[0], optimiser, steps=steps, starts=further, store=store
        )

    whole = run(12, "whole")
    run(5, "part")
    resumed = run(12, "part")
    np.testing.assert_array_equal(resumed.history, whole.history)
    np.testing.assert_array_equal(resumed.value, whole.value)
    monkeypatch.setattr(Run, "step", None)  # nothing is computed once more
    np.testing.assert_array_equal(run(12, "part").value, whole.value)
    with pytest.raises(ex.StoreError, match="another question"):
        ex.optimise(double_well, STARTS[1], optimiser, starts=further, store=tmp_path / "part")


def test_bad_input_of_starts() -> None:
    ramp = ex.PiecewiseLinear.ramp(0.0, 1.0, duration=2.0, pieces=4)
    later = ex.PiecewiseLinear.ramp(0.0, 1.0, duration=3.0, pieces=4)

    def loss(protocol: ex.PiecewiseLinear) -> jax.Array:
        return protocol(1.0) ** 2

    with pytest.raises(ValueError, match=r"`starts\[0\]` must differ from `params` in what is opt"):
        ex.optimise(loss, ramp, starts=[later])
    with pytest.raises(ValueError, match=r"`starts\[1\]` must be like `params`, but is 1"):
        ex.optimise(loss, ramp, starts=[ramp, 1.0])
    with pytest.raises(ValueError, match=r"`starts\[0\]` must have numbers of the shapes"):
        ex.optimise(double_well, jnp.zeros(2), starts=[jnp.zeros(3)])
    with pytest.raises(ValueError, match="must begin between the bounds"):
        ex.optimise(double_well, jnp.zeros(1), starts=[jnp.full(1, 5.0)], bounds=(-1.0, 1.0))
    result = ex.optimise(double_well, jnp.zeros(1), steps=1)
    with pytest.raises(ValueError, match="`starts` must be left out where `params` is a result"):
        ex.optimise(double_well, result, starts=STARTS)
