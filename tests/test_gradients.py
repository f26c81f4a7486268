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


Slope = Callable[[str, Array], Array]


def along(jacobian: dict[str, Any]) -> Slope:
    """JAX's gradient g of a complex argument is such that df = Re sum g * direction."""
    return lambda name, d: np.tensordot(np.asarray(jacobian[name]), d, np.ndim(d)).real


def assert_derivatives(
    slopes: dict[str, Slope],
    system: Star | Net,
    *,
    fixed: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    step: float = 1e-4,
) -> None:
    """Along two random directions of each parameter not in `fixed`, every observable to 1e-6."""
    p, rng = parameters(system), np.random.default_rng(7)
    names = labels(len(system.dense()["baths"]))
    for name in p:
        if name in fixed or (name in ("beta", "mu") and "filling" in p):
            continue
        for _ in range(2):
            d = direction_in(name, p[name], rng)
            expected = twin_slope(system, name, d, step)
            for mode, slope in slopes.items():
                found = np.asarray(slope(name, d))
                assert found.shape == expected.shape == names.shape
                for field in np.setdiff1d(OBSERVED, skip):
                    left, right = found[names == field], expected[names == field]
                    bound = 1e-6 * max(1.0, float(np.max(np.abs(right))))
                    message = f"{mode}: {field} by {name}"
                    np.testing.assert_allclose(left, right, rtol=0, atol=bound, err_msg=message)


def twin_slope(system: Star | Net, name: str, direction: Array, step: float = 1e-4) -> Array:
    p = parameters(system)
    with np.errstate(invalid="ignore"):
        return difference(
            lambda x: twin_vector(system, p | {name: x}), (p[name],), (direction,), step
        )


@pytest.fixture(scope="module")
def thermal_jacobians() -> Callable[[Parameters], dict[str, Any]]:
    """Both Jacobians of a junction with thermal leads, by one compiled program."""
    f = observed(junction_of)
    return jax.jit(lambda p: {"forward": jax.jacfwd(f)(p), "reverse": jax.jacrev(f)(p)})


def slopes_of(jacobians: dict[str, Any]) -> dict[str, Slope]:
    return {mode: along(jacobian) for mode, jacobian in jacobians.items()}


@pytest.fixture(scope="module")
def filled_jacobian() -> Callable[[Parameters], dict[str, Any]]:
    f = observed(junction_of)
    return jax.jit(lambda p: {"reverse": jax.jacrev(f)(p)})


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
def test_junction_from_thermal_leads(name: str, thermal_jacobians: Callable) -> None:
    star = systems.THERMAL[name]
    assert_derivatives(slopes_of(thermal_jacobians(parameters(star))), star)


@pytest.mark.parametrize("name", ["random filling", "equal fillings", "pure", "pure, level filled"])
def test_junction_from_any_filling(name: str, filled_jacobian: Callable) -> None:
    """At filling 0 and 1 the slope of an entropy is infinite: clipped, so there is none to meet."""
    star = systems.DIAGONAL[name]
    jacobian = filled_jacobian(parameters(star))
    pure = name.startswith("pure")
    assert_derivatives(slopes_of(jacobian), star, fixed=("filling", "occupation") if pure else ())
    for by, rows in jacobian["reverse"].items():
        assert np.all(np.isfinite(rows)), by
    if pure:
        sigma = labels(2) == "entropy_production"
        clipped = np.abs(jacobian["reverse"]["occupation"][sigma])
        np.testing.assert_allclose(clipped, np.log(2.0**53), rtol=0.1)


@pytest.mark.parametrize("name", ["pure, uncoupled modes", "pure, equal energies across leads"])
def test_degenerate_pure_junctions(name: str, filled_jacobian: Callable) -> None:
    """An uncoupled mode stays pure, where its entropy has a kink: couplings move the others."""
    star = systems.DIAGONAL[name]
    p = parameters(star)
    jacobian = filled_jacobian(p)
    assert_derivatives(slopes_of(jacobian), star, fixed=("filling", "occupation", "couplings"))
    d = direction_in("couplings", p["couplings"], np.random.default_rng(3))
    d *= p["couplings"] != 0
    found = along(jacobian["reverse"])("couplings", d)
    np.testing.assert_allclose(found, twin_slope(star, "couplings", d), rtol=1e-6, atol=1e-6)


def test_uncoupled_modes_pull_at_nothing(thermal_jacobians: Callable) -> None:
    """The ledger is even in each coupling, so its slope vanishes at zero."""
    star = systems.THERMAL["uncoupled modes"]
    p = parameters(star)
    for jacobian in thermal_jacobians(p).values():
        rows = np.asarray(jacobian["couplings"])
        np.testing.assert_allclose(rows[:, p["couplings"] == 0], 0.0, rtol=0, atol=1e-12)
        assert np.max(np.abs(rows[:, p["couplings"] != 0])) > 0.1


@pytest.mark.parametrize("name", systems.EDGES)
def test_junction_from_leads_without_temperature(name: str, filled_jacobian: Callable) -> None:
    """sigma, heat and what rests on initial temperatures have no derivative; the rest does."""
    star = systems.EDGES[name]
    skip = ("entropy_production_fixed", "finite_bath", "heat")
    jacobian = filled_jacobian(parameters(star))
    assert_derivatives(slopes_of(jacobian), star, fixed=("filling", "occupation"), skip=skip)


@pytest.mark.parametrize("name", systems.NOTHING)
def test_nothing_to_gain_where_nothing_can_move(name: str, filled_jacobian: Callable) -> None:
    rows = filled_jacobian(parameters(systems.NOTHING[name]))["reverse"]
    open_fields = ("beta", "mu", "heat", "entropy_production_fixed", "finite_bath")
    sound = ~np.isin(labels(2), open_fields)
    for by in ("level", "energies", "couplings", "ts"):
        slopes = np.asarray(rows[by])[sound & (labels(2) != "energy")]
        assert np.all(np.isfinite(slopes)), by
        if by != "energies" and name == "empty":
            np.testing.assert_allclose(slopes, 0.0, rtol=0, atol=1e-9, err_msg=by)
    assert np.all(np.isfinite(np.asarray(rows["filling"])[sound]))


@pytest.mark.parametrize("name", ["zero temperature", "zero and finite temperature"])
def test_junction_from_zero_temperature(name: str, thermal_jacobians: Callable) -> None:
    star = systems.FROZEN[name]
    skip = ("entropy_production_fixed", "finite_bath")
    jacobians = thermal_jacobians(parameters(star))
    fixed = ("beta", "occupation") if star.occupation in (0.0, 1.0) else ("beta",)
    assert_derivatives(slopes_of(jacobians), star, fixed=fixed, skip=skip)
    sigma = labels(2) == "entropy_production"
    for jacobian in jacobians.values():
        assert np.all(np.isfinite(np.asarray(jacobian["beta"])[sigma]))


def test_a_wrong_derivative_is_noticed(thermal_jacobians: Callable) -> None:
    star = systems.THERMAL["mixed"]
    jacobians = thermal_jacobians(parameters(star))
    for name in ("couplings", "ts", "beta"):
        broken = dict(jacobians["reverse"])
        broken[name] = np.array(broken[name])
        broken[name][0, 0] += 1e-4
        with pytest.raises(AssertionError, match=f"reverse: entropy_production by {name}"):
            assert_derivatives({"reverse": along(broken)}, star)


def test_closed_forms_have_these_gradients() -> None:
    """Rabi oscillations: of six modes of one energy, and of one mode beside uncoupled ones."""
    f = jax.jit(jax.jacfwd(observed(junction_of)))
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
    """All 2000 couplings at once by reverse mode, along a random direction."""
    ts = np.array([0.1, 30.0, 1e3]) / 3.0
    weights = np.array([1.0, 0.5, -0.7])

    def sigma(couplings: Any) -> Any:
        leads = (
            ex.Lead(np.linspace(-5, 5, 1000), couplings[nu], beta, mu)
            for nu, (beta, mu) in enumerate(((10.0, 1.0), (2.0, -1.0)))
        )
        sol = ex.solve(ex.Junction(0.0, 0.0, tuple(leads)), ts, save=systems.keep)
        return weights @ sol.ledger.entropy_production

    start = np.full((2, 1000), np.sqrt(3.0 * 10.0 / 999 / (2 * np.pi)))
    gradient = np.asarray(jax.grad(sigma)(jnp.array(start)))
    assert gradient.shape == (2, 1000)
    assert np.all(np.isfinite(gradient))
    d = start * np.random.default_rng(0).normal(size=(2, 1000))
    expected = difference(sigma, (start,), (d,), 1e-3)
    assert np.sum(gradient * d) == pytest.approx(float(expected), rel=1e-6)


def test_networks_in_reverse() -> None:
    """Thermal baths: all of a complex h, temperatures, times."""
    jacobian = jax.jit(jax.jacrev(observed(network_of(systems.NETWORKS["complex"]))))
    for name in ("complex", "ring with flux"):
        net = systems.NETWORKS[name]
        assert_derivatives({"reverse": along(jacobian(parameters(net)))}, net)


def test_networks_forward() -> None:
    """Correlated starts, and the ring whose occupation is a sum of plane waves."""
    f = observed(network_of(systems.NETWORKS["correlated"]))
    push = jax.jit(lambda p, d: jax.jvp(f, (p,), (d,))[1])

    def slope_at(p: Parameters) -> Slope:
        still = {name: np.zeros_like(value) for name, value in p.items()}
        return lambda name, d: push(p, still | {name: d.astype(p[name].dtype)})

    for name in ("correlated", "correlated, some of it pure"):
        net = systems.NETWORKS[name]
        fixed = ("start",) if "pure" in name else ()
        assert_derivatives({"forward": slope_at(parameters(net))}, net, fixed=fixed)

    ring, parts = systems.RING, systems.SCATTERED
    net = Net(ring.h(), *parts, start=np.diag(ring.filling) + 0j)
    slope, row = slope_at(parameters(net)), labels(2) == "system_occupation"
    for i, t in enumerate(TS):
        exact = [ring.occupation(site, t).slope for site in parts[0]]
        found = {by: slope("h", ring.by(by))[row][i] for by in ("hopping", "flux")}
        found["t"] = slope("ts", np.eye(len(TS))[i])[row][i]
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
    hessian = np.asarray(jax.jit(jax.hessian(network))(jnp.array(x)))
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
