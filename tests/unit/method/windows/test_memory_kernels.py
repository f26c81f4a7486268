"""Memory integrals against quadrature, and kernels against what they conserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX, four_couplings, large_spin
from derivatives import check_derivative
from scipy.special import sici
from twins import riera

import entropax as ex
from entropax.method.windows.memory_kernels import (
    Memories,
    finite_memory,
    first_order_shift,
    long_memory,
    offsets,
    population_kernel,
    state_kernel,
    transfers,
)
from entropax.method.windows.moment import Moment
from entropax.model.transition_frequencies import same_frequency


def test_memory_integrals_against_quadrature() -> None:
    """h integrated to t, and its limit (Riera Eqs. 44, B6, B12), on and off resonance."""
    memory = jax.jit(finite_memory)
    far = np.array([0.0, 0.3, -0.3, 1.0, -1.0, 1.7, -4.0])
    for reduced in (1e-3, 0.7, 5.0, 60.0):
        values = memory(jnp.asarray(far), jnp.array(reduced))
        expected = [riera.memory_integral(x, reduced) for x in far]
        np.testing.assert_allclose(values, expected, rtol=0, atol=2e-11)
    limit = long_memory(jnp.asarray(far))
    np.testing.assert_allclose(limit, [riera.window_shape(x) for x in far], rtol=0, atol=1e-15)
    late = memory(jnp.asarray(far), jnp.array(1e6))
    np.testing.assert_allclose(late, limit, rtol=0, atol=1e-6)
    zeta = 2 / np.pi * (sici(5.0)[0] - np.sin(2.5) ** 2 / 2.5)
    resonant = memory(jnp.asarray(far), jnp.array(5.0))[0]
    assert 2 * float(resonant.real) == pytest.approx(zeta, rel=1e-14)
    assert np.all(np.asarray(memory(jnp.asarray(far), jnp.zeros(()))) == 0.0)


def parts(x: jax.Array, t: jax.Array) -> jax.Array:
    value = finite_memory(x, t)
    return value.real + 0.3 * value.imag


@pytest.mark.parametrize("offset", [0.0, 0.4, -1.0, 1.0, 2.3])
def test_memory_integral_derivatives(offset: float) -> None:
    args = (np.array(offset), np.array(3.0))
    check_derivative(parts, args, (np.array(1.0), np.array(0.7)), tolerance=1e-8)


def test_offsets_vanish_where_a_jump_is_resonant() -> None:
    model = large_spin()
    xi = np.asarray(offsets(model.baths[0], model.spectrum()[0]))
    assert xi[0, 1, 1, 0] == 0.0  # the spin falls, the bath rises
    assert xi[1, 0, 0, 1] == 0.0
    assert xi[0, 1, 0, 0] == -2.0  # in windows of 0.5
    assert xi[0, 0, 1, 0] == 2.0


def test_rates_from_mean_and_variance_are_in_local_detailed_balance() -> None:
    """2 pi / delta a^2 V_E from F into E (Riera Eq. 27); divided by V_E it is symmetric."""
    (only,) = transfers(large_spin())
    assert only.pair == (0, 0)
    expected = 2 * np.pi / 0.5 * np.array([[0.0, 400.0], [600.0, 0.0]])
    np.testing.assert_allclose(only.rate, expected, rtol=1e-15)


def test_two_couplings_of_one_bath_share_rates() -> None:
    """The second with the first is the first with the second, conjugated (Riera Eq. 75)."""
    model = four_couplings()
    pairs = jax.jit(lambda m: [(t.bath, t.pair, t.rate) for t in transfers(m)])(model)
    assert [bath for bath, *_ in pairs] == [0] * 4 + [1] * 4
    for one, other in ((1, 2), (5, 6)):
        bath, (i, j), rate = pairs[one]
        volume = model.baths[int(bath)].volume[:, None]
        swapped = np.asarray(pairs[other][2]).conj()
        np.testing.assert_allclose(rate / volume, swapped / volume, rtol=0, atol=1e-13)
        assert tuple(map(int, pairs[other][1])) == (int(j), int(i))


def test_kernels_lose_what_they_gain() -> None:
    """Probability is conserved: columns of the gain sum up to the loss, by states twice over."""

    @jax.jit
    def program(model: ex.OpenSystem) -> list[tuple]:
        everything = same_frequency(model.spectrum()[0]).astype(float)
        found = []
        for transfer in transfers(model):
            bath = model.baths[transfer.bath]
            memory = long_memory(offsets(bath, model.spectrum()[0]))
            memory = Memories(memory, memory)
            by_states = state_kernel(transfer, memory, everything)
            found.append((population_kernel(transfer, memory), by_states))
        return found

    kernels = jax.tree.map(np.asarray, program(four_couplings(3)))
    for (gain, loss), _ in kernels:
        np.testing.assert_allclose(gain.sum(axis=(0, 2)), loss, rtol=0, atol=1e-12)
    for number in (0, 3, 4, 7):  # a coupling with itself
        (gain, _), (by_states, operator) = kernels[number]
        gained = np.einsum("kkqpEF->qpF", by_states)
        lost = np.swapaxes(operator, 0, 1) + operator.conj()
        np.testing.assert_allclose(gained, lost, rtol=0, atol=1e-12)
        diagonal = np.einsum("kkqqEF->kqEF", by_states)
        np.testing.assert_allclose(diagonal.real, gain, rtol=0, atol=1e-12)


def test_the_first_order_shift_is_the_average_of_the_matrix() -> None:
    """lambda <B>_E S, of which the secular equation keeps what does not change the energy."""
    bath = ex.WindowBath((0.0, 1.0), (4, 6), 0.5)
    matrix = ex.EigenstateThermalization(lambda e, w: 0.0 * e * w, diagonal=lambda e: 0.3 + e)
    link = ex.Coupling(SX + np.diag([0.0, 2.0]), bath, 0.1, matrix)
    model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=0, windows=(0,)))
    moment = Moment.of(model, "global")
    whole = 0.1 * (SX + np.diag([0.0, 2.0]))[:, :, None] * np.array([0.3, 1.3])
    np.testing.assert_allclose(
        first_order_shift(model, 0, moment, secular=False), whole, rtol=1e-14
    )
    kept = whole * np.eye(2)[:, :, None]
    np.testing.assert_allclose(first_order_shift(model, 0, moment, secular=True), kept, rtol=1e-14)
