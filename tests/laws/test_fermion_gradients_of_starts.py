"""Derivatives of the whole ledger from any diagonal start, in reverse, against dense NumPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import fermions
from derivatives import check_derivative
from twins.slopes import (
    OBSERVED,
    Slopes,
    assert_derivatives,
    direction_in,
    junction_of,
    labels,
    parameters,
    twin_slope,
)

import entropax as ex

filled = Slopes(junction_of).pull


@pytest.mark.parametrize("name", ["random filling", "equal fillings", "pure", "pure, level filled"])
def test_junction_from_any_filling(name: str) -> None:
    """At filling 0 and 1 the slope of an entropy is infinite: clipped, so there is none to meet."""
    star, pure = fermions.DIAGONAL[name], name.startswith("pure")
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation") if pure else ())
    sigma = 1.0 * (labels(2) == "entropy_production")
    gradient = filled(parameters(star), sigma)
    assert all(np.all(np.isfinite(slope)) for slope in gradient.values())
    if pure:
        # three times the slope of -S_S(0), and what moves later
        assert 3 * 37 - 30 < abs(float(gradient["occupation"])) < 3 * 37 + 30


@pytest.mark.parametrize("name", ["pure, uncoupled modes", "pure, equal energies across leads"])
def test_degenerate_pure_junctions(name: str) -> None:
    """An uncoupled mode stays pure, where its entropy has a kink: couplings move the others."""
    star = fermions.DIAGONAL[name]
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation", "couplings"))
    p, names = parameters(star), labels(2)
    d = direction_in("couplings", p["couplings"], np.random.default_rng(3))
    d *= p["couplings"] != 0
    expected = twin_slope(star, "couplings", d)
    for field in OBSERVED:
        weights = 1.0 * (names == field)
        slope = np.sum(np.asarray(filled(p, weights)["couplings"]) * d)
        assert slope == pytest.approx(weights @ expected, rel=1e-6, abs=1e-6), field


# What rests on the initial temperatures has no derivative where there are none.
NEEDS_START = ("entropy_production_fixed", "finite_bath", "heat")


@pytest.mark.parametrize("name", fermions.EDGES)
def test_junction_from_leads_without_temperature(name: str) -> None:
    star = fermions.EDGES[name]
    # with beta near 0, mu = alpha/beta is -5335 at t = 0.05: no difference of it has six digits
    ill = ("mu",) if name == "filled leads" else ()
    skip = (*NEEDS_START, *ill)
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation"), skip=skip)
    sigma = 1.0 * (labels(2) == "entropy_production")
    gradient = filled(parameters(star), sigma)
    assert all(np.all(np.isfinite(slope)) for slope in gradient.values())


@pytest.mark.parametrize("name", fermions.NOTHING)
def test_finite_slopes_where_nothing_can_move(name: str) -> None:
    """Nothing depends on anything but the filling, and on energies if there are particles."""
    p, names = parameters(fermions.NOTHING[name]), labels(2)
    for field in np.setdiff1d(OBSERVED, (*NEEDS_START, "beta", "mu")):
        gradient = filled(p, 1.0 * (names == field))
        assert all(np.all(np.isfinite(slope)) for slope in gradient.values()), field
        # a filled level carries its energy
        shifts = field in ("system_energy", "total_energy") and name == "filled"
        for by in ("couplings", "ts") if shifts else ("level", "couplings", "ts"):
            np.testing.assert_allclose(gradient[by], 0.0, rtol=0, atol=1e-8, err_msg=field)


def test_gradients_from_infinite_temperature() -> None:
    """With respect to the fillings of a lead whose modes are filled alike, forward too."""
    model = fermions.hot(0.3).model()
    start = model.leads[0].initial_occupations
    direction = np.random.default_rng(0).normal(size=start.shape)

    def produced(filling: jax.Array, weights: jax.Array) -> jax.Array:
        lead = eqx.tree_at(lambda x: x.occupations, model.leads[0], filling)
        changed = eqx.tree_at(lambda m: m.leads[0], model, lead)
        led = ex.solve(changed, jnp.array([3.0])).ledger
        return weights @ jnp.stack([led.entropy_production[0], led.entropy_production_fixed[0]])

    for weights in np.eye(2):
        at, along = (start, weights), (direction, np.zeros(2))
        check_derivative(produced, at, along, step=1e-3, tolerance=1e-8)
