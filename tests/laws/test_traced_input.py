"""Values that are traced are checked as well: at once in a derivative, else `result` tells."""

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
def test_what_a_program_traces_is_nan_where_it_must_not_be(name: str) -> None:
    build, bad, good, _ = TRACED[name]
    run = eqx.filter_jit(build)
    assert np.isfinite(run(jnp.asarray(good))).all()
    assert np.isnan(run(jnp.asarray(bad))).any()


SX = np.array([[0.0, 1.0], [1.0, 0.0]])


def machine(
    beta: Any = 1.0, strength: Any = 1.0, start: Any = 0.5, scale: Any = 1.0, frame: Any = 0.0
) -> ex.OpenSystem:
    bath = ex.ThermalBath(beta, ex.CustomSpectrum(lambda w: 0.1 * scale * w))
    state = jnp.diag(jnp.stack([start, 1.0 - jnp.asarray(start)]))
    turned = jnp.array([[0.0, 1.0], [1.0, 0.0]]) * frame + jnp.diag(jnp.array([0.0, 1.0]))
    return ex.OpenSystem(
        (0.0, 1.0), (ex.Coupling(SX, bath, strength),), ex.Product(system=state), frame=turned
    )


def plain(**numbers: Any) -> ex.OpenSystem:
    return eqx.tree_at(lambda m: m.frame, machine(**numbers), None)


def windows(width: Any = 0.5, strength: Any = 0.1, gap: Any = 1.0) -> ex.OpenSystem:
    link = ex.Coupling(SX, ex.WindowBath((0.0, 1.0), (4, 6), width), strength, ex.RandomBands())
    energies = jnp.stack([jnp.zeros(()), jnp.asarray(gap)])
    return ex.OpenSystem(energies, (link,), ex.Product(system=1, windows=(0,)))


TS = [0.5, 1.0]
REFUSED: dict[str, tuple[Callable[[Any], ex.Solution], float, float, str]] = {
    "width of a lead": (lambda x: ex.solve(junction_of(width=x), TS), -1.0, 1.0, "energies"),
    "rate of a lead": (lambda x: ex.solve(junction_of(coupling=x), TS), -1.0, 1.0, "couplings"),
    "level": (lambda x: ex.solve(junction(level=x), TS), INF, 0.1, "level"),
    "occupation": (lambda x: ex.solve(junction(occupation=x), TS), 1.5, 1.0, "occupation"),
    "time": (lambda x: ex.solve(junction(), jnp.stack([x, 1.0])), INF, 0.5, "ts"),
    "beta": (lambda x: ex.solve(plain(beta=x), TS, ex.Davies()), -1.0, 1.0, "beta"),
    "start": (lambda x: ex.solve(plain(start=x), TS, ex.Local()), 1.5, 0.2, "system"),
    "rates": (lambda x: ex.solve(plain(scale=x), TS, ex.Redfield()), -1.0, 1.0, "spectrum"),
    "frame": (lambda x: ex.solve(machine(frame=x), TS, ex.Local()), 0.1, 0.0, "frame"),
    "window": (lambda x: ex.solve(windows(width=x), TS, ex.EMME()), 1.5, 0.5, "width"),
    "one energy": (
        lambda x: ex.solve(windows(gap=x), TS, ex.EMME(coherences=False)),
        0.0,
        1.0,
        "coherences",
    ),
}


def junction_of(**changes: Any) -> ex.Junction:
    return ex.Junction(0.0, 0.5, (flat(**changes),))


@pytest.mark.parametrize("name", REFUSED)
def test_a_program_says_what_it_was_given(name: str) -> None:
    """Known and differentiated it raises; jitted and in a batch `result` and `faults` tell."""
    run, bad, good, argument = REFUSED[name]
    for call in (lambda: run(bad), lambda: jax.jvp(lambda x: run(x).ledger, (bad,), (1.0,))):
        with pytest.raises(
            (ValueError, RuntimeError), match=rf"`[^`]*{argument.rstrip('s')}|`width`"
        ):
            call()
    found = jax.vmap(eqx.filter_jit(run))(jnp.array([good, bad]))
    np.testing.assert_array_equal(found.result == ex.RESULTS.invalid, [[False] * 2, [True] * 2])
    told = [
        m
        for m, is_bad in zip(found.faults.messages, found.faults.present[1], strict=True)
        if is_bad
    ]
    assert not np.any(found.faults.present[0])
    assert any(f"{argument}`" in message for message in told)
    ledger = found.ledger
    totals = [ledger.system_entropy, ledger.work, ledger.heat]
    assert all(np.all(np.isfinite(x[0])) for x in totals)
    assert any(np.any(np.isnan(x[1])) for x in totals)


@pytest.mark.parametrize("name", ["rates", "beta"])
def test_asked_to_a_program_raises_as_it_runs(name: str) -> None:
    _, bad, _, argument = REFUSED[name]
    changes = {"rates": "scale", "beta": "beta"}[name]
    program = eqx.filter_jit(
        lambda x: ex.solve(plain(**{changes: x}), TS, ex.Redfield(), throw=True).ledger.heat
    )
    with pytest.raises(RuntimeError, match=argument):
        jax.block_until_ready(program(jnp.asarray(bad)))


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


def test_one_bad_member_of_a_batch_is_nan_alone() -> None:
    found = jax.vmap(lambda w: flat(width=w).energies)(jnp.array([-0.5, 0.5]))
    np.testing.assert_array_equal(np.isnan(found), [[True] * 4, [False] * 4])
