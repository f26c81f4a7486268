"""A level between two baths: our ledger and its gradient against the textbook NumPy way.

`ENTROPAX_SMALL=1` runs everything once at 30 modes.
"""

import os
import statistics
import subprocess
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from benchmarks import rivals

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
SIZES = (30,) if SMALL else (100, 300, 1000)
LARGEST = SIZES[-1]
POINTS = 2 if SMALL else 6
GAMMA = 3.0
TIMES = np.logspace(-1, 6, POINTS) / GAMMA
GRADIENT_TIME = 10.0
MANY_TIMES = 60


def rounds(modes: int) -> int:
    return 1 if SMALL else {100: 20, 300: 10, 1000: 5}[modes]


def make_junction(modes: int) -> ex.Junction:
    """Usui's case (a)."""
    left = ex.Lead.flat(modes=modes, width=10.0, coupling=GAMMA, beta=10.0, mu=1.0)
    right = ex.Lead.flat(modes=modes, width=10.0, coupling=GAMMA, beta=2.0, mu=-1.0)
    return ex.Junction(level=0.0, occupation=0.0, leads=(left, right))


def in_numpy(junction: ex.Junction) -> tuple:
    """The arguments of `rivals.problem`."""
    leads = junction.leads
    return (
        float(junction.level),
        float(junction.occupation),
        tuple(np.asarray(lead.energies) for lead in leads),
        tuple(np.asarray(lead.couplings) for lead in leads),
        tuple(float(lead.beta) for lead in leads),
        tuple(float(lead.mu) for lead in leads),
    )


def timed(function, *arguments):
    start = time.perf_counter()
    result = jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start, result


def median_seconds(function, *arguments, repeat: int) -> float:
    return statistics.median(timed(function, *arguments)[0] for _ in range(repeat))


def report(benchmark, capsys, title: str, **numbers: float) -> None:
    benchmark.extra_info.update(numbers)
    told = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    with capsys.disabled():
        print(f"\n{title}: {told}")


@pytest.fixture(scope="module")
def medians() -> dict[int, float]:
    """Seconds per time point of our ledger, by number of modes."""
    return {}


@pytest.mark.parametrize("modes", SIZES)
def test_ledger(benchmark, capsys, medians, modes: int) -> None:
    """All fields of the ledger, per time point. Textbook: h is diagonalised outside the timing."""
    junction, ts = make_junction(modes), jnp.asarray(TIMES)
    first, solution = timed(ex.solve, junction, ts)
    given = rivals.problem(*in_numpy(junction))

    for index, t in enumerate(TIMES):
        expected = rivals.ledger(given, t)
        for name, value in expected.items():
            ours = solution.ledger
            for part in name.split("."):
                ours = getattr(ours, part)
            np.testing.assert_allclose(ours[index], value, rtol=1e-9, atol=1e-9, err_msg=name)

    def textbook() -> None:
        for t in TIMES:
            rivals.ledger(given, t)

    theirs = median_seconds(textbook, repeat=min(rounds(modes), 7)) / POINTS
    benchmark.pedantic(
        lambda: jax.block_until_ready(ex.solve(junction, ts)), rounds=rounds(modes), warmup_rounds=1
    )
    ours = benchmark.stats.stats.median / POINTS
    medians[modes] = ours
    numbers = {"first_call": first, "ours": ours, "textbook": theirs, "ratio": theirs / ours}
    if len(medians) > 1:
        growth = np.polyfit(np.log(list(medians)), np.log(list(medians.values())), 1)[0]
        numbers["growth_exponent"] = float(growth)
    report(benchmark, capsys, f"ledger, K = {modes}, seconds per time", **numbers)


def test_gradient(benchmark, capsys) -> None:
    """Sigma by all couplings, reverse mode, one time; h depends on them, so all start from it."""
    junction, ts = make_junction(LARGEST), jnp.array([GRADIENT_TIME])
    arguments = in_numpy(junction)

    @jax.jit
    def value(couplings, ts):
        changed = eqx.tree_at(lambda j: [x.couplings for x in j.leads], junction, list(couplings))
        return ex.solve(changed, ts).ledger.entropy_production[0]

    gradient = jax.jit(jax.grad(value))
    couplings = jnp.stack([lead.couplings for lead in junction.leads])
    first, slopes = timed(gradient, couplings, ts)

    sigma = rivals.entropy_production(*arguments, GRADIENT_TIME)
    np.testing.assert_allclose(value(couplings, ts), sigma, rtol=1e-9)
    # along one direction, against central differences of the textbook value
    direction = np.random.default_rng(0).normal(size=couplings.shape) * np.asarray(couplings)
    step = 1e-4

    def moved(sign: float) -> float:
        shifted = tuple(np.asarray(couplings) + sign * step * direction)
        return rivals.entropy_production(*arguments[:3], shifted, *arguments[4:], GRADIENT_TIME)

    quotient = (moved(1.0) - moved(-1.0)) / (2 * step)
    np.testing.assert_allclose(jnp.sum(slopes * direction), quotient, rtol=1e-6, atol=1e-6)

    repeat = rounds(LARGEST)
    given = rivals.problem(*arguments)
    textbook_ledger = median_seconds(rivals.ledger, given, GRADIENT_TIME, repeat=repeat)
    textbook_sigma = median_seconds(
        rivals.entropy_production, *arguments, GRADIENT_TIME, repeat=repeat
    )
    own = median_seconds(value, couplings, ts, repeat=repeat)
    benchmark.pedantic(
        lambda: jax.block_until_ready(gradient(couplings, ts)), rounds=repeat, warmup_rounds=1
    )
    ours = benchmark.stats.stats.median
    report(
        benchmark,
        capsys,
        f"gradient by {couplings.size} couplings, seconds",
        first_call=first,
        gradient=ours,
        own_value=own,
        textbook_sigma=textbook_sigma,
        textbook_ledger=textbook_ledger,
        over_own_value=ours / own,
        over_textbook_sigma=ours / textbook_sigma,
        over_textbook_ledger=ours / textbook_ledger,
    )


MEMORY = """
import resource
import jax, jax.numpy as jnp
from benchmarks.test_junction import LARGEST, MANY_TIMES, GAMMA, make_junction
import entropax as ex
ts = jnp.logspace(-1, 6, MANY_TIMES) / GAMMA
jax.block_until_ready(ex.solve(make_junction(LARGEST), ts))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory(benchmark, capsys) -> None:
    """Peak memory of a process that solves the largest junction at many times."""

    def run() -> str:
        done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    peak = float(benchmark.pedantic(run, rounds=1)) * (1 if sys.platform == "darwin" else 1024)
    report(benchmark, capsys, f"{MANY_TIMES} times at K = {LARGEST}", peak_gigabytes=peak / 1e9)
    assert peak < 3e9
