"""Steady populations and what flows through them: closed forms of a dot and of jumps by hand."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.populations import Populations, SteadyPopulations, populations_of
from entropax.method.ideal.rates import transitions
from entropax.model.transition_frequencies import total_spectrum

FORK = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


@eqx.filter_jit
def found(model: ex.OpenSystem) -> tuple[Populations, SteadyPopulations]:
    spectrum = total_spectrum(model)
    known = populations_of(model, spectrum, transitions(model, spectrum, lamb_shift=False))
    return known, known.steady()


def dot(beta: tuple[float, float], mu: tuple[float, float], level: float = 1.0) -> ex.OpenSystem:
    """A level that two leads fill and empty, at 0.3 and 0.5."""
    leads = [
        ex.ThermalBath(b, ex.FlatSpectrum(g), "fermi", m)
        for b, m, g in zip(beta, mu, (0.3, 0.5), strict=True)
    ]
    couplings = [ex.Coupling(twin.LOWER, lead) for lead in leads]
    return ideal.qubit(energies=(0.0, level), couplings=couplings)


@pytest.mark.parametrize(
    ("beta", "mu"),
    [((1.3, 0.4), (0.2, -0.3)), ((60.0, 90.0), (0.1, -0.4)), ((2.0, 2.0), (0.1,) * 2)],
)
def test_a_dot_between_two_leads_counts_particles(
    beta: tuple[float, float], mu: tuple[float, float]
) -> None:
    """Its filling, and I = g_1 g_2 / (g_1 + g_2) (f_1 - f_2), also where that is 1e-24."""
    known, steady = found(dot(beta, mu))
    x = np.array(beta) * (1.0 - np.array(mu))
    f, hole = 1.0 / (1.0 + np.exp(x)), 1.0 / (1.0 + np.exp(-x))
    g = np.array([0.3, 0.5])
    assert bool(steady.is_unique)
    assert bool(known.is_apart)
    np.testing.assert_allclose(steady.populations, [g @ hole / 0.8, g @ f / 0.8], rtol=1e-14)
    # f_1 - f_2 without a difference
    current = 0.15 / 0.8 * f[0] * hole[1] * -np.expm1(x[0] - x[1])
    np.testing.assert_allclose(steady.particles, [current, -current], rtol=1e-13)
    np.testing.assert_allclose(steady.energy, [current, -current], rtol=1e-13)
    filled = np.array([[-1.0, 1.0], [1.0, -1.0]]) * current
    np.testing.assert_allclose(steady.changes, filled, rtol=1e-13)
    np.testing.assert_allclose(np.sum(steady.production), current * (x[1] - x[0]), rtol=1e-13)


def test_bosons_that_are_counted_carry_their_number() -> None:
    """Each quantum of the gap 2 is one, taken from the hot bath and given to the cold one."""
    hot, cold = (ex.ThermalBath(b, ideal.OHMIC, mu=m) for b, m in ((0.5, -0.3), (1.5, -0.1)))
    couplings = [ex.Coupling(twin.SX, bath) for bath in (hot, cold)]
    _, steady = found(ideal.qubit(energies=(0.0, 2.0), couplings=couplings))
    assert float(steady.particles[0]) > 0.01
    np.testing.assert_allclose(steady.energy, 2.0 * steady.particles, rtol=1e-14)
    np.testing.assert_allclose(steady.particles[0], -steady.particles[1], rtol=1e-13)


@pytest.mark.parametrize("beta", [np.inf, 1000.0])
def test_what_a_cold_bath_takes_a_warm_one_gives(beta: float) -> None:
    """Three levels, all linked; of the cold bath's rates some or all upwards are zero."""
    operator = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.7], [0.5, 0.7, 0.0]])
    baths = [ex.ThermalBath(b, ex.FlatSpectrum(0.01)) for b in (1.0, beta)]
    couplings = [ex.Coupling(operator, bath) for bath in baths]
    known, steady = found(ideal.qubit(energies=(0.0, 0.1, 4.0), couplings=couplings))
    flows = np.asarray(known.equation.rates) * np.asarray(steady.populations)
    net = flows - np.swapaxes(flows, 1, 2)
    np.testing.assert_allclose(steady.changes, net.sum(axis=2), rtol=1e-12)
    np.testing.assert_allclose(np.sum(steady.changes, axis=0), 0.0, atol=1e-17)
    assert float(steady.energy[0]) == pytest.approx(-float(steady.energy[1]), rel=1e-13)
    assert float(steady.production[0]) > 0.0
    if np.isinf(beta):
        assert float(steady.production[1]) == np.inf
    else:
        p = np.log(steady.populations)
        produced = -steady.changes[1] @ p - beta * steady.energy[1]
        assert float(steady.production[1]) == pytest.approx(float(produced), rel=1e-12)


def by_hand(*jumps: ex.Jump) -> ex.OpenSystem:
    """Beside a coupling to a bath of its own."""
    return ideal.qubit(couplings=[*jumps, ex.Coupling(twin.SX, ideal.BATH)])


def test_jumps_given_by_hand_have_their_own_balance() -> None:
    """Down at 0.7 with two particles, up at 0.2 with as many back: heat at the bath's beta."""
    own = ex.ThermalBath(1.7, mu=0.3)
    jumps = ex.Jump(twin.LOWER, own, 0.7, 2), ex.Jump(twin.LOWER.T, own, 0.2, -2)
    known, steady = found(by_hand(*jumps))
    n = 0.1 / np.expm1(1.0)
    p = np.array([0.8 + n, 0.2 + n]) / (1.0 + 2.0 * n)
    np.testing.assert_array_equal(known.has_jumps, [True, False])
    np.testing.assert_allclose(steady.populations, p, rtol=1e-14)
    current = 0.2 * p[0] - 0.7 * p[1]
    np.testing.assert_allclose(steady.energy, [current, -current], rtol=1e-13)
    np.testing.assert_allclose(steady.particles, [2.0 * current, 0.0], rtol=1e-13)
    produced = current * np.log(p[0] / p[1]) - 1.7 * (current - 0.3 * 2.0 * current)
    np.testing.assert_allclose(steady.production[0], produced, rtol=1e-12)


def test_jumps_that_do_not_give_back_are_counted_one_by_one() -> None:
    """A particle is handed over on the way down, and none is taken on the way up."""
    own = ex.ThermalBath(1.7, mu=0.3)
    jumps = ex.Jump(twin.LOWER, own, 0.7, 1), ex.Jump(twin.LOWER.T, own, 0.2)
    _, steady = found(by_hand(*jumps))
    np.testing.assert_allclose(steady.particles[0], -0.7 * steady.populations[1], rtol=1e-14)


@pytest.mark.parametrize(
    ("energies", "couplings", "apart"),
    [
        ((0.0, 1.0, 2.5), [ex.Coupling(FORK + FORK.T, ideal.BATH)], True),
        ((0.0, 1.0, 1.0), [ex.Coupling(FORK + FORK.T, ideal.BATH)], False),
        # one jump from two levels; one that takes each of them somewhere else
        ((0.0, 1.0, 2.5), [ex.Jump(FORK, ideal.BATH)], False),
        ((0.0, 1.0, 2.5), [ex.Jump(np.diag([1.0, 1.0], 1), ideal.BATH)], True),
    ],
    ids=["no level twice", "a level twice", "jumps together", "jumps apart"],
)
def test_coherences_are_apart_where_none_is_fed_or_rests(
    energies: tuple[float, ...], couplings: list[ex.Coupling | ex.Jump], apart: bool
) -> None:
    known, _ = found(ideal.qubit(energies=energies, couplings=couplings))
    assert bool(known.is_apart) is apart


def test_states_are_given_in_the_basis_of_the_system(rng: np.random.Generator) -> None:
    known = ideal.case("random")
    own, steady = found(known.model())
    rho = own.state(steady.populations)
    expected = twin.null_state(known.davies)
    np.testing.assert_allclose(rho, expected, rtol=0, atol=1e-12)
    p = jnp.asarray(rng.dirichlet(np.ones(4)))
    inside = np.linalg.eigh(known.h)[1]
    np.testing.assert_allclose(own.state(p), (inside * p) @ inside.conj().T, atol=1e-14)
