"""Ideal baths and what is built on them: spectra, rates, models, bad input."""

import equinox as eqx
import jax
import jax.numpy as jnp
import lindblad as twin
import numpy as np
import pytest
from helpers import difference

import entropax as ex
from entropax.equilibrium import ergotropy, free_energy, gibbs_state
from entropax.method.rates import transitions

# compiling takes nearly all of the time here
pytestmark = pytest.mark.usefixtures("quick_compilation")

SX = ex.machines.SIGMA_X
LOWER = ex.machines.LOWERING
FREQUENCIES = np.array([1e-9, 1e-3, 0.3, 1.0, 2.7, 12.0])
SPECTRA = {
    "flat": (ex.FlatSpectrum(0.3), lambda w: 0.3 + 0.0 * w),
    "ohmic": (ex.OhmicSpectrum(0.3, 5.0), lambda w: 0.3 * w * np.exp(-w / 5.0)),
    "ohmic without cutoff": (ex.OhmicSpectrum(0.3), lambda w: 0.3 * w),
    "super-ohmic": (
        ex.SuperOhmicSpectrum(0.3, 5.0, 3.0),
        lambda w: 0.3 * w**3 / 25.0 * np.exp(-w / 5.0),
    ),
    "drude-lorentz": (
        ex.DrudeLorentzSpectrum(0.2, 3.0),
        lambda w: 2 * 0.2 * 3.0 * w / (w**2 + 9.0),
    ),
    "tabulated": (
        ex.TabulatedSpectrum([0.0, 1.0, 20.0], [0.0, 0.5, 0.1]),
        lambda w: np.interp(w, [0.0, 1.0, 20.0], [0.0, 0.5, 0.1]),
    ),
    "function": (ex.CustomSpectrum(lambda w: 0.1 * w**2), lambda w: 0.1 * w**2),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("beta", [0.2, 1.7])
def test_rates_of_bosons(name: str, beta: float) -> None:
    spectrum, density = SPECTRA[name]
    bath = ex.ThermalBath(beta, spectrum)
    down, up = bath.rate(jnp.asarray(FREQUENCIES)), bath.rate(jnp.asarray(-FREQUENCIES))
    n = 1.0 / np.expm1(beta * FREQUENCIES)
    np.testing.assert_allclose(down, density(FREQUENCIES) * (1.0 + n), rtol=1e-12)
    np.testing.assert_allclose(up, density(FREQUENCIES) * n, rtol=1e-12)
    np.testing.assert_allclose(up, np.exp(-beta * FREQUENCIES) * down, rtol=1e-12)


@pytest.mark.parametrize("mu", [0.0, 0.4])
def test_rates_of_fermions(mu: float) -> None:
    bath = ex.ThermalBath(1.3, ex.FlatSpectrum(0.7), "fermi", mu)
    energies = jnp.array([-2.0, 0.0, 0.4, 3.0])
    f = 1.0 / (np.exp(1.3 * (energies - mu)) + 1.0)
    np.testing.assert_allclose(bath.filling(energies), 0.7 * f, rtol=1e-13)
    np.testing.assert_allclose(bath.emptying(energies), 0.7 * (1.0 - f), rtol=1e-13)


def test_bosons_with_a_chemical_potential() -> None:
    bath = ex.ThermalBath(0.8, ex.OhmicSpectrum(0.5), mu=-0.6)
    w = jnp.array([0.1, 1.0, 4.0])
    n = 1.0 / np.expm1(0.8 * (w + 0.6))
    np.testing.assert_allclose(bath.rate(w), 0.5 * w * (1.0 + n), rtol=1e-13)
    np.testing.assert_allclose(bath.rate(-w), 0.5 * w * n, rtol=1e-13)
    assert float(bath.rate(jnp.array(0.0))) == 0.0


def test_zero_temperature_only_takes() -> None:
    bath = ex.ThermalBath(jnp.inf, ex.OhmicSpectrum(0.5, 3.0))
    rates = bath.rate(jnp.array([1.0, -1.0, 0.0]))
    np.testing.assert_allclose(rates, [0.5 * np.exp(-1 / 3), 0.0, 0.0], rtol=1e-14)
    cold = ex.ThermalBath(jnp.inf, ex.FlatSpectrum(0.5), "fermi", 1.0)
    energies = jnp.array([0.5, 1.5])
    np.testing.assert_array_equal(cold.filling(energies), [0.5, 0.0])
    np.testing.assert_array_equal(cold.emptying(energies), [0.0, 0.5])


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("ohmic", 0.3 / 1.7),
        ("drude-lorentz", 0.4 / 3.0 / 1.7),
        ("super-ohmic", 0.0),
        ("flat", np.inf),
    ],
)
def test_zero_frequency_is_the_limit(name: str, limit: float) -> None:
    bath = ex.ThermalBath(1.7, SPECTRA[name][0])
    np.testing.assert_allclose(bath.rate(jnp.array(0.0)), limit, rtol=1e-14)
    given = ex.ThermalBath(1.7, SPECTRA[name][0], zero_frequency_rate=0.25)
    assert float(given.rate(jnp.array(0.0))) == 0.25


@pytest.mark.parametrize("name", ["drude-lorentz", "super-ohmic", "tabulated"])
@pytest.mark.parametrize("w", [-1.3, -1e-7, 0.0, 1e-7, 1.3])
def test_rates_have_right_slopes(name: str, w: float) -> None:
    spectrum, _ = SPECTRA[name]

    def rate(w, beta):
        return ex.ThermalBath(beta, spectrum).rate(w)

    args = (jnp.array(w), jnp.array(0.9))
    gradient = jax.grad(rate, argnums=(0, 1))(*args)
    by_beta = difference(lambda b: rate(args[0], jnp.asarray(b)), (0.9,), (1.0,))
    np.testing.assert_allclose(gradient[1], by_beta, rtol=0, atol=1e-9)
    if name != "tabulated" or abs(w) > 1e-3:  # a table bends at 0
        by_w = difference(lambda x: rate(jnp.asarray(x), args[1]), (w,), (1.0,))
        np.testing.assert_allclose(gradient[0], by_w, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["drude-lorentz", "super-ohmic"])
def test_lamb_shift_integral(name: str) -> None:
    bath = ex.ThermalBath(0.9, SPECTRA[name][0])
    start = ex.Product(system=0)
    model = ex.OpenSystem(energies=(0.0, 0.7), couplings=[ex.Coupling(SX, bath)], start=start)
    part = transitions(model, (model.energies, jnp.eye(2)), lamb_shift=True)[0]
    for i, j, w in ((0, 1, 0.7), (1, 0, -0.7), (0, 0, 0.0)):
        rate = jax.jit(lambda v: bath.rate(v))
        expected = twin.principal_value(lambda v: float(rate(jnp.asarray(v))), w)  # noqa: B023
        np.testing.assert_allclose(part.shift[i, j], expected, rtol=0, atol=2e-7)


def test_lamb_shift_of_cold_fermions_and_of_peaks() -> None:
    """Steps at mu are resolved; a peak between the nodes is told."""

    def shift(bath):
        operator = LOWER if bath.statistics == "fermi" else SX
        start = ex.Product(system=0)
        model = ex.OpenSystem(
            energies=(0.0, 1.0), couplings=[ex.Coupling(operator, bath)], start=start
        )
        return transitions(model, (model.energies, jnp.eye(2)), lamb_shift=True)[0].shift[0, 1]

    bell = ex.CustomSpectrum(lambda w: 0.1 * jnp.exp(-((w - 0.3) ** 2) / 4), decays=True)
    for beta, mu, cited in ((50.0, 0.5, -0.0060991813), (1000.0, 0.97, -0.0476421)):  # QUADPACK
        found = shift(ex.ThermalBath(beta, bell, "fermi", mu))
        np.testing.assert_allclose(found, cited, rtol=2e-6)
    peak = ex.CustomSpectrum(lambda w: 1e-3 * w / ((w**2 - 4) ** 2 + 4e-4 * w**2), decays=True)
    with pytest.raises(RuntimeError, match="it is not resolved"):
        shift(ex.ThermalBath(1.0, peak))
    odd = ex.ThermalBath(1.0, OHMIC_CUT, "fermi")
    dot = ex.OpenSystem((0.0, 1.0), [ex.Coupling(LOWER, odd)], ex.Product(system=0))
    with pytest.raises(ValueError, match="must be one of all energies"):
        ex.steady_state(dot, ex.Davies(lamb_shift=True))


def test_thermal_state_and_its_energies(rng) -> None:
    h = rng.normal(size=(4, 4))
    h = (h + h.T) / 2
    for beta in (-2.0, 0.0, 3.0):
        state = gibbs_state(jnp.asarray(h), jnp.array(beta))
        e, v = np.linalg.eigh(h)
        p = np.exp(-beta * e)
        np.testing.assert_allclose(state, v * (p / p.sum()) @ v.T, rtol=0, atol=1e-14)
    hot = gibbs_state(jnp.asarray(h), jnp.array(0.5))
    assert abs(float(ergotropy(hot, jnp.asarray(h)))) < 1e-14  # passive
    # S(rho||rho_beta) = beta (F - F_beta); all of a pure state's energy above the ground's
    pure = jnp.diag(jnp.array([0.0, 0.0, 1.0, 0.0]))
    np.testing.assert_allclose(ergotropy(pure, jnp.asarray(h)), h[2, 2] - e[0], rtol=1e-14)
    beta = jnp.array(0.5)
    gained = free_energy(pure, jnp.asarray(h), beta) - free_energy(hot, jnp.asarray(h), beta)
    np.testing.assert_allclose(
        ex.entropy.relative_entropy(pure, hot), beta * gained, rtol=0, atol=1e-13
    )


BATH = ex.ThermalBath(1.0, ex.FlatSpectrum(0.1))
OHMIC_CUT = ex.OhmicSpectrum(0.3, 5.0)
START = ex.Gibbs(beta=1.0)


def model(**changes) -> ex.OpenSystem:
    given = {"energies": (0.0, 1.0), "couplings": [ex.Coupling(SX, BATH)], "start": START}
    return ex.OpenSystem(**(given | changes))


def window() -> ex.Coupling:
    bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2, 2), width=0.5)
    return ex.Coupling(SX, bath, 0.1, ex.RandomBands(variance=1.0))


BAD = {
    "negative rate": (lambda: ex.FlatSpectrum(-0.3), "`rate` must be non-negative, but is -0.3"),
    "negative strength": (lambda: ex.OhmicSpectrum(-1.0), "`strength` must be non-negative"),
    "cutoff": (lambda: ex.OhmicSpectrum(1.0, 0.0), "`cutoff` must be positive, but is 0.0"),
    "exponent": (lambda: ex.SuperOhmicSpectrum(1.0, 1.0, 1.0), "`exponent` must be above 1"),
    "table order": (lambda: ex.TabulatedSpectrum([1.0, 0.0], [0.0, 1.0]), "must be ascending"),
    "table sign": (lambda: ex.TabulatedSpectrum([0.0, 1.0], [0.0, -1.0]), "`values` must be non-n"),
    "table size": (lambda: ex.TabulatedSpectrum([0.0, 1.0], [0.0]), "as many entries as"),
    "spectrum": (lambda: ex.ThermalBath(1.0, 0.3), "`spectrum` must be a spectrum or a function"),
    "statistics": (lambda: ex.ThermalBath(1.0, statistics="x"), '`statistics` must be "bose" or'),
    "beta": (
        lambda: ex.ThermalBath(-1.0, ex.FlatSpectrum(1.0)),
        "`beta` must be positive for bosons, but is -1.0",
    ),
    "mu": (
        lambda: ex.ThermalBath(1.0, ex.FlatSpectrum(1.0), mu=0.2),
        "`mu` must be at most 0 for bosons, but is 0.2",
    ),
    "rates for fermions": (
        lambda: ex.ThermalBath(1.0, ex.PowerSpectrum(jnp.exp), "fermi"),
        "`spectrum` must be J for fermions",
    ),
    "no spectrum": (lambda: ex.Coupling(SX, ex.ThermalBath(1.0)), "`bath` must have a spectrum"),
    "matrix": (
        lambda: ex.Coupling(SX, BATH, 1.0, ex.RandomBands(variance=1.0)),
        "`matrix` must be None for a ThermalBath",
    ),
    "operator": (lambda: ex.Coupling(LOWER, BATH), "`operator` must be Hermitian"),
    "particles": (
        lambda: ex.Coupling(LOWER.T, ex.ThermalBath(1.0, ex.FlatSpectrum(1.0), "fermi")),
        "`operator` must be d, all above the diagonal, or d",
    ),
    "jump rate": (lambda: ex.Jump(LOWER, BATH, -1.0), "`rate` must be non-negative, but is -1.0"),
    "jump bath": (lambda: ex.Jump(LOWER, 1.0), "`bath` must be a ThermalBath, but is float"),
    "drive": (lambda: ex.Drive(LOWER, jnp.sin), "`operator` must be Hermitian"),
    "drive's protocol": (lambda: ex.Drive(SX, 2.0), "`protocol` must be a function of time"),
    "operator size": (
        lambda: model(couplings=[ex.Coupling(np.eye(3), BATH)]),
        r"`couplings\[0\].operator` must have the system's dimension \(2\), but has shape \(3, 3\)",
    ),
    "interaction size": (lambda: model(interaction=np.eye(3)), "`interaction` must have the sys"),
    "drive size": (
        lambda: model(drives=[ex.Drive(np.eye(3), jnp.sin)]),
        r"`drives\[0\].operator` must have the system's dimension",
    ),
    "two kinds": (
        lambda: model(couplings=[ex.Coupling(SX, BATH), window()]),
        "`couplings` must have baths of one kind, but have ThermalBath and WindowBath",
    ),
    "interaction with windows": (
        lambda: model(couplings=[window()], start=ex.Product(0, (0,)), interaction=SX),
        "`interaction` must be left out where baths are made of windows",
    ),
    "Gibbs with windows": (
        lambda: model(couplings=[window()]),
        "`start` must be a Product or a Joint where baths are made of windows",
    ),
    "windows of ideal baths": (lambda: model(start=ex.Product(0, (0,))), "must be left out for id"),
    "joint start": (
        lambda: model(start=ex.Joint(np.full((2, 2), 0.25))),
        "`start` must be a Product or a Gibbs where baths are ideal",
    ),
    "no state": (
        lambda: model(start=ex.Product(np.eye(2))),
        "`system` must be of unit trace, but has trace 2.0",
    ),
    "negative state": (
        lambda: model(start=ex.Product(np.diag([1.5, -0.5]))),
        "`system` must be positive, but has the eigenvalue -0.5",
    ),
    "method of windows": (
        lambda: ex.solve(model(), [0.0], ex.EMME()),
        "`model` must have window baths for the method EMME, but has ideal ones",
    ),
    "method of ideal baths": (
        lambda: ex.solve(
            model(couplings=[window()], start=ex.Product(0, (0,))), [0.0], ex.Davies()
        ),
        "`model` must have ideal baths for the method Davies",
    ),
    "couplings for Lindblad": (
        lambda: ex.steady_state(model(), ex.Lindblad()),
        r"`couplings\[0\]` must be a Jump for Lindblad",
    ),
    "driven steady state": (
        lambda: ex.steady_state(model(drives=[ex.Drive(SX, jnp.sin)]), ex.Davies()),
        r"`model` must not be driven for a steady state, but is by drives\[0\].protocol",
    ),
    "steady state's method": (
        lambda: ex.steady_state(model(), ex.EMME()),
        r"`method` must be Davies\(\), Local\(\), Redfield\(\) or Lindblad\(\)",
    ),
    "frame for Davies": (
        lambda: ex.steady_state(model(frame=np.diag([0.0, 1.0])), ex.Davies()),
        "`frame` must be None for Davies",
    ),
    "zero frequency": (
        lambda: ex.steady_state(model(energies=(0.0, 0.0)), ex.Davies()),
        r"`spectrum` \(FlatSpectrum\) of the bath of `couplings\[0\]` must have a finite rate at "
        "every transition, but has not at 0",
    ),
    "outside the table": (
        lambda: ex.steady_state(
            model(
                couplings=[ex.Coupling(SX, ex.ThermalBath(1.0, SPECTRA["tabulated"][0]))],
                energies=(0.0, 30.0),
            ),
            ex.Davies(),
        ),
        r"`spectrum` \(TabulatedSpectrum\) .* but has not at 30",
    ),
    "negative function": (
        lambda: ex.steady_state(
            model(couplings=[ex.Coupling(SX, ex.ThermalBath(1.0, lambda w: -w))]), ex.Davies()
        ),
        r"`spectrum` \(CustomSpectrum\) .* must not be negative, but is at 1",
    ),
    "detailed balance": (
        lambda: ex.steady_state(
            model(couplings=[ex.Coupling(SX, ex.ThermalBath(1.0, ex.PowerSpectrum(jnp.cosh)))]),
            ex.Davies(),
        ),
        r"`spectrum` \(PowerSpectrum\) .* must obey detailed balance",
    ),
    "lamb shift of a flat spectrum": (
        lambda: ex.steady_state(model(), ex.Davies(lamb_shift=True)),
        "`spectrum` of bath 0 must decay at high frequencies",
    ),
    "heat": (lambda: ex.Local(heat="x"), '`heat` must be "full" or "bare"'),
    "local shift of coupled sites": (
        lambda: ex.steady_state(
            model(
                couplings=[ex.Coupling(SX, ex.ThermalBath(1.0, OHMIC_CUT))], interaction=0.1 * SX
            ),
            ex.Local(lamb_shift=True),
        ),
        "`lamb_shift` must be False for Local where sites interact",
    ),
    "populations and jumps": (
        lambda: ex.solve(
            model(couplings=[ex.Jump(LOWER, BATH)]), [0.0], ex.Davies(coherences=False)
        ),
        "`coherences` must be True or None for a model with a Jump",
    ),
    "populations and drives": (
        lambda: ex.solve(model(drives=[ex.Drive(SX, jnp.sin)]), [0.0], ex.Davies(coherences=False)),
        "`coherences` must be True or None where a drive mixes levels",
    ),
    "half a particle": (
        lambda: ex.Jump(LOWER, BATH, particles=0.5),
        "`particles` must be an integer, but is 0.5",
    ),
    "one drive": (
        lambda: model(drives=ex.Drive(SX, jnp.sin)),
        "`drives` must be a sequence, but is one Drive",
    ),
    "fermions below the band": (
        lambda: ex.steady_state(
            model(
                energies=(0.0, -1.0),
                couplings=[ex.Coupling(LOWER, ex.ThermalBath(1.0, OHMIC_CUT, "fermi"))],
            ),
            ex.Davies(),
        ),
        r"`spectrum` \(OhmicSpectrum\) .* must not be negative",
    ),
    "rate of fermions": (
        lambda: ex.ThermalBath(1.0, OHMIC_CUT, "fermi").rate(jnp.array(1.0)),
        '`statistics` must be "bose" for this rate',
    ),
    "sites": (lambda: ex.machines.spin_chain(1), "`sites` must be at least 2, but is 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        build()


def test_given_rates_in_detailed_balance_are_taken() -> None:
    balanced = ex.PowerSpectrum(lambda w: 0.2 * jnp.exp(0.5 * w) / jnp.cosh(0.5 * w))
    bath = ex.ThermalBath(1.0, balanced)
    found = ex.steady_state(model(couplings=[ex.Coupling(SX, bath)]), ex.Davies()).state
    np.testing.assert_allclose(found, gibbs_state(jnp.diag(jnp.array([0.0, 1.0])), 1.0), atol=1e-14)
    tilted = ex.ThermalBath(1.1, balanced)
    with pytest.raises(ValueError, match="detailed balance"):
        ex.steady_state(model(couplings=[ex.Coupling(SX, tilted)]), ex.Davies())


def test_traced_rates_are_looked_at_when_the_program_runs() -> None:
    @eqx.filter_jit
    def current(scale):
        bath = ex.ThermalBath(1.0, ex.CustomSpectrum(lambda w: scale * w))
        return ex.steady_state(model(couplings=[ex.Coupling(SX, bath)]), ex.Davies()).heat_currents

    current(1.0).block_until_ready()
    with pytest.raises(RuntimeError, match="must not be negative"):
        current(-1.0).block_until_ready()
