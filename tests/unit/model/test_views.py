"""What methods see of an open system: links, jumps, temperatures, volumes; models they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.fermions import junction
from cases.matrices import random_hermitian
from cases.windows import SX, bath, coupling, model

import entropax as ex
from entropax.model.views import (
    as_ideal,
    as_windows,
    connected,
    ideal_links,
    joint_volumes,
    jumps,
    temperatures,
    window_links,
)

SPECTRUM = ex.FlatSpectrum(0.3)
IDEAL = ex.ThermalBath(beta=1.0, spectrum=SPECTRUM)


def of_ideal_baths() -> ex.OpenSystem:
    """A coupling and a jump to one bath, a jump and a coupling to another."""
    hot = ex.ThermalBath(beta=0.5, spectrum=SPECTRUM, mu=-0.25)
    lowering = np.array([[0.0, 1.0], [0.0, 0.0]])
    couplings = (
        ex.Coupling(SX, IDEAL, 0.1),
        ex.Jump(lowering, hot, 0.2),
        ex.Jump(lowering.T, IDEAL, 0.3),
        ex.Coupling(np.diag([1.0, -1.0]), hot, 0.4),
    )
    return ex.OpenSystem((0.0, 1.0), couplings, ex.Gibbs(beta=1.0))


def of_window_baths() -> ex.OpenSystem:
    """Three couplings, the first and last to one bath."""
    one, other = bath(), bath(volumes=(2, 3))
    return model(
        couplings=[coupling(bath=b, strength=s) for b, s in ((one, 0.1), (other, 0.2), (one, 0.3))],
        start=ex.Product(system=0, windows=(0, 1)),
    )


def test_a_method_refuses_models_of_other_baths() -> None:
    ideal, windows = of_ideal_baths(), of_window_baths()
    assert as_ideal(ideal, "Davies") is ideal
    assert as_windows(windows, "EMME") is windows
    for view, method, refused, rule in (
        (as_windows, "EMME", junction(), "an OpenSystem for the method EMME, but is Junction"),
        (as_windows, "EMME", ideal, "window baths for the method EMME, but has ideal ones"),
        (as_ideal, "Davies", windows, "ideal baths for the method Davies, but has window ones"),
    ):
        with pytest.raises(ValueError, match=f"`model` must (be|have) {rule}"):
            view(refused, method)


def test_a_method_says_its_name() -> None:
    ideal, ts = of_ideal_baths(), jnp.zeros(1)
    with pytest.raises(ValueError, match="for the method BornMarkovSecular, but has ideal ones"):
        ex.BornMarkovSecular().plan(ideal, ts)
    with pytest.raises(ValueError, match="for the method Schrodinger, but has ideal ones"):
        ex.Schrodinger().plan(ideal, ts)
    with pytest.raises(ValueError, match="for the method Redfield, but has window ones"):
        ex.Redfield().plan(of_window_baths(), ts)


def test_window_links_find_the_bath_that_couplings_share() -> None:
    built = of_window_baths()
    links = window_links(built)
    assert [link.number for link in links] == [0, 1, 0]
    assert [float(link.strength) for link in links] == [0.1, 0.2, 0.3]
    assert [link.bath.volumes for link in links] == [(4, 6), (2, 3), (4, 6)]
    for link, kept in zip(links, built.couplings, strict=True):
        assert link.operator is kept.operator
        assert link.matrix is kept.matrix


def test_ideal_links_and_jumps_share_the_couplings_among_them() -> None:
    built = of_ideal_baths()
    links, others = ideal_links(built), jumps(built)
    assert [(link.place, link.number) for link in links] == [(0, 0), (3, 1)]
    assert [float(link.coupling.strength) for link in links] == [0.1, 0.4]
    assert [float(link.bath.beta) for link in links] == [1.0, 0.5]
    assert [(number, float(jump.rate)) for number, jump in others] == [(1, 0.2), (0, 0.3)]


def test_temperatures_are_those_of_the_baths_in_order() -> None:
    beta, mu = temperatures(of_ideal_baths())
    np.testing.assert_array_equal(beta, [1.0, 0.5])
    np.testing.assert_array_equal(mu, [0.0, -0.25])
    alone = ex.OpenSystem((0.0, 1.0), (), ex.Product(0))
    assert [x.shape for x in temperatures(alone)] == [(0,), (0,)]


def test_joint_volumes_have_an_axis_a_bath() -> None:
    one, other = bath(), bath()
    built = model(
        couplings=[coupling(bath=b) for b in (one, other, one)],
        start=ex.Product(system=0, windows=(0, 1)),
    )
    np.testing.assert_array_equal(joint_volumes(built), [[16.0, 24.0], [24.0, 36.0]])


def test_levels_that_an_operator_connects_as_far_as_that_can_be_seen(
    rng: np.random.Generator,
) -> None:
    """All of them between eigenstates of a matrix, and where a program traces the operator."""
    built = ex.OpenSystem(
        hamiltonian=random_hermitian(rng, 3),
        couplings=(ex.Coupling(random_hermitian(rng, 3), bath(), 0.1, ex.GOE(1.0)),),
        start=ex.Product(system=0, windows=(0,)),
    )
    assert np.all(connected(built, built.couplings[0].operator))
    plain = model(couplings=(coupling(operator=np.diag([0.0, 1.0])),))
    operator = plain.couplings[0].operator
    np.testing.assert_array_equal(connected(plain, operator), [[False] * 2, [False, True]])
    traced = []
    jax.eval_shape(lambda x: traced.append(connected(plain, x)) or x, operator)
    np.testing.assert_array_equal(traced[0], np.ones((2, 2), bool))
