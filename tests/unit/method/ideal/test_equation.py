"""What equations of ideal baths share: generators followed through a stretch, models refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal

import entropax as ex
from entropax.method.ideal.equation import AbstractEquation, follow_all, require_global

AT = jnp.zeros(1)
STRETCH = jnp.array(1.0), jnp.array(2.0)

STEPPED = ideal.qubit(energies=(0.0, ex.PiecewiseConstant((1.0,), (1.0, 2.0))))
SWEPT = ideal.qubit(energies=(0.0, ex.PiecewiseLinear((0.0, 2.0), (1.0, 3.0))))


def redfield(model: ex.OpenSystem) -> AbstractEquation:
    return ex.Redfield().equation(model, AT)


def test_a_generator_is_that_of_the_moment() -> None:
    """Between jumps there is one, which is not made anew."""
    follow = follow_all(redfield(STEPPED), STEPPED, STRETCH)
    assert follow(jnp.array(1.3)) is follow(jnp.array(1.8))
    np.testing.assert_array_equal(follow(STRETCH[0]).hamiltonian, np.diag([0.0, 2.0]))
    follow = follow_all(redfield(SWEPT), SWEPT, STRETCH)
    for time, gap in ((1.0, 2.0), (1.6, 2.6)):
        there = follow(jnp.array(time)).hamiltonian
        np.testing.assert_allclose(there, np.diag([0.0, gap]), rtol=1e-15)


def test_dissipators_of_global_equations_move_with_the_energies() -> None:
    for model, moves in ((ideal.qubit(), False), (STEPPED, False), (SWEPT, True)):
        assert redfield(model).moves(model) is moves
        assert not redfield(model).conserves_nothing


def test_global_equations_know_no_frame() -> None:
    turning = ideal.qubit(frame=np.diag([0.0, 1.0]))
    with pytest.raises(ValueError, match="`frame` must be None for Davies, whose dissipators"):
        require_global("Davies", turning, lamb_shift=False)
    require_global("Davies", ideal.qubit(), lamb_shift=False)
    with pytest.raises(ValueError, match="must decay at high frequencies"):
        require_global("Davies", ideal.qubit(), lamb_shift=True)
