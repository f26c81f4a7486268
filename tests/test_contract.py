"""Program 1 of the contract (the design's fixed names), word for word but for its sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

PROGRAM = """
import jax, jax.numpy as jnp, equinox as eqx, optax
import entropax as ex

left = ex.Lead.flat(modes=1000, width=10.0, coupling=3.0, beta=10.0, mu=1.0)
right = ex.Lead.flat(modes=1000, width=10.0, coupling=3.0, beta=2.0, mu=-1.0)
junction = ex.Junction(level=0.0, occupation=0.0, leads=(left, right))
sol = ex.solve(junction, jnp.logspace(-1, 6, 40) / 3.0, progress=True)
led = sol.ledger
led.entropy_production            # (40,)    Sigma(t)
led.entropy_production_fixed      # (40,)    sigma(t), baths' initial temperatures
led.beta, led.mu                  # (40, 2)  effective values, one column a bath
led.energy, led.particles, led.heat   # (40, 2) of the baths; heat > 0 flows into the system
led.system_entropy, led.system_occupation, led.work    # (40,)
led.terms.system_bath, led.terms.inter_bath, led.terms.athermality, led.terms.athermality_initial, led.terms.finite_bath   # (40,), the initial one ()
led.terms.intra_bath              # (40, 2)
led.residual                      # (40,)    what is left of Sigma minus the sum of its terms
ex.pure_start(junction, key=jax.random.key(0))      # the same junction in one random pure product state
ex.with_occupations(junction, n)                    # in any diagonal start, order: level, left modes, right modes
ex.global_equilibrium(junction)                     # .beta, .mu of the global reference state
network = ex.FermionNetwork(hamiltonian=h, system=(0, 1), baths=((2, 3, 4), (5, 6, 7)), beta=(1.0, 2.0), mu=(0.0, 0.5), start=None)   # any Hermitian h
lead = ex.Lead(energies=eps, couplings=t, beta=1.0, mu=0.0)                                                                         # any lead
"""  # noqa: E501
MODES, TIMES = 40, 9


@pytest.fixture(scope="module")
def names() -> dict:
    """The program's names after it ran small."""
    small = PROGRAM.replace("modes=1000", f"modes={MODES}").replace("6, 40)", f"6, {TIMES})")
    assert small.count(f"modes={MODES}") == 2
    assert f"6, {TIMES})" in small
    rng = np.random.default_rng(0)
    m = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    given = {
        "n": np.linspace(0.0, 1.0, 1 + 2 * MODES),
        "h": m + m.conj().T,
        "eps": [0.1, 0.5, -0.3],
        "t": [0.2, 0.2, 0.1],
    }
    exec(compile(small, "program 1", "exec"), given)
    return given


def test_fields_and_shapes(names: dict) -> None:
    led = names["led"]
    per_time = (
        led.entropy_production,
        led.entropy_production_fixed,
        led.system_entropy,
        led.system_occupation,
        led.work,
        led.residual,
        led.terms.system_bath,
        led.terms.inter_bath,
        led.terms.athermality,
        led.terms.finite_bath,
    )
    assert all(field.shape == (TIMES,) for field in per_time)
    per_bath = (led.beta, led.mu, led.energy, led.particles, led.heat, led.terms.intra_bath)
    assert all(field.shape == (TIMES, 2) for field in per_bath)
    assert led.terms.athermality_initial.shape == ()
    assert all(field.dtype == jnp.float64 for field in (*per_time, *per_bath))
    assert np.max(np.abs(led.residual)) < 1e-11
    assert np.all(led.entropy_production > 0)


def test_solution(names: dict) -> None:
    sol = names["sol"]
    assert sol.ts.shape == (TIMES,)
    assert np.all(sol.result == ex.RESULTS.successful)
    assert sol.stats["times"] == TIMES
    np.testing.assert_array_equal(names["led"].work, 0.0)


def test_starts_and_reference(names: dict) -> None:
    junction, n = names["junction"], names["n"]
    pure = ex.pure_start(junction, key=jax.random.key(0)).initial_occupations
    assert set(np.unique(pure)) <= {0.0, 1.0}
    moved = ex.with_occupations(junction, n)
    np.testing.assert_array_equal(moved.initial_occupations, n)
    np.testing.assert_array_equal(moved.leads[1].initial_occupations, n[1 + MODES :])
    common = ex.global_equilibrium(junction)
    assert 0 < float(common.beta) < 10
    assert abs(float(common.mu)) < 1


def test_network_and_lead_are_solved(names: dict) -> None:
    sol = ex.solve(names["network"], [0.0, 0.7])
    assert sol.ledger.beta.shape == (2, 2)
    assert abs(float(sol.ledger.entropy_production[0])) < 1e-12
    assert float(sol.ledger.entropy_production[1]) > 0
    one = ex.solve(ex.Junction(0.0, 1.0, (names["lead"],)), [1.0])
    assert abs(float(one.ledger.residual[0])) < 1e-12
