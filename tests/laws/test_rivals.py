"""Ideal baths against QuTiP and qthermo, which others wrote."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from cases.matrices import random_hermitian
from twins import lindblad as twin

import entropax as ex
from entropax.equilibrium import ergotropy, free_energy, gibbs_state

qutip = pytest.importorskip("qutip")
qthermo = pytest.importorskip("qthermo")


TIGHT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12, "housekeeping": False}
OPTIONS = {"rtol": 1e-10, "atol": 1e-12, "nsteps": 100_000, "progress_bar": ""}
BETAS, STRENGTHS, CUTOFF = (0.7, 1.5), (0.1, 0.2), 5.0


def ohmic(beta: float, strength: float) -> Callable[[float], float]:
    """gamma(w) of an Ohmic bath, w the energy given to it.

    It is also what QuTiP calls the power spectrum S(w) of a bath, with the same sign of w and
    without a factor.
    """

    def rate(w: float) -> float:
        if abs(w) < 1e-9:
            return strength / beta
        return twin.bose_rate(w, beta, lambda size: strength * size * np.exp(-size / CUTOFF))

    return rate


RATES = [ohmic(beta, strength) for beta, strength in zip(BETAS, STRENGTHS, strict=True)]


def baths() -> list[ex.ThermalBath]:
    both = zip(BETAS, STRENGTHS, strict=True)
    return [ex.ThermalBath(beta, ex.OhmicSpectrum(g, CUTOFF)) for beta, g in both]


def system(
    rng: np.random.Generator, dtype: Any = complex
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Three levels, well apart, two operators that reach all of them, a state."""
    hamiltonian = np.diag([0.0, 1.0, 2.7]) + 0.2 * random_hermitian(rng, 3, dtype)
    operators = [random_hermitian(rng, 3, dtype) for _ in range(2)]
    return hamiltonian, operators, twin.random_state(rng, 3)


def coupled(hamiltonian: Any, operators: list[Any], start: Any, **others: Any) -> ex.OpenSystem:
    couplings = [ex.Coupling(a, bath) for a, bath in zip(operators, baths(), strict=True)]
    start = ex.Product(system=start)
    return ex.OpenSystem(hamiltonian=hamiltonian, couplings=couplings, start=start, **others)


def heat(hamiltonian: Any, jumps: list[Any], state: Any) -> float:
    """tr H D(rho), by QuTiP."""
    flow = sum(qutip.lindblad_dissipator(jump) for jump in jumps)
    moved = qutip.vector_to_operator(flow @ qutip.operator_to_vector(state))
    return (hamiltonian @ moved).tr().real


@pytest.mark.parametrize("name", ["Local", "Lindblad"])
def test_driven_qubits(name: str) -> None:
    """States and heat currents of two qubits, one of them driven."""
    bare, exchanged = twin.qubits((1.0, 1.3)), twin.exchange(0.3, 0, 2)
    sites = [twin.on_site(twin.SX, site, 2) for site in range(2)]
    start = np.diag([0.1, 0.2, 0.3, 0.4]) + 0.1 * twin.on_site(twin.SY, 1, 2)
    drive = ex.Drive(sites[0], lambda t: 0.4 * jnp.cos(1.1 * t))
    jumps = [twin.davies_jumps(bare, a, rate) for a, rate in zip(sites, RATES, strict=True)]
    model = coupled(bare, sites, start, interaction=exchanged, drives=(drive,))
    method = ex.Local(**TIGHT)
    if name == "Lindblad":
        jumps[1].append(0.2 * twin.on_site(twin.LOWER, 0, 2) @ sites[1] * (1.0 + 1.0j))
        owned = [(bath, jump) for bath, own in zip(baths(), jumps, strict=True) for jump in own]
        given = [ex.Jump(jump / 0.5, bath, rate=0.25) for bath, jump in owned]
        parts: dict[str, Any] = {"interaction": exchanged, "drives": (drive,)}
        model = ex.OpenSystem(hamiltonian=bare, couplings=given, start=model.start, **parts)
        method = ex.Lindblad(**TIGHT)
    ts = np.linspace(0.0, 12.0, 7)
    found = ex.solve(model, ts, method).ledger

    total = qutip.Qobj(bare + exchanged)
    evolving = qutip.QobjEvo([total, [qutip.Qobj(sites[0]), lambda t: 0.4 * np.cos(1.1 * t)]])
    own = [[qutip.Qobj(jump) for jump in some] for some in jumps]
    expected = qutip.mesolve(evolving, qutip.Qobj(start), ts, [*own[0], *own[1]], options=OPTIONS)
    for index, (t, state) in enumerate(zip(ts, expected.states, strict=True)):
        np.testing.assert_allclose(found.state[index], state.full(), rtol=0, atol=1e-7)
        flows = [heat(evolving(t), some, state) for some in own]
        np.testing.assert_allclose(found.heat_currents[index], flows, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("method", "cutoff"), [(ex.Redfield, -1.0), (ex.Davies, 1e-6)])
def test_bloch_redfield(rng, method: Any, cutoff: float) -> None:
    """All pairs of transitions, and those of one frequency alone; over time, and at its end.

    Real, as QuTiP 5.3 takes the complex conjugate of operators between eigenstates: its tensor of
    white noise is then not that of the jump operator.
    """
    hamiltonian, operators, start = system(rng, float)
    model = coupled(hamiltonian, operators, start)
    coupled_to = [(qutip.Qobj(a), rate) for a, rate in zip(operators, RATES, strict=True)]
    energy = qutip.Qobj(hamiltonian)
    tensors = [
        qutip.bloch_redfield_tensor(energy, coupled_to, sec_cutoff=size, fock_basis=True)
        for size in (cutoff, -1.0 if cutoff > 0 else 1e-6)
    ]
    steady, other = (qutip.steadystate(tensor).full() for tensor in tensors)
    found = ex.steady_state(model, method()).state
    np.testing.assert_allclose(found, steady, rtol=0, atol=1e-12)
    assert np.max(np.abs(found - other)) > 1e-4  # the equations differ

    ts = np.linspace(0.0, 6.0, 4)
    expected = qutip.brmesolve(
        energy, qutip.Qobj(start), ts, coupled_to, sec_cutoff=cutoff, options=OPTIONS
    )
    states = ex.solve(model, ts, method(**TIGHT)).ledger.state
    np.testing.assert_allclose(states, [s.full() for s in expected.states], rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", [ex.Davies, ex.Local])
def test_steady_state_of_jumps(rng, method: Any) -> None:
    """Jump operators between eigenstates of H_S, and of H_0 alone."""
    hamiltonian, operators, start = system(rng)
    interaction = 0.3 * random_hermitian(rng, 3)
    model = coupled(hamiltonian, operators, start, interaction=interaction)
    found = ex.steady_state(model, method())
    total = hamiltonian + interaction
    seen = total if method is ex.Davies else hamiltonian
    jumps = [
        [qutip.Qobj(jump) for jump in twin.davies_jumps(seen, a, rate)]
        for a, rate in zip(operators, RATES, strict=True)
    ]
    state = qutip.steadystate(qutip.Qobj(total), [*jumps[0], *jumps[1]])
    np.testing.assert_allclose(found.state, state.full(), rtol=0, atol=1e-11)
    flows = [heat(qutip.Qobj(total), own, state) for own in jumps]
    np.testing.assert_allclose(found.heat_currents, flows, rtol=0, atol=1e-11)


CHAIN = {"omega": 1.0, "J": 0.5, "T_left": 5.0, "T_right": 0.5}
MACHINES = {
    "refrigerator": (
        ex.machines.absorption_refrigerator(),
        lambda kind: qthermo.models.absorption_refrigerator(T_h=6.0, master_equation=kind),
    ),
    "XX chain": (
        ex.machines.spin_chain(3),
        lambda kind: qthermo.models.spin_chain(
            3, delta=0.0, gamma=0.5, master_equation=kind, **CHAIN
        ),
    ),
    "XXZ chain": (
        ex.machines.spin_chain(3, anisotropy=0.7, rates=(0.05, 0.05)),
        lambda kind: qthermo.models.spin_chain(
            3, delta=0.7, gamma=0.05, master_equation=kind, **CHAIN
        ),
    ),
    "heat valve": (
        ex.machines.heat_valve(),
        lambda kind: qthermo.models.two_qubit_heat_valve(master_equation=kind),
    ),
}
METHODS = {
    "global": ex.Davies(),
    "local": ex.Local(),
    "local, bare": ex.Local(heat="bare"),
    "redfield": ex.Redfield(),
}


def agree(found: ex.SteadyState, expected: Any) -> None:
    flows = list(expected.currents.values())
    assert max(map(abs, flows)) > 1e-4
    np.testing.assert_allclose(found.state, expected.rho, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.heat_currents, flows, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.power, expected.work_rate, rtol=0, atol=1e-9)
    rate = expected.entropy_production_rate
    np.testing.assert_allclose(found.entropy_production_rate, rate, rtol=0, atol=1e-9)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", METHODS)
def test_machines(machine: str, kind: str) -> None:
    """qthermo measures heat by all of H, or by H_0 alone where it is handed that."""
    ours, theirs = MACHINES[machine]
    model = theirs(kind.split(",")[0])
    energy = model.H0 if kind.endswith("bare") else model.H
    expected = qthermo.analyze(model.H, model.baths, energy=energy)
    agree(ex.steady_state(ours, METHODS[kind]), expected)


@pytest.mark.parametrize("kind", ["bare", "full"])
def test_maser(kind: Any) -> None:
    """Its H is the drive alone, in the frame that turns with it."""
    model = qthermo.models.three_level_maser()
    energy = model.H0 if kind == "bare" else model.H0 + model.H
    expected = qthermo.analyze(model.H, model.baths, energy=energy)
    agree(ex.steady_state(ex.machines.three_level_engine(), ex.Local(heat=kind)), expected)


def test_worth_of_states(rng) -> None:
    for _ in range(5):
        hamiltonian, state = random_hermitian(rng, 4), twin.random_state(rng, 4)
        found = ergotropy(jnp.asarray(state), jnp.asarray(hamiltonian))
        assert found > 1e-3
        np.testing.assert_allclose(found, qthermo.ergotropy(state, hamiltonian), rtol=1e-11)
        beta = jnp.asarray(0.8)
        thermal = gibbs_state(jnp.asarray(hamiltonian), beta)
        found = free_energy(thermal, jnp.asarray(hamiltonian), beta)
        expected = qthermo.free_energy(hamiltonian, 1 / 0.8)  # -T ln Z
        np.testing.assert_allclose(found, expected, rtol=1e-11)
