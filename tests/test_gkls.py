"""Davies, local and Redfield equations against plain twins, closed forms and each other."""

import functools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lindblad as twin
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from helpers import check_derivative, random_hermitian

import entropax as ex
from entropax.method.blocks import BlockGenerator
from entropax.method.generators import MatrixGenerator, SectorGenerator
from entropax.method.symmetry import blocks_of, conserved

# compiling takes nearly all of the time here
pytestmark = pytest.mark.usefixtures("quick_compilation")

BETAS = (0.7, 1.9)
OHMIC, DRUDE = ex.OhmicSpectrum(0.3, 5.0), ex.DrudeLorentzSpectrum(0.2, 3.0)
DENSITIES = (lambda w: 0.3 * w * np.exp(-w / 5.0), lambda w: 2 * 0.2 * 3.0 * w / (w**2 + 9.0))
AT_ZERO = (0.3 / BETAS[0], 2 * 0.2 / 3.0 / BETAS[1])
RATES = [
    lambda w, b=b, j=j, zero=zero: twin.bose_rate(w, b, j) if abs(w) > 1e-9 else zero
    for b, j, zero in zip(BETAS, DENSITIES, AT_ZERO, strict=True)
]
TIMES = (0.0, 0.5, 2.0, 7.0)


def baths() -> list[ex.ThermalBath]:
    return [ex.ThermalBath(b, s) for b, s in zip(BETAS, (OHMIC, DRUDE), strict=True)]


def hamiltonian(kind: str, rng: np.random.Generator, size: int = 4) -> np.ndarray:
    """Random; with degenerate levels; with degenerate gaps."""
    if kind == "random":
        return random_hermitian(rng, size)
    energies = {"level": [0.0, 1.0, 1.0, 2.5], "ladder": [0.0, 1.0, 2.0, 3.0]}[kind]
    vectors = np.linalg.eigh(random_hermitian(rng, size))[1]
    return (vectors * np.array(energies)) @ vectors.conj().T


class Case:
    """A model, and its Liouvillians by the twin."""

    def __init__(self, kind: str, seed: int = 7):
        rng = np.random.default_rng(seed)
        self.h = hamiltonian(kind, rng)
        self.operators = [random_hermitian(rng, 4) for _ in range(2)]
        self.rho = twin.random_state(rng, 4)
        self.jumps = [
            twin.davies_jumps(self.h, s, rate)
            for s, rate in zip(self.operators, RATES, strict=True)
        ]
        self.davies = twin.generator(self.h, [*self.jumps[0], *self.jumps[1]])
        self.redfield = twin.liouvillian(self._redfield, 4)

    def _redfield(self, rho: np.ndarray) -> np.ndarray:
        total = -1j * (self.h @ rho - rho @ self.h)
        for operator, rate in zip(self.operators, RATES, strict=True):
            total = total + twin.redfield(self.h, operator, rate, rho)
        return total

    def model(self, start=None) -> ex.OpenSystem:
        couplings = [ex.Coupling(s, b) for s, b in zip(self.operators, baths(), strict=True)]
        start = ex.Product(self.rho) if start is None else start
        return ex.OpenSystem(hamiltonian=self.h, couplings=couplings, start=start)


CASES = {kind: Case(kind) for kind in ("random", "level", "ladder")}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", ["davies", "redfield"])
def test_generator_is_the_twins(kind: str, name: str) -> None:
    case = CASES[kind]
    method = ex.Davies(coherences=True) if name == "davies" else ex.Redfield()
    ours = twin.complex_map(np.asarray(method.generator(case.model()).matrix()))
    np.testing.assert_allclose(ours, getattr(case, name), rtol=0, atol=1e-11)
    # and the two differ
    other = case.redfield if name == "davies" else case.davies
    assert np.max(np.abs(ours - other)) > 0.05


@pytest.mark.parametrize("kind", CASES)
def test_davies_is_completely_positive_and_redfield_is_not(kind: str) -> None:
    case = CASES[kind]
    generator = ex.Davies(coherences=True).generator(case.model())
    ours = twin.complex_map(np.asarray(generator.matrix()))
    for time in (1e-3, 0.3, 5.0):
        values = np.linalg.eigvalsh(twin.choi(ours, time))
        assert values[0] >= -1e-10
        np.testing.assert_allclose(values.sum(), 4.0, rtol=1e-11)
    redfield = ex.Redfield().generator(case.model())
    early = twin.choi(twin.complex_map(np.asarray(redfield.matrix())), 1e-3)
    assert np.linalg.eigvalsh(early)[0] < -1e-6


@pytest.mark.parametrize("kind", CASES)
def test_dynamics_and_steady_state(kind: str) -> None:
    case = CASES[kind]
    for method, matrix in ((ex.Davies(), case.davies), (ex.Redfield(), case.redfield)):
        ledger = ex.solve(case.model(), TIMES, method).ledger
        states = [twin.propagate(matrix, case.rho, t) for t in TIMES]
        np.testing.assert_allclose(ledger.state, states, rtol=0, atol=5e-9)
        steady = ex.steady_state(case.model(), method)
        np.testing.assert_allclose(steady.state, twin.null_state(matrix), rtol=0, atol=1e-11)
        assert float(steady.lowest_population) > 0.0


def test_heat_is_the_integral_of_its_currents() -> None:
    case = CASES["level"]
    found = ex.solve(case.model(), TIMES, ex.Davies()).ledger

    def currents(t: float) -> np.ndarray:
        rho = twin.propagate(case.davies, case.rho, t)
        return np.array([np.trace(case.h @ twin.dissipate(j, rho)).real for j in case.jumps])

    np.testing.assert_allclose(found.heat_currents, [currents(t) for t in TIMES], atol=1e-8)
    heat = scipy.integrate.quad_vec(currents, 0.0, TIMES[-1], epsabs=1e-10)[0]
    np.testing.assert_allclose(found.heat[-1], heat, rtol=0, atol=1e-8)
    produced = twin.entropy(np.asarray(found.state[-1])) - twin.entropy(case.rho)
    produced -= np.dot(BETAS, heat)
    np.testing.assert_allclose(found.entropy_production[-1], produced, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.residual, 0.0, atol=1e-8)


@pytest.fixture(scope="module")
def random_machines() -> ex.GKLSLedger:
    """200 random four-level systems between two random baths, in random states."""

    def one(key):
        keys = jax.random.split(key, 6)
        parts = jax.random.normal(keys[0], (8, 4, 4))
        h = parts[0] + 1j * parts[1]
        couplings = []
        for i, spectrum in enumerate((OHMIC, DRUDE)):
            s = parts[2 + 2 * i] + 1j * parts[3 + 2 * i]
            beta = jax.random.uniform(keys[1 + i], minval=0.1, maxval=4.0)
            couplings.append(ex.Coupling(s + s.conj().T, ex.ThermalBath(beta, spectrum)))
        x = parts[6] + 1j * parts[7]
        rho = x @ x.conj().T
        model = ex.OpenSystem(
            hamiltonian=h + h.conj().T,
            couplings=couplings,
            start=ex.Product(rho / jnp.trace(rho).real),
        )
        return ex.solve(model, [0.0], ex.Davies(), throw=False).ledger

    found = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(5), 200))
    return jax.tree.map(lambda x: x[:, 0], found)


def test_spohn(random_machines: ex.GKLSLedger) -> None:
    found = random_machines
    assert float(jnp.min(found.entropy_production_rate)) >= -1e-10
    assert float(jnp.min(found.entropy_production_rates)) >= -1e-10
    each = jnp.sum(found.entropy_production_rates, axis=1)
    np.testing.assert_allclose(each, found.entropy_production_rate, rtol=1e-12)
    balance = found.entropy_rate - found.entropy_production_rate
    assert float(jnp.min(jnp.abs(balance))) > 1e-6  # neither part alone
    # heat of the wrong sign would break it
    assert float(jnp.min(found.entropy_rate + balance)) < -0.1


def test_parts_add_up_and_are_not_negative(random_machines: ex.GKLSLedger) -> None:
    found = random_machines
    total = found.entropy_production_rate
    both = found.population_rate + found.coherence_rate
    np.testing.assert_allclose(both, total, rtol=0, atol=1e-10 * np.max(total))
    assert float(jnp.min(found.population_rate)) >= -1e-10
    assert float(jnp.min(found.coherence_rate)) >= -1e-10
    assert float(jnp.min(found.nonadiabatic_rate)) >= -1e-10
    np.testing.assert_allclose(found.nonadiabatic_rate + found.housekeeping_rate, total, rtol=1e-12)
    assert float(jnp.median(found.coherence_rate / total)) > 0.01


@pytest.mark.parametrize("kind", CASES)
def test_one_bath_produces_what_it_relaxes(kind: str) -> None:
    case = CASES[kind]
    bath = ex.ThermalBath(BETAS[0], OHMIC)
    model = ex.OpenSystem(
        hamiltonian=case.h,
        couplings=[ex.Coupling(case.operators[0], bath)],
        start=ex.Product(case.rho),
    )
    found = ex.solve(model, TIMES, ex.Davies()).ledger
    # dS/dt - beta J = -d/dt S(rho||pi)
    np.testing.assert_allclose(
        found.entropy_production_rate, found.nonadiabatic_rate, rtol=0, atol=1e-9
    )
    gibbs = ex.equilibrium.gibbs_state(jnp.asarray(case.h), bath.beta)
    apart = jax.vmap(lambda rho: ex.entropy.relative_entropy(rho, gibbs))(found.state)
    np.testing.assert_allclose(found.entropy_production, apart[0] - apart, rtol=0, atol=1e-8)
    steady = ex.steady_state(model, ex.Davies())
    np.testing.assert_allclose(steady.state, gibbs, rtol=0, atol=1e-12)
    assert abs(float(steady.entropy_production_rate)) < 1e-12


def test_populations_alone_are_the_same() -> None:
    case = CASES["level"]
    start = ex.Gibbs(beta=0.3)
    model = case.model(start)
    sector = ex.Davies().prepare(model, jnp.zeros(1))
    assert sector.pairs is not None
    assert len(sector.pairs) == 6  # four populations, and a pair of levels both ways
    few = ex.solve(model, TIMES, ex.Davies()).ledger
    all_of_them = ex.solve(model, TIMES, ex.Davies(coherences=True)).ledger
    for name in ("state", "heat", "entropy_production", "coherence_rate", "nonadiabatic_rate"):
        np.testing.assert_allclose(
            getattr(few, name), getattr(all_of_them, name), rtol=0, atol=2e-9, err_msg=name
        )
    with pytest.raises(RuntimeError, match="`coherences` must be True or None"):
        ex.solve(model, TIMES, ex.Davies(coherences=False))


@pytest.mark.parametrize("kind", ["random", "level"])
def test_lamb_shift_moves_states(kind: str) -> None:
    """Whole matrices, what commutes with a degenerate level, and Redfield, with the shift."""
    case = CASES[kind]
    shifts = [functools.cache(lambda w, r=rate: twin.principal_value(r, w)) for rate in RATES]
    shift = sum(
        moved(w) * a.conj().T @ a
        for operator, moved in zip(case.operators, shifts, strict=True)
        for w, a in twin.parts(case.h, operator)
    )
    jumps = [*case.jumps[0], *case.jumps[1]]

    def davies(h: np.ndarray) -> np.ndarray:
        return twin.generator(h, jumps)

    vectors = np.linalg.eigh(case.h)[1]
    inside = twin.random_state(np.random.default_rng(3), 4)
    same = np.ones((2, 2)) if kind == "level" else np.eye(2)
    inside = inside * scipy.linalg.block_diag(1.0, same, 1.0)
    level = vectors @ inside @ vectors.conj().T
    for start, expected in ((case.rho, MatrixGenerator), (level, SectorGenerator)):
        model = case.model(ex.Product(start))
        method = ex.Davies(lamb_shift=True)
        assert isinstance(method.prepare(model, jnp.array(TIMES)).generator(model), expected)
        ledger = ex.solve(model, TIMES, method).ledger
        states = [twin.propagate(davies(case.h + shift), start, t) for t in TIMES]
        np.testing.assert_allclose(ledger.state, states, rtol=0, atol=1e-7)
        np.testing.assert_allclose(ledger.residual, 0.0, atol=1e-8)
        without = [twin.propagate(davies(case.h), start, t) for t in TIMES]
        moved = np.max(np.abs(np.array(states) - without))
        # populations alone do not see it
        assert moved > 1e-3 or (kind == "random" and expected is SectorGenerator)

    def redfield(rho: np.ndarray) -> np.ndarray:
        total = -1j * (case.h @ rho - rho @ case.h)
        for operator, rate, moved in zip(case.operators, RATES, shifts, strict=True):
            both = lambda w, r=rate, s=moved: r(w) + 2j * s(w)  # noqa: E731
            total = total + twin.redfield(case.h, operator, both, rho)
        return total

    found = ex.Redfield(lamb_shift=True).generator(case.model()).matrix()
    ours = twin.complex_map(np.asarray(found))
    np.testing.assert_allclose(ours, twin.liouvillian(redfield, 4), rtol=0, atol=1e-7)


def test_forms_of_generators_agree() -> None:
    """On a chain: sector against tensor, blocks against whole matrices, jumps against tensors."""
    chain = ex.machines.spin_chain(3)
    davies = ex.Davies().prepare_steady(chain)
    sector, whole = davies.generator(chain), ex.Davies(coherences=True).generator(chain)
    assert isinstance(sector, SectorGenerator)
    assert isinstance(whole, MatrixGenerator)
    local = ex.Local().prepare_steady(chain)
    jumps, tensors = local.generator(chain), ex.Local().generator(chain)
    assert isinstance(jumps, MatrixGenerator)
    operators = [np.asarray(op) for part in jumps.dissipators for op in part.operators]
    h = np.asarray(jumps.hamiltonian)
    found = blocks_of(h, operators)
    assert sorted(map(len, found.members)) == [1, 1, 3, 3]
    assert conserved(h, operators) == []
    blocks = BlockGenerator(jumps, found)
    state = ex.steady_state(chain, ex.Local()).state + 0.1 * jnp.diag(jnp.arange(8.0))
    commuting = sector.unpack(sector.pack(state))
    for few, many, rho in (
        (sector, whole, commuting),
        (blocks, jumps, state),
        (jumps, tensors, state),
    ):
        y, z = few.pack(rho), many.pack(rho)
        np.testing.assert_allclose(few.unpack(few(y)), many.unpack(many(z)), rtol=0, atol=1e-13)
        np.testing.assert_allclose(
            few.energy_given(few.dissipated(y)), many.energy_given(many.dissipated(z)), atol=1e-13
        )
        np.testing.assert_allclose(jnp.sum(few.trace() * y), jnp.trace(rho).real, rtol=1e-13)


def test_large_chains_are_solved_by_action() -> None:
    """Six qubits: blocks and GMRES for Local, sector and LU for Davies."""
    chain = ex.machines.spin_chain(6)
    local, davies = ex.steady_state(chain, ex.Local()), ex.steady_state(chain, ex.Davies())
    np.testing.assert_allclose(local.heat_currents[0], 0.0447507595079696, rtol=1e-10)
    np.testing.assert_allclose(jnp.sum(local.heat_currents), 0.0, atol=1e-12)
    np.testing.assert_allclose(jnp.sum(davies.heat_currents), 0.0, atol=1e-12)
    np.testing.assert_allclose(davies.heat_currents[0], 0.185013631699, rtol=1e-9)  # qthermo 0.7


# validation.md, V7
V7 = {
    "qubit": (
        lambda: ex.OpenSystem(
            energies=(0.0, 1.0),
            couplings=[
                ex.Coupling(twin.SX, ex.ThermalBath(1 / t, ex.FlatSpectrum(g)))
                for t, g in ((3.0, 0.3), (0.5, 0.7))
            ],
            start=ex.Gibbs(beta=1.0),
        ),
        ex.Davies(),
        (0.182016605306935,),
        0.303361008844892,
    ),
    "XX chain of 2": (lambda: ex.machines.spin_chain(2), ex.Local(), (0.0447507595079696,), None),
    "XX chain of 4": (lambda: ex.machines.spin_chain(4), ex.Local(), (0.0447507595079696,), None),
    "refrigerator": (
        ex.machines.absorption_refrigerator,
        ex.Davies(),
        (0.000753795715964, 0.00227304374764, -0.0030268394636),
        0.000885256635165,
    ),
    "refrigerator, local": (
        ex.machines.absorption_refrigerator,
        ex.Local(),
        (),
        0.00081237652687,
    ),
}


@pytest.mark.parametrize("name", V7)
def test_cited_currents(name: str) -> None:
    model, method, currents, sigma = V7[name]
    found = ex.steady_state(model(), method)
    np.testing.assert_allclose(found.heat_currents[: len(currents)], currents, rtol=0, atol=1e-9)
    np.testing.assert_allclose(jnp.sum(found.heat_currents), 0.0, atol=1e-13)
    if sigma is not None:
        np.testing.assert_allclose(found.entropy_production_rate, sigma, rtol=0, atol=1e-12)
    if name == "refrigerator, local":
        cooling, driving, _ = found.heat_currents
        np.testing.assert_allclose(cooling / driving, 1.0 / 3.0, rtol=1e-10)


def test_thermoelectric_dot_at_maximum_power() -> None:
    hot, cold = 2.03273980639, 2.8607529115
    dot = ex.machines.thermoelectric_dot(0.0, (1.0, 0.5), (-hot, -0.5 * cold))
    found = ex.steady_state(dot, ex.Davies())
    np.testing.assert_allclose(-found.chemical_power, 0.0371537353818, rtol=0, atol=1e-12)
    efficiency = -found.chemical_power / found.heat_currents[0]
    np.testing.assert_allclose(efficiency, 0.296330769314, rtol=0, atol=1e-10)
    for method in (ex.Davies(coherences=True), ex.Redfield(), ex.Local()):
        other = ex.steady_state(dot, method)
        np.testing.assert_allclose(other.particle_currents, found.particle_currents, atol=1e-14)
        np.testing.assert_allclose(other.heat_currents, found.heat_currents, atol=1e-14)


def test_interacting_dot_counts_particles() -> None:
    """Two levels with Coulomb repulsion: Pauli's equation over the four Fock states."""
    levels, repulsion = (0.3, 0.8), 1.1
    energies = np.array([0.0, levels[1], levels[0], sum(levels) + repulsion])
    first = np.kron(twin.LOWER, np.eye(2))
    second = np.kron(np.diag([1.0, -1.0]), twin.LOWER)
    leads = [ex.ThermalBath(b, ex.FlatSpectrum(g), "fermi", mu) for b, g, mu in LEADS]
    couplings = [ex.Coupling(c, lead) for lead in leads for c in (first, second)]
    model = ex.OpenSystem(energies=energies, couplings=couplings, start=ex.Product(system=0))
    found = ex.steady_state(model, ex.Davies())
    each = []
    for b, g, mu in LEADS:
        w = np.zeros((4, 4))
        for lower in (first, second):
            for i, j in np.argwhere(lower):
                f = 1.0 / (np.exp(b * (energies[j] - energies[i] - mu)) + 1.0)
                w[i, j] += g * (1.0 - f)
                w[j, i] += g * f
        each.append(w - np.diag(w.sum(0)))
    p = np.linalg.svd(sum(each))[2][-1]
    p = p / p.sum()
    number = np.array([0.0, 1.0, 1.0, 2.0])
    np.testing.assert_allclose(np.diagonal(found.state).real, p, rtol=0, atol=1e-13)
    particles = [number @ w @ p for w in each]
    np.testing.assert_allclose(found.particle_currents, particles, rtol=0, atol=1e-13)
    heat = [(energies - mu * number) @ w @ p for (_, _, mu), w in zip(LEADS, each, strict=True)]
    np.testing.assert_allclose(found.heat_currents, heat, rtol=0, atol=1e-13)
    assert float(found.entropy_production_rate) > 0.0
    currents = jnp.sum(found.heat_currents) + found.chemical_power
    np.testing.assert_allclose(currents, 0.0, atol=1e-13)


LEADS = ((1.0, 0.4, 0.9), (2.5, 0.2, 0.1))


def dark() -> ex.OpenSystem:
    """Two like qubits that feel one noise: the singlet is dark."""
    both = twin.on_site(twin.SX, 0, 2) + twin.on_site(twin.SX, 1, 2)
    bath = ex.ThermalBath(1.0, OHMIC)
    return ex.OpenSystem(
        energies=(0.0, 1.0, 1.0, 2.0),
        couplings=[ex.Coupling(both, bath)],
        start=ex.Product(system=1),
    )


def forgotten(sites: int) -> ex.OpenSystem:
    """A chain, and one qubit more that nothing reaches."""
    chain = ex.machines.spin_chain(sites)
    one = np.eye(2)
    return ex.OpenSystem(
        hamiltonian=np.kron(chain.bare_hamiltonian(), one)
        + np.kron(np.eye(2**sites), np.diag([0.0, 0.3])),
        interaction=np.kron(chain.interaction, one),
        couplings=[
            ex.Coupling(np.kron(c.operator, one), bath)
            for c, bath in zip(chain.couplings, chain.baths, strict=True)
        ],
        start=ex.Product(system=0),
    )


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local(), ex.Redfield()])
def test_more_than_one_steady_state_is_told(method) -> None:
    with pytest.raises(RuntimeError, match="steady state is not unique"):
        ex.steady_state(dark(), method)
    assert "not unique" in [finding.name for finding in ex.audit(dark(), method)]
    found = ex.steady_state(forgotten(2), method, throw=False)
    assert bool(found.failed)
    assert found.result == ex.RESULTS.not_unique


@pytest.mark.parametrize("method", [ex.Davies(), ex.Local()])
def test_it_is_told_of_large_systems_too(method) -> None:
    found = ex.steady_state(forgotten(5), method, throw=False)
    assert found.result == ex.RESULTS.not_unique


def test_dynamics_where_the_steady_state_is_not_unique() -> None:
    found = ex.solve(dark(), [200.0], ex.Davies())
    assert np.all(np.isnan(found.ledger.nonadiabatic_rate))
    singlet = np.array([0.0, 1.0, -1.0, 0.0]) / np.sqrt(2)
    weight = singlet @ np.asarray(found.ledger.state[0]).real @ singlet
    np.testing.assert_allclose(weight, 0.5, rtol=0, atol=1e-9)  # what the start had of it


def gradients_of(name: str):
    """A steady number of a machine as a function of its parameters."""

    def qubit(gap, hot, cold, first, second):
        couplings = [
            ex.Coupling(twin.SX, ex.ThermalBath(1 / t, ex.FlatSpectrum(g)))
            for t, g in ((hot, first), (cold, second))
        ]
        model = ex.OpenSystem(
            energies=jnp.stack([0.0 * gap, gap]), couplings=couplings, start=ex.Product(system=0)
        )
        return ex.steady_state(model, ex.Davies()).entropy_production_rate

    def engine(wide, narrow, hot, cold, first, second, drive):
        model = ex.machines.three_level_engine((wide, narrow), (hot, cold), (first, second), drive)
        return ex.steady_state(model, ex.Local()).power

    def cooler(cold, hot, t_c, t_h, t_r, g, rate):
        model = ex.machines.absorption_refrigerator(
            (cold, hot), (t_c, t_h, t_r), g, (rate, rate, rate)
        )
        return ex.steady_state(model, ex.Davies()).heat_currents[0]

    def alike(gap, exchange, hot, cold, first, second):
        # three like qubits: degenerate levels and gaps for every one of these numbers
        model = ex.machines.spin_chain(3, gap, exchange, 0.0, (hot, cold), (first, second))
        return ex.steady_state(model, ex.Davies()).entropy_production_rate

    def cold_valve(gap, other, g, t, rate):
        # one temperature: an equilibrium, where the rate is smallest and flat
        model = ex.machines.heat_valve((gap, other), g, (t, t), (rate, 2.0 * rate))
        found = ex.steady_state(model, ex.Redfield())
        return found.entropy_production_rate + found.energy

    return {
        "qubit": (qubit, (1.0, 3.0, 0.5, 0.3, 0.7)),
        "equal temperatures": (qubit, (1.0, 2.0, 2.0, 0.3, 0.3)),
        "engine": (engine, (3.0, 1.0, 10.0, 1.0, 0.02, 0.02, 0.05)),
        "refrigerator": (cooler, (1.0, 3.0, 1.0, 6.0, 1.5, 0.05, 0.01)),
        "degenerate chain": (alike, (1.0, 0.5, 5.0, 0.5, 0.5, 0.4)),
        "equilibrium": (cold_valve, (1.0, 0.6, 0.3, 1.2, 0.1)),
    }[name]


@pytest.mark.parametrize(
    "name",
    ["qubit", "equal temperatures", "engine", "refrigerator", "degenerate chain", "equilibrium"],
)
def test_gradients_of_steady_states(name: str, rng) -> None:
    function, parameters = gradients_of(name)
    directions = tuple(
        p * d for p, d in zip(parameters, rng.normal(size=len(parameters)), strict=True)
    )
    check_derivative(function, parameters, directions, step=1e-3, tolerance=1e-7)
    value = float(jax.jit(function)(*parameters))
    forward = jax.jit(jax.jacfwd(function, argnums=tuple(range(len(parameters)))))(*parameters)
    assert np.all(np.isfinite(forward))
    assert np.max(np.abs(np.array(forward) * np.array(parameters))) > 0.1 * abs(value)


@pytest.mark.parametrize(
    "method", [ex.Davies(), ex.Davies(coherences=False), ex.Local(), ex.Redfield()]
)
def test_a_hamiltonian_known_inside_a_traced_program(method) -> None:
    """Frequencies and blocks are found beforehand, also where only a temperature is traced."""
    case = CASES["random"]

    def heat(beta):
        bath = ex.ThermalBath(beta, OHMIC)
        couplings = [ex.Coupling(case.operators[0], bath)]
        model = ex.OpenSystem(hamiltonian=case.h, couplings=couplings, start=ex.Gibbs(beta=1.0))
        moved = ex.solve(model, [1.0], method, throw=False).ledger.heat[0, 0]
        return moved + ex.steady_state(model, method, throw=False).energy

    assert float(jax.jit(heat)(0.8)) == pytest.approx(float(heat(0.8)), abs=1e-12)


def test_gradients_through_time(rng) -> None:
    case = CASES["random"]

    def produced(beta, scale):
        bath = ex.ThermalBath(beta, OHMIC)
        model = ex.OpenSystem(
            hamiltonian=scale * case.h,
            couplings=[ex.Coupling(case.operators[0], bath)],
            start=ex.Product(case.rho),
        )
        method = ex.Davies(housekeeping=False, adjoint=diffrax.DirectAdjoint(), max_steps=400)
        return ex.solve(model, [1.0], method).ledger.entropy_production[0]

    check_derivative(produced, (0.9, 1.1), tuple(rng.normal(size=2)), tolerance=1e-7)


def test_gradient_from_a_pure_start() -> None:
    def produced(rate):
        bath = ex.ThermalBath(0.8, ex.FlatSpectrum(rate))
        model = ex.OpenSystem(
            energies=(0.0, 1.0), couplings=[ex.Coupling(twin.SX, bath)], start=ex.Product(system=0)
        )
        method = ex.Davies(coherences=False, housekeeping=False)
        return ex.solve(model, [0.7], method).ledger.entropy_production[0]

    def closed(rate):
        n = 1.0 / np.expm1(0.8)
        p = n / (1 + 2 * n) * (1 - np.exp(-rate * (1 + 2 * n) * 0.7))
        return -p * np.log(p) - (1 - p) * np.log(1 - p) - 0.8 * p

    np.testing.assert_allclose(produced(jnp.array(0.3)), closed(0.3), rtol=0, atol=1e-9)
    slope = (closed(0.3001) - closed(0.2999)) / 2e-4
    np.testing.assert_allclose(jax.grad(produced)(0.3), slope, rtol=1e-6)


def test_a_batch_is_a_loop_and_traced_once() -> None:
    traced = []

    @jax.jit
    def current(temperature):
        traced.append(1)
        model = ex.machines.heat_valve(temperatures=(temperature, 1.0))
        found = ex.steady_state(model, ex.Davies(), throw=False)
        return found.heat_currents, found.failed

    temperatures = jnp.array([1.5, 2.0, 3.0])
    batch = jax.vmap(current)(temperatures)
    loop = [current(t) for t in temperatures]
    np.testing.assert_allclose(batch[0], [j for j, _ in loop], rtol=0, atol=1e-15)
    assert not np.any(batch[1])
    assert len(traced) == 1


def test_one_failure_spoils_no_other() -> None:
    """A batch with a qubit that one bath leaves alone in the middle."""

    def one(strength):
        model = ex.machines.heat_valve(coupling=0.0)
        cold = eqx.tree_at(lambda m: m.couplings[1].strength, model, strength)
        found = ex.steady_state(cold, ex.Local(), throw=False)
        return found.heat_currents, found.failed, found.energy

    strengths = jnp.array([1.0, 0.0, 0.5])
    currents, failed, energy = jax.jit(jax.vmap(one))(strengths)
    np.testing.assert_array_equal(failed, [False, True, False])
    assert np.all(np.isfinite(currents))
    alone = jax.jit(jax.grad(lambda s: one(s)[2]))(jnp.array(0.5))
    together = jax.jit(jax.grad(lambda s: jnp.sum(jax.vmap(one)(s)[2])))(strengths)
    np.testing.assert_allclose(together[2], alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(energy[0], energy[2], rtol=1e-9)
    assert np.isfinite(together[0])


def test_order_of_times_and_what_is_saved() -> None:
    case = CASES["random"]
    forward = ex.solve(case.model(), [0.5, 2.0], ex.Davies(), save=lambda s: s.energy)
    backward = ex.solve(case.model(), [2.0, 0.5], ex.Davies(), save=lambda s: s.energy)
    np.testing.assert_array_equal(forward.ledger.heat, backward.ledger.heat[::-1])
    np.testing.assert_array_equal(forward.saved, backward.saved[::-1])
    with pytest.raises(ValueError, match="`ts` must be non-negative for a master equation"):
        ex.solve(case.model(), [-1.0], ex.Davies())


def test_redfield_tells_of_negative_populations() -> None:
    case = CASES["random"]
    start = ex.Product(np.diag([1.0, 0.0, 0.0, 0.0]))
    sol = ex.solve(case.model(start), [0.0, 1e-2, 5.0], ex.Redfield(), throw=False)
    assert np.asarray(sol.ledger.lowest_population)[1] < -1e-6
    np.testing.assert_array_equal(sol.failed, [False, True, False])
    with pytest.raises(RuntimeError, match="Probabilities are negative"):
        ex.solve(case.model(start), [0.0, 1e-2, 5.0], ex.Redfield())


def test_gradient_where_levels_meet() -> None:
    """The Gibbs state is smooth there: energies' derivatives are those of canonical averages."""
    operator = np.random.default_rng(3).normal(size=(3, 3))
    bath = ex.ThermalBath(0.8, ex.OhmicSpectrum(0.1, 5.0))

    def energy(split, method):
        model = ex.OpenSystem(
            energies=jnp.stack([0.0 * split, 1.0 + 0.0 * split, split]),
            couplings=[ex.Coupling(operator + operator.T, bath)],
            start=ex.Product(system=0),
        )
        return ex.steady_state(model, method).energy

    weight = np.exp(-0.8 * np.array([0.0, 1.0, 1.0]))
    p = weight / weight.sum()
    closed = p[2] - 0.8 * p[2] * (1.0 - (p[1] + p[2]))
    for method in (ex.Davies(), ex.Redfield()):
        found = jax.jit(jax.value_and_grad(lambda x, m=method: energy(x, m)))(jnp.array(1.0))
        np.testing.assert_allclose(found[1], closed, rtol=0, atol=1e-10)


def test_couplings_that_do_nothing_conserve() -> None:
    """A bath of strength 0, a jump of rate 0: as if they were not there."""
    chain = forgotten(5)
    last = np.kron(np.eye(32), twin.SX)
    couplings = [
        ex.Coupling(c.operator, bath) for c, bath in zip(chain.couplings, chain.baths, strict=True)
    ]
    idle = ex.ThermalBath(1.0, OHMIC)
    for extra in (ex.Coupling(last, idle, strength=0.0), ex.Jump(last, idle, rate=0.0)):
        model = ex.OpenSystem(
            hamiltonian=chain.hamiltonian,
            interaction=chain.interaction,
            couplings=[*couplings, extra],
            start=ex.Product(system=0),
        )
        found = ex.steady_state(model, ex.Local(), throw=False)
        assert found.result == ex.RESULTS.not_unique


def test_zero_temperature_is_no_source_of_infinities() -> None:
    rng = np.random.default_rng(0)
    h, a = random_hermitian(rng, 3, float), random_hermitian(rng, 3, float)
    cold = ex.ThermalBath(jnp.inf, ex.OhmicSpectrum(0.1, 5.0))
    model = ex.OpenSystem(
        hamiltonian=h, couplings=[ex.Coupling(a, cold)], start=ex.Product(system=0)
    )
    assert abs(float(ex.steady_state(model, ex.Redfield()).entropy_production_rate)) < 1e-12
    found = ex.solve(model, [0.0, 1.0, 500.0], ex.Davies()).ledger
    np.testing.assert_allclose(found.entropy_production, 0.0, atol=1e-10)
    excited = ex.OpenSystem(
        hamiltonian=h, couplings=[ex.Coupling(a, cold)], start=ex.Product(system=1)
    )
    warm = ex.solve(excited, [1.0], ex.Davies()).ledger
    assert np.isposinf(warm.entropy_production[0])  # what flows into absolute zero


def test_coherences_are_not_lost_unsaid() -> None:
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[ex.Coupling(twin.SX, ex.ThermalBath(1.0, OHMIC))],
        start=ex.Product(np.array([[0.5, 0.3], [0.3, 0.5]])),
    )
    with pytest.raises(RuntimeError, match="`coherences` must be True or None for a start with"):
        ex.solve(model, [0.0], ex.Davies(coherences=False))


def test_quanta_are_counted_where_mu_is_given() -> None:
    """Whether or not it is traced, and 0 gives the same dynamics."""

    def currents(mu):
        bath = ex.ThermalBath(1.0, OHMIC, mu=mu)
        cold = ex.ThermalBath(2.0, DRUDE)
        model = ex.OpenSystem(
            energies=(0.0, 1.0),
            couplings=[ex.Coupling(twin.SX, bath), ex.Coupling(twin.SX, cold)],
            start=ex.Product(system=0),
        )
        found = ex.steady_state(model, ex.Davies(coherences=False))
        return found.particle_currents, found.heat_currents

    known, traced, uncounted = currents(0.0), jax.jit(currents)(0.0), currents(None)
    np.testing.assert_allclose(known[0], traced[0], rtol=1e-13)
    np.testing.assert_allclose(known[1], uncounted[1], rtol=1e-13)
    np.testing.assert_array_equal(uncounted[0], 0.0)
    np.testing.assert_allclose(known[0], [float(known[1][0]), 0.0], rtol=1e-12)  # quanta of 1


def test_jumps_beside_a_coupling() -> None:
    """Dephasing by a bath of infinite temperature; parts of secular equations are not claimed."""
    hot = ex.ThermalBath(0.0)
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[
            ex.Coupling(twin.SX, ex.ThermalBath(1.0, OHMIC)),
            ex.Jump(twin.SZ, hot, rate=0.2),
        ],
        start=ex.Product(np.array([[0.5, 0.4], [0.4, 0.5]])),
    )
    found = ex.solve(model, TIMES, ex.Davies()).ledger
    rate = 0.3 * np.exp(-0.2)  # J(1), and coth for both directions
    decay = 0.5 * rate / np.tanh(0.5) + 2.0 * 0.2
    np.testing.assert_allclose(
        np.abs(found.state[:, 0, 1]), 0.4 * np.exp(-decay * np.array(TIMES)), rtol=1e-7
    )
    np.testing.assert_allclose(found.heat_currents[:, 1], 0.0, atol=1e-12)
    assert found.population_rate is None
    assert found.coherence_rate is None
    assert np.all(np.asarray(found.entropy_production_rates) > -1e-10)


def test_no_times_and_couplings_that_are_zero() -> None:
    bath = ex.ThermalBath(1.0, OHMIC)
    model = ex.OpenSystem(
        energies=(0.0, 1.0),
        couplings=[ex.Coupling(np.zeros((2, 2)), bath), ex.Coupling(twin.SX, bath)],
        start=ex.Product(system=0),
    )
    assert ex.solve(model, [], ex.Davies()).ledger.heat.shape == (0, 1)
    states = [ex.steady_state(model, m).state for m in (ex.Davies(), ex.Local(), ex.Redfield())]
    np.testing.assert_allclose(states[0], states[1], rtol=0, atol=1e-13)
    np.testing.assert_allclose(states[0], states[2], rtol=0, atol=1e-13)


def test_audit_is_quiet_where_nothing_is_wrong() -> None:
    """Qubits of nearly one gap at baths of their own; one bath in equilibrium."""
    apart = ex.OpenSystem(
        energies=np.array([0.0, 1.001, 1.0, 2.001]),
        couplings=[
            ex.Coupling(twin.on_site(twin.SX, site, 2), ex.ThermalBath(1.0 + site, OHMIC))
            for site in range(2)
        ],
        start=ex.Product(system=0),
    )
    assert ex.audit(apart, ex.Davies()) == ()
    names = {f.name for f in ex.audit(ex.machines.heat_valve(coupling=0.01), ex.Davies())}
    assert "second law" not in names
    jumps = [ex.Jump(twin.LOWER, BATH_OF_ONE, 1.0), ex.Jump(twin.LOWER.T, BATH_OF_ONE, 0.5)]
    wrong = ex.OpenSystem(energies=(0.0, 1.0), couplings=jumps, start=ex.Product(system=0))
    assert [f.name for f in ex.audit(wrong, ex.Lindblad())] == ["detailed balance"]
    near = ex.machines.heat_valve((1.0, 1.0), coupling=0.01)
    assert "nearly degenerate frequencies" in {f.name for f in ex.audit(near, ex.Davies())}
    strong = {f.name for f in ex.audit(ex.machines.heat_valve(), ex.Local())}
    assert strong == {"local equation on coupled sites", "second law"}
    assert "not completely positive" in {f.name for f in ex.audit(near, ex.Redfield())}


BATH_OF_ONE = ex.ThermalBath(1.0)
