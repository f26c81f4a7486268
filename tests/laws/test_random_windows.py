"""The second law at random: any operator, matrix, strength and allowed start."""

import jax
import jax.numpy as jnp
import numpy as np
from cases.matrices import random_hermitian
from cases.windows import SX

import entropax as ex


def random_model(seed: int) -> tuple[ex.OpenSystem, ex.Observation]:
    """Any operator, matrix, strength and allowed start: 2 x 6 levels, one shape for all."""
    rng = np.random.default_rng(seed)
    bath = ex.WindowBath((0.0, 1.0), (2, 4), width=rng.uniform(0.2, 1.0))
    link = ex.Coupling(
        random_hermitian(rng, 2), bath, rng.uniform(0.0, 1.0), random_hermitian(rng, 6)
    )
    weights = rng.dirichlet(np.ones(4)).reshape(2, 2)
    energies = (0.0, rng.uniform(0.5, 1.5))
    return ex.OpenSystem(energies, (link,), ex.Joint(weights)), ex.Observation()


def test_second_law_of_200_random_models() -> None:
    models = [random_model(seed)[0] for seed in range(200)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *models)
    ts = jnp.array([0.1, 1.0, 7.0, 50.0, 1e3])
    led = jax.jit(jax.vmap(lambda m: ex.solve(m, ts, ex.Schrodinger()).ledger))(stacked)
    production = np.asarray(led.entropy_production)
    # correlated starts too: what is diagonal and even in each window has S_obs = S
    assert np.min(production) >= -1e-10
    assert np.max(production) > 0.5
    rate = np.asarray(led.entropy_production_rate)
    assert np.min(rate) < -1e-2  # exact rates may be negative, and are


def test_rate_of_the_emme_is_never_negative() -> None:
    def rates(energy: jax.Array, weights: jax.Array) -> jax.Array:
        bath = ex.WindowBath((0.0, 0.5, 1.0), (20, 10, 40), width=0.5)
        link = ex.Coupling(SX, bath, 0.05, ex.RandomBands())
        model = ex.OpenSystem(jnp.stack([0.0 * energy, energy]), (link,), ex.Joint(weights))
        led = ex.solve(model, jnp.linspace(0.0, 40.0, 9), ex.EMME(coherences=False)).ledger
        assert led.entropy_production_rate is not None
        return led.entropy_production_rate

    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(6, 0.3), size=60).reshape(60, 2, 3)
    found = jax.jit(jax.vmap(rates))(jnp.asarray(rng.uniform(0.1, 1.2, 60)), jnp.asarray(weights))
    assert np.min(found) >= -1e-9
