"""Models of a scan as one batch, and their draws: by plans or by models."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from cases.draws import FLIP, KEY, TS, junction, spin

import entropax as ex
from entropax.ensemble.arguments import batched, draws_of_models
from entropax.ensemble.program import DrawsFromModels, DrawsFromPlans, take


def test_models_that_are_listed_are_the_batch_that_a_function_makes() -> None:
    couplings = np.array([0.5, 1.0, 1.5])
    listed, samples = batched([junction(g) for g in couplings])
    made, same = batched(eqx.filter_vmap(junction)(couplings))
    assert samples == same == 3
    for i, g in enumerate(couplings):
        assert eqx.tree_equal(take(listed, i), junction(g))
        np.testing.assert_array_equal(
            take(made, i).leads[0].couplings, junction(g).leads[0].couplings
        )


def test_a_batch_goes_by_plans_where_the_same_was_decided() -> None:
    """One operator leads to one sector, the other to two; what is listed is the same draw."""
    ts, method = jnp.asarray(TS), ex.Schrodinger(KEY)
    alike = [spin(0.02), spin(0.05)]
    unlike = [spin(), spin(operator=FLIP + np.diag([1.0, -1.0]))]
    for models, kind in ((alike, DrawsFromPlans), (unlike, DrawsFromModels)):
        batch, samples = batched(models)
        draws = draws_of_models(batch, samples, method, None, ts)
        assert samples == 2
        assert type(draws) is kind
        for i, model in enumerate(models):
            plan = draws.at(i)[1]
            assert eqx.tree_equal(plan, method.plan(model, ts))
