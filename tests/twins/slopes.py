"""Slopes of a whole ledger of free fermions: the library's both ways, and those of dense NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import Net, Star
from derivatives import difference

import entropax as ex
from entropax.solve import solve_plan
from twins import ledgers

Array = np.ndarray
Parameters = dict[str, Any]

TS = np.array([0.05, 3.0, 60.0])
PER_TIME = tuple(name for name in ledgers.PER_TIME if name != "residual")
OBSERVED = (*PER_TIME, *ledgers.TERMS, "athermality_initial")


def parameters(system: Star | Net) -> Parameters:
    """Every number of a system, by name."""
    if isinstance(system, Net):
        p: Parameters = {"h": system.h, "ts": TS}
        if system.betas is not None:
            p |= {"beta": np.array(system.betas), "mu": np.array(system.mus)}
        return p if system.start is None else p | {"start": system.start}
    energies, couplings, betas, mus = zip(*system.leads, strict=True)
    p = {
        "level": np.array(system.level),
        "occupation": np.array(system.occupation),
        "energies": np.concatenate(energies),
        "couplings": np.concatenate(couplings),
        "beta": np.array(betas),
        "mu": np.array(mus),
        "ts": TS,
    }
    return p if system.filling is None else p | {"filling": system.filling}


def changed(system: Star | Net, p: Parameters) -> Star | Net:
    """The system with other numbers."""
    if isinstance(system, Net):
        thermal = {} if system.betas is None else {"betas": tuple(p["beta"]), "mus": tuple(p["mu"])}
        return system._replace(h=p["h"], start=p.get("start"), **thermal)
    cuts = np.cumsum(system.sizes)[:-1]
    parts = (np.split(p[name], cuts) for name in ("energies", "couplings"))
    return system._replace(
        level=float(p["level"]),
        occupation=float(p["occupation"]),
        leads=tuple(zip(*parts, p["beta"], p["mu"], strict=True)),
        filling=p.get("filling"),
    )


def junction_of(p: Parameters) -> ex.Junction:
    """The same for the library, with leads of equal sizes."""
    count = len(p["beta"])
    parts = (jnp.split(p[name], count) for name in ("energies", "couplings"))
    fillings = jnp.split(p["filling"], count) if "filling" in p else [None] * count
    leads = zip(*parts, p["beta"], p["mu"], fillings, strict=True)
    return ex.Junction(p["level"], p["occupation"], tuple(ex.Lead(*lead) for lead in leads))


def network_of(system: Net) -> Callable[[Parameters], ex.FermionNetwork]:
    def model(p: Parameters) -> ex.FermionNetwork:
        parts = system.system, system.baths
        return ex.FermionNetwork(p["h"], *parts, p.get("beta"), p.get("mu"), p.get("start"))

    return model


def numbers_of(model: Any) -> Parameters:
    """The numbers of a model by name, or those of a gradient that has the form of one."""
    if isinstance(model, ex.FermionNetwork):
        p = {"h": model.hamiltonian, "beta": model.beta, "mu": model.mu, "start": model.start}
        return {name: value for name, value in p.items() if value is not None}
    p = {
        "level": model.level,
        "occupation": model.occupation,
        "energies": model.mode_energies,
        "couplings": model.mode_couplings,
        "beta": jnp.stack([lead.beta for lead in model.leads]),
        "mu": jnp.stack([lead.mu for lead in model.leads]),
    }
    if model.leads[0].occupations is not None:
        p["filling"] = jnp.concatenate([lead.occupations for lead in model.leads])
    return p


def vector(model: Any, ts: Any) -> jax.Array:
    """All of a ledger in one vector.

    The model is checked beforehand, so that JAX can keep the program between runs.
    """
    method = ex.Exact()
    led = solve_plan(method, method.plan(model, ts)).ledger
    columns = [getattr(led, name) for name in PER_TIME]
    columns += [getattr(led.terms, name) for name in (*ledgers.TERMS, "athermality_initial")]
    return jnp.concatenate([jnp.ravel(x) for x in columns])


_push = jax.jit(lambda at, along: jax.jvp(vector, at, along)[1])
_pull = jax.jit(lambda at, weights: jax.vjp(vector, *at)[1](weights))


class Slopes:
    """Of the vector by all numbers of the models that `build` makes; a program for each shape."""

    def __init__(self, build: Callable[[Parameters], Any]):
        self.build = build

    def push(self, p: Parameters, d: Parameters) -> Array:
        """The slope along d."""
        (p, ts), (d, along) = map(_apart, (p, d))
        model, moved = jax.jvp(self.build, (p,), (d,))
        return np.asarray(_push((model, ts), (moved, along)))

    def pull(self, p: Parameters, weights: Array) -> Parameters:
        """The gradient of the product with `weights`."""
        p, ts = _apart(p)
        gradient, by_times = _pull((self.build(p), ts), weights)
        return numbers_of(gradient) | {"ts": by_times}


def _apart(p: Parameters) -> tuple[Parameters, Array]:
    """The numbers of a model, and the times."""
    return {name: value for name, value in p.items() if name != "ts"}, p["ts"]


def twin_vector(system: Star | Net, p: Parameters) -> Array:
    """The same from dense NumPy."""
    found = ledgers.twin_fields(changed(system, p), p["ts"])
    found["athermality_initial"] = found["athermality_initial"][:1]
    return np.concatenate([np.ravel(found[name]) for name in OBSERVED])


def twin_slope(system: Star | Net, name: str, direction: Array, step: float = 1e-4) -> Array:
    p = parameters(system)
    with np.errstate(invalid="ignore"):
        return difference(
            lambda x: twin_vector(system, p | {name: x}), (p[name],), (direction,), step
        )


def labels(baths: int) -> Array:
    """Which field each entry of the vector belongs to."""
    columns = {"beta", "mu", "energy", "particles", "heat", "bath_entropy", "thermal_entropy"}
    sizes = {
        name: len(TS) * (baths if name in columns | {"intra_bath"} else 1) for name in OBSERVED
    }
    sizes["athermality_initial"] = 1
    return np.repeat(OBSERVED, [sizes[name] for name in OBSERVED])


def direction_in(name: str, value: Array, rng: np.random.Generator) -> Array:
    """A random direction of length one, Hermitian for a matrix."""
    d = rng.normal(size=np.shape(value))
    if name in ("h", "start"):
        d = d + 1j * rng.normal(size=d.shape) * np.iscomplexobj(value)
        d = (d + d.conj().T) / 2
    return d / np.linalg.norm(d)


def only(p: Parameters, name: str, direction: Array) -> Parameters:
    """A direction that moves one parameter."""
    still = {key: np.zeros_like(value) for key, value in p.items()}
    return still | {name: direction.astype(np.asarray(p[name]).dtype)}


def assert_derivatives(
    system: Star | Net,
    *,
    push: Callable | None = None,
    pull: Callable | None = None,
    fixed: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
) -> None:
    """Along two random directions of each parameter not in `fixed`, every observable to 1e-6.

    Forward mode gives all of a slope at once; reverse mode gives a random combination of the
    entries of one field at a time.
    """
    p, rng = parameters(system), np.random.default_rng(7)
    names = labels(len(system.dense()["baths"]))
    compared = [str(field) for field in np.setdiff1d(OBSERVED, skip)]
    weights = {field: rng.normal(size=len(names)) * (names == field) for field in compared}
    gradients = {field: pull(p, w) for field, w in weights.items()} if pull else {}
    for name in p:
        if name in fixed or (name in ("beta", "mu") and "filling" in p):
            continue
        for _ in range(2):
            d = direction_in(name, p[name], rng)
            expected = twin_slope(system, name, d)
            pushed = np.asarray(push(p, only(p, name, d))) if push else expected
            assert pushed.shape == expected.shape == names.shape
            for field in compared:
                here = names == field
                bound = 1e-6 * max(1.0, float(np.max(np.abs(expected[here]))))
                message = f"{field} by {name}"
                np.testing.assert_allclose(
                    pushed[here], expected[here], rtol=0, atol=bound, err_msg=f"forward: {message}"
                )
                if pull:
                    # JAX's gradient g of a complex argument is such that df = Re sum g * direction
                    slope = np.sum(np.asarray(gradients[field][name]) * d).real
                    right = weights[field][here] @ expected[here]
                    bound *= np.sum(np.abs(weights[field]))
                    assert slope == pytest.approx(right, rel=0, abs=bound), f"reverse: {message}"
