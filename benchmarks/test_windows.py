"""Window baths: exact dynamics, batches of master equations, and gradients, against plain ways.

`ENTROPAX_SMALL=1` runs everything once at a small size.
"""

import time

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import entropax as ex
from benchmarks import models
from benchmarks.harness import SMALL, agreement, measured, median_seconds, report, timed
from entropax.figures.esposito2010 import fig1
from entropax.method.windows.hamiltonian import Controls

FAMILY = "Window baths"
REPEAT = 1 if SMALL else 5


def test_exact(benchmark, capsys) -> None:
    """Riera's Fig. 2: draw, diagonalisation and the whole ledger.

    The rival propagates the density matrix with NumPy, h diagonalised outside the timing; three
    times are compared, one is timed and scaled to all. Populations must agree to 1e-10.
    """
    volumes = models.RIERA_VOLUMES
    model, method = models.riera(), ex.Schrodinger(key=jax.random.key(0))
    ts = models.RIERA_TIMES
    first, found = timed(lambda: ex.solve(model, ts, method).ledger.joint)

    size = sum(volumes)
    setting = method._hamiltonian(method.plan(model, jnp.zeros(1)))
    h = np.zeros((2 * size, 2 * size), complex)
    sector = setting.sectors[0]
    place = sector.level * size + sector.place[0]
    h[np.ix_(place, place)] = setting.under(Controls.of(model, ()))[0]
    other = np.setdiff1d(np.arange(2 * size), place)
    h[other, other] = 0.5  # what the start never reaches
    rho = np.zeros((2 * size, 2 * size), complex)
    filled = size + np.arange(volumes[0])
    rho[filled, filled] = 1.0 / volumes[0]
    values, vectors = np.linalg.eigh(h)

    def propagate(t: float) -> np.ndarray:
        u = (vectors * np.exp(-1j * values * t)) @ vectors.conj().T
        p = np.diagonal(u @ rho @ u.conj().T).real.reshape(2, size)
        return np.stack([p[:, : volumes[0]].sum(1), p[:, volumes[0] :].sum(1)], axis=1)

    some = range(0, len(ts), len(ts) if SMALL else len(ts) // 3)
    expected = [propagate(ts[i]) for i in some]
    error = agreement(np.asarray(found)[list(some)], expected, atol=1e-10)
    rival = median_seconds(propagate, float(ts[-1]), repeat=min(3, REPEAT)) * len(ts)
    ours, _ = measured(benchmark, lambda: ex.solve(model, ts, method).ledger.joint, rounds=REPEAT)
    task = f"exact populations, D = {2 * size}, {len(ts)} times"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"NumPy propagation": rival},
        first_call=first,
        errors={"difference": error},
        bars=[(task, "at least", 50.0, rival / ours)],
    )


def test_random_matrix_reservoir(benchmark, capsys) -> None:
    """Esposito's model, both forms of entropy production; the rival propagates ρ, one time scaled.

    The last Δ_i S must agree to 1e-9.
    """
    levels = 20 if SMALL else 2000
    model, method = fig1.model(levels), ex.Schrodinger(key=jax.random.key(0))
    ts = np.linspace(0.0, 1500.0, 10 if SMALL else 300)

    def ours() -> jax.Array:
        led = ex.solve(model, ts, method).ledger
        return jnp.stack([led.entropy_production_fixed, led.entropy_production_weak])

    first, found = timed(ours)
    setting = method._hamiltonian(method.plan(model, jnp.zeros(1)))
    h = np.asarray(setting.under(Controls.of(model, ()))[0])
    own, beta = np.linspace(-0.5, 0.5, levels), fig1.BETA
    p = np.exp(-beta * own) / np.sum(np.exp(-beta * own))
    start = time.perf_counter()
    values, vectors = np.linalg.eigh(h)
    rho = vectors[:levels].T @ (p[:, None] * vectors[:levels])
    diagonalised = time.perf_counter() - start

    def propagate(t: float) -> float:
        """Delta_i S (10) from the populations of the propagated density matrix."""
        phases = np.exp(-1j * values * t)
        half = vectors @ (phases[:, None] * rho * phases.conj())
        now = np.einsum("ia,ia->i", half, vectors).real.reshape(2, levels)
        coherence = np.sum(half[:levels] * vectors[levels:])
        state = np.diag(now.sum(1)) + np.array([[0, coherence], [coherence.conj(), 0]])
        q = np.linalg.eigvalsh(state)
        return -np.sum(q * np.log(q)) - beta * (p @ own - now.sum(0) @ own)

    error = agreement(found[0, -1], propagate(ts[-1]), atol=1e-9)
    each = median_seconds(propagate, float(ts[-1]), repeat=min(2, REPEAT))
    mine, _ = measured(benchmark, ours, rounds=min(2, REPEAT))
    report(
        benchmark,
        capsys,
        FAMILY,
        f"spin and random-matrix reservoir, D = {2 * levels}, {len(ts)} times",
        ours=mine,
        rivals={"NumPy propagation": diagonalised + each * len(ts)},
        first_call=first,
        errors={"difference": error},
    )


TOLERANCES = {"rtol": 1e-6, "atol": 1e-9}


def plain(strength: float) -> np.ndarray:
    """The rate equation (Riera Eq. 30) by scipy, as one writes it down."""
    volume = np.array(models.CHAIN_VOLUMES, float)
    rate = 2 * np.pi * strength**2 * volume[:-1] * volume[1:]

    def field(_: float, y: np.ndarray) -> np.ndarray:
        p = y.reshape(2, models.CHAIN_WINDOWS)
        flow = rate * (p[1, :-1] / volume[:-1] - p[0, 1:] / volume[1:])
        change = np.zeros_like(p)
        change[1, :-1] -= flow
        change[0, 1:] += flow
        return change.ravel()

    start = np.zeros((2, models.CHAIN_WINDOWS))
    start[1, models.CHAIN_WINDOWS // 2] = 1.0
    ts = models.CHAIN_TIMES
    found = scipy.integrate.solve_ivp(
        field, (0.0, ts[-1]), start.ravel(), method="DOP853", t_eval=ts, **TOLERANCES
    )
    return found.y.T.reshape(-1, 2, models.CHAIN_WINDOWS)


@pytest.mark.parametrize("name", ["default", "Tsit5"])
def test_batch(name: str, benchmark, capsys) -> None:
    """2 levels, 32 windows, another strength each, in one `vmap`; tolerances 1e-6 and 1e-9.

    The rival is a loop over `scipy.integrate.solve_ivp` (DOP853), of which 128 runs are timed and
    scaled; populations must agree to 1e-5. Default: the exponential, whose one eigenproblem the
    batch shares. Tsit5: an integrator, what a batch over other numbers than the strength takes.
    """
    count, some = (4, 2) if SMALL else (4096, 128)
    strengths = jnp.linspace(1e-3, 1e-2, count)
    solver = None if name == "default" else getattr(diffrax, name)()
    method = ex.EMME(solver=solver, **TOLERANCES)
    together = jax.jit(models.chains(method))
    first, found = timed(together, strengths)
    chosen = np.linspace(0, count - 1, some).astype(int)
    expected = np.stack([plain(float(strengths[i])) for i in chosen])
    error = agreement(np.asarray(found)[chosen], expected, atol=1e-5)

    def loop() -> None:
        for i in chosen:
            plain(float(strengths[i]))

    rival = median_seconds(loop, repeat=min(3, REPEAT)) * count / some
    ours, _ = measured(benchmark, together, strengths, rounds=REPEAT)
    task = f"{count} master equations, {name}"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"loop over solve_ivp": rival},
        first_call=first,
        errors={"difference": error},
        bars=[(task, "at least", 200.0, rival / ours)] if name == "default" else [],
    )


def test_window_gradient(benchmark, capsys) -> None:
    """A final population by the strength and all 1024 means b(E, E'), reverse mode."""
    method = ex.EMME()

    def final(strength: jax.Array, mean: jax.Array) -> jax.Array:
        return ex.solve(
            models.chain(strength, mean), models.CHAIN_TIMES[-1:], method
        ).ledger.system_state[0, 1, 1]

    arguments = jnp.array(5e-3), jnp.full((models.CHAIN_WINDOWS, models.CHAIN_WINDOWS), 0.5)
    value, gradient = jax.jit(final), jax.jit(jax.grad(final, argnums=(0, 1)))
    jax.block_until_ready(value(*arguments))
    first, (slope, _) = timed(gradient, *arguments)
    step = 1e-6
    moved = [value(arguments[0] + s * step, arguments[1]) for s in (1, -1)]
    error = agreement(slope, (moved[0] - moved[1]) / (2 * step), rtol=1e-3)
    repeat = 1 if SMALL else 50
    own = median_seconds(value, *arguments, repeat=repeat)
    ours, _ = measured(benchmark, gradient, *arguments, rounds=repeat, warmup_rounds=1)
    report(
        benchmark,
        capsys,
        FAMILY,
        f"gradient of a population by {1 + models.CHAIN_WINDOWS**2} parameters",
        ours=ours,
        beside={"its value": own},
        first_call=first,
        errors={"from central differences": error},
    )
