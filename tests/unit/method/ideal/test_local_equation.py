"""Equations whose dissipators do not see interactions and drives: their jumps, drives, frames."""

import dataclasses
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.method.ideal.block_generator import BlockGenerator
from entropax.method.ideal.conservation import BlockStructure
from entropax.method.ideal.dissipators import JumpDissipator
from entropax.method.ideal.evolution import as_matrix
from entropax.method.ideal.generators import MatrixGenerator
from entropax.method.ideal.local_equation import LocalEquation, Structure, acting

AT = jnp.zeros(1)
STRETCH = jnp.array(0.0), jnp.array(2.0)


@eqx.filter_jit
def jumps(equation: LocalEquation, model: ex.OpenSystem) -> tuple[JumpDissipator, ...]:
    return as_matrix(equation.generator(model)).dissipators


def test_jumps_are_those_of_the_bare_levels() -> None:
    """Up and down of each qubit, one jump operator for a frequency, whatever the interaction."""
    model = ex.machines.heat_valve()
    local = ex.Local().equation(model, AT)
    assert local.counts == (2, 2)
    for part, site in zip(jumps(local, model), (0, 1), strict=True):
        lower = twin.on_site(twin.LOWER, site, 2)
        up, down = np.asarray(part.operators)
        np.testing.assert_array_equal(down, lower)
        np.testing.assert_array_equal(up, lower.T)
        bath, gap = model.baths[site], (1.0, 0.6)[site]
        n = 1.0 / np.expm1(float(bath.beta) * gap)
        np.testing.assert_allclose(part.rates, [0.1 * n, 0.1 * (1 + n)], rtol=1e-13)


def test_one_jump_for_all_transitions_of_a_frequency() -> None:
    """Two like qubits that feel one noise jump together: sigma_- and sigma_+ of their sum.

    At zero temperature nothing lifts them, and that jump does not act.
    """
    both = twin.on_site(twin.SX, 0, 2) + twin.on_site(twin.SX, 1, 2)
    lower = np.triu(both)
    model = ideal.qubit(
        energies=(0.0, 1.0, 1.0, 2.0),
        couplings=[ex.Coupling(both, ex.ThermalBath(jnp.inf, ideal.OHMIC))],
    )
    local = ex.Local().equation(model, AT)
    assert local.counts == (2,)
    (part,) = jumps(local, model)
    np.testing.assert_array_equal(part.operators, [lower.T, lower])
    np.testing.assert_allclose(part.rates, [0.0, 0.3 * np.exp(-0.2)], rtol=1e-14)
    np.testing.assert_array_equal(acting(part), [np.zeros((4, 4)), lower])


def driven() -> ex.OpenSystem:
    return ideal.qubit(interaction=0.2 * twin.SX, drives=[ex.Drive(twin.SX, jnp.sin)])


@pytest.mark.parametrize("heat", ["full", "bare"])
def test_drives_alone_leave_dissipators_as_they_are(heat: Literal["full", "bare"]) -> None:
    """The rest is that of the moment, what is heat and what is work included."""
    model, time = driven(), jnp.array(0.7)
    equation = ex.Local(heat=heat).equation(model, AT)
    assert not equation.moves(model)
    follow = equation.follow(model, STRETCH)
    there, here = as_matrix(follow(time)), as_matrix(equation.generator(model.at(time)))
    assert there.dissipators is as_matrix(follow(STRETCH[0])).dissipators
    total = np.diag([0.0, 1.0]) + (0.2 + np.sin(0.7)) * twin.SX
    for generator in (there, here):
        np.testing.assert_allclose(generator.hamiltonian, total, rtol=0, atol=1e-15)
        bare = np.diag([0.0, 1.0])
        full = heat == "full"
        np.testing.assert_allclose(generator.heat_operator, total if full else bare, atol=1e-15)
        if full:
            assert generator.boundary_operator is None
        else:
            np.testing.assert_allclose(generator.boundary_operator, total - bare, atol=1e-15)
    for one, other in zip(*(jax.tree.leaves(x.dissipators) for x in (there, here)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dissipators_move_with_energies_and_strengths() -> None:
    """Not between jumps of these."""
    swept, jump = ex.PiecewiseLinear((0.0, 2.0), (1.0, 3.0)), ex.PiecewiseConstant((1.0,), (1, 2))
    equation = ex.Local().equation(ideal.qubit(), AT)
    for size, moves in ((swept, True), (jump, False), (1.0, False)):
        assert equation.moves(ideal.qubit(energies=(0.0, size))) is moves
        coupled = ex.Coupling(twin.SX, ideal.BATH, size)
        assert equation.moves(ideal.qubit(couplings=[coupled])) is moves
    moving = ideal.qubit(energies=(0.0, swept))
    follow = ex.Local().equation(moving, AT).follow(moving, STRETCH)
    np.testing.assert_allclose(follow(jnp.array(0.5)).hamiltonian, np.diag([0.0, 1.5]), rtol=1e-15)


def test_hand_written_jumps_are_all_there_is() -> None:
    both = ex.Jump(twin.LOWER, ideal.BATH, 0.3, 1), ex.Jump(twin.LOWER.T, ideal.BATH, 0.1, -1)
    model = ideal.qubit(couplings=both)
    equation = ex.Lindblad().equation(model, AT)
    generator = as_matrix(equation.generator(model))
    assert [float(part.rates[0]) for part in generator.dissipators] == [0.3, 0.1]
    assert generator.populations is None
    assert not equation.is_secular(model)
    rates = equation.generator_with_populations(model).populations
    np.testing.assert_allclose(rates.equation.rates, [[[0.0, 0.3], [0.1, 0.0]]], rtol=1e-15)
    turning = ideal.qubit(couplings=both, frame=np.diag([0.0, 1.0]))
    assert equation.generator_with_populations(turning).populations is None


def test_populations_are_apart_of_what_does_not_interact() -> None:
    alone, coupled = ideal.qubit(), ideal.qubit(interaction=0.1 * twin.SX)
    equation = ex.Local().equation(alone, AT)
    assert equation.generator_with_populations(alone).populations is not None
    assert equation.generator_with_populations(coupled).populations is None
    assert not equation.is_secular(alone)


@pytest.mark.parametrize(("operator", "turns"), [(twin.LOWER, True), (twin.SX, False)])
def test_a_frame_gives_each_jump_one_frequency(operator: np.ndarray, turns: bool) -> None:
    """It is taken off the Hamiltonian, or else a fault."""
    jump = ex.Jump(operator, ideal.BATH, 0.3)
    model = ideal.qubit(couplings=[jump], frame=np.diag([0.0, 0.7]), interaction=0.1 * twin.SX)
    generator = as_matrix(ex.Lindblad().equation(model, AT).generator(model))
    both = zip(generator.faults.messages, generator.faults.present, strict=True)
    messages = [message for message, present in both if present]
    if turns:
        assert messages == []
        expected = [[0.0, 0.1], [0.1, 1.0 - 0.7]]
        np.testing.assert_allclose(generator.hamiltonian, expected, rtol=1e-15)
    else:
        assert messages == ["`frame` must give each jump one frequency, [G, L] = g L."]
        assert np.all(np.isnan(generator.hamiltonian))


def test_a_steady_state_is_looked_for_in_blocks() -> None:
    """Of excitations, where these are known to stay apart."""
    model = ex.machines.spin_chain(2)
    equation = ex.Local().equation(model, AT)
    assert isinstance(equation.steady_generator(model), MatrixGenerator)
    assert not equation.conserves_nothing
    blocks = BlockStructure(((0,), (1, 2), (3,)), ((-1, 0, 1), (1, 2, -1)) * 2)
    parted = dataclasses.replace(equation, structure=Structure(blocks, conserves_nothing=True))
    generator = parted.steady_generator(model)
    assert isinstance(generator, BlockGenerator)
    assert generator.size == 6
    assert parted.conserves_nothing
    unparted = dataclasses.replace(equation, structure=Structure(None, conserves_nothing=True))
    assert isinstance(unparted.steady_generator(model), MatrixGenerator)
