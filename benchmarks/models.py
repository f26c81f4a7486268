"""Models that timings, profiles and measures of memory share."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import entropax as ex
from benchmarks.harness import SMALL

LARGEST = 30 if SMALL else 1000
"""Modes of a lead."""
GAMMA = 3.0
SIGMA_TIME = 10.0

FLIP = jnp.array([[0.0, 1.0], [1.0, 0.0]])
RIERA_VOLUMES = (20, 30) if SMALL else (400, 600)
RIERA_TIMES = np.linspace(0.0, 60.0, 10 if SMALL else 300)

CHAIN_WINDOWS = 32
CHAIN_VOLUMES = tuple(round(10 * np.exp(0.1 * i)) for i in range(CHAIN_WINDOWS))
CHAIN_TIMES = np.linspace(0.0, 20.0, 21)

DRAW_LEVELS = 10 if SMALL else 100
"""Of the bath of a draw; the whole has twice as many states, in one sector."""
DRAW_VOLUMES = (2 * DRAW_LEVELS // 5, 3 * DRAW_LEVELS // 5)
DRAW_STRENGTH = 3e-3 * np.sqrt(1000 / DRAW_LEVELS)
DRAW_TIMES = np.linspace(0.0, 60.0, 50)


def usui(modes: int) -> ex.Junction:
    """Usui's case (a)."""
    left = ex.Lead.flat(modes=modes, width=10.0, coupling=GAMMA, beta=10.0, mu=1.0)
    right = ex.Lead.flat(modes=modes, width=10.0, coupling=GAMMA, beta=2.0, mu=-1.0)
    return ex.Junction(level=0.0, occupation=0.0, leads=(left, right))


def in_numpy(junction: ex.Junction) -> tuple:
    """The arguments of `rivals.problem`."""
    leads = junction.leads
    return (
        float(junction.level),
        float(junction.occupation),
        tuple(np.asarray(lead.energies) for lead in leads),
        tuple(np.asarray(lead.couplings) for lead in leads),
        tuple(float(lead.beta) for lead in leads),
        tuple(float(lead.mu) for lead in leads),
    )


def sigma(junction: ex.Junction) -> Callable[[jax.Array], jax.Array]:
    """Entropy production at `SIGMA_TIME` as a function of all couplings, lead after lead."""

    def value(couplings: jax.Array) -> jax.Array:
        changed = eqx.tree_at(lambda j: [x.couplings for x in j.leads], junction, list(couplings))
        return ex.solve(changed, [SIGMA_TIME]).ledger.entropy_production[0]

    return value


def riera() -> ex.OpenSystem:
    """The model of Riera's Fig. 2."""
    return _two_windows(RIERA_VOLUMES, 3e-3, ex.RandomBands(variance=1.0))


def drawn() -> ex.OpenSystem:
    """A smaller one, coupled by a random matrix: one draw of an ensemble."""
    return _two_windows(DRAW_VOLUMES, DRAW_STRENGTH, ex.GOE(variance=1.0))


def _two_windows(
    volumes: tuple[int, int], strength: float, matrix: ex.RandomBands | ex.GOE
) -> ex.OpenSystem:
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=volumes, width=0.5)
    link = ex.Coupling(FLIP, bath, strength, matrix)
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))


def chain(strength: jax.Array | float, mean: jax.Array | None = None) -> ex.OpenSystem:
    """Two levels and 32 windows that tile the axis."""
    bath = ex.WindowBath(centers=np.arange(float(CHAIN_WINDOWS)), volumes=CHAIN_VOLUMES, width=1.0)
    link = ex.Coupling(FLIP, bath, strength, ex.RandomBands(variance=1.0, mean=mean))
    start = ex.Product(system=1, windows=(CHAIN_WINDOWS // 2,))
    return ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


def chains(method: ex.EMME) -> Callable[[jax.Array], jax.Array]:
    """Probabilities of chains of many strengths."""
    ts = jnp.asarray(CHAIN_TIMES)
    return jax.vmap(lambda strength: ex.solve(chain(strength), ts, method).ledger.joint)
