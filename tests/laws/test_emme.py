"""The extended microcanonical master equation against its generator written out."""

import dataclasses

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from cases.windows import SX, TIGHT, assert_same, flow, four_couplings, written

import entropax as ex
from entropax.solve import solve_plan

Array = np.ndarray

TIMES = np.array([7.0, 0.0, 1.5, 40.0])


@pytest.mark.parametrize("resonant", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_emme_is_the_exponential_of_the_written_generator(seed: int, resonant: bool) -> None:
    model = four_couplings(seed, resonant=resonant)
    led = ex.solve(model, TIMES, ex.EMME(**TIGHT)).ledger
    states = flow(model, written(model), TIMES)
    assert_same(led, states, 1e-9)
    # laws: trace, and positive conditional states; on resonance the distribution of total energy
    np.testing.assert_allclose(led.joint.sum(axis=(1, 2, 3)), 1.0, rtol=0, atol=1e-10)
    lowest = np.linalg.eigvalsh(np.moveaxis(states, (1, 2), (-2, -1))).min()
    assert lowest > -1e-10
    if resonant:
        total = (
            np.asarray(model.energies)[:, None, None]
            + np.asarray(model.baths[0].centers)[:, None]
            + np.asarray(model.baths[1].centers)
        )
        for value in np.unique(np.round(total, 9)):
            share = np.asarray(led.joint)[:, np.abs(total - value) < 1e-9].sum(-1)
            np.testing.assert_allclose(share, share[0], rtol=0, atol=1e-10)
    # without shifts, another equation: the comparison can fail
    plain = ex.solve(model, TIMES, ex.EMME(lamb_shift=False, first_order=False, **TIGHT)).ledger
    with pytest.raises(AssertionError):
        assert_same(plain, states, 1e-4)
    np.testing.assert_allclose(plain.joint, led.joint, rtol=0, atol=1e-9)


@pytest.mark.parametrize("resonant", [True, False])
def test_populations_alone_by_the_exponential_and_by_a_solver(resonant: bool) -> None:
    """Several baths and operators: the generator of the exponential must be symmetric."""
    model = four_couplings(6, resonant=resonant, matrix_start=False)
    method = ex.EMME()
    assert method.plan(model, jnp.zeros(1)).decided.coherences is False
    states = flow(model, written(model), TIMES)
    assert_same(ex.solve(model, TIMES, method).ledger, states, 1e-9)
    assert_same(
        ex.solve(model, TIMES, ex.EMME(solver=diffrax.Dopri8(), **TIGHT)).ledger, states, 1e-9
    )


@pytest.mark.parametrize(("gap", "lead_to"), [(1.0, 2), (1.5, 10)])
def test_populations_out_of_reach_are_left_out(gap: float, lead_to: int) -> None:
    """On resonance one jump leads to and fro; off resonance it is shared by two windows."""
    bath = ex.WindowBath(centers=np.arange(6.0), volumes=(10, 12, 14, 17, 20, 24), width=1.0)
    link = ex.Coupling(SX, bath, 3e-2, ex.RandomBands(1.0))
    model = ex.OpenSystem((0.0, gap), (link,), ex.Product(system=1, windows=(2,)))
    method = ex.EMME()
    plan = method.plan(model, jnp.asarray(TIMES))
    reachable = plan.decided.reachable
    assert reachable is not None
    assert len(reachable) == lead_to
    everything = plan.decided._replace(reachable=tuple(range(model.dimension)))
    some, all_of_it = (
        solve_plan(method, dataclasses.replace(plan, decided=decided)).ledger
        for decided in (plan.decided, everything)
    )
    np.testing.assert_allclose(some.joint, all_of_it.joint, rtol=0, atol=1e-14)
    np.testing.assert_allclose(some.clausius, all_of_it.clausius, rtol=0, atol=1e-12)
    assert np.all(np.sum(some.joint > 1e-13, axis=(1, 2)) <= len(reachable))

    def final(energy: jax.Array) -> jax.Array:  # traced energies: nothing is known
        turned = ex.OpenSystem((0.0, energy), (link,), ex.Product(system=1, windows=(2,)))
        return ex.solve(turned, [7.0], ex.EMME(coherences=False)).ledger.joint[0]

    expected = all_of_it.joint[0]
    np.testing.assert_allclose(jax.jit(final)(gap), expected, rtol=0, atol=1e-14)


def test_redfield_is_the_exponential_of_the_written_generator() -> None:
    rng = np.random.default_rng(5)
    baths = [ex.WindowBath((0.0, 1.0), (4, 6), 0.8), ex.WindowBath((0.5, -0.6), (3, 5), 0.7)]
    couplings = [
        ex.Coupling(random_hermitian(rng, 2), bath, 0.06, random_hermitian(rng, bath.size))
        for bath in (baths[0], baths[1], baths[0])
    ]
    start = ex.Product(system=[[0.4, 0.3j], [-0.3j, 0.6]], windows=([0.3, 0.7], 1))
    model = ex.OpenSystem(energies=(0.0, 1.1), couplings=couplings, start=start)
    # it does not keep populations positive, here too
    led = ex.solve(model, TIMES, ex.EMME(secular=False, **TIGHT), throw=False).ledger
    states = flow(model, written(model, secular=False), TIMES)
    assert_same(led, states, 1e-9)
    with pytest.raises(AssertionError):
        assert_same(ex.solve(model, TIMES, ex.EMME(**TIGHT)).ledger, states, 1e-4)


def test_levels_of_one_energy_need_coherences_and_get_them() -> None:
    """Populations feed coherences between equal energies; None finds out, False is refused."""
    rng = np.random.default_rng(1)
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(5, 7), width=0.5)
    link = ex.Coupling(random_hermitian(rng, 3), bath, 0.1, ex.RandomBands())
    start = ex.Product(system=2, windows=(0,))
    model = ex.OpenSystem(energies=(0.0, 0.0, 1.0), couplings=(link,), start=start)
    led = ex.solve(model, [3.0], ex.EMME(**TIGHT)).ledger
    assert_same(led, flow(model, written(model), np.array([3.0])), 1e-9)
    assert abs(led.system_state[0, 0, 1]) > 1e-3
    with pytest.raises(RuntimeError, match="levels of the system have one energy"):
        jax.block_until_ready(ex.solve(model, [3.0], ex.EMME(coherences=False)).ledger.joint)
