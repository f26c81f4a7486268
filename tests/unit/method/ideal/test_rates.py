"""Rates between eigenstates, the quadratures of their shifts, misuse named beforehand."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.rates import _INNER, _OUTER, Transitions, rate_equation, transitions


@eqx.filter_jit
def between(model: ex.OpenSystem, vectors: jax.Array) -> list[Transitions]:
    return transitions(model, (model.energies, vectors), lamb_shift=False)


def test_rates_are_those_of_the_energies_given_away() -> None:
    """gamma(e_j - e_i) at elements (i, j), times the strength squared; 0 without an element."""
    energies = (0.0, 1.0, 2.5)
    operator = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.3], [0.0, 0.3, 0.0]])
    first, second = ideal.baths()
    couplings = [ex.Coupling(operator, first), ex.Coupling(operator, second, 0.5)]
    model = ideal.qubit(energies=energies, couplings=couplings, start=ex.Product(system=0))
    parts = between(model, jnp.eye(3))
    taken = np.subtract.outer(energies, energies).T
    for number, (part, weight) in enumerate(zip(parts, (1.0, 0.25), strict=True)):
        assert (int(part.bath), int(part.particles)) == (number, 0)
        np.testing.assert_allclose(part.energy, taken, rtol=0, atol=1e-15)
        expected = weight * np.vectorize(ideal.RATES[number])(taken)
        np.testing.assert_allclose(part.rate, expected * (operator > 0), rtol=1e-13)
        np.testing.assert_array_equal(part.operator, operator)
        assert part.shift is None


def test_particles_jump_both_ways() -> None:
    """Into a bath of fermions with d, out of it with its adjoint."""
    lead = ex.ThermalBath(1.3, ex.FlatSpectrum(0.7), "fermi", 0.4)
    model = ideal.qubit(couplings=[ex.Coupling(twin.LOWER, lead)])
    out, into = between(model, jnp.eye(2))
    f = 1.0 / (np.exp(1.3 * (1.0 - 0.4)) + 1.0)
    assert (int(out.particles), int(into.particles)) == (1, -1)
    np.testing.assert_allclose(out.rate, [[0.0, 0.7 * (1 - f)], [0.0, 0.0]], rtol=1e-14)
    np.testing.assert_allclose(into.rate, [[0.0, 0.0], [0.7 * f, 0.0]], rtol=1e-14)


def test_ratios_of_rates_are_those_of_detailed_balance() -> None:
    """Both ways where there is one, also where it underflows; none at zero temperature."""
    for beta, there in ((0.7, 0.7 * 1.5), (1000.0, 1500.0), (np.inf, np.nan)):
        link = ex.Coupling(twin.SX, ex.ThermalBath(beta, ideal.OHMIC))
        model = ideal.qubit(energies=(0.0, 1.5), couplings=[link])
        equation = rate_equation(between(model, jnp.eye(2)), 2, 1)
        np.testing.assert_allclose(equation.log_ratios[0, 0, 1], there, rtol=1e-14)
        np.testing.assert_allclose(equation.log_ratios[0, 1, 0], -there, rtol=1e-14)


def test_two_ways_between_the_same_states_have_no_one_ratio() -> None:
    """With a particle and without: rates add up, and of the two ratios none is taken."""
    bath = ex.ThermalBath(1.3, ideal.OHMIC, mu=-0.2)
    model = ideal.qubit(energies=(0.0, 1.5), couplings=[ex.Coupling(twin.SX, bath)])
    parts = between(model, jnp.eye(2))
    one = rate_equation(parts, 2, 1)
    np.testing.assert_allclose(one.log_ratios[0, 0, 1], 1.3 * 1.7, rtol=1e-14)
    bare = [part._replace(log_ratio=1.3 * part.energy, particles=0) for part in parts]
    both = rate_equation([*parts, *bare], 2, 1)
    np.testing.assert_allclose(both.rates, 2.0 * one.rates, rtol=1e-15)
    assert np.isnan(both.log_ratios[0, 0, 1])
    assert np.isnan(both.log_ratios[0, 1, 0])


@pytest.mark.parametrize("rule", [0, 1])
def test_quadratures_of_shifts(rule: int) -> None:
    """Of singular ends and slow tails; half the nodes are near, as the error estimate needs."""
    near = (1e-14, 1e-7)[rule]
    x = _INNER.nodes
    inside = _INNER.weights[rule] @ np.array([x**-0.5, np.exp(x), x * np.log(x)]).T
    # nodes do not come closer to 0 than 1e-17: x^-1/2 misses what lies there
    np.testing.assert_allclose(inside, [2.0, np.e - 1.0, -0.25], rtol=0, atol=max(near, 1e-8))
    u = _OUTER.nodes
    outside = _OUTER.weights[rule] @ np.array([np.exp(-u), 1.0 / (1.0 + u**2)]).T
    np.testing.assert_allclose(outside, [1.0, np.pi / 2], rtol=0, atol=near)


def steady(spectrum: Any, **changes: Any) -> ex.SteadyState:
    return ex.steady_state(ideal.qubit_at(ex.ThermalBath(1.0, spectrum), **changes), ex.Davies())


BAD = {
    "zero frequency": (
        lambda: ex.steady_state(ideal.qubit(energies=(0.0, 0.0)), ex.Davies()),
        r"`spectrum` \(FlatSpectrum\) of the bath of `couplings\[0\]` must have a finite rate at "
        "every transition, but has not at 0",
    ),
    "outside the table": (
        lambda: steady(ideal.SPECTRA["tabulated"][0], energies=(0.0, 30.0)),
        r"`spectrum` \(TabulatedSpectrum\) .* but has not at 30",
    ),
    "negative function": (
        lambda: steady(lambda w: -w),
        r"`spectrum` \(CustomSpectrum\) .* must not be negative, but is at 1",
    ),
    "detailed balance": (
        lambda: steady(ex.PowerSpectrum(jnp.cosh)),
        r"`spectrum` \(PowerSpectrum\) .* must obey detailed balance",
    ),
    "lamb shift of a flat spectrum": (
        lambda: ex.steady_state(ideal.qubit(), ex.Davies(lamb_shift=True)),
        "`spectrum` of bath 0 must decay at high frequencies",
    ),
    "fermions below the band": (
        lambda: ex.steady_state(
            ideal.qubit(
                energies=(0.0, -1.0),
                couplings=[ex.Coupling(twin.LOWER, ex.ThermalBath(1.0, ideal.OHMIC, "fermi"))],
            ),
            ex.Davies(),
        ),
        r"`spectrum` \(OhmicSpectrum\) .* must not be negative",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()
