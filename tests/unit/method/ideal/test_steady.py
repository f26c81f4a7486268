"""Steady states of generators, their logarithms, and flows that are counted link by link."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.linalg import Stationary
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.generators import AbstractGenerator, MatrixGenerator
from entropax.method.ideal.populations import Populations, SteadyPopulations
from entropax.method.ideal.steady import link_by_link, log_of, reference_of, steady_of
from entropax.state import SystemState


def jumping(operators: jax.Array, rates: jax.Array) -> MatrixGenerator:
    h = jnp.diag(jnp.array([0.0, 1.0]))
    return MatrixGenerator(h, (JumpDissipator(0, operators, rates, (0, 0)),), h, None, baths=1)


@jax.jit
def steady(operators: jax.Array, rates: jax.Array) -> tuple[Stationary, jax.Array, jax.Array]:
    generator = jumping(operators, rates)
    form, _ = steady_of(generator)
    return form, generator.unpack(form.x), reference_of(generator)


def test_steady_states_of_jumps_up_and_down() -> None:
    """Populations as the rates are; dephasing leaves them as they start, which is told."""
    operators = jnp.asarray([twin.LOWER, twin.LOWER.T])
    relaxed, state, log = steady(operators, jnp.array([0.7, 0.2]))
    assert bool(relaxed.unique)
    assert bool(relaxed.converged)
    np.testing.assert_allclose(state, np.diag([7.0, 2.0]) / 9.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(log, np.diag(np.log([7.0 / 9.0, 2.0 / 9.0])), rtol=0, atol=1e-14)
    dephased, _, log = steady(jnp.asarray([twin.SZ, twin.SZ]), jnp.array([0.7, 0.2]))
    assert not bool(dephased.unique)
    assert np.all(np.isnan(log))


def test_what_has_negative_populations_has_no_logarithm() -> None:
    """As a steady state of Redfield's; what is negative by rounding counts as empty."""
    generator, yes = jumping(jnp.asarray([twin.LOWER, twin.LOWER.T]), jnp.ones(2)), jnp.array(True)

    @jax.jit
    def log(populations: jax.Array) -> jax.Array:
        form = generator.pack(jnp.diag(populations))
        return log_of(generator, Stationary(form, yes, yes), None)

    assert np.all(np.isnan(log(jnp.array([1.1, -0.1]))))
    empty = log(jnp.array([1.0, -1e-15]))
    np.testing.assert_allclose(empty, np.diag([0.0, -53 * np.log(2.0)]), rtol=1e-14, atol=1e-15)


@eqx.filter_jit
def between(
    generator: AbstractGenerator,
) -> tuple[jax.Array, jax.Array, Stationary, SteadyPopulations | None]:
    form, links = steady_of(generator)
    return generator.unpack(form.x), log_of(generator, form, links), form, links


@pytest.mark.kernels
@pytest.mark.parametrize("coherences", [True, None])
@pytest.mark.parametrize("kind", ideal.KINDS)
def test_populations_count_where_they_are_apart(kind: str, coherences: bool | None) -> None:
    """Of two baths: links where no level is degenerate, else coherences within it as well."""
    case = ideal.case(kind)
    model = case.model()
    equation = ex.Davies(coherences=coherences).steady_equation(model)
    generator = equation.generator_with_populations(model)
    state, log, form, links = between(generator)
    expected = twin.null_state(case.davies)
    np.testing.assert_allclose(state, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(log, scipy.linalg.logm(expected), rtol=0, atol=1e-11)
    assert bool(form.unique)
    assert bool(form.converged)
    if generator.populations is None:  # levels with their coherences, and nothing else
        assert kind == "level"
        assert coherences is links is None
        return
    assert bool(generator.populations.is_apart) is (kind != "level")
    if kind != "level":
        inside = np.linalg.eigh(case.h)[1]
        populations = np.diagonal(inside.conj().T @ expected @ inside).real
        np.testing.assert_allclose(links.populations, populations, rtol=0, atol=1e-12)


def still() -> SystemState:
    """A qubit between two baths of which nothing is known to flow."""
    none, zero = jnp.zeros(2), jnp.zeros(())
    return SystemState(
        state=jnp.eye(2) / 2,
        hamiltonian=jnp.eye(2),
        rate=jnp.zeros((2, 2)),
        dissipated=jnp.zeros((2, 2, 2)),
        energy_current=none,
        particle_current=none,
        power=zero,
        energy=none,
        particles=none,
        work=zero,
        log_stationary=None,
        speed=zero,
    )


@eqx.filter_jit
def linked(rates: Populations, is_apart: jax.Array) -> SystemState:
    rates = eqx.tree_at(lambda r: r.is_apart, rates, is_apart)
    return link_by_link(still(), rates, rates.steady())


def test_flows_are_those_of_links_where_populations_are_apart() -> None:
    """A dot of energy 1.0 between leads that fill and empty it at 0.3 and 0.5."""
    beta, mu, gamma = np.array([1.3, 0.4]), np.array([0.2, -0.3]), np.array([0.3, 0.5])
    leads = [
        ex.ThermalBath(b, ex.FlatSpectrum(g), "fermi", m)
        for b, m, g in zip(beta, mu, gamma, strict=True)
    ]
    dot = ideal.qubit(couplings=[ex.Coupling(twin.LOWER, lead) for lead in leads])
    rates = ex.Davies().steady_equation(dot).generator_with_populations(dot).populations
    assert rates is not None
    first, second = 1.0 / (1.0 + np.exp(beta * (1.0 - mu)))
    current = 0.3 * 0.5 / 0.8 * (first - second) * np.array([1.0, -1.0])
    flowing = linked(rates, jnp.array(True))
    np.testing.assert_allclose(flowing.energy_current, current, rtol=1e-12)
    np.testing.assert_allclose(flowing.particle_current, current, rtol=1e-12)
    filled = np.diag([-1.0, 1.0]) * current[:, None, None]
    np.testing.assert_allclose(flowing.dissipated, filled, rtol=1e-12)
    # dS of each is that of the dot, which the two cancel
    affinity = (beta[1] * (1.0 - mu[1]) - beta[0] * (1.0 - mu[0])) * current[0]
    assert float(jnp.sum(flowing.production)) == pytest.approx(affinity, rel=1e-12)
    np.testing.assert_array_equal(flowing.state, still().state)
    mixed = linked(rates, jnp.array(False))
    for name in ("energy_current", "particle_current", "dissipated"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(still(), name))
    assert np.all(np.isnan(mixed.production))
