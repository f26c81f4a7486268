"""Integration by a solver, stretches in turn, and misuse in words."""

from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from entropax.method.ode import (
    AbstractEvolution,
    Limits,
    _stable,
    nonnegative,
    through_stretches,
)
from entropax.model.driven import AbstractDriven, value_within
from entropax.protocol import AbstractProtocol

SILENT = diffrax.NoProgressMeter()


def test_a_decay_is_integrated_to_its_tolerance() -> None:
    """y' = -3 y + 1 beside a second leaf; `seen` at ascending times, and the end."""
    integrator = ex.EMME(rtol=1e-10, atol=1e-13).integrator
    ts = jnp.array([0.5, 1.0, 2.0])

    def field(_t, y, _args):
        return {"decay": 1.0 - 3.0 * y["decay"], "clock": jnp.ones(())}

    def program(y):
        stretch = (jnp.array(0.5), jnp.array(2.0))
        return integrator.follow(
            field,
            y,
            stretch,
            ts,
            lambda t, y: (t, y["decay"]),
            Limits(jnp.zeros(0), jnp.array(3.0)),
            SILENT,
            to_the_end=True,
        )

    end, (times, decays) = jax.jit(program)({"decay": jnp.ones(2), "clock": jnp.zeros(())})
    exact = 1 / 3 + 2 / 3 * np.exp(-3.0 * (np.asarray(ts) - 0.5))
    np.testing.assert_array_equal(times, ts)
    # between its steps the solver interpolates, by a lower order than its own
    np.testing.assert_allclose(decays, np.stack([exact, exact], axis=1), rtol=0, atol=1e-8)
    np.testing.assert_allclose(end["decay"], exact[-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(end["clock"], 1.5, rtol=1e-13)


def test_a_nan_ends_the_integration_at_once() -> None:
    """As NaN, not as a lack of steps; diffrax has its own checks back afterwards."""
    integrator, calls = ex.EMME(max_steps=10_000_000).integrator, eqxi.error_if

    def field(t, y, _args):
        return jnp.where(t > 1.0, jnp.nan, -y)

    def program(y):
        stretch, ts = (jnp.array(0.0), jnp.array(2.0)), jnp.array([0.5, 2.0])
        limits = Limits(jnp.zeros(0), jnp.array(1.0))
        return integrator.follow(
            field, y, stretch, ts, lambda _, y: y, limits, SILENT, to_the_end=False
        )[1]

    states = jax.jit(program)(jnp.ones(()))
    assert np.all(np.isnan(states))
    assert eqxi.error_if is calls


def test_steps_meet_marks_and_are_stable() -> None:
    """A pulse at rest is seen where it is marked; what rests forgets where it began."""
    integrator = ex.EMME(adjoint=diffrax.ForwardMode()).integrator

    def end(scale, marks, fastest):
        def field(t, y, _args):
            pulse = jnp.exp(-(((t - 700.0) / 1e-2) ** 2))
            return jnp.stack([1.0 - 3.0 * y[0], pulse * scale])

        y, stretch = jnp.stack([scale - 2 / 3, 0.0 * scale]), (jnp.zeros(()), jnp.array(900.0))
        limits = Limits(marks, fastest)
        return integrator.follow(
            field, y, stretch, jnp.array([900.0]), lambda t, y: y, limits, SILENT, to_the_end=True
        )[0]

    values = jax.jit(lambda x: jax.jvp(lambda scale: end(scale, *x), (1.0,), (1.0,)))
    seen, slope = values((700.0 + 1e-2 * jnp.linspace(-4.0, 4.0, 20), jnp.array(3.0)))
    area = np.sqrt(np.pi) * 1e-2
    np.testing.assert_allclose(seen, [1 / 3, area], rtol=0, atol=1e-9)
    np.testing.assert_allclose(slope, [0.0, area], rtol=0, atol=1e-9)
    missed, grown = values((jnp.full(20, 2e3), jnp.zeros(())))
    assert float(abs(missed[1])) < 1e-9
    assert float(abs(grown[0])) > 1.0


@pytest.mark.parametrize(
    ("solver", "limit"),
    [(diffrax.Heun(), 2.0), (diffrax.Bosh3(), 2.513), (diffrax.Dopri5(), 3.307)],
)
def test_longest_stable_steps(solver: diffrax.AbstractSolver, limit: float) -> None:
    """Hairer and Wanner, Solving Ordinary Differential Equations II, Fig. IV.2.1."""
    assert _stable(solver) == pytest.approx(0.9 * limit, abs=2e-3)
    assert _stable(diffrax.Kvaerno5()) == np.inf


class Count(AbstractDriven):
    """A model of one number and nothing else."""

    number: jax.Array | AbstractProtocol

    @property
    def protocols(self) -> dict[str, AbstractProtocol]:
        return {"number": self.number} if isinstance(self.number, AbstractProtocol) else {}

    def within(self, time: Any, stretch: Any) -> "Count":
        return Count(value_within(self.number, time, stretch))


class Climb(AbstractEvolution):
    """x' = slope, which jumps by as much as the number does."""

    lengths: list[int] = eqx.field(default_factory=list, static=True)

    def energy(self, model: Count) -> Any:
        return model.number

    def jump(self, model: Count, y: Any, change: Any) -> Any:
        del model
        return y[0], y[1] + change

    def advance(self, model: Count, y: Any, stretch: Any, ts: Any, meter: Any) -> Any:
        del model, meter
        self.lengths.append(ts.shape[0])
        (x, slope), (start, stop) = y, stretch
        seen = jnp.stack([x + slope * (ts - start), jnp.full_like(ts, slope)], axis=1)
        return (x + slope * (stop - start), slope), seen


def test_each_stretch_answers_for_its_own_times() -> None:
    """x' = number of breaks passed; a time at a break lies after it; breaks after the end too."""
    ts = jnp.array([0.0, 0.5, 1.0, 2.0, 2.5, 4.0])
    model = Count(ex.PiecewiseConstant((1.0, 2.5, 9.0), (0.0, 1.0, 2.0, 3.0)))
    start = jnp.zeros(()), jnp.zeros(())
    seen = through_stretches(Climb(), model, start, ts, SILENT)
    # breaks lie earlier by a part in 1e13, so that no two are one
    breaks = np.asarray(model.with_separated_breaks().breaks)
    np.testing.assert_allclose(breaks, [1.0, 2.5, 9.0], rtol=2e-13)
    passed = np.sum(np.maximum(np.asarray(ts)[:, None] - breaks, 0.0), axis=1)
    np.testing.assert_allclose(passed, [0.0, 0.0, 0.0, 1.0, 1.5, 4.5], rtol=0, atol=1e-12)
    np.testing.assert_allclose(seen[:, 0], passed, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(seen[:, 1], [0, 0, 1, 1, 2, 2])


def test_a_jump_at_the_start_is_one_from_the_time_before() -> None:
    model = Count(ex.PiecewiseConstant((0.0,), (-1.0, 2.0)))
    start, ts = (jnp.zeros(()), jnp.zeros(())), jnp.array([0.0, 2.0])
    seen = through_stretches(Climb(), model, start, ts, SILENT)
    np.testing.assert_array_equal(seen, [[0.0, 3.0], [6.0, 3.0]])


def test_what_is_not_driven_goes_in_one_stretch() -> None:
    """From time 0 on, with no jump, and of all times at once."""
    climb, ts = Climb(), jnp.array([0.5, 2.0, 3.0])
    start = jnp.array(0.25), jnp.array(2.0)
    seen = through_stretches(climb, Count(jnp.array(7.0)), start, ts, SILENT)
    np.testing.assert_array_equal(seen, [[1.25, 2.0], [4.25, 2.0], [6.25, 2.0]])
    assert climb.lengths == [3]


def test_times_of_a_master_equation() -> None:
    np.testing.assert_array_equal(nonnegative(jnp.array([3.0, 0.0])), [3.0, 0.0])
    with pytest.raises(ValueError, match="`ts` must be non-negative for a master equation, but"):
        nonnegative(jnp.array([1.0, -1.0]))


def test_backsolve_is_refused() -> None:
    with pytest.raises(ValueError, match="`adjoint`"):
        ex.EMME(adjoint=diffrax.BacksolveAdjoint())


@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_tolerances_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be positive, but is 0.0"):
        ex.EMME(**{name: 0.0})
