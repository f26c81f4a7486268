"""The one door: what is decided, checked and told, apart from any program."""

import functools
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases.checks import says
from cases.fermions import network

import entropax as ex
from entropax._checks import Faults
from entropax.ledger import AbstractLedger, Verdict, family_of
from entropax.solve import FAILURES, _result, raise_failures, require_method

NAN, INF = float("nan"), float("inf")
SX = np.array([[0.0, 1.0], [1.0, 0.0]])
IDEAL = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(0.3))
SPIN = ex.OpenSystem((0.0, 1.0), (ex.Coupling(SX, IDEAL),), ex.Gibbs(beta=1.0))


class Blank(AbstractLedger):
    """Of two times, with nothing in it."""

    def in_words(self, index: int) -> str:
        return f"Entry {index} is blank."


def solution(result: ex.RESULTS) -> ex.Solution:
    return ex.Solution(jnp.zeros(2), ledger=Blank(), saved=None, result=result, stats={})


def of(*kinds: Any) -> ex.RESULTS:
    """One result a time."""
    pick = jax.vmap(lambda first: ex.RESULTS.where(first, *kinds))
    return pick(jnp.array([True, False]))


def test_a_verdict_becomes_its_worst_result() -> None:
    """The order matters: numbers that are not finite say nothing of temperatures."""
    everything = dict.fromkeys(Verdict._fields[:-1], True)
    worst_last = {
        "determined": ex.RESULTS.undetermined_temperature,
        "converged": ex.RESULTS.unmatched,
        "closed": ex.RESULTS.unresolved,
        "physical": ex.RESULTS.unphysical,
        "sound": ex.RESULTS.not_finite,
        "reached": ex.RESULTS.out_of_steps,
    }

    def result(verdict: dict[str, bool]) -> ex.RESULTS:
        found = {name: jnp.array([one]) for name, one in verdict.items()}
        return _result(Verdict(**found, faults=Faults.none()), jnp.array(False))

    assert np.all(result(everything) == ex.RESULTS.successful)
    verdict = dict(everything)
    for name, kind in worst_last.items():
        assert np.all(result(everything | {name: False}) == kind), name
        verdict[name] = False
        assert np.all(result(verdict) == kind), name


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_a_mask_and_an_error(kind: Any) -> None:
    failed = solution(of(ex.RESULTS.successful, kind))
    np.testing.assert_array_equal(failed.failed, [False, True])
    told = says_of(kind)
    if kind == ex.RESULTS.invalid:  # which says what it was
        told = "`width` must be positive"
        faults = Faults(jnp.array([False, True]), ("`a` must be b.", f"{told}."))
        failed = eqx.tree_at(lambda s: s.faults, failed, faults)
    with pytest.raises(RuntimeError, match=told):
        raise_failures(failed)


def says_of(kind: Any) -> str:
    return ex.RESULTS[kind].split("(")[0].split(":")[0].strip()


STEPS = ex.Davies(solver=diffrax.Dopri8(), max_steps=20)
LATE = [0.0, 0.1, 1e3]


def test_running_out_of_steps_raises_with_the_time() -> None:
    told = r"`max_steps`.*First at t = 1000, at 1 of 3 times, the last sound one t = 0\.1\."
    with pytest.raises(RuntimeError, match=told):
        ex.solve(SPIN, LATE, STEPS)


def test_running_out_of_steps_is_a_result() -> None:
    found = ex.solve(SPIN, LATE, STEPS, throw=False)
    np.testing.assert_array_equal(found.result == ex.RESULTS.out_of_steps, [False, False, True])
    np.testing.assert_array_equal(found.result == ex.RESULTS.successful, [True, True, False])
    np.testing.assert_array_equal(found.failed, [False, False, True])
    # with as many as are needed it is none
    assert not np.any(ex.solve(SPIN, LATE, ex.Davies(), throw=False).failed)


UNSOUND = {
    "unphysical": "There `lowest_population` is -0.25 and the trace 1",
    "unresolved": "There `lowest_population` is 0.0125 and the trace 1",
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_failure_names_what_fails_with_its_number(name: str) -> None:
    found = ex.solve(SPIN, [0.5, 0.1], ex.Davies())
    lowest = -0.25 if name == "unphysical" else 0.0125
    wrong = jnp.array([lowest, 0.5]), of(getattr(ex.RESULTS, name), ex.RESULTS.successful)
    found = eqx.tree_at(lambda s: (s.ledger.lowest_population, s.result), found, wrong)
    told = rf"First at t = 0\.5, at 1 of 2 times, the last sound one t = 0\.1\. {UNSOUND[name]}"
    with pytest.raises(RuntimeError, match=rf"{told}.*`residual` is .*`throw=False`"):
        raise_failures(found)


def test_a_failure_at_the_first_time_has_none_before_it() -> None:
    with pytest.raises(RuntimeError, match=r"First at t = 0, at 1 of 2 times\. With `throw=False`"):
        raise_failures(solution(of(ex.RESULTS.not_finite, ex.RESULTS.successful)))


def test_inside_of_a_program_a_failure_is_nan() -> None:
    """At its times alone; with `throw=False` the ledger is left as it is."""

    @functools.partial(jax.jit, static_argnums=1)
    def run(ts: jax.Array, throw: bool | None) -> ex.Solution:
        return ex.solve(SPIN, ts, STEPS, throw=throw)

    blank, bare = run(jnp.array(LATE), None), run(jnp.array(LATE), False)
    np.testing.assert_array_equal(np.isnan(blank.ledger.work), [False, False, True])
    np.testing.assert_array_equal(np.isnan(blank.ledger.state[:, 0, 0]), [False, False, True])
    assert np.isinf(bare.ledger.work[2])
    np.testing.assert_array_equal(blank.failed, bare.failed)


def test_rates_beyond_what_can_be_resolved_are_out_of_steps() -> None:
    found = ex.solve(SPIN, [1.0, 1e17], ex.Davies(), throw=False)
    np.testing.assert_array_equal(found.result == ex.RESULTS.out_of_steps, [True, True])


def test_what_is_no_failure_is_handed_back() -> None:
    fine = solution(of(ex.RESULTS.successful, ex.RESULTS.undetermined_temperature))
    assert raise_failures(fine) is fine
    assert not np.any(fine.failed)


def test_the_ledger_is_that_of_the_methods_states() -> None:
    assert family_of(ex.Exact().states).ledger is ex.FermionLedger
    assert family_of(ex.Magnus().states).ledger is ex.FermionLedger
    assert family_of(ex.Davies().states).ledger is ex.GKLSLedger
    assert family_of(ex.EMME().states).ledger is ex.WindowLedger


def test_a_method_is_an_object() -> None:
    method = ex.Exact()
    assert require_method(method) is method
    with pytest.raises(
        ValueError, match=r"`method` must be a method such as Exact\(\), but is 'em"
    ):
        require_method("emme")
    with pytest.raises(ValueError, match="`method` must be given for an OpenSystem: Schrodinger"):
        ex.solve(SPIN, [1.0])


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "times NaN": (lambda: ex.solve(network(), [1.0, NAN]), "ts", "nan at index 1"),
    "times infinite": (lambda: ex.solve(network(), [INF, 1.0]), "ts", "finite, but has inf"),
    "times a number": (lambda: ex.solve(network(), 1.0), "ts", "1 dimension.*()"),
    "times complex": (lambda: ex.solve(network(), [1j]), "ts", "real.*complex128"),
    "save no function": (lambda: ex.solve(network(), [1.0], save=True), "save", "but is True"),
    "method by name": (lambda: ex.solve(network(), [1.0], "exact"), "method", "str"),
    "method unmade": (lambda: ex.solve(network(), [1.0], ex.Exact), "method", "Exact"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_rule_and_value(name: str) -> None:
    build, argument, rule = BAD[name]
    with pytest.raises(ValueError, match=says(argument, rule)):
        build()
