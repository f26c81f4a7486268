"""Ensembles and scans of models with ideal baths, by every method at its defaults and others."""

from typing import Any

import diffrax
import jax
import numpy as np
import pytest
from cases.windows import SX

import entropax as ex

LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])
TS = np.array([0.0, 1.0])
METHODS = {
    "Davies": ex.Davies(),
    "Local": ex.Local(),
    "Redfield": ex.Redfield(),
    "Lindblad": ex.Lindblad(),
    "Davies, implicit": ex.Davies(housekeeping=False, solver=diffrax.Kvaerno5()),
}


def qubit(beta: Any, *, jumps: bool) -> ex.OpenSystem:
    bath = ex.ThermalBath(beta, ex.FlatSpectrum(0.2))
    links: Any = (ex.Coupling(SX, bath),)
    if jumps:
        links = (ex.Jump(LOWER, bath, 0.3), ex.Jump(LOWER.T, bath, 0.1))
    return ex.OpenSystem((0.0, 1.0), links, ex.Product(system=1))


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_is_a_loop(name: str) -> None:
    method, jumps = METHODS[name], name == "Lindblad"
    betas = (0.5, 1.0, 2.0)
    alone = [ex.solve(qubit(b, jumps=jumps), TS, method).ledger.entropy_production for b in betas]
    scanned = ex.scan([qubit(b, jumps=jumps) for b in betas], TS, method)
    np.testing.assert_allclose(scanned.ledger.entropy_production, alone, rtol=0, atol=1e-9)

    def drawn(key: jax.Array) -> ex.OpenSystem:
        return qubit(1.0 + jax.random.uniform(key), jumps=jumps)

    made = ex.ensemble(drawn, TS, method, key=jax.random.key(0), samples=3, keep=True)
    produced = np.asarray(made.ledger.entropy_production)[:, -1]
    assert produced.shape == (3,)
    assert np.all((produced > min(alone[1][-1], alone[2][-1])) & np.isfinite(produced))
