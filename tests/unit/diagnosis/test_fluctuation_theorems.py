"""Fluctuation theorems where their premises hold, and what they need where not."""

from typing import Any

import jax
import numpy as np
import pytest

import entropax as ex

LEADS = (
    ex.Lead.flat(modes=3, width=4.0, coupling=0.8, beta=1.5, mu=0.4),
    ex.Lead.flat(modes=3, width=4.0, coupling=0.5, beta=0.6, mu=-0.2),
)
JUNCTION = ex.Junction(0.3, 0.2, LEADS)
TS = [0.0, 2.0, 9.0]
A = np.array([[0.0, 1.0], [0.0, 0.0]])
DOT = ex.OpenSystem(
    (0.0, 0.7),
    [
        ex.Coupling(A, ex.ThermalBath(beta, ex.FlatSpectrum(0.3), mu=mu, statistics="fermi"))
        for beta, mu in ((1.0, 0.5), (0.4, -0.3))
    ],
    ex.Product(system=[0.8, 0.2]),
)
WINDOWS = ex.OpenSystem(
    (0.0, 1.0),
    (ex.Coupling(A + A.T, ex.WindowBath((0.0, 1.0), (4, 6), 0.5), 0.1, ex.RandomBands(1.0)),),
    ex.Product(system=1, windows=(0,)),
)


def thermal_network(slope: float = 1.4) -> ex.FermionNetwork:
    h = np.diag([0.3, -0.2, 0.5]) + 0.4 * (np.eye(3, k=1) + np.eye(3, k=-1))
    values, vectors = np.linalg.eigh(h)
    filled = 1 / (1 + np.exp(slope * (values - 0.1)))
    if slope == 0.0:
        filled = np.array([0.2, 0.5, 0.4])
    start = (vectors * filled) @ vectors.T
    drive = ex.Drive(np.diag([1.0, 0.0, 0.0]), ex.PiecewiseLinear((0.0, 9.0), (0.0, 1.0)))
    return ex.FermionNetwork(h, (0,), ((1, 2),), start=start, drives=(drive,))


@pytest.mark.parametrize(
    ("model", "method", "names"),
    [
        (
            JUNCTION,
            ex.Exact(),
            ["integral fluctuation theorem", "exchange", "detailed fluctuation theorem"],
        ),
        (thermal_network(), ex.Magnus(200), ["jarzynski"]),
        (DOT, ex.Davies(), ["integral fluctuation theorem", "gallavotti-cohen"]),
    ],
    ids=["junction", "network", "dot"],
)
def test_theorems_hold(model: Any, method: Any, names: list[str]) -> None:
    found = ex.identities(model, method, ex.solve(model, TS, method))
    assert [relation.name for relation in found] == names
    for relation in found:
        assert relation.residual.shape == (3,)
        assert relation.violation < 1e-9, relation.name


@pytest.mark.parametrize("method", [ex.EMME(), ex.Schrodinger(jax.random.key(0))])
def test_window_baths_have_theirs_by_name(method: Any) -> None:
    solution = ex.solve(WINDOWS, TS, method)
    (relation,) = ex.identities(WINDOWS, method, solution, ["integral fluctuation theorem"])
    assert relation.violation < 1e-9


@pytest.mark.parametrize(
    ("model", "method", "name", "message"),
    [
        (JUNCTION, ex.Exact(), "jarzynski", "needs a FermionNetwork whose `start` is the grand"),
        (thermal_network(0.0), ex.Magnus(200), "jarzynski", "needs a FermionNetwork whose `start`"),
        (
            thermal_network(),
            ex.Magnus(200),
            "integral fluctuation theorem",
            "needs baths that start thermal, but bath 0 has",
        ),
        (JUNCTION, ex.Exact(), "gallavotti-cohen", "`names` must be of integral fluctuation"),
        (DOT, ex.Redfield(), "gallavotti-cohen", "needs the Davies equation"),
    ],
)
def test_premises_are_named(model: Any, method: Any, name: str, message: str) -> None:
    solution = ex.solve(model, TS, method)
    with pytest.raises(ValueError, match=message):
        ex.identities(model, method, solution, [name])


def test_a_wrong_temperature_breaks_the_symmetry() -> None:
    """A negative control: entropy counted with another temperature."""
    count = ex.counting(JUNCTION, TS, "heat", bath=1)
    right = ex.counting(JUNCTION, TS, "entropy_production").generating(-1.0)
    np.testing.assert_allclose(right, 1.0, rtol=0, atol=1e-11)
    assert np.all(np.abs(count.generating(-0.6)[1:] - 1.0) > 1e-3)
