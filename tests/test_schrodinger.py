"""Exact dynamics of window models against dense propagation written apart."""

import re
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import riera
from helpers import check_derivative, random_hermitian

import entropax as ex

pytestmark = pytest.mark.usefixtures("quick_compilation")
Array = np.ndarray
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
KEY = jax.random.key(5)
TIMES = np.array([3.0, 0.0, 17.0, 1000.0, -2.0])


class Case(NamedTuple):
    model: ex.OpenSystem
    sectors: list[int]
    """Sizes of the sectors that the start needs."""


def spin(start: Any = None, matrix: Any = None, **changes: Any) -> ex.OpenSystem:
    given = {"centers": (0.0, 1.0), "volumes": (5, 7), "width": 0.5} | changes
    link = ex.Coupling(SX, ex.WindowBath(**given), 0.05, matrix or ex.RandomBands())
    start = ex.Product(system=1, windows=(0,)) if start is None else start
    return ex.OpenSystem(energies=(0.0, 1.0), couplings=(link,), start=start)


def rich() -> ex.OpenSystem:
    """Three levels as a matrix, two baths, two operators on one, and everything complex."""
    rng = np.random.default_rng(2)
    h = random_hermitian(rng, 3)
    first = ex.WindowBath(centers=(0.0, 0.7), volumes=(2, 3), width=0.6, levels="random")
    second = ex.WindowBath(centers=(0.3, -0.9), volumes=(3, 2), width=0.4)
    couplings = (
        ex.Coupling(random_hermitian(rng, 3), first, 0.2, ex.GUE(variance=0.5)),
        ex.Coupling(random_hermitian(rng, 3), second, 0.3, random_hermitian(rng, 5)),
        ex.Coupling(random_hermitian(rng, 3), first, 0.1, ex.RandomBands(0.7, mean=0.4)),
    )
    rho = random_hermitian(rng, 3)
    rho = rho @ rho.conj().T
    start = ex.Product(system=rho / np.trace(rho).real, beta=(1.5, -0.3))
    return ex.OpenSystem(hamiltonian=h, couplings=couplings, start=start)


PLUS = np.array([[0.5, 0.5], [0.5, 0.5]])
JOINT = ex.Joint([[0.1, 0.2], [0.3, 0.4]])
CASES = {
    "a window": Case(spin(), [12]),
    "all windows": Case(spin(JOINT), [12, 12]),
    "half filled": Case(spin(ex.Product(system=1, windows=(0,), filling=0.5)), [12]),
    "canonical": Case(spin(ex.Product(system=0, beta=(2.0,))), [12, 12]),
    "coherent": Case(spin(ex.Product(system=PLUS, windows=(0,))), [12, 12]),
    "real bands": Case(spin(matrix=ex.RandomBands(0.5, mean=0.2, real=True)), [12]),
    "orthogonal": Case(spin(matrix=ex.GOE(0.3)), [24]),
    "rich": Case(rich(), [75]),
    "eigenstate thermalization": Case(
        spin(matrix=ex.EigenstateThermalization(lambda e, w: jnp.exp(-w * w) + 0 * e)), [24]
    ),
}


def twin(model: ex.OpenSystem, key: Any) -> dict[str, Array]:
    """The same draw, propagated densely."""
    keys = [jax.random.fold_in(key, i) for i in range(len(model.baths) + len(model.couplings))]
    levels = [np.asarray(b.draw_levels(k)) for b, k in zip(model.baths, keys, strict=False)]
    energies, vectors = model.spectrum()
    d = model.levels
    v = np.eye(d) if vectors is None else np.asarray(vectors)
    terms = []
    for i, (c, n) in enumerate(zip(model.couplings, model.bath_of_coupling, strict=True)):
        b = c.matrix.draw(keys[len(levels) + i], model.baths[n], jnp.asarray(levels[n]))
        operator = v.conj().T @ np.asarray(c.operator) @ v
        terms.append((float(c.strength), operator, np.asarray(b), n))
    h = riera.hamiltonian(np.diag(energies), terms, levels)
    start = np.asarray(model.start.on_levels(model, [jnp.asarray(e) for e in levels]))
    size = int(np.prod([len(e) for e in levels]))
    if model.start.is_diagonal:
        rho = np.diag(start.ravel()).astype(complex)
    else:
        flat = start.reshape(d, d, size)
        rho = np.zeros((d, size, d, size), complex)
        for i in range(size):
            rho[:, i, :, i] = flat[:, :, i]
        rho = rho.reshape(d * size, d * size)
    where = [b.window_of_level for b in model.baths]
    found = riera.exact(h, rho, TIMES, d, levels, where)
    between = h - riera.hamiltonian(np.diag(energies), [], levels)
    found["interaction"] = np.array(
        [np.trace(between @ riera.evolve(h, rho, t)).real for t in TIMES]
    )
    return found


@pytest.mark.parametrize("name", CASES)
def test_everything_is_that_of_the_propagated_density_matrix(name: str) -> None:
    model = CASES[name].model
    method = ex.Schrodinger(key=KEY, mutual_information=True)
    led = ex.solve(model, TIMES, method).ledger
    expected = twin(model, KEY)
    np.testing.assert_allclose(led.joint, expected["joint"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.system_state, expected["system"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.energy, expected["energy"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.interaction_energy, expected["interaction"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.mutual_information, expected["information"], rtol=0, atol=1e-9)
    now = list(TIMES).index(0.0)
    np.testing.assert_allclose(led.heat, led.energy[now] - led.energy, rtol=0, atol=1e-13)
    assert np.all(led.mutual_information >= led.coarse_mutual_information - 1e-10)
    other = ex.solve(model, TIMES, ex.Schrodinger(key=jax.random.key(9))).ledger
    with pytest.raises(AssertionError):  # another draw is seen at once
        np.testing.assert_allclose(other.joint, expected["joint"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_sectors_are_found(name: str) -> None:
    model, sizes = CASES[name]
    method = ex.Schrodinger(key=KEY).prepare(model, jnp.zeros(1))
    setting = method._setting(model)
    assert [h.shape[0] for h in setting.coupled] == sizes
    real = name in ("real bands", "orthogonal")
    assert all(jnp.iscomplexobj(h) != real for h in setting.coupled)


def test_sectors_of_one_size_share_an_eigenproblem() -> None:
    def eigenproblems(name: str) -> int:
        model = CASES[name].model
        method = ex.Schrodinger(key=KEY).prepare(model, jnp.zeros(2))
        assert isinstance(method, ex.Schrodinger)

        def spectra(energies: jax.Array) -> list:
            return method._setting(model).begin(energies).spectra()

        program = jax.jit(spectra).lower(jnp.zeros(2)).compile().as_text()
        return len(re.findall(r"custom-call\(.*evd", program))

    assert eigenproblems("all windows") == eigenproblems("a window") == 1


def test_windows_of_very_different_size() -> None:
    """Observables of blocks of about one size share a program; what is padded adds nothing."""
    model = spin(JOINT, volumes=(1, 23), centers=(0.0, 2.0), width=1.5)
    led = ex.solve(model, TIMES, ex.Schrodinger(key=KEY)).ledger
    expected = twin(model, KEY)
    np.testing.assert_allclose(led.joint, expected["joint"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(led.system_state, expected["system"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("start", [None, JOINT], ids=["one sector", "two sectors"])
def test_memory_asked_for_is_enough(start: Any) -> None:
    model, ts = spin(start, volumes=(100, 140)), jnp.linspace(0.0, 9.0, 40)
    method = ex.Schrodinger(key=KEY).prepare(model, ts)
    assert isinstance(method, ex.Schrodinger)
    needed = method.need(model, ts.shape[0])
    program = jax.jit(lambda t: ex.solve(model, t, method).ledger).lower(ts).compile()
    taken = program.memory_analysis()
    assert taken is not None
    assert taken.temp_size_in_bytes < needed < 4 * taken.temp_size_in_bytes


def test_traced_operators_go_by_one_sector_and_give_the_same() -> None:
    model = spin()
    ts = jnp.array([3.0, 17.0])
    whole = jax.jit(lambda m: ex.solve(m, ts, ex.Schrodinger(key=KEY)).ledger.joint)(model)
    parts = ex.solve(model, ts, ex.Schrodinger(key=KEY)).ledger.joint
    np.testing.assert_allclose(whole, parts, rtol=0, atol=1e-12)


def test_a_batch_of_keys_is_a_loop() -> None:
    model = spin(levels="random")
    keys = jax.random.split(KEY, 3)
    together = jax.vmap(lambda key: ex.solve(model, TIMES, ex.Schrodinger(key=key)).ledger.joint)(
        keys
    )
    alone = [ex.solve(model, TIMES, ex.Schrodinger(key=k)).ledger.joint for k in keys]
    np.testing.assert_allclose(together, np.stack(alone), rtol=0, atol=1e-12)
    assert np.ptp(np.asarray(together), axis=0).max() > 1e-3


def test_another_key_is_not_traced_again() -> None:
    traces: list[None] = []

    def keep(state: Any) -> jax.Array:
        traces.append(None)
        return state.energy

    ex.solve(spin(), TIMES, ex.Schrodinger(key=KEY), save=keep)
    before = len(traces)
    ex.solve(spin(), TIMES + 1.0, ex.Schrodinger(key=jax.random.key(1)), save=keep)
    assert 0 < before == len(traces)


def test_many_times_are_cut_in_chunks() -> None:
    ts = np.linspace(0.0, 40.0, 150)
    all_at_once = ex.solve(spin(), ts, ex.Schrodinger(key=KEY)).ledger
    some = ex.solve(spin(), ts[70:80], ex.Schrodinger(key=KEY)).ledger
    np.testing.assert_allclose(all_at_once.joint[70:80], some.joint, rtol=0, atol=1e-12)


class Envelope(eqx.Module):
    decay: jax.Array

    def __call__(self, energy: Array, difference: Array) -> jax.Array:
        return jnp.exp(-self.decay * difference**2) * (1.0 + 0.3 * energy)


PARAMETERS = {
    "strength": 0.05,
    "energy": 1.1,
    "center": 0.9,
    "width": 0.5,
    "variance": 1.3,
    "decay": 0.6,
    "uncoupled": 0.0,
}


def build(which: str, x: jax.Array) -> ex.OpenSystem:
    """A spin of which one number is x."""
    values = {name: jnp.asarray(v) for name, v in PARAMETERS.items()} | {which: x}
    bath = ex.WindowBath(jnp.stack([jnp.zeros(()), values["center"]]), (4, 5), values["width"])
    matrix = ex.RandomBands(values["variance"])
    if which == "decay":
        matrix = ex.EigenstateThermalization(Envelope(values["decay"]))
    strength = values["uncoupled"] if which == "uncoupled" else values["strength"]
    link = ex.Coupling(SX, bath, strength, matrix)
    energies = jnp.stack([jnp.zeros(()), values["energy"]])
    return ex.OpenSystem(energies, (link,), ex.Product(system=PLUS, windows=(0,)))


@pytest.mark.parametrize("which", PARAMETERS)
def test_gradients(which: str) -> None:
    """Forward and reverse; `uncoupled`: at a degenerate spectrum."""

    def observed(x: jax.Array) -> jax.Array:
        led = ex.solve(build(which, x), jnp.array([4.0]), ex.Schrodinger(key=KEY)).ledger
        return led.joint[0, 1, 0] + led.energy[0, 0] + led.system_state[0, 0, 1].real

    step = 1e-3 if which != "uncoupled" else 1e-2
    args = (np.array(PARAMETERS[which]),)
    check_derivative(observed, args, (np.array(1.0),), step=step, tolerance=1e-7)


def test_gradient_with_respect_to_time_and_of_mutual_information() -> None:
    model = spin(ex.Product(system=1, windows=(0,)))

    def information(t: jax.Array) -> jax.Array:
        method = ex.Schrodinger(key=KEY, mutual_information=True)
        led = ex.solve(model, t[None], method).ledger
        assert led.mutual_information is not None
        return led.mutual_information[0] + led.joint[0, 1, 0]

    check_derivative(information, (np.array(5.0),), (np.array(1.0),), tolerance=1e-7)


@pytest.mark.parametrize("limit", [0.0, -1.0, np.nan, "1 GB"])
def test_a_memory_limit_is_a_positive_number(limit: Any) -> None:
    with pytest.raises(ValueError, match="`memory_limit` must be a positive number of GiB, but is"):
        ex.Schrodinger(key=KEY, memory_limit=limit)


def test_memory_is_asked_for_before_it_is_taken() -> None:
    model = spin(volumes=(2000, 3000))
    with pytest.raises(ValueError, match=r"sectors of \[5000\] states need about .* GiB of 1 GiB"):
        ex.solve(model, [1.0], ex.Schrodinger(key=KEY, memory_limit=1.0))
