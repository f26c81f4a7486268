"""Values that are traced are checked as well: when a program runs, or at once in a derivative."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import flat, junction, lead, network

import entropax as ex

Array = np.ndarray
NAN, INF = float("nan"), float("inf")

TRACED: dict[str, tuple[Callable[[Array], Any], Any, Any, str]] = {
    "width": (lambda x: flat(width=x).energies, -1.0, 1.0, "`width` must be positive"),
    "rate": (lambda x: flat(coupling=x).couplings, -1.0, 1.0, "`coupling` must be non-negative"),
    "beta": (lambda x: lead(beta=x).initial_occupations, NAN, INF, "`beta` must be free of NaN"),
    "mu": (lambda x: lead(mu=x).initial_occupations, INF, 1.0, "`mu` must be finite"),
    "occupation": (
        lambda x: junction(occupation=x).initial_occupations,
        1.5,
        1.0,
        r"`occupation` must be within \[0, 1\]",
    ),
    "occupations": (
        lambda x: lead(occupations=x).initial_occupations,
        np.array([0.0, 1.0, -0.1]),
        np.array([0.0, 1.0, 0.1]),
        r"`occupations` must be within \[0, 1\]",
    ),
    "hamiltonian": (
        lambda x: network(hamiltonian=x).initial_correlation,
        np.triu(np.ones((4, 4))),
        np.ones((4, 4)),
        "`hamiltonian` must be Hermitian",
    ),
    "start": (
        lambda x: network(start=x).initial_correlation,
        2 * np.eye(4),
        np.eye(4),
        "`start` must be a correlation matrix",
    ),
    "ts": (
        lambda x: ex.solve(network(), x).ledger.entropy_production,
        np.array([1.0, INF]),
        np.array([1.0, 2.0]),
        "`ts` must be finite",
    ),
}


@pytest.mark.parametrize("name", TRACED)
def test_traced_bad_values_fail_when_the_program_runs(name: str) -> None:
    build, bad, good, message = TRACED[name]
    run = eqx.filter_jit(build)
    assert np.isfinite(run(jnp.asarray(good))).all()
    with pytest.raises(RuntimeError, match=message):
        jax.block_until_ready(run(jnp.asarray(bad)))


AT_ONCE = TRACED | {
    "window width": (
        lambda x: ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 2), width=x).width,
        2.0,
        0.5,
        "`width` must be",
    ),
    "duration": (
        lambda x: ex.Held(ex.PiecewiseLinear((0.0, 1.0), (0.0, 1.0)), 0.0, 1.0, x).duration,
        2.0,
        1.0,
        "`duration` must be within the times",
    ),
    "system": (
        lambda x: ex.Product(system=x, windows=(0,)).system,
        2 * np.eye(2),
        np.eye(2) / 2,
        "`system` must be of unit trace",
    ),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_is_differentiated_outside_of_jit_is_checked_at_once(name: str) -> None:
    build, bad, _, message = AT_ONCE[name]
    bad = jnp.asarray(bad)
    with pytest.raises(ValueError, match=rf"{message}.*, but (is|has) [^T]"):
        jax.jvp(build, (bad,), (jnp.ones_like(bad),))
    with pytest.raises(ValueError, match=rf"{message}.*, but (is|has) [^T]"):
        jax.vjp(build, bad)


def test_one_bad_member_of_a_batch_fails() -> None:
    widths = jnp.array([1.0, 2.0])
    assert jax.vmap(lambda w: flat(width=w).energies)(widths).shape == (2, 4)
    with pytest.raises(RuntimeError, match="`width` must be positive"):
        jax.vmap(lambda w: flat(width=w).energies)(widths - 1.5)
