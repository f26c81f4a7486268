"""Small ensembles and scans, all of one shape and at the same times; and a study of two models."""

from typing import Any

import equinox as eqx
import jax
import numpy as np

import entropax as ex

TS = np.array([0.0, 1.0, 3.0])
KEY = jax.random.key(5)
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])


def junction(coupling: Any = 1.0, beta: Any = 1.0) -> ex.Junction:
    left = ex.Lead.flat(modes=3, width=4.0, coupling=coupling, beta=beta, mu=0.5)
    right = ex.Lead.flat(modes=3, width=4.0, coupling=coupling, beta=2.0, mu=-0.5)
    return ex.Junction(level=0.1, occupation=0.3, leads=(left, right))


PURE = eqx.Partial(ex.pure_start, junction())


def spin(strength: float = 0.05, levels: Any = "even", operator: Any = FLIP) -> ex.OpenSystem:
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5, levels=levels)
    link = ex.Coupling(operator, bath, strength, ex.RandomBands(variance=1.0))
    return ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))


def pure(**options: Any) -> ex.Ensemble:
    """Ten pure starts in chunks of four."""
    return ex.ensemble(PURE, TS, **{"key": KEY, "samples": 10, "chunk": 4} | options)


def occupation(state: Any) -> dict[str, Any]:
    return {"n": state.system[0, 0].real}


def assert_same(one: Any, other: Any) -> None:
    """Two trees of arrays, number by number."""
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


STUDY = """
times = [1.0, 2.0]
[scan]
"leads.0.coupling" = [0.5, 1.0]
[model]
type = "Junction"
level = 0.0
occupation = 0.0
leads = [{type = "Lead.flat", modes = 3, width = 4.0, coupling = 1.0, beta = 1.0, mu = 0.5}]
"""
"""A grid of two models, as a TOML file."""
