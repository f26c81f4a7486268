"""Derivatives of the whole ledger, forward and reverse, against differences of dense NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import systems
from helpers import difference
from systems import Net, Star

import entropax as ex

Array = np.ndarray
Parameters = dict[str, Any]

TS = np.array([0.05, 3.0, 60.0])
PER_TIME = tuple(name for name in systems.PER_TIME if name != "residual")
OBSERVED = (*PER_TIME, *systems.TERMS, "athermality_initial")


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


def observed(model: Callable[[Parameters], Any]) -> Callable[[Parameters], Any]:
    """All of a ledger in one vector, as a function of a model's numbers."""

    def vector(p: Parameters) -> Any:
        led = ex.solve(model(p), p["ts"]).ledger
        found = [getattr(led, name) for name in PER_TIME]
        found += [getattr(led.terms, name) for name in (*systems.TERMS, "athermality_initial")]
        return jnp.concatenate([jnp.ravel(x) for x in found])

    return vector


def twin_vector(system: Star | Net, p: Parameters) -> Array:
    """The same from dense NumPy."""
    found = systems.twin_fields(changed(system, p), p["ts"])
    found["athermality_initial"] = found["athermality_initial"][:1]
    return np.concatenate([np.ravel(found[name]) for name in OBSERVED])


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


def derivatives_of(model: Callable[[Parameters], Any]) -> tuple[Callable, Callable]:
    """(p, d) -> the slope of the vector along d; (p, w) -> the gradient of its product with w."""
    f = observed(model)
    push = systems.quickly(lambda p, d: jax.jvp(f, (p,), (d,))[1])
    pull = systems.quickly(lambda p, w: jax.vjp(f, p)[1](w)[0])
    return push, pull


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


def twin_slope(system: Star | Net, name: str, direction: Array, step: float = 1e-4) -> Array:
    p = parameters(system)
    with np.errstate(invalid="ignore"):
        return difference(
            lambda x: twin_vector(system, p | {name: x}), (p[name],), (direction,), step
        )


@pytest.fixture(scope="module")
def thermal() -> tuple[Callable, Callable]:
    return derivatives_of(junction_of)


@pytest.fixture(scope="module")
def filled() -> Callable:
    """Reverse mode only."""
    return derivatives_of(junction_of)[1]


@pytest.mark.parametrize(
    "name",
    [
        "mixed",
        "level at a mode",
        "uncoupled modes",
        "equal energies across leads",
        "equal energies within a lead",
        "equal energies, some uncoupled",
        "negative temperature",
    ],
)
def test_junction_from_thermal_leads(name: str, thermal: tuple) -> None:
    push, pull = thermal
    assert_derivatives(systems.THERMAL[name], push=push, pull=pull)


def test_a_wrong_derivative_is_noticed(thermal: tuple) -> None:
    push, pull = thermal
    star = systems.THERMAL["mixed"]

    def bent_push(p: Parameters, d: Parameters) -> Array:
        return push(p, d) + 1e-4 * np.sum(d["couplings"])

    def bent_pull(p: Parameters, w: Array) -> Parameters:
        gradient = pull(p, w)
        return gradient | {"ts": gradient["ts"] * (1 + 1e-4)}

    for wrong, message in (
        ({"push": bent_push}, "forward: athermality by couplings"),
        ({"pull": bent_pull}, "reverse: .* by ts"),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_derivatives(star, **wrong)


def test_uncoupled_modes_pull_at_nothing(thermal: tuple) -> None:
    """The ledger is even in each coupling, so its slope vanishes at zero."""
    p = parameters(systems.THERMAL["uncoupled modes"])
    off = p["couplings"] == 0
    names = labels(2)
    for field in ("entropy_production", "inter_bath", "beta"):
        slope = np.asarray(thermal[1](p, 1.0 * (names == field))["couplings"])
        np.testing.assert_allclose(slope[off], 0.0, rtol=0, atol=1e-12, err_msg=field)
        assert np.min(np.abs(slope[~off])) > 1e-6


@pytest.mark.parametrize("name", ["zero temperature", "zero and finite temperature"])
def test_junction_from_zero_temperature(name: str, thermal: tuple) -> None:
    """sigma is infinite; everything else follows the other parameters."""
    push, pull = thermal
    star = systems.FROZEN[name]
    skip = ("entropy_production_fixed", "finite_bath")
    assert_derivatives(star, push=push, pull=pull, fixed=("beta", "occupation"), skip=skip)
    sigma = 1.0 * (labels(2) == "entropy_production")
    assert all(np.all(np.isfinite(slope)) for slope in pull(parameters(star), sigma).values())


@pytest.mark.parametrize("name", ["random filling", "equal fillings", "pure", "pure, level filled"])
def test_junction_from_any_filling(name: str, filled: Callable) -> None:
    """At filling 0 and 1 the slope of an entropy is infinite: clipped, so there is none to meet."""
    star, pure = systems.DIAGONAL[name], name.startswith("pure")
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation") if pure else ())
    sigma = 1.0 * (labels(2) == "entropy_production")
    gradient = filled(parameters(star), sigma)
    assert all(np.all(np.isfinite(slope)) for slope in gradient.values())
    if pure:
        # three times the slope of -S_S(0), and what moves later
        assert 3 * 37 - 30 < abs(float(gradient["occupation"])) < 3 * 37 + 30


@pytest.mark.parametrize("name", ["pure, uncoupled modes", "pure, equal energies across leads"])
def test_degenerate_pure_junctions(name: str, filled: Callable) -> None:
    """An uncoupled mode stays pure, where its entropy has a kink: couplings move the others."""
    star = systems.DIAGONAL[name]
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation", "couplings"))
    p, names = parameters(star), labels(2)
    d = direction_in("couplings", p["couplings"], np.random.default_rng(3))
    d *= p["couplings"] != 0
    expected = twin_slope(star, "couplings", d)
    for field in OBSERVED:
        weights = 1.0 * (names == field)
        slope = np.sum(np.asarray(filled(p, weights)["couplings"]) * d)
        assert slope == pytest.approx(weights @ expected, rel=1e-6, abs=1e-6), field


# What rests on the initial temperatures has no derivative where there are none.
NEEDS_START = ("entropy_production_fixed", "finite_bath", "heat")


@pytest.mark.parametrize("name", systems.EDGES)
def test_junction_from_leads_without_temperature(name: str, filled: Callable) -> None:
    star = systems.EDGES[name]
    # with beta near 0, mu = alpha/beta is -5335 at t = 0.05: no difference of it has six digits
    ill = ("mu",) if name == "filled leads" else ()
    skip = (*NEEDS_START, *ill)
    assert_derivatives(star, pull=filled, fixed=("filling", "occupation"), skip=skip)
    sigma = 1.0 * (labels(2) == "entropy_production")
    gradient = filled(parameters(star), sigma)
    assert all(np.all(np.isfinite(slope)) for slope in gradient.values())


@pytest.mark.parametrize("name", systems.NOTHING)
def test_finite_slopes_where_nothing_can_move(name: str, filled: Callable) -> None:
    """Nothing depends on anything but the filling, and on energies if there are particles."""
    p, names = parameters(systems.NOTHING[name]), labels(2)
    for field in np.setdiff1d(OBSERVED, (*NEEDS_START, "beta", "mu")):
        gradient = filled(p, 1.0 * (names == field))
        assert all(np.all(np.isfinite(slope)) for slope in gradient.values()), field
        # a filled level carries its energy
        shifts = field in ("system_energy", "total_energy") and name == "filled"
        for by in ("couplings", "ts") if shifts else ("level", "couplings", "ts"):
            np.testing.assert_allclose(gradient[by], 0.0, rtol=0, atol=1e-8, err_msg=field)


def test_closed_forms_have_these_gradients() -> None:
    """Rabi oscillations: of six modes of one energy, and of one mode beside uncoupled ones."""
    f = systems.quickly(jax.jacfwd(observed(junction_of)))
    names = labels(1)
    for name in ("six modes of one energy", "six resonant modes", "six modes, three uncoupled"):
        rabi = systems.RABI[name]
        star = rabi.star()
        found = f(parameters(star))
        for i, t in enumerate(TS):
            occupation = rabi.system_occupation(t)
            row = np.flatnonzero(names == "system_occupation")[i]
            assert_slopes(found, row, occupation.slope, i)
            row = np.flatnonzero(names == "entropy_production")[i]
            assert_slopes(found, row, rabi.entropy_production(t).slope, i)

    rabi = systems.RABI["one mode"]
    aside = np.array([0.7, -0.9, 1.3, -1.6, 2.1])
    lead = (
        np.array([rabi.energy, *aside]),
        np.array([rabi.couplings[0], *[0.0] * 5]),
        rabi.beta,
        rabi.mu,
    )
    found = f(parameters(Star(rabi.level, rabi.occupation, (lead,))))
    for i, t in enumerate(TS):
        slope = dict(rabi.system_occupation(t).slope)
        row = np.flatnonzero(names == "system_occupation")[i]
        energies = np.asarray(found["energies"])[row]
        assert float(energies[0]) == pytest.approx(slope.pop("energy"), abs=1e-11)
        np.testing.assert_allclose(energies[1:], 0.0, rtol=0, atol=1e-12)
        assert_slopes(found, row, slope, i)


def assert_slopes(jacobian: Any, row: int, slope: dict[str, float], time: int) -> None:
    rows = {name: np.asarray(value)[row] for name, value in jacobian.items()}
    found = {name: float(rows[name]) for name in ("level", "occupation")}
    found |= {name: float(rows[name][0]) for name in ("beta", "mu")}
    found |= {"energy": rows["energies"].sum(), "t": float(rows["ts"][time])}
    found |= {f"coupling {k}": float(x) for k, x in enumerate(rows["couplings"])}
    for name, expected in slope.items():
        bound = 1e-10 * max(1.0, abs(expected))
        assert found[name] == pytest.approx(expected, abs=bound), name


def test_every_coupling_at_the_published_size() -> None:
    """All 2000 couplings at once by reverse mode, held against a random direction."""

    def sigma(couplings: Any) -> Any:
        leads = (
            ex.Lead(np.linspace(-5.0, 5.0, 1000), couplings[nu], beta, mu)
            for nu, (beta, mu) in enumerate(((10.0, 1.0), (2.0, -1.0)))
        )
        sol = ex.solve(ex.Junction(0.0, 0.0, tuple(leads)), [10.0])
        return sol.ledger.entropy_production[0]

    start = np.full((2, 1000), np.sqrt(3.0 * 10.0 / 999 / (2 * np.pi)))
    both = jax.jit(jax.value_and_grad(sigma))
    gradient = np.asarray(both(start)[1])
    assert gradient.shape == (2, 1000)
    assert np.all(np.isfinite(gradient))
    d = start * np.random.default_rng(0).normal(size=(2, 1000))
    expected = float(difference(lambda x: both(x)[0], (start,), (d,), 3e-3))
    assert np.sum(gradient * d) == pytest.approx(expected, rel=1e-6)
    assert abs(expected) > 0.01


def test_networks_in_reverse() -> None:
    """Thermal baths: all of a complex h, temperatures, times."""
    pull = derivatives_of(network_of(systems.NETWORKS["complex"]))[1]
    for name in ("complex", "ring with flux"):
        assert_derivatives(systems.NETWORKS[name], pull=pull)


def test_networks_forward() -> None:
    """Correlated starts, and the ring whose occupation is a sum of plane waves."""
    push = derivatives_of(network_of(systems.NETWORKS["correlated"]))[0]
    for name in ("correlated", "correlated, some of it pure"):
        # beta near zero and a bath of one site leave mu no digits, or no meaning
        fixed = ("start",) if "pure" in name else ()
        skip = ("mu", "beta", "heat")
        assert_derivatives(systems.NETWORKS[name], push=push, fixed=fixed, skip=skip)

    ring, parts = systems.RING, systems.SCATTERED
    net = Net(ring.h(), *parts, start=np.diag(ring.filling) + 0j)
    p, row = parameters(net), labels(3) == "system_occupation"
    for i, t in enumerate(TS):
        exact = [ring.occupation(site, t).slope for site in parts[0]]
        moves = {by: only(p, "h", ring.by(by)) for by in ("hopping", "flux")}
        moves["t"] = only(p, "ts", np.eye(len(TS))[i])
        found = {by: push(p, d)[row][i] for by, d in moves.items()}
        for by, value in found.items():
            assert float(value) == pytest.approx(sum(x[by] for x in exact), abs=1e-10), by


def test_second_derivatives() -> None:
    """A junction's raise and name the dense network, whose Hessian is right."""

    def junction(x: Any) -> Any:
        lead = ex.Lead([-0.4, 0.5], [0.3, 0.4], 1.2, x[1])
        sol = ex.solve(ex.Junction(x[0], 0.3, (lead,)), [2.0])
        return sol.ledger.entropy_production[0]

    with pytest.raises(NotImplementedError, match=r"FermionNetwork\.from_junction"):
        jax.eval_shape(jax.hessian(junction), jnp.array([0.1, 0.2]))

    net = systems.Net(
        systems.random_hermitian(4, 2), (0,), ((1, 2), (3,)), betas=(1.3, 0.4), mus=(0.2, -0.3)
    )
    bend = [direction_in("h", net.h, np.random.default_rng(seed)) for seed in range(2)]

    def network(x: Any) -> Any:
        h = net.h + x[0] * bend[0] + x[1] * bend[1]
        sol = ex.solve(network_of(net)({"h": h, "beta": x[2:4], "mu": np.array(net.mus)}), x[4:])
        return sol.ledger.entropy_production[0]

    x = np.array([0.1, -0.2, 1.3, 0.4, 2.0])
    hessian = np.asarray(systems.quickly(jax.hessian(network))(jnp.array(x)))
    np.testing.assert_allclose(hessian, hessian.T, rtol=0, atol=1e-9)

    def dense(y: Array) -> float:
        h = net.h + y[0] * bend[0] + y[1] * bend[1]
        other = net._replace(h=h, betas=tuple(y[2:4]))
        return systems.twin_fields(other, y[4:])["entropy_production"][0]

    rng = np.random.default_rng(1)
    for _ in range(4):
        a, b = rng.normal(size=(2, 5))
        slope = lambda y: difference(dense, (y,), (b,), 1e-3)  # noqa: B023, E731
        expected = difference(slope, (x,), (a,), 1e-3)
        assert a @ hessian @ b == pytest.approx(float(expected), rel=1e-6, abs=1e-6)
