"""What `audit` finds at a qubit, how it measures it, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import ideal
from twins import lindblad as twin

import entropax as ex
from entropax.diagnosis.audit import _balance, _given, _idle, _lowest_rate, _overlap


def test_a_coupling_that_commutes_is_idle() -> None:
    """sigma_z beside sigma_x: the second of the two, by its number."""
    both = [ex.Coupling(operator, ideal.BATH) for operator in (twin.SX, twin.SZ)]
    (finding,) = _idle(ideal.qubit(couplings=both))
    assert finding.name == "no energy exchanged"
    assert "`couplings[1]` commutes with the Hamiltonian" in finding.found
    assert str(finding).startswith("no energy exchanged: the operator of `couplings[1]`")
    assert list(_idle(ideal.qubit(couplings=both, interaction=0.1 * twin.SX))) == []


@pytest.mark.parametrize(("reverse", "balanced"), [(np.exp(-1.5), True), (0.5, False)])
def test_jumps_are_held_against_the_temperature_of_their_bath(
    reverse: float, balanced: bool
) -> None:
    """Of gap 1 at beta 1.5."""
    bath = ex.ThermalBath(1.5)
    jumps = [ex.Jump(twin.LOWER, bath, 0.7), ex.Jump(twin.LOWER.T, bath, 0.7 * reverse)]
    findings = list(_balance(ideal.qubit(couplings=jumps)))
    assert [finding.name for finding in findings] == ([] if balanced else ["detailed balance"])
    assert balanced or "energy 1 with a reverse at 0.5 of its rate" in findings[0].found


def test_the_energy_of_a_jump() -> None:
    """Where it has one: [L, H] = w L."""
    h = np.diag([0.0, 1.0, 2.5])
    jump = np.zeros((3, 3))
    jump[0, 2] = 0.3
    assert _given(h, jump) == pytest.approx(2.5, rel=1e-15)
    assert _given(h, jump.T) == pytest.approx(-2.5, rel=1e-15)
    jump[0, 1] = 0.3
    assert _given(h, jump) is None


def test_a_jump_as_the_reverse_of_another() -> None:
    """Of L^dagger, the weight that a jump has along it."""
    assert _overlap(twin.LOWER, ex.Jump(2.0 * twin.LOWER.T, ideal.BATH)) == pytest.approx(4.0)
    assert _overlap(twin.LOWER, ex.Jump(twin.SX, ideal.BATH)) == pytest.approx(1.0)
    assert _overlap(twin.LOWER, ex.Jump(twin.LOWER, ideal.BATH)) == 0.0


def test_the_lowest_rate_of_a_generator_in_diagonal_form() -> None:
    """0 for jumps, whose rates are not negative; minus the rate of a jump that is taken away."""
    h = np.diag([0.0, 1.0])

    def real(jumps: list[np.ndarray], less: list[np.ndarray]) -> np.ndarray:
        """Over Re rho + Im rho, as the library holds generators."""

        def image(form: np.ndarray) -> np.ndarray:
            rho = (form + form.T) / 2 + 1j * (form - form.T) / 2
            moved = -1j * (h @ rho - rho @ h) + twin.dissipate(jumps, rho)
            moved = moved - twin.dissipate(less, rho)
            return moved.real + moved.imag

        return twin.liouvillian(image, 2)

    down, dephasing = np.sqrt(0.7) * twin.LOWER, np.sqrt(0.2 / 2) * twin.SZ
    assert abs(_lowest_rate(real([down, dephasing], []))) < 1e-14
    # normalised by tr L^dagger L = 1, so that sigma_z / sqrt 2 has the rate 0.2
    assert _lowest_rate(real([down], [dephasing])) == pytest.approx(-0.2, rel=1e-13)


def test_models_must_be_known_and_at_rest() -> None:
    def look(beta: jax.Array) -> jax.Array:
        ex.audit(ideal.qubit_at(ex.ThermalBath(beta, ideal.OHMIC)), ex.Davies())
        return beta

    with pytest.raises(ValueError, match="`model` must be known, not traced"):
        jax.eval_shape(look, jnp.array(1.0))
    driven = ideal.qubit(drives=[ex.Drive(twin.SX, jnp.sin)])
    with pytest.raises(ValueError, match="`model` must not be driven; audit its undriven"):
        ex.audit(driven, ex.Davies())
