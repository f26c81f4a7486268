"""Identities of the second law: they close, each can fail, each says what it needs."""

from typing import Any

import equinox as eqx
import numpy as np
import pytest
from cases.windows import CANONICAL, KEY, WINDOW, driven, strong_spin, two_baths

import entropax as ex
from entropax.diagnosis import NAMES, Identity, identities

Array = np.ndarray

TIMES = np.array([0.0, 1.0, 4.0, 20.0])


def named(model: ex.OpenSystem, method: Any, times: Array = TIMES) -> dict[str, Identity]:
    solution = ex.solve(model, times, method)
    return {found.name: found for found in identities(model, method, solution)}


CASES = {
    "exact, a window": (
        strong_spin(WINDOW),
        ex.Schrodinger(KEY, mutual_information=True, observation=ex.Observation()),
        11,
    ),
    "exact, canonical": (
        strong_spin(CANONICAL),
        ex.Schrodinger(
            KEY, mutual_information=True, observation=ex.Observation(windows=["levels"])
        ),
        15,
    ),
    "exact, two baths": (
        two_baths(ex.Product(system=[0.3, 0.7], beta=(0.4, 2.0))),
        ex.Schrodinger(KEY, observation=ex.Observation(windows=["levels", "levels"])),
        13,
    ),
    "EMME, canonical": (strong_spin(CANONICAL), ex.EMME(), 10),
    "EMME, quenched": (
        driven(ex.PiecewiseConstant((2.0, 9.0), (1.0, 2.0, 1.0)), WINDOW),
        ex.EMME(coherences=False),
        7,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_identities_close(name: str) -> None:
    model, method, count = CASES[name]
    found = named(model, method)
    assert len(found) == count
    for identity in found.values():
        assert identity.violation < 1e-10, identity
        assert identity.residual.shape == TIMES.shape


def _scaled(field: str, by: float = 1.01) -> Any:
    return lambda led: eqx.tree_at(lambda x: getattr(x, field), led, replace_fn=lambda x: by * x)


def _seen(field: str, change: Any) -> Any:
    return lambda led: eqx.tree_at(lambda x: getattr(x.observed, field), led, replace_fn=change)


def _term(field: str, change: Any) -> Any:
    return lambda led: eqx.tree_at(
        lambda x: getattr(x.observed.terms, field), led, replace_fn=change
    )


CORRUPTIONS = {
    "splitting": _scaled("bath_observational_entropy"),
    "local": _scaled("coarse_correlation"),
    "clausius-local": _scaled("clausius", 0.0),
    "local-production": _scaled("entropy_production", 2.0),
    "second law": _scaled("entropy_production", -1.0),
    "rate": _scaled("entropy_production_rate", -1.0),
    "spohn": _scaled("entropy_production_rate"),
    "first law": _scaled("system_energy"),
    "total energy": lambda led: eqx.tree_at(
        lambda x: x.joint, led, led.joint.at[2:].multiply(1.01)
    ),
    "mutual information": _scaled("coarse_mutual_information", 1e3),
    "fixed temperature, master equation": _scaled("heat"),
    "fixed temperature": _scaled("entropy_production_fixed", -1.0),
    "above correlations": _scaled("mutual_information", 10.0),
    "weak coupling": _scaled("interaction_energy", 2.0),
    "free energy": _scaled("system_entropy"),
    "bath under measurement": _seen("bath_entropy", lambda x: 1.01 * x),
    "terms": _seen("residual", lambda x: x + 1e-3),
    "terms are positive": _term("ignorance", lambda x: x - 1e-3),
    "ignorance": _term("ignorance", lambda x: x + 1.0),
    "correlation and divergence": _term("correlation", lambda x: 1.01 * x),
    "fixed temperature, exact": _scaled("entropy_production_fixed"),
}


def case_of(name: str) -> tuple:
    model, method = CASES[name][:2] if name in CASES else (strong_spin(WINDOW), ex.EMME())
    return model, TIMES, method


@pytest.fixture(scope="module")
def solved() -> dict[str, Any]:
    return {name: ex.solve(*case_of(name)) for name in ("exact, canonical", "EMME, one window")} | {
        "EMME, canonical": ex.solve(*case_of("EMME, canonical"))
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_identity_can_fail(name: str, solved: dict[str, Any]) -> None:
    """One number of the ledger changed: seen by the identity, which held before."""
    noticed = False
    for case, solution in solved.items():
        model, _, method = case_of(case)
        if name not in {found.name for found in identities(model, method, solution)}:
            continue
        wrong = eqx.tree_at(lambda s: s.ledger, solution, CORRUPTIONS[name](solution.ledger))
        (good,), (bad,) = (identities(model, method, s, [name]) for s in (solution, wrong))
        assert good.violation < 1e-10
        assert bad.violation > 1e-5
        noticed = True
    assert noticed
    assert len(NAMES) == len(set(NAMES)) == 21


PREMISES = {
    "local": (ex.Joint([[0.1, 0.2, 0.3], [0.2, 0.1, 0.1]]), "R66.*a product start, but .* Joint"),
    "clausius-local": (
        ex.Product(system=1, windows=(1,)),
        "R67, R74.*canonical over their windows, but",
    ),
    "fixed temperature, master equation": (WINDOW, "S60.*a product start with canonical baths"),
    "terms": (WINDOW, r"S22, S39.*needs `Schrodinger\(observation=\.\.\.\)`"),
    "fixed temperature": (CANONICAL, r"E10, S5.*exact dynamics"),
}


@pytest.mark.parametrize("name", PREMISES)
def test_identities_say_what_they_need(name: str) -> None:
    start, message = PREMISES[name]
    model, method = strong_spin(start), ex.EMME()
    solution = ex.solve(model, TIMES, method)
    with pytest.raises(ValueError, match=rf"`{name}` \({message}"):
        identities(model, method, solution, [name])
    assert name not in {found.name for found in identities(model, method, solution)}


def test_identities_know_their_limits() -> None:
    between, method = driven(1.3), ex.EMME(coherences=False)
    solution = ex.solve(between, TIMES, method)
    with pytest.raises(ValueError, match=r"`first law` \(R49.*needs windows on resonance"):
        identities(between, method, solution, ["first law"])
    with pytest.raises(ValueError, match=r"`names` must be of splitting, .* but has 'x'"):
        identities(between, method, solution, ["x"])
    slow = ex.EMME(coherences=False, memory="finite")
    with pytest.raises(ValueError, match=r"`second law` .*needs `EMME\(\)` with infinite memory"):
        identities(between, slow, solution, ["second law"])
    late = eqx.tree_at(lambda s: s.ts, solution, solution.ts + 1.0)
    with pytest.raises(ValueError, match="`solution` must begin at time 0"):
        identities(between, method, late)
