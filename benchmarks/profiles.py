"""Where the time of five tasks goes, and the floor that the machine sets: `docs/performance.md`.

`python -m benchmarks.profiles` prints each part, timed alone on arrays that are there already;
names such as `junction draws` choose among the tasks.
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

import entropax as ex
from benchmarks import models
from benchmarks.harness import SMALL, median_seconds
from entropax.equilibrium import match_occupations
from entropax.linalg import displaced_entropy, eigenvalues
from entropax.method.fermions.junction_exact import StarEvolution
from entropax.method.windows.hamiltonian import Controls
from entropax.method.windows.observables import observables_at
from entropax.method.windows.propagation import begin

REPEAT = 1 if SMALL else 5


def show(name: str, function, *arguments) -> float:
    """Seconds of a compiled function, printed in milliseconds."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    seconds = median_seconds(compiled, *arguments, repeat=REPEAT)
    print(f"  {name}: {1e3 * seconds:.3g} ms")
    return seconds


def machine() -> None:
    print("machine")
    n = 200 if SMALL else 2000
    square = jnp.asarray(np.random.default_rng(0).normal(size=(n, n)))
    print(f"  product: {2e-9 * n**3 / show('matrix product', jnp.dot, square, square):.0f} GF/s")
    line = jnp.zeros(10**5 if SMALL else 2 * 10**7)
    print(f"  moved: {16e-9 * line.size / show('copy', lambda x: x + 1.0, line):.1f} GB/s")


def junction() -> None:
    print(f"junction, K = {models.LARGEST}, one time")
    model = models.usui(models.LARGEST)
    at = jax.jit(lambda model, t: StarEvolution().states(model, 1e6)(t))
    state = at(model, jnp.array(10.0))
    ts = jnp.logspace(-1, 6, 6) / models.GAMMA
    whole = show("ledger of 6 times", lambda ts: ex.solve(model, ts).ledger, ts)
    print(f"  a time of them: {1e3 * whole / 6:.3g} ms")
    show("spectrum and state of one time", at, model, jnp.array(10.0))
    show("eigenvalues of one lead", eigenvalues, state.blocks[0])
    show("eigenproblem of one lead", jnp.linalg.eigh, state.blocks[0])
    show("entropy of all leads", lambda s: s.environment_entropy(), state)
    own = jnp.stack([x.energies for x in model.leads])
    filled = jnp.stack([jnp.diagonal(block).real for block in state.blocks])
    show("temperatures", jax.vmap(match_occupations), own, filled)
    couplings, sigma = jnp.stack([x.couplings for x in model.leads]), models.sigma(model)
    show("value of Sigma", sigma, couplings)
    show("its gradient by all couplings", jax.grad(sigma), couplings)
    show("both", jax.value_and_grad(sigma), couplings)


def large_leads() -> None:
    """Where elimination begins to pay."""
    for modes in (20, 30) if SMALL else (1000, 1500, 2000, 3000):
        print(f"a lead, K = {modes}")
        at = StarEvolution().states(models.usui(modes), 1e6)
        lead = jax.jit(lambda t, at=at: at(t).leads[0])(jnp.array(10.0))
        show("its entropy by elimination", lambda c: displaced_entropy(c, dense=0), lead)
        show("its eigenvalues", lambda c: eigenvalues(c.matrix()), lead)


def window() -> None:
    print(f"exact window model, D = {2 * sum(models.RIERA_VOLUMES)}, 300 times")
    model = models.riera()
    ts = jnp.asarray(models.RIERA_TIMES)
    method = ex.Schrodinger(key=jax.random.key(0))
    setting = method._hamiltonian(method.plan(model, ts))
    start = begin(setting, Controls.of(model.before(), ()))
    spectra = start.spectra()
    show("whole ledger", lambda ts: ex.solve(model, ts, method).ledger, ts)
    show("eigenproblem", jnp.linalg.eigh, start.hamiltonians[0])
    show("observables", lambda s, ts: observables_at(start, s, ts), spectra, ts)


def master_equations() -> None:
    count = 4 if SMALL else 4096
    print(f"{count} master equations")
    strengths = jnp.linspace(1e-3, 1e-2, count)
    show("populations", models.chains(ex.EMME()), strengths)
    show(
        "writing as many numbers",
        lambda x: x[:, None] + jnp.zeros(models.CHAIN_TIMES.size * 2 * models.CHAIN_WINDOWS),
        strengths,
    )


def draws() -> None:
    model, ts = models.drawn(), jnp.asarray(models.DRAW_TIMES)
    print(f"one exact draw, D = {2 * models.DRAW_LEVELS}, one core for linear algebra")
    method = ex.Schrodinger(key=jax.random.key(0))
    plan = method.plan(model, ts)

    def started(key: jax.Array):
        setting = dataclasses.replace(method, key=key)._hamiltonian(plan)
        return begin(setting, Controls.of(model.before(), ()))

    def values(key: jax.Array):
        start = started(key)
        return observables_at(start, start.spectra(), ts)

    def ledger(key: jax.Array):
        return ex.solve(model, ts, dataclasses.replace(method, key=key)).ledger

    key = jax.random.key(1)
    with threadpool_limits(1, "blas"):
        show("drawing", lambda key: started(key).hamiltonians, key)
        show("and the eigenproblem", lambda key: started(key).spectra(), key)
        show("and observables at 50 times", values, key)
        show("and the ledger", ledger, key)
        for count in (1, 2) if SMALL else (1, 4, 8, 16, 64):
            seconds = show(f"{count} at a time", jax.vmap(ledger), jax.random.split(key, count))
            print(f"    each {1e3 * seconds / count:.3g} ms")


if __name__ == "__main__":
    parts = (machine, junction, large_leads, window, master_equations, draws)
    named = {part.__name__: part for part in parts}
    for name in sys.argv[1:] or named:
        named[name]()
