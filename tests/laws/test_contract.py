"""The programs of the project's contract run as they stand: names, meanings, shapes are fixed."""

import inspect
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from cases.matrices import seeded_hermitian

import entropax as ex

PROGRAM = """
left = ex.Lead.flat(modes=1000, width=10.0, coupling=3.0, beta=10.0, mu=1.0)
right = ex.Lead.flat(modes=1000, width=10.0, coupling=3.0, beta=2.0, mu=-1.0)
junction = ex.Junction(level=0.0, occupation=0.0, leads=(left, right))
sol = ex.solve(junction, jnp.logspace(-1, 6, 40) / 3.0, progress=True)
led = sol.ledger
led.entropy_production            # (40,)    Sigma(t)
led.entropy_production_fixed      # (40,)    sigma(t), baths' initial temperatures
led.beta, led.mu                  # (40, 2)  effective values, one column a bath
led.energy, led.particles, led.heat   # (40, 2) of the baths; heat > 0 flows into the system
led.system_entropy, led.system_occupation, led.work    # (40,)
led.terms.system_bath, led.terms.inter_bath, led.terms.athermality, led.terms.athermality_initial, led.terms.finite_bath   # (40,), the initial one ()
led.terms.intra_bath              # (40, 2)
led.residual                      # (40,)    what is left of Sigma minus the sum of its terms
ex.pure_start(junction, key=jax.random.key(0))      # the same junction in one random pure product state
ex.with_occupations(junction, n)                    # in any diagonal start, order: level, left modes, right modes
ex.global_equilibrium(junction)                     # .beta, .mu of the global reference state
network = ex.FermionNetwork(hamiltonian=h, system=(0, 1), baths=((2, 3, 4), (5, 6, 7)), beta=(1.0, 2.0), mu=(0.0, 0.5), start=None)   # any Hermitian h
lead = ex.Lead(energies=eps, couplings=t, beta=1.0, mu=0.0)                                                                         # any lead
"""  # noqa: E501
MODES, TIMES = 40, 7


@pytest.fixture(scope="module")
def names() -> dict:
    """What the program leaves behind, at a small size."""
    small = PROGRAM
    for old, new in (("modes=1000", f"modes={MODES}"), ("6, 40)", f"6, {TIMES})")):
        assert old in small
        small = small.replace(old, new)
    given = {
        "ex": ex,
        "jax": jax,
        "jnp": jnp,
        "h": seeded_hermitian(8, 1),
        "n": np.linspace(0.0, 1.0, 2 * MODES + 1),
        "eps": jnp.array([0.1, -0.2, 0.5]),
        "t": jnp.array([0.3, 0.3, 0.1]),
    }
    exec(small, given)
    return given


SHAPES = {
    "entropy_production": (TIMES,),
    "entropy_production_fixed": (TIMES,),
    "beta": (TIMES, 2),
    "mu": (TIMES, 2),
    "energy": (TIMES, 2),
    "particles": (TIMES, 2),
    "heat": (TIMES, 2),
    "system_entropy": (TIMES,),
    "system_occupation": (TIMES,),
    "work": (TIMES,),
    "terms.system_bath": (TIMES,),
    "terms.inter_bath": (TIMES,),
    "terms.athermality": (TIMES,),
    "terms.athermality_initial": (),
    "terms.finite_bath": (TIMES,),
    "terms.intra_bath": (TIMES, 2),
    "residual": (TIMES,),
}


@pytest.mark.parametrize("name", SHAPES)
def test_field_has_its_shape(name: str, names: dict) -> None:
    value = names["led"]
    for part in name.split("."):
        value = getattr(value, part)
    assert value.shape == SHAPES[name]
    assert value.dtype == jnp.float64
    assert np.all(np.isfinite(value))
    assert f"led.{name}" in PROGRAM


def test_fields_mean_what_the_program_says(names: dict) -> None:
    led = names["led"]
    terms = led.terms.system_bath + led.terms.inter_bath + led.terms.intra_bath.sum(axis=-1)
    terms = terms + led.terms.athermality - led.terms.athermality_initial
    np.testing.assert_allclose(led.entropy_production - terms, led.residual, rtol=0, atol=1e-12)
    assert np.max(np.abs(led.residual)) < 1e-11
    gap = led.entropy_production_fixed - led.entropy_production
    np.testing.assert_allclose(gap, led.terms.finite_bath, rtol=0, atol=1e-9)
    # the hot and empty bath gives energy, the cold and full one particles
    assert np.all(led.work == 0.0)
    assert float(led.particles[-1, 0] - led.particles[0, 0]) < 0.0
    start = names["junction"].leads[1].initial_occupations
    heat = led.energy[:, 1] - names["right"].energies @ start
    heat = heat - names["right"].mu * (led.particles[:, 1] - start.sum())
    np.testing.assert_allclose(led.heat[:, 1], -heat, rtol=0, atol=1e-10)
    np.testing.assert_allclose(names["sol"].ts, np.logspace(-1, 6, TIMES) / 3.0, rtol=1e-14)


def test_starts_and_reference(names: dict) -> None:
    junction = names["junction"]
    pure = ex.pure_start(junction, key=jax.random.key(0))
    assert isinstance(pure, ex.Junction)
    assert set(np.unique(pure.initial_occupations)) == {0.0, 1.0}
    np.testing.assert_array_equal(pure.mode_energies, junction.mode_energies)
    changed = ex.with_occupations(junction, names["n"])
    assert float(changed.leads[0].initial_occupations[0]) == names["n"][1]
    assert float(changed.leads[1].initial_occupations[0]) == names["n"][1 + MODES]
    reference = ex.global_equilibrium(junction)
    assert reference.beta.shape == reference.mu.shape == ()
    assert 1.0 < float(reference.beta) < 3.0


def test_network_and_lead(names: dict) -> None:
    network, lead = names["network"], names["lead"]
    assert isinstance(network, ex.FermionNetwork)
    assert (network.system, network.baths) == ((0, 1), ((2, 3, 4), (5, 6, 7)))
    np.testing.assert_array_equal(network.beta, [1.0, 2.0])
    assert network.start is None
    np.testing.assert_array_equal(lead.energies, names["eps"])
    assert isinstance(lead, ex.Lead)


def test_arguments_have_the_names_and_kinds_of_the_contract() -> None:
    assert list(inspect.signature(ex.Lead).parameters)[:4] == [
        "energies",
        "couplings",
        "beta",
        "mu",
    ]
    assert list(inspect.signature(ex.Junction).parameters) == ["level", "occupation", "leads"]
    assert list(inspect.signature(ex.pure_start).parameters) == ["junction", "key"]
    network = list(inspect.signature(ex.FermionNetwork).parameters)
    assert network[:6] == ["hamiltonian", "system", "baths", "beta", "mu", "start"]
    solve = inspect.signature(ex.solve).parameters
    assert list(solve)[:3] == ["model", "ts", "method"]
    for name in ("save", "progress", "throw"):
        assert solve[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert solve["throw"].default is None  # raises wherever that needs no call of the host


WINDOWS = """
bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(400, 600), width=0.5, levels="even")        # or "random", or the levels themselves
link = ex.Coupling(operator=jnp.array([[0., 1.], [1., 0.]]), bath=bath, strength=3e-3, matrix=ex.RandomBands(variance=1.0))
model = ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=ex.Product(system=1, windows=(0,)))
ts = jnp.linspace(0.0, 60.0, 61)
exact = ex.solve(model, ts, ex.Schrodinger(key=jax.random.key(0)))
emme = ex.solve(model, ts, ex.EMME())
redfield = ex.solve(model, ts, ex.EMME(memory="finite"))
frozen = ex.solve(model, ts, ex.BornMarkovSecular())
ex.Coupling(operator=sx, bath=bath, strength=0.1, matrix=B)                  # an explicit Hermitian matrix over the bath's levels
ex.Coupling(operator=sx, bath=bath, strength=0.1, matrix=ex.GOE(variance=1 / (8 * n)))          # or ex.GUE, ex.EigenstateThermalization(f)
ex.Product(system=rho, beta=(10.0,))                                         # another start: any system state, canonical baths
ex.OpenSystem(energies=(0.0, ex.PiecewiseConstant(times=(120.0, 240.0), values=(1.0, 2.0, 1.0))), couplings=(link,), start=start)   # quenches
exact.ledger.joint                # (61, 2, 2)  p(eps_k, E; t); several baths add axes; same name and shape from every method
exact.ledger.observational_entropy, exact.ledger.entropy_production, exact.ledger.mutual_information, exact.ledger.coarse_mutual_information
emme.ledger.heat, emme.ledger.work, emme.ledger.beta, emme.ledger.clausius       # clausius: left side of (R67)
"""  # noqa: E501


def test_a_spin_and_a_finite_bath_in_four_ways() -> None:
    small = WINDOWS.replace("(400, 600)", "(20, 30)")
    given = {
        "ex": ex,
        "jax": jax,
        "jnp": jnp,
        "sx": jnp.array([[0.0, 1.0], [1.0, 0.0]]),
        "B": seeded_hermitian(50, 1),
        "n": 50,
        "rho": jnp.eye(2) / 2,
        "start": ex.Product(system=1, windows=(0,)),
    }
    exec(small, given)
    for name in ("exact", "emme", "redfield", "frozen"):
        ledger = given[name].ledger
        assert ledger.joint.shape == (61, 2, 2)
        assert ledger.heat.shape == ledger.energy.shape == (61, 1)
        np.testing.assert_allclose(ledger.joint.sum((1, 2)), 1.0, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(ledger.work, 0.0)
        assert ledger.mutual_information is None
        assert float(ledger.joint[0, 1, 0]) == pytest.approx(1.0, abs=1e-12)
        assert ledger.beta.shape == (61, 1)
        if name != "frozen":
            assert ledger.entropy_production.shape == ledger.clausius.shape == (61,)


DRIVEN = """
switch = ex.PiecewiseLinear(times=(0.0, 4.0, 10.0, 14.0, 30.0), values=(0.0, 0.08, 0.08, 0.0, 0.0))
link = ex.Coupling(sx, bath, strength=switch, matrix=B)
driven = ex.OpenSystem(energies=(0.0, lambda t: 1 + 0.2 * jnp.sin(0.5 * t)), couplings=(link,),
                       drives=(ex.Drive(sx, lambda t: 0.3 * jnp.sin(0.9 * t)),), start=ex.Product(system=1, windows=(0,)))
work = ex.solve(driven, ts, ex.Schrodinger(steps=200)).ledger.work
produced = ex.solve(driven, ts, ex.EMME()).ledger.entropy_production
"""  # noqa: E501


@pytest.mark.filterwarnings("ignore:Energies move by", "ignore:.*strength. changes by")
def test_energies_operators_and_couplings_are_driven() -> None:
    given = {
        "ex": ex,
        "jnp": jnp,
        "sx": jnp.array([[0.0, 1.0], [1.0, 0.0]]),
        "bath": ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5),
        "B": seeded_hermitian(10, 1),
        "ts": jnp.array([0.0, 5.0, 14.0]),
    }
    exec(DRIVEN, given)
    assert given["work"].shape == given["produced"].shape == (3,)
    assert abs(float(given["work"][1])) > 1e-3
    assert np.all(given["produced"][1:] > 0.0)


CYCLES = """
cycle = ex.limit_cycle(engine, period=2.0, method=ex.Davies())      # signs as in the ledger: work done on the system, heat into it
cycle.work, cycle.heat, cycle.power, cycle.efficiency, cycle.entropy_production, cycle.rate, cycle.state
"""  # noqa: E501


def test_a_cycle_that_returns() -> None:
    given = {"ex": ex, "engine": ex.machines.two_stroke_dot()}
    exec(CYCLES, given)
    cycle = given["cycle"]
    np.testing.assert_allclose(cycle.work, -0.0717417594201, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cycle.power, 0.5 * cycle.work, rtol=1e-14)
    assert cycle.heat.shape == (2,)
    assert cycle.state.shape == (2, 2)
    for name in ("efficiency", "entropy_production", "rate"):
        assert float(getattr(cycle, name)) > 0.0


IDEAL = """
hot = ex.ThermalBath(beta=1 / 3, spectrum=ex.FlatSpectrum(0.3))
cold = ex.ThermalBath(beta=2.0, spectrum=ex.FlatSpectrum(0.7))
machine = ex.OpenSystem(energies=(0.0, 1.0), couplings=(ex.Coupling(sx, hot), ex.Coupling(sx, cold)), start=ex.Gibbs(beta=1.0))
dot = ex.ThermalBath(beta=1.0, mu=0.0, spectrum=ex.FlatSpectrum(1.0), statistics="fermi")      # bosons by default; fermi: rates f and 1 - f
ness = ex.steady_state(machine, ex.Davies())
ness.heat_currents, ness.entropy_production_rate, ness.state
ex.solve(machine, ts, ex.Davies()).ledger.entropy_production_rate
"""  # noqa: E501


def test_a_qubit_between_two_ideal_baths() -> None:
    given = {"ex": ex, "sx": jnp.array([[0.0, 1.0], [1.0, 0.0]]), "ts": jnp.linspace(0.0, 9.0, 7)}
    exec(IDEAL, given)
    ness = given["ness"]
    np.testing.assert_allclose(ness.heat_currents, [0.182016605306935, -0.182016605306935])
    np.testing.assert_allclose(ness.entropy_production_rate, 0.303361008844892)
    assert ness.state.shape == (2, 2)
    ledger = ex.solve(given["machine"], given["ts"], ex.Davies()).ledger
    assert ledger.entropy_production_rate.shape == (7,)
    assert ledger.heat_currents.shape == ledger.heat.shape == (7, 2)
    # the time integral of Spohn's rate, which ends at the steady one
    np.testing.assert_allclose(ledger.entropy_production[0], 0.0, atol=1e-15)
    assert np.all(np.diff(ledger.entropy_production) > 0.0)
    np.testing.assert_allclose(ledger.entropy_production_rate[-1], 0.303361008844892, rtol=1e-8)
    np.testing.assert_array_equal(ledger.entropy_production_fixed, ledger.entropy_production)
    np.testing.assert_allclose(given["dot"].absorption(jnp.array(0.5)), 1 / (1 + np.exp(0.5)))


FLUCTUATIONS = """
count = ex.counting(junction, ts, "particles", bath=1)              # "energy", "heat", "entropy_production"
count.mean, count.variance, count.cumulants(4), count.generating(0.3), count.distribution()
theorem = ex.counting(junction, ts, "entropy_production").generating(-1.0)    # 1
ness.noise, ness.cumulants("particles", bath=1, order=3)
"""  # noqa: E501


def test_fluctuations(names: dict) -> None:
    given = names | {"sx": jnp.array([[0.0, 1.0], [1.0, 0.0]]), "ts": jnp.array([0.1, 3.0, 40.0])}
    exec(IDEAL, given)
    exec(FLUCTUATIONS, given)
    np.testing.assert_allclose(given["theorem"], 1.0, rtol=0, atol=1e-10)
    count, ness = given["count"], given["ness"]
    assert count.cumulants(4).shape == (4, 3)
    gained = ex.solve(given["junction"], [0.0, *given["ts"]]).ledger.particles[:, 1]
    np.testing.assert_allclose(count.mean, gained[1:] - gained[0], rtol=0, atol=1e-12)
    assert np.all(count.generating(0.3) > np.exp(0.3 * count.mean))  # Jensen
    assert count.distribution().probabilities.shape[0] == 3
    assert ness.noise.shape == (2, 2)
    assert ness.cumulants("particles", bath=1, order=3).shape == (3,)


PROTOCOLS = """
ramp = ex.PiecewiseLinear.ramp(0.0, 3.0, duration=10.0, pieces=16)
def dissipation(protocol):
    driven = eqx.tree_at(lambda j: j.level, small_junction, protocol)
    return ex.solve(driven, jnp.array([10.0]), ex.SplitStep(steps=1000)).ledger.entropy_production[-1]
best = ex.optimise(dissipation, ramp, optax.adam(3e-2), steps=200, progress=True)
best.value, best.loss, best.history
slope = jax.grad(lambda g: ex.solve(make_junction(g), ts).ledger.entropy_production[-1])(3.0)
"""  # noqa: E501


def test_gradients_and_protocols(capsys: pytest.CaptureFixture) -> None:
    def make_junction(gamma, modes: int = 4) -> ex.Junction:
        lead = ex.Lead.flat(modes=modes, width=4.0, coupling=gamma, beta=1.0, mu=0.0)
        return ex.Junction(level=0.0, occupation=0.5, leads=(lead,))

    given = {
        "ex": ex,
        "eqx": eqx,
        "jax": jax,
        "jnp": jnp,
        "optax": optax,
        "small_junction": make_junction(0.5),
        "make_junction": make_junction,
        "ts": jnp.array([0.0, 1.0]),
    }
    exec(PROTOCOLS.replace("steps=200", "steps=6").replace("steps=1000", "steps=60"), given)
    best = given["best"]
    assert best.history.shape == (6,)
    assert float(best.loss) == float(np.min(best.history)) < float(best.history[0])
    np.testing.assert_allclose(given["dissipation"](best.value), best.loss, rtol=1e-10)
    # what is held stays
    assert float(best.value(jnp.array(-1.0))) == 0.0
    assert float(best.value(jnp.array(10.0))) == 3.0
    assert not np.array_equal(best.value.protocol.values, given["ramp"].protocol.values)
    assert np.isfinite(given["slope"])
    assert "loss" in capsys.readouterr().err


ENSEMBLES = """
runs = ex.ensemble(model, ts, ex.Schrodinger(), key=jax.random.key(1), samples=256, chunk=16, store="runs/spin", progress=True)
runs.mean.entropy_production, runs.error.entropy_production, runs.failed      # called again, it goes on where it stopped
ex.open_ensemble("runs/spin").to_xarray().to_netcdf("spin.nc", engine="h5netcdf")
"""  # noqa: E501


def test_ensembles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import xarray

    monkeypatch.chdir(tmp_path)
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(4, 6), width=0.5)
    flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    link = ex.Coupling(flip, bath, 0.05, ex.RandomBands(variance=1.0))
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))
    given = {"ex": ex, "jax": jax, "model": model, "ts": jnp.linspace(0.0, 60.0, 4)}
    small = ENSEMBLES.replace("samples=256, chunk=16", "samples=6, chunk=4")
    exec(small, given)
    first = given["runs"]
    chunks = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")}
    exec(small, given)  # goes on where it stopped: all is there
    assert chunks == {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.npz")}
    np.testing.assert_array_equal(given["runs"].mean.joint, first.mean.joint)
    assert first.mean.entropy_production.shape == first.error.entropy_production.shape == (4,)
    assert np.all(first.error.entropy_production[1:] > 0.0)
    assert not first.failed.any()
    with xarray.open_dataset(tmp_path / "spin.nc", engine="h5netcdf") as data:
        mean = data.entropy_production.mean("draws")
        np.testing.assert_allclose(mean, first.mean.entropy_production, atol=1e-14)
