"""Constant generators by their exponential, held against that of the whole matrix."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from cases import ideal

import entropax as ex
from entropax.linalg import to_real
from entropax.method.ideal.interaction_picture import Flow
from entropax.method.ideal.relaxation import is_exponential, relaxed

Array = np.ndarray


def begin(generator: Any, state: Array) -> Flow:
    zeros = jnp.zeros(2)
    return Flow(generator.pack(jnp.asarray(state)), zeros, zeros, jnp.zeros(()))


@pytest.mark.parametrize("kind", ["random", "level", "ladder"])
@pytest.mark.parametrize("method", [ex.Davies(), ex.Redfield()])
def test_states_and_what_flows(method: Any, kind: str) -> None:
    """Energies that leave the baths are those that the system has gained."""
    known = ideal.case(kind)
    model = known.model()
    ts = jnp.array([0.0, 0.4, 5.0])
    generator = method.equation(model, ts).generator(model)
    assert is_exponential(generator)
    liouvillian = np.asarray(ideal.liouvillian(method, model))
    after = relaxed(generator, None, begin(generator, known.rho), ts)
    for time, y, energy in zip(np.asarray(ts), after.y, after.energy, strict=True):
        state = np.asarray(generator.unpack(y))
        expected = scipy.linalg.expm(liouvillian * time) @ np.asarray(to_real(known.rho)).ravel()
        np.testing.assert_allclose(to_real(state).ravel(), expected, rtol=0, atol=1e-12)
        gained = np.trace(known.h @ (state - known.rho)).real
        assert float(jnp.sum(energy)) == pytest.approx(gained, abs=1e-12)
    assert not np.any(after.particles)
    assert not np.any(after.work)


@pytest.mark.parametrize("kind", ["level", "random"])
def test_a_sector_is_what_the_whole_is(kind: str) -> None:
    """Populations, with coherences within a level where there is one."""
    known = ideal.case(kind)
    vectors = np.linalg.eigh(known.h)[1]
    start = vectors @ np.diag([0.1, 0.2, 0.3, 0.4]) @ vectors.conj().T
    model = known.model(ex.Product(system=start))
    ts = jnp.array([0.0, 0.4, 5.0])
    found = []
    for method in (ex.Davies(), ex.Davies(coherences=True)):
        generator = method.equation(model, ts).generator(model)
        after = relaxed(generator, None, begin(generator, start), ts)
        found.append((np.stack([generator.unpack(y) for y in after.y]), after.energy))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_large_ones_are_integrated() -> None:
    model = ideal.forgotten(4)
    local = ex.Local().equation(model, jnp.zeros(1))
    assert not is_exponential(local.generator(model))
