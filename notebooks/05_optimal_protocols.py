# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Protocols that produce least entropy
#
# Anything that `solve` returns can be differentiated by every number of a protocol. `optimise` is a
# loop around optax; what it finds for one level is known in closed form, so that it can be checked.
#
# Set `ENTROPAX_SMALL=1` in the environment for a quick look.

# %%
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
PIECES, STEPS = (4, 3) if SMALL else (32, 40)

# %% [markdown]
# ## One level and an ideal bath
#
# A level is moved from 3 T to -3 T in ten units of its relaxation time. `ramp` is a straight line
# that is held at both ends: what lies between may move, and jump at the ends.

# %%
bath = ex.ThermalBath(beta=1.0, spectrum=ex.FlatSpectrum(1.0), statistics="fermi")
lowering = jnp.array([[0.0, 1.0], [0.0, 0.0]])
ramp = ex.PiecewiseLinear.ramp(3.0, -3.0, duration=10.0, pieces=PIECES)
method = ex.Davies(coherences=False, housekeeping=False)


def work(protocol):
    dot = ex.OpenSystem((0.0, protocol), (ex.Coupling(lowering, bath),), ex.Gibbs(beta=1.0))
    return ex.solve(dot, protocol.duration[None], method).ledger.work[-1]


best = ex.optimise(work, ramp, steps=STEPS, tolerance=1e-7)
print(f"straight line {best.history[0]:.6f}, optimum {best.loss:.6f}, known -2.572439")

# %%
nodes = best.value.protocol
times = np.concatenate([[-1.0, 0.0], nodes.times, [10.0, 11.0]])
values = np.concatenate([[3.0, 3.0], nodes.values, [-3.0, -3.0]])
plt.plot(times, values, label="optimum")
plt.plot([0.0, 10.0], [3.0, -3.0], ":", label="straight line")
plt.plot([0.0, 10.0], [2.137236, -2.333695], "ko", label="where the closed form jumps to")
plt.xlabel("time")
plt.ylabel("energy of the level / T")
plt.legend()
plt.show()

# %% [markdown]
# ## The loop, by hand
#
# `optimise` is no more than this; it adds the bar, bounds, what was best, and going on later.

# %%
optimiser = optax.adam(3e-2)


@eqx.filter_jit
def step(protocol, state):
    free = eqx.tree_at(lambda p: p.protocol.values, jax.tree.map(lambda _: False, protocol), True)
    moving, rest = eqx.partition(protocol, free)
    value, slope = jax.value_and_grad(lambda m: work(eqx.combine(m, rest)))(moving)
    change, state = optimiser.update(slope, state)
    return eqx.combine(optax.apply_updates(moving, change), rest), state, value


free = eqx.tree_at(lambda p: p.protocol.values, jax.tree.map(lambda _: False, ramp), True)
protocol, state = ramp, optimiser.init(eqx.filter(ramp, free))
for _ in range(STEPS):
    protocol, state, value = step(protocol, state)
print(f"after {STEPS} steps of Adam {value:.6f}")

# %% [markdown]
# ## The same task with a finite bath, exactly
#
# A junction with one lead of K modes. `SplitStep` is unitary at any step; `ledger.work` is what the
# drive costs, `ledger.entropy_production` what is lost to correlations and to the bath's change.

# %%
K = 12 if SMALL else 100
rate = 0.1
lead = ex.Lead.flat(modes=K, width=12.0, coupling=rate, beta=1.0, mu=0.0)
stretched = ex.Held(
    ex.PiecewiseLinear(nodes.times / rate, nodes.values), 3.0, -3.0, duration=10.0 / rate
)
filled = 1.0 / (1.0 + np.exp(3.0))


def drive(protocol):
    junction = ex.Junction(protocol, filled, (lead,))
    return ex.solve(junction, protocol.duration[None], ex.SplitStep(steps=700, order=4))


ledger = drive(stretched).ledger
print("work", ledger.work[0], "entropy production", ledger.entropy_production[0])
print("of which correlations with the level", ledger.terms.system_bath[0])
finite = ex.optimise(lambda p: drive(p).ledger.work[0], stretched, steps=2 if SMALL else 12)
print(f"re-optimised for this bath: {finite.loss:.6f}")

# %% [markdown]
# ## A neural network as a protocol, between bounds
#
# Any function of time is a protocol; an `eqx.Module` brings its own parameters. `Bounded` keeps it
# between two values at all times, `Held` at its ends.

# %%
network = eqx.nn.MLP("scalar", "scalar", 8, 1, jnp.tanh, key=jax.random.key(0))
learned = ex.Held(ex.Bounded(network, -3.0, 3.0), 3.0, -3.0, duration=10.0)
found = ex.optimise(work, learned, optax.adam(2e-2), steps=5 if SMALL else 300)
print(f"a network with {8 * 3 + 1} parameters {found.loss:.6f}")

# %% [markdown]
# ## A fixed end
#
# Erasing a bit to 10% in ten relaxation times, with least heat: the end is a constraint, held by an
# augmented Lagrangian. In closed form the least heat is 0.459099.


# %%
def erasure(protocol):
    """Heat, and by how much the logarithm of what is left of the bit misses ln 0.1."""
    model = ex.machines.erasure(gap=protocol)
    ledger = ex.solve(model, protocol.duration[None], method).ledger
    return -ledger.heat[0, 0], jnp.log(ledger.state[0, 1, 1].real / 0.1)


begin = ex.PiecewiseLinear.ramp(0.5, 2.3, duration=10.0, pieces=PIECES)
steps, rounds, tolerance = (2, 2, 10.0) if SMALL else (20, 8, 1e-6)
erased = ex.optimise_with_constraint(
    erasure, begin, steps=steps, rounds=rounds, tolerance=tolerance
)
print(f"heat {erased.loss:.6f}, missed by {erased.violation[0]:.1e}")
