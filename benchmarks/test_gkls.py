"""Ideal baths: steady states and driven systems, one by one and in batches, against QuTiP and more.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

import importlib
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed

FAMILY = "Ideal baths"
REPEAT = 1 if SMALL else 5
X = ex.machines.SIGMA_X
LOWER = ex.machines.LOWERING
ON = ex.machines.on_site


def rival(name: str) -> Any:
    """A rival's module, imported where it is used: collecting the tests takes no time for it."""
    return importlib.import_module(name)


LADDER = np.array([0.0, 1.0, 1.7, 2.9])
PAIRS = (((0, 3), (1, 2)), ((0, 1), (2, 3)))
"""Levels that the hot and the cold bath connect, the lower one first."""
COLD = (1.0, 0.1)


def machine(temperature: Any, rate: Any, gap: Any) -> ex.OpenSystem:
    """Four levels between two baths."""
    couplings = []
    for pairs, (t, g) in zip(PAIRS, ((temperature, rate), COLD), strict=True):
        operator = np.zeros((4, 4))
        for low, high in pairs:
            operator[low, high] = operator[high, low] = 1.0
        couplings.append(ex.Coupling(operator, ex.ThermalBath(1.0 / t, ex.FlatSpectrum(g))))
    return ex.OpenSystem(energies=gap * LADDER, couplings=couplings, start=ex.Product(system=0))


def in_qutip(temperature: float, rate: float, gap: float) -> tuple:
    """H, its Liouvillian, and the dissipator of each bath."""
    QT = rival("qutip")
    hamiltonian = QT.Qobj(np.diag(gap * LADDER))
    dissipators = []
    for pairs, (t, g) in zip(PAIRS, ((temperature, rate), COLD), strict=True):
        jumps = []
        for low, high in pairs:
            n = 1.0 / np.expm1(gap * (LADDER[high] - LADDER[low]) / t)
            down = QT.basis(4, low) @ QT.basis(4, high).dag()
            jumps += [np.sqrt(g * (n + 1.0)) * down, np.sqrt(g * n) * down.dag()]
        dissipators.append(sum(QT.lindblad_dissipator(jump) for jump in jumps))
    return hamiltonian, QT.liouvillian(hamiltonian) + sum(dissipators), dissipators


@pytest.mark.parametrize("coherences", [None, False])
def test_steady_states(coherences: bool | None, benchmark, capsys) -> None:
    """Heat currents and entropy production rates of 4-level machines in one `vmap`.

    Temperature, rate and gap differ. The rival is a loop over `qutip.steadystate`, of which 30 are
    timed and scaled: its default, which in 5.3.1 spends 18 ms a call on setting an option, and
    singular values, its fastest at this size. Only its step from a Liouvillian to the state is
    timed. Flows must agree to 1e-11.
    """
    count, some = (4, 2) if SMALL else (1000, 30)
    rng = np.random.default_rng(0)
    given = np.stack([rng.uniform(*ends, count) for ends in ((2, 5), (0.05, 0.2), (0.8, 1.2))])
    method = ex.Davies(coherences=coherences)

    def flows(*numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = ex.steady_state(machine(*numbers), method, throw=False)
        return found.heat_currents, found.entropy_production_rate

    QT = rival("qutip")
    together, arguments = jax.jit(jax.vmap(flows)), jnp.asarray(given)
    first, (heat, production) = timed(together, *arguments)
    theirs = [in_qutip(*map(float, given[:, i])) for i in range(some)]
    expected = []
    for index, (hamiltonian, liouvillian, dissipators) in enumerate(theirs):
        state = QT.operator_to_vector(QT.steadystate(liouvillian))
        moved = [QT.vector_to_operator(part @ state) for part in dissipators]
        currents = [(hamiltonian @ part).tr().real for part in moved]
        carried = currents[0] / given[0, index] + currents[1] / COLD[0]
        expected.append([*currents, -carried])
    error = agreement(np.column_stack([heat, production])[:some], expected, atol=1e-11)

    def loop(method: str) -> None:
        for _, liouvillian, _ in theirs:
            QT.steadystate(liouvillian, method=method)

    direct, svd = (
        median_seconds(loop, name, repeat=REPEAT) * count / some for name in ("direct", "svd")
    )
    ours, _ = measured(benchmark, together, *arguments, rounds=2 * REPEAT)
    task = f"{count} steady states of 4 levels, `Davies(coherences={coherences})`"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"QuTiP": direct, "QuTiP by SVD": svd},
        first_call=first,
        errors={"difference": error},
        bars=[(task, "at least", 200.0, direct / ours)] if coherences is None else [],
    )


CHAINS: dict[str, Any] = {
    "XX": {"exchange": 0.5, "anisotropy": 0.0, "rates": (0.5, 0.5), "temperatures": (5.0, 0.5)},
    "XXX": {"exchange": 0.2, "anisotropy": 1.0, "rates": (0.05, 0.05), "temperatures": (2.0, 1.0)},
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("kind", ["global", "local"])
def test_chain(name: str, kind: str, benchmark, capsys) -> None:
    """A chain of 8 qubits (256 levels), its steady state and all flows, to 1e-8.

    `qthermo.analyze` is timed once, from baths that are already built; ours starts from the model.
    """
    sites, parameters = 3 if SMALL else 8, CHAINS[name]
    model = ex.machines.spin_chain(sites, **parameters)
    method = ex.Davies() if kind == "global" else ex.Local()

    def flows() -> jax.Array:
        return ex.steady_state(model, method).heat_currents

    first, found = timed(flows)
    left, right = parameters["temperatures"]
    qthermo = rival("qthermo")
    built = qthermo.models.spin_chain(
        sites,
        omega=1.0,
        J=parameters["exchange"],
        delta=parameters["anisotropy"],
        T_left=left,
        T_right=right,
        gamma=parameters["rates"][0],
        master_equation=kind,
    )
    its_time, theirs = timed(lambda: qthermo.analyze(built.H, built.baths, energy=built.H))
    error = agreement(found, list(theirs.currents.values()), atol=1e-8)
    ours, _ = measured(benchmark, flows, rounds=min(3, REPEAT))
    report(
        benchmark,
        capsys,
        FAMILY,
        f"{name} chain of {sites} qubits, `{type(method).__name__}`",
        ours=ours,
        rivals={"qthermo": its_time},
        first_call=first,
        errors={"difference": error},
    )


SITES = 2 if SMALL else 4
BARE: Any = sum(
    gap * ON(LOWER.T @ LOWER, site, SITES) for site, gap in enumerate((1.0, 1.1, 0.9, 1.05)[:SITES])
)
HOPS = [ON(LOWER, site, SITES) @ ON(LOWER.T, site + 1, SITES) for site in range(SITES - 1)]
EXCHANGE: Any = 0.2 * sum(hop + hop.T for hop in HOPS)
DRIVEN = ON(X, 0, SITES)
RATE, TEMPERATURES = 0.05, (2.0, 0.5)
JUMPS = [
    [(RATE * (1.0 + n), lower), (RATE * n, lower.T)]
    for n, lower in (
        (1.0 / np.expm1(1.0 / t), ON(LOWER, site, SITES))
        for t, site in zip(TEMPERATURES, (0, SITES - 1), strict=True)
    )
]
TS = np.linspace(0.0, 50.0, 51)
AMPLITUDE = 0.3


class Cosine(eqx.Module):
    """A drive as a module, so that its amplitude may be traced."""

    amplitude: jax.Array

    def __call__(self, time: jax.Array) -> jax.Array:
        return self.amplitude * jnp.cos(time)


def energies(amplitude: jax.Array, rtol: float) -> tuple[jax.Array, jax.Array]:
    """Energy and heat of the driven chain."""
    baths = [ex.ThermalBath(1.0 / t) for t in TEMPERATURES]
    jumps = [
        ex.Jump(operator, bath, rate)
        for bath, own in zip(baths, JUMPS, strict=True)
        for rate, operator in own
    ]
    model = ex.OpenSystem(
        hamiltonian=BARE,
        interaction=EXCHANGE,
        couplings=jumps,
        drives=(ex.Drive(DRIVEN, Cosine(amplitude)),),
        start=ex.Product(system=0),
    )
    method = ex.Lindblad(housekeeping=False, rtol=rtol, atol=atol(rtol))
    ledger = ex.solve(model, TS, method, throw=False).ledger
    return ledger.energy, ledger.heat


def atol(rtol: float) -> float:
    """1e-8 beside 1e-6, 1e-12 beside 1e-9."""
    return {1e-6: 1e-8, 1e-9: 1e-12}.get(rtol, 1e-14)


SQUARE_ROOTS = [np.sqrt(rate) * operator for own in JUMPS for rate, operator in own]
GROUND = np.diag(np.eye(2**SITES)[0])


def mesolve(amplitude: float, rtol: float) -> Callable[[], np.ndarray]:
    """A run of QuTiP that returns the energy, with its operators made, sparse: ten times faster."""
    QT = rival("qutip")

    def sparse(matrix: Any) -> Any:
        return QT.Qobj(matrix).to("CSR")

    static, driven = sparse(BARE + EXCHANGE), sparse(DRIVEN)
    turning = QT.QobjEvo([static, [driven, lambda t: amplitude * np.cos(t)]])
    jumps = [sparse(jump) for jump in SQUARE_ROOTS]
    start, seen = sparse(GROUND), [static, driven]
    options = {"rtol": rtol, "atol": atol(rtol), "nsteps": 1_000_000, "progress_bar": ""}

    def run() -> np.ndarray:
        found = QT.mesolve(turning, start, TS, jumps, e_ops=seen, options=options)
        return np.array(found.expect[0]) + amplitude * np.cos(TS) * np.array(found.expect[1])

    return run


def by_dynamiqs(rtol: float) -> Callable[[jax.Array], jax.Array]:
    """The same by dynamiqs, in its sparse matrices, as a function of the amplitude."""
    DQ = rival("dynamiqs")
    DQ.set_precision("double")

    def operator(matrix: Any) -> Any:
        return DQ.asqarray(np.asarray(matrix, complex), layout=DQ.dia)

    static, driven = operator(BARE + EXCHANGE), operator(DRIVEN)
    jumps, start = [operator(jump) for jump in SQUARE_ROOTS], DQ.asqarray(GROUND.astype(complex))
    method = DQ.method.Tsit5(rtol=rtol, atol=atol(rtol))
    ts = jnp.asarray(TS)

    def run(amplitude: jax.Array) -> jax.Array:
        turning = DQ.modulated(lambda t: amplitude * jnp.cos(t), driven)
        silent = {"progress_meter": False, "save_states": False}
        found = DQ.mesolve(
            DQ.constant(static) + turning,
            jumps,
            start,
            ts,
            exp_ops=[static, driven],
            method=method,
            **silent,
        )
        return found.expects[0].real + amplitude * jnp.cos(ts) * found.expects[1].real

    return run


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """The energy at tolerances of 1e-12."""
    return mesolve(AMPLITUDE, 1e-12)()


@pytest.mark.parametrize("rtol", [1e-6, 1e-9])
def test_driven(rtol: float, reference: np.ndarray, benchmark, capsys) -> None:
    """4 qubits, thermal jumps at both ends, a cosine on the first: energies at 51 times.

    Ours has heat, entropies and flows behind it. Rivals: `qutip.mesolve` (sparse operators, ten
    times faster than dense ones) and `dynamiqs.mesolve` (Tsit5, sparse diagonals, compiled), their
    operators made outside the timing. Equal tolerances are not equal errors: these are told for
    each, against QuTiP at 1e-12.
    """
    amplitude = jnp.asarray(AMPLITUDE)
    own = jax.jit(lambda a: energies(a, rtol))
    first, (found, _) = timed(own, amplitude)
    other = jax.jit(by_dynamiqs(rtol))
    its_first, its_energy = timed(other, amplitude)
    run = mesolve(AMPLITUDE, rtol)
    runs = {"ours": found, "QuTiP": run(), "dynamiqs": its_energy}
    errors = {name: agreement(x, reference, atol=1e3 * rtol) for name, x in runs.items()}
    qutips = median_seconds(run, repeat=REPEAT)
    dynamiqses = median_seconds(other, amplitude, repeat=REPEAT)
    ours, _ = measured(benchmark, own, amplitude, rounds=2 * REPEAT)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"driven system of {2**SITES} levels, {len(TS)} times, rtol {rtol:g}",
        ours=ours,
        rivals={"QuTiP": qutips, "dynamiqs": dynamiqses},
        beside={"first call of dynamiqs": its_first},
        first_call=first,
        errors=errors,
    )


@pytest.mark.parametrize("rtol", [1e-6, 1e-9])
def test_driven_batch(rtol: float, benchmark, capsys) -> None:
    """The same for 256 amplitudes, ours and dynamiqs' in one `vmap`.

    QuTiP runs in a loop, of which 4 are timed and scaled. Energies must agree to 1e3 rtol.
    """
    count, some = (4, 2) if SMALL else (256, 4)
    amplitudes = jnp.linspace(0.1, 0.5, count)
    together = jax.jit(jax.vmap(lambda a: energies(a, rtol)))
    first, (found, _) = timed(together, amplitudes)
    other = jax.jit(jax.vmap(by_dynamiqs(rtol)))
    its_first, its_energies = timed(other, amplitudes)
    errors = {"from dynamiqs": agreement(found, its_energies, atol=1e3 * rtol)}
    chosen = [float(amplitudes[i]) for i in np.linspace(0, count - 1, some).astype(int)]
    runs = [mesolve(amplitude, rtol) for amplitude in chosen]
    expected = np.stack([run() for run in runs])
    own = found[:: (count - 1) // (some - 1)]
    errors["from QuTiP"] = agreement(own, expected, rtol=1e-7, atol=1e3 * rtol)

    def loop() -> None:
        for run in runs:
            run()

    qutips = median_seconds(loop, repeat=min(3, REPEAT)) * count / some
    dynamiqses = median_seconds(other, amplitudes, repeat=min(2, REPEAT))
    ours, _ = measured(benchmark, together, amplitudes, rounds=min(3, REPEAT))
    report(
        benchmark,
        capsys,
        FAMILY,
        f"{count} driven systems of {2**SITES} levels, rtol {rtol:g}",
        ours=ours,
        rivals={"loop over QuTiP": qutips, "dynamiqs": dynamiqses},
        beside={"first call of dynamiqs": its_first},
        first_call=first,
        errors=errors,
    )


def test_engine_gradient(benchmark, capsys) -> None:
    """Power of three-level engines by gaps, temperatures, rates and drive, in one `vmap`."""
    count = 3 if SMALL else 1000
    rng = np.random.default_rng(0)
    start = np.array([3.0, 1.0, 10.0, 1.0, 0.02, 0.02, 0.05])
    given = jnp.asarray(start * rng.uniform(0.9, 1.1, (count, 7)))

    def power(numbers: jax.Array) -> jax.Array:
        gaps, temperatures, rates = numbers[:2], numbers[2:4], numbers[4:6]
        engine = ex.machines.three_level_engine(
            (gaps[0], gaps[1]), (temperatures[0], temperatures[1]), (rates[0], rates[1]), numbers[6]
        )
        return -ex.steady_state(engine, ex.Local(heat="bare"), throw=False).power

    value, gradient = jax.jit(jax.vmap(power)), jax.jit(jax.vmap(jax.grad(power)))
    jax.block_until_ready(value(given))
    first, slopes = timed(gradient, given)
    direction = start * rng.normal(size=7)
    moved = [value(given + sign * 1e-5 * direction) for sign in (1, -1)]
    difference = (moved[0] - moved[1]) / 2e-5
    size = float(np.max(np.abs(difference)))
    error = agreement(slopes @ direction, difference, atol=1e-6 * size)
    own = median_seconds(value, given, repeat=2 * REPEAT)
    ours, _ = measured(benchmark, gradient, given, rounds=2 * REPEAT)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"gradient of the power of {count} engines by 7 parameters each",
        ours=ours,
        beside={"their values": own},
        first_call=first,
        errors={"from central differences": error},
    )
