"""What acts on a system: couplings, hand-written jumps, driven operators; misuse in words."""

import re
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from cases.windows import SX, bath, coupling

import entropax as ex
from entropax.model.windows.coupling_matrices import Explicit
from entropax.protocol import AbstractProtocol

FERMIONS = ex.ThermalBath(beta=1.0, mu=0.2, spectrum=ex.FlatSpectrum(1.0), statistics="fermi")
BOSONS = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(1.0))
LOWER = np.array([[0.0, 1.0], [0.0, 0.0]])


def test_a_coupling_holds_what_it_was_given() -> None:
    one = bath()
    link = ex.Coupling(SX, one, 0.2, np.diag(np.arange(10.0)))
    assert link.bath is one
    assert float(link.strength) == 0.2
    assert isinstance(link.matrix, Explicit)
    np.testing.assert_array_equal(link.matrix.entries, np.diag(np.arange(10.0)))
    np.testing.assert_array_equal(link.operator, SX)


def test_strengths_to_ideal_baths_may_be_protocols() -> None:
    switched = ex.Coupling(SX, BOSONS, lambda t: 2.0 * t)
    assert isinstance(switched.strength, AbstractProtocol)
    assert float(switched.strength(jnp.array(0.4))) == 0.8
    assert switched.matrix is None


def test_fermions_move_by_an_annihilator_or_its_hermitian_sum() -> None:
    for operator in (LOWER, 1j * LOWER, LOWER + LOWER.T):
        np.testing.assert_array_equal(ex.Coupling(operator, FERMIONS).operator, operator)
    for operator in (LOWER.T, LOWER - LOWER.T, np.diag([1.0, 0.0])):
        with pytest.raises(ValueError, match=r"`operator` must be d, all above the diagonal, or d"):
            ex.Coupling(operator, FERMIONS)


def test_a_jump_carries_whole_particles() -> None:
    jump = ex.Jump(LOWER, BOSONS, 0.5, particles=-1)
    assert jump.particles == -1
    assert float(jump.rate) == 0.5


RATES = {
    "smooth": (lambda t: 0.3 * (1.0 + jnp.sin(t)), lambda t: 0.3 * (t + 1.0 - np.cos(t))),
    "steps": (
        ex.PiecewiseConstant((1.0, 2.0), (0.5, 0.0, 2.0)),
        lambda t: 0.5 * np.minimum(t, 1.0) + 2.0 * np.maximum(t - 2.0, 0.0),
    ),
}


@pytest.mark.parametrize("name", RATES)
def test_jumps_at_a_rate_that_moves(name: str) -> None:
    """What is excited stays so with the probability exp(-int g dt)."""
    rate, integral = RATES[name]
    jump = ex.Jump(LOWER, BOSONS, rate)
    assert isinstance(jump.rate, AbstractProtocol)
    ts = np.array([0.0, 0.7, 1.5, 3.0])
    found = ex.solve(ex.OpenSystem((0.0, 1.0), [jump], ex.Product(1)), ts, ex.Lindblad())
    left = np.exp(-integral(ts))
    np.testing.assert_allclose(found.ledger.state[:, 1, 1].real, left, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.ledger.heat[:, 0], left - 1.0, rtol=0, atol=1e-8)


def test_a_drive_is_an_operator_and_a_protocol() -> None:
    drive = ex.Drive(SX, ex.PiecewiseConstant((1.0,), (0.0, 3.0)))
    assert [float(drive.protocol(jnp.array(t))) for t in (0.5, 1.0)] == [0.0, 3.0]


BAD: dict[str, tuple[Callable, str, str]] = {
    "S not Hermitian": (lambda: coupling(operator=[[0, 1], [2, 0]]), "operator", "Hermitian"),
    "B missing": (lambda: coupling(matrix=None), "matrix", "must be given"),
    "no bath": (lambda: coupling(bath=None), "bath", "a WindowBath"),
    "a matrix unmade": (lambda: coupling(matrix=ex.RandomBands), "matrix", "made first"),
    "a jump into windows": (lambda: ex.Jump(LOWER, bath()), "bath", "but is WindowBath"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=rf"`{re.escape(argument)}`.*{re.escape(rule)}"):
        build()


BAD_OF_IDEAL_BATHS: dict[str, tuple[Callable, str]] = {
    "no spectrum": (lambda: ex.Coupling(SX, ex.ThermalBath(1.0)), "`bath` must have a spectrum"),
    "matrix": (
        lambda: ex.Coupling(SX, BOSONS, 1.0, ex.RandomBands(variance=1.0)),
        "`matrix` must be None for a ThermalBath",
    ),
    "operator": (lambda: ex.Coupling(LOWER, BOSONS), "`operator` must be Hermitian"),
    "particles": (
        lambda: ex.Coupling(LOWER.T, FERMIONS),
        "`operator` must be d, all above the diagonal, or d",
    ),
    "jump rate": (lambda: ex.Jump(LOWER, BOSONS, -1.0), "`rate` must be non-negative, but is -1.0"),
    "jump rate that moves": (
        lambda: ex.solve(
            ex.OpenSystem((0.0, 1.0), [ex.Jump(LOWER, BOSONS, lambda t: 1.0 - t)], ex.Product(1)),
            [0.5, 3.0],
            ex.Lindblad(),
        ),
        r"`couplings\[0\].rate` must be non-negative at 0 and at all of `ts`, but has -2.0 at ind",
    ),
    "jump bath": (lambda: ex.Jump(LOWER, 1.0), "`bath` must be a ThermalBath, but is float"),
    "drive": (lambda: ex.Drive(LOWER, jnp.sin), "`operator` must be Hermitian"),
    "drive's protocol": (lambda: ex.Drive(SX, 2.0), "`protocol` must be a function of time"),
    "half a particle": (
        lambda: ex.Jump(LOWER, BOSONS, particles=0.5),
        "`particles` must be an integer, but is 0.5",
    ),
}


@pytest.mark.parametrize("name", BAD_OF_IDEAL_BATHS)
def test_bad_input_of_ideal_baths(name: str) -> None:
    build, message = BAD_OF_IDEAL_BATHS[name]
    with pytest.raises(ValueError, match=message):
        build()
