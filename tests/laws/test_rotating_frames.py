"""Drives that rotate: in their frame and outside, and frames that do not fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import entropax as ex

TIMES = (0.7, 1.5, 3.0)
ONE = np.zeros((3, 3), complex)
ONE[1, 2] = 1.0
"""|1><2| of three levels."""


class Turning(eqx.Module):
    """(a + b sin(c t)) (x cos(w t) + y sin(w t)): one class, so that tests share a program."""

    constant: jax.Array = eqx.field(converter=jnp.asarray)
    amplitude: jax.Array = eqx.field(converter=jnp.asarray)
    frequency: jax.Array = eqx.field(converter=jnp.asarray)
    direction: jax.Array = eqx.field(converter=jnp.asarray)
    rotation: jax.Array = eqx.field(converter=jnp.asarray)

    def __call__(self, t: jax.Array) -> jax.Array:
        size = self.constant + self.amplitude * jnp.sin(self.frequency * t)
        angle = self.rotation * t
        return size * (self.direction @ jnp.stack([jnp.cos(angle), jnp.sin(angle)]))


def turning(
    rotation: float, constant: float, amplitude: float = 0.0, frequency: float = 0.0
) -> list[ex.Drive]:
    """|1><2| exp(-iwt) and its adjoint, at the strength a + b sin(c t)."""
    size = constant, amplitude, frequency
    return [
        ex.Drive(ONE + ONE.T, Turning(*size, [1.0, 0.0], rotation)),
        ex.Drive(1j * ONE - 1j * ONE.T, Turning(*size, [0.0, 1.0], rotation)),
    ]


def again(model: ex.OpenSystem) -> list[ex.Coupling]:
    """The couplings of a model, for another one."""
    both = zip(model.couplings, model.baths, strict=True)
    return [ex.Coupling(c.operator, bath) for c, bath in both]


def test_a_rotating_drive_in_its_frame_and_outside() -> None:
    """The three-level engine, detuned, against the same drive turning in time."""
    gaps, drive, detuned = (3.0, 1.0), 0.4, 1.7
    engine = ex.machines.three_level_engine(gaps, (4.0, 0.8), (0.3, 0.2), drive)
    frame = np.diag([0.0, 0.0, detuned])
    rotating = ex.OpenSystem(
        energies=engine.energies,
        couplings=again(engine),
        interaction=engine.interaction,
        frame=frame,
        start=ex.Product(system=2),
    )
    lab = ex.OpenSystem(
        energies=engine.energies,
        couplings=again(engine),
        drives=turning(detuned, drive),
        start=ex.Product(system=2),
    )
    method = ex.Local(housekeeping=False)
    here, there = (ex.solve(m, TIMES, method).ledger for m in (rotating, lab))
    for name in ("energy", "heat", "work", "power", "entropy_production", "heat_currents"):
        np.testing.assert_allclose(
            getattr(here, name), getattr(there, name), rtol=0, atol=2e-8, err_msg=name
        )
    turned = np.exp(-1j * np.diag(frame)[None, :] * np.array(TIMES)[:, None])
    states = turned[:, :, None] * np.asarray(here.state) * turned.conj()[:, None, :]
    np.testing.assert_allclose(there.state, states, rtol=0, atol=2e-8)
    assert float(here.work[-1]) < -0.01


def test_a_pulse_in_a_rotating_frame() -> None:
    """A drive whose strength follows a protocol, in the frame and outside."""
    engine = ex.machines.three_level_engine()

    def pulse(t):
        return 0.05 + 0.3 * jnp.sin(0.9 * t)

    shared = {"energies": engine.energies, "start": ex.Product(system=2)}
    here = ex.OpenSystem(
        couplings=again(engine),
        drives=[ex.Drive(ONE + ONE.T, pulse)],
        frame=np.diag([0.0, 0.0, 2.0]),
        **shared,
    )
    there = ex.OpenSystem(
        couplings=again(engine),
        drives=turning(2.0, 0.05, 0.3, 0.9),
        **shared,
    )
    method = ex.Local(housekeeping=False)
    rotating, lab = (ex.solve(m, TIMES, method).ledger for m in (here, there))
    for name in ("energy", "heat", "work", "power"):
        np.testing.assert_allclose(
            getattr(rotating, name), getattr(lab, name), rtol=0, atol=2e-8, err_msg=name
        )


def test_frames_must_leave_dissipators_alone() -> None:
    model = ex.machines.three_level_engine()
    crooked = np.ones((3, 3))
    bad = ex.OpenSystem(
        energies=model.energies,
        couplings=again(model),
        frame=crooked,
        start=ex.Product(system=0),
    )
    with pytest.raises(ValueError, match="`frame` must commute with the bare Hamiltonian, but"):
        ex.steady_state(bad, ex.Local())
    mixed = ex.OpenSystem(
        energies=(0.0, 1.0, 1.0),
        couplings=[ex.Coupling(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0.0]]), model.baths[0])],
        frame=np.diag([0.0, 0.0, 1.0]),
        start=ex.Product(system=0),
    )
    with pytest.raises(RuntimeError, match="`frame` must give each jump one frequency"):
        ex.steady_state(mixed, ex.Local())
