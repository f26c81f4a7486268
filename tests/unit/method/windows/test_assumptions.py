"""What a master equation looks at before it runs: dead transitions, speed, reach."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import QUENCH, SX, WINDOW, driven, known_samples, large_spin, spin

import entropax as ex
from entropax.method.sampling import certainly_apart, samples
from entropax.method.windows.assumptions import (
    reachable_populations,
    warn_dead_transitions,
    warn_fast_driving,
)


def tiles(gap: float, operator: np.ndarray = SX) -> ex.OpenSystem:
    """Six windows that touch; the start is in the third one."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(10, 12, 14, 17, 20, 24), width=1.0)
    link = ex.Coupling(operator, bath, 3e-2, ex.RandomBands(1.0))
    return ex.OpenSystem((0.0, gap), (link,), ex.Product(system=1, windows=(2,)))


def test_what_a_program_traces_hides_nothing_else() -> None:
    """A strength is no energy."""
    found, known, ts = [], driven(QUENCH), jnp.array([7.0])

    def program(strength: jax.Array) -> jax.Array:
        model = eqx.tree_at(lambda m: m.couplings[0].strength, known, strength)
        seen = samples(model, ts)
        found.append(certainly_apart(seen))
        warn_dead_transitions(model, seen, "global")
        warn_fast_driving(model, seen, "global")
        return strength

    jax.eval_shape(program, jnp.ones(()))
    assert found == [True]


@pytest.mark.parametrize(
    ("gap", "flat"),
    # flat index: level * 6 + window. On resonance there and back; off it two windows share a jump
    [(1.0, (3, 8)), (1.5, tuple(range(1, 11))), (9.0, (8,))],
)
def test_populations_that_rates_lead_to(gap: float, flat: tuple[int, ...]) -> None:
    assert reachable_populations(tiles(gap)) == flat


def test_what_is_traced_may_lead_anywhere() -> None:
    populations = []

    def look(gap: jax.Array) -> jax.Array:
        populations.append(reachable_populations(tiles(gap)))
        return gap

    jax.eval_shape(look, jnp.ones(()))
    assert populations == [tuple(range(12))]


def test_driving_may_lead_anywhere() -> None:
    assert reachable_populations(driven(QUENCH)) == tuple(range(6))


def test_a_jump_no_window_can_take_is_named() -> None:
    away = spin(WINDOW, centers=(0.0, 2.0))
    with pytest.warns(UserWarning, match=r"transitions 1 -> 0, 0 -> 1 of `couplings\[0\]`"):
        warn_dead_transitions(away, samples(away, jnp.ones(1)), "global")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dephasing = tiles(1.0, np.diag([1.0, -1.0]))  # no change of energy, no jump
        warn_dead_transitions(dephasing, samples(dephasing, jnp.ones(1)), "global")
        passing = driven(ex.PiecewiseConstant((1.0,), (9.0, 1.0)))  # alive in one stretch
        warn_dead_transitions(passing, samples(passing, jnp.array([2.0])), "global")


def test_windows_within_the_memory_are_counted() -> None:
    """3 per time, over 2 pi / 0.5, in windows of 0.5: 75.4."""

    def name(*slopes: float) -> None:
        lines = [ex.PiecewiseLinear((0.0, 1.0), (0.0, slope)) for slope in slopes]
        model = ex.OpenSystem(lines, large_spin().couplings, WINDOW)
        warn_fast_driving(model, known_samples(model, [1.0]), "global")

    with pytest.warns(UserWarning, match=r"Energies move by 75\.4 windows"):
        name(-1.0, 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name(3.0, 3.0)
        warn_fast_driving(large_spin(), None, "global")
