"""A level between two baths: our ledger and its gradient against the textbook NumPy way.

`ENTROPAX_SMALL=1` runs everything once at 30 modes.
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex
from benchmarks import models, rivals
from benchmarks.harness import (
    SMALL,
    agreement,
    exponent,
    measured,
    median_seconds,
    report,
    timed,
)

FAMILY = "Junctions"
SIZES = (models.LARGEST,) if SMALL else (100, 300, models.LARGEST)
POINTS = 2 if SMALL else 6
TIMES = np.logspace(-1, 6, POINTS) / models.GAMMA


def rounds(modes: int) -> int:
    return 1 if SMALL else {100: 20, 300: 10, 1000: 5}[modes]


def fields(ledger: ex.FermionLedger, names: Any) -> dict[str, Any]:
    """Values by the names of `rivals.ledger`, of which some are fields of `terms`."""
    return {name: operator.attrgetter(name)(ledger) for name in names}


@pytest.mark.parametrize("modes", SIZES)
def test_ledger(benchmark, capsys, modes: int) -> None:
    """All fields of the ledger at 6 times from Γt = 0.1 to 1e6, seconds per time.

    Ours: `ex.solve`, its set-up included (spectrum of h, measuring the start). Textbook
    (`rivals.py`): h diagonalised outside the timing; per time two complex matrix products for
    C(t), `eigvalsh` of sizes K, K and 2K, and Newton's method for each bath. All 21 fields must
    agree to 1e-9 and 1e-9 of their values at every time.
    """
    junction, ts = models.usui(modes), jnp.asarray(TIMES)
    first, solution = timed(ex.solve, junction, ts)
    given = rivals.problem(*models.in_numpy(junction))
    expected = [rivals.ledger(given, t) for t in TIMES]
    error = max(
        agreement(ours, [e[name] for e in expected], rtol=1e-9, atol=1e-9)
        for name, ours in fields(solution.ledger, expected[0]).items()
    )

    def textbook() -> None:
        for t in TIMES:
            rivals.ledger(given, t)

    theirs = median_seconds(textbook, repeat=min(rounds(modes), 7)) / POINTS
    whole, _ = measured(benchmark, ex.solve, junction, ts, rounds=rounds(modes), warmup_rounds=1)
    ours = whole / POINTS
    task = f"ledger, K = {modes}, per time"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"textbook NumPy": theirs},
        first_call=first,
        errors={"difference": error},
        bars=[(task, "at least", 6.0, theirs / ours)] if modes == models.LARGEST else [],
    )


GROWTH_TIMES = np.logspace(-1, 6, 3) / models.GAMMA


def test_growth(benchmark, capsys) -> None:
    """The same ledgers at 3 times of the same range, seconds per time, for more sizes.

    Exponents are least-squares fits of log seconds over log K.
    """
    sizes = {8: 1, 12: 1, 16: 1, 24: 1} if SMALL else {500: 5, 1000: 5, 2000: 3, 4000: 1}
    textbooks = {8: 1, 12: 1, 16: 1, 24: 1} if SMALL else {125: 7, 250: 7, 500: 5, 1000: 3}
    ts = jnp.asarray(GROWTH_TIMES)

    def ours(modes: int) -> Any:
        return jax.block_until_ready(ex.solve(models.usui(modes), ts))

    def theirs(given: rivals.Problem) -> None:
        for t in GROWTH_TIMES:
            rivals.ledger(given, t)

    def measure() -> dict[str, dict[int, float]]:
        found: dict[str, dict[int, float]] = {"ours": {}, "textbook NumPy": {}}
        for modes, repeat in sizes.items():
            ours(modes)
            found["ours"][modes] = median_seconds(ours, modes, repeat=repeat) / len(ts)
        for modes, repeat in textbooks.items():
            given = rivals.problem(*models.in_numpy(models.usui(modes)))
            seconds = median_seconds(theirs, given, repeat=repeat) / len(ts)
            found["textbook NumPy"][modes] = seconds
        return found

    _, growth = measured(benchmark, measure)
    task = "ledger, per time"
    report(
        benchmark,
        capsys,
        "Growth",
        task,
        growth=growth,
        bars=[
            (
                f"{task}: p of K^p, K = {min(sizes)} to {max(sizes)}",
                "at most",
                2.6,
                exponent(growth["ours"]),
            )
        ],
    )


def test_gradient(benchmark, capsys) -> None:
    """Σ(t) by all 2K couplings, reverse mode, t = 10.

    The textbook value of Σ must diagonalise h anew, forms C(t) and needs no bath entropies. The
    gradient must agree with central differences of that value along a random direction to 1e-6.
    """
    junction = models.usui(models.LARGEST)
    arguments = models.in_numpy(junction)

    value = jax.jit(models.sigma(junction))
    gradient = jax.jit(jax.grad(value))
    couplings = jnp.stack([lead.couplings for lead in junction.leads])
    first, slopes = timed(gradient, couplings)

    expected = rivals.entropy_production(*arguments, models.SIGMA_TIME)
    np.testing.assert_allclose(value(couplings), expected, rtol=1e-9)
    # along one direction, against central differences of the textbook value
    direction = np.random.default_rng(0).normal(size=couplings.shape) * np.asarray(couplings)
    step = 1e-4

    def moved(sign: float) -> float:
        shifted = tuple(np.asarray(couplings) + sign * step * direction)
        return rivals.entropy_production(*arguments[:3], shifted, *arguments[4:], models.SIGMA_TIME)

    quotient = (moved(1.0) - moved(-1.0)) / (2 * step)
    error = agreement(jnp.sum(slopes * direction), quotient, rtol=1e-6, atol=1e-6)

    repeat = rounds(models.LARGEST)
    given = rivals.problem(*arguments)
    textbook_ledger = median_seconds(rivals.ledger, given, models.SIGMA_TIME, repeat=repeat)
    textbook_sigma = median_seconds(
        rivals.entropy_production, *arguments, models.SIGMA_TIME, repeat=repeat
    )
    own = median_seconds(value, couplings, repeat=repeat)
    both = jax.jit(jax.value_and_grad(value))
    timed(both, couplings)
    together = median_seconds(both, couplings, repeat=repeat)
    ours, _ = measured(benchmark, gradient, couplings, rounds=repeat, warmup_rounds=1)
    task = f"gradient of Σ by {couplings.size} couplings, K = {models.LARGEST}"
    report(
        benchmark,
        capsys,
        FAMILY,
        task,
        ours=ours,
        rivals={"textbook value of Σ": textbook_sigma},
        beside={
            "our value of Σ": own,
            "our value and gradient": together,
            "one textbook ledger": textbook_ledger,
        },
        first_call=first,
        errors={"difference": error},
        bars=[(f"{task}, over one textbook value", "at most", 1.0, ours / textbook_sigma)],
    )
