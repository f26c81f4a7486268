"""What master equations share: what they decide beforehand, what they refuse."""

from typing import Any

import diffrax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import COHERENT, QUENCH, WINDOW, driven, large_spin, spin

import entropax as ex
from entropax._crossovers import EXPONENTIAL_OF_ONE_COUPLING
from entropax.method.windows.master_equation import AbstractMasterEquation, Decided


def decided(method: AbstractMasterEquation, model: ex.OpenSystem) -> Decided:
    return method.plan(model, jnp.zeros(1)).decided


def test_coherences_are_followed_where_they_can_appear() -> None:
    assert decided(ex.EMME(), large_spin()).coherences is False
    assert decided(ex.EMME(secular=False), large_spin()).coherences is True
    assert decided(ex.BornMarkovSecular(), driven(1.0, COHERENT)).coherences is True
    meeting = driven(ex.PiecewiseConstant((0.0,), (1.0, 0.0)))
    assert decided(ex.EMME(), meeting).coherences is True
    assert decided(ex.EMME(coherences=True), large_spin()).coherences is True


def test_few_constant_populations_go_by_the_exponential() -> None:
    def by_exponential(model: ex.OpenSystem, **options: Any) -> bool:
        method = ex.EMME(**({"coherences": False} | options))
        return decided(method, model).reachable is not None

    assert by_exponential(large_spin())
    assert by_exponential(driven(QUENCH))
    assert not by_exponential(large_spin(), coherences=True)
    assert not by_exponential(large_spin(), memory="finite")
    assert not by_exponential(large_spin(), solver=diffrax.Dopri5())
    assert not by_exponential(driven(lambda t: 1.0 + 1e-3 * t))
    most = EXPONENTIAL_OF_ONE_COUPLING.here // 2
    assert by_exponential(spin(WINDOW, [9] * most))
    assert not by_exponential(spin(WINDOW, [9] * (most + 1)))


def test_populations_that_are_followed() -> None:
    """From level 1 and window 0: to level 0 and window 1."""
    assert decided(ex.EMME(), large_spin()).reachable == (1, 2)
    # other energies may lead anywhere
    assert decided(ex.EMME(coherences=False), driven(QUENCH)).reachable == tuple(range(6))
    assert decided(ex.EMME(coherences=True), large_spin()).reachable is None


def test_driving_too_fast_for_a_master_equation_is_told() -> None:
    fast, slow = driven(lambda t: 1.0 + 3.0 * t), driven(lambda t: 1.0 + 0.001 * t)
    words = r"Energies move by 75\.4 windows within the baths' memory"
    with pytest.warns(UserWarning, match=words):
        ex.EMME().plan(fast, jnp.array([0.1]))
    ex.EMME().plan(slow, jnp.array([0.1]))  # no warning: an error here


@pytest.mark.parametrize(
    ("method", "model"),
    [
        (ex.EMME(coherences=False), driven(1.0, COHERENT)),
        (ex.EMME(coherences=False, secular=False), large_spin()),
    ],
    ids=["a coherent start", "not secular"],
)
def test_populations_alone_are_refused(method: ex.EMME, model: ex.OpenSystem) -> None:
    with pytest.raises(ValueError, match="`coherences` must be True or None where the equation"):
        method.initial(method.plan(model, jnp.zeros(1)))


@pytest.mark.misuse
def test_memory_is_one_of_two_words() -> None:
    with pytest.raises(ValueError, match=r"`memory` must be .*, but is 'long'"):
        ex.EMME(memory="long")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("method", [ex.EMME(), ex.BornMarkovSecular()])
def test_models_and_times_that_are_none(method: AbstractMasterEquation) -> None:
    with pytest.raises(ValueError, match="`ts` must be non-negative for a master equation"):
        ex.solve(large_spin(), [-1.0], method)
    junction = ex.Junction(0.0, 0.0, (ex.Lead(np.ones(2), np.ones(2), 1.0, 0.0),))
    with pytest.raises(ValueError, match="`model` must be an OpenSystem for the method"):
        ex.solve(junction, [1.0], method)
