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
# # Driving: couplings and operators, cycles, slow ways
#
# A spin is pushed while its coupling to a finite bath is switched on and off, exactly and by the
# master equation; an engine is brought to its limit cycle and tuned by gradient; a level is moved
# slowly along a geodesic.
#
# Set `ENTROPAX_SMALL=1` in the environment for a quick look.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
VOLUMES, POINTS, STEPS = ((4, 8, 12), 9, 4) if SMALL else ((40, 80, 120), 61, 25)

# %% [markdown]
# ## Everything driven at once
#
# The gap is quenched, a pulse turns the spin, the coupling is switched. Work is that of all three,
# and the first law holds to the accuracy of the steps.

# %%
flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
bath = ex.WindowBath(centers=(0.0, 1.0, 2.0), volumes=VOLUMES, width=0.5)
strength = 0.02 * np.sqrt(70 / sum(VOLUMES))
switch = ex.PiecewiseLinear(times=(0.0, 30.0, 90.0, 120.0), values=(0.0, strength, strength, 0.0))
model = ex.OpenSystem(
    energies=(0.0, ex.PiecewiseConstant(times=(60.0,), values=(1.0, 2.0))),
    couplings=(ex.Coupling(flip, bath, switch, ex.RandomBands()),),
    drives=(
        ex.Drive(flip, ex.Smooth(lambda t: 0.1 * jnp.exp(-((t - 75.0) ** 2) / 20.0), width=3.0)),
    ),
    start=ex.Product(system=1, windows=(0,)),
)
ts = np.linspace(0.0, 120.0, POINTS)
exact = ex.solve(model, ts, ex.Schrodinger(jax.random.key(0), steps=64 if SMALL else 16)).ledger
emme = ex.solve(model, ts, ex.EMME()).ledger
closed = exact.total_energy - exact.total_energy[0] - (exact.work - exact.work[0])
print("first law, exactly:", float(jnp.abs(closed).max()))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, led, style in (("exact", exact, "-"), ("EMME", emme, "--")):
    left.plot(ts, led.joint.sum(2)[:, 1], style, label=name)
    right.plot(ts, led.entropy_production, style, label=f"$\\Sigma$, {name}")
    right.plot(ts, led.work, style, label=f"$W$, {name}", lw=0.8)
left.set(xlabel="time", ylabel="excitation")
right.set(xlabel="time")
left.legend(frameon=False)
right.legend(frameon=False, fontsize=8)

# %% [markdown]
# ## A start that no window knows
#
# One random pure state of the bath (typicality) instead of a mixture of all: few amplitudes, so
# that products with H, without its eigenvectors, are the cheapest.

# %%
typical = ex.OpenSystem(
    energies=(0.0, 1.0),
    couplings=(ex.Coupling(flip, bath, strength, ex.RandomBands()),),
    start=ex.Product(system=1, windows=(0,), pure=True),
)
key = jax.random.key(1)
pure = ex.solve(typical, ts, ex.Schrodinger(key, propagation="chebyshev")).ledger
again = ex.solve(typical, ts, ex.Schrodinger(key)).ledger
print("steps and eigenvectors agree to", float(jnp.abs(pure.joint - again.joint).max()))

# %% [markdown]
# ## A limit cycle, and the most power
#
# Work is counted as in the ledger, done on the system: it is negative of an engine.

# %%
cycle = ex.limit_cycle(ex.machines.two_stroke_dot(), 2.0, ex.Davies())
print("power", -float(cycle.power), "efficiency", float(cycle.efficiency))
print("heat", cycle.heat, "entropy production", float(cycle.entropy_production))


def power(levels):
    engine = ex.machines.two_stroke_dot(levels=(levels[0], levels[1]))
    return ex.limit_cycle(engine, 2.0, ex.Davies(), times=2).power


best = ex.optimise(power, jnp.array([2.5, 1.0]), steps=STEPS)
print("levels", best.value, "most power", -float(best.loss))

# %% [markdown]
# Each cycle of a finite bath yields less, until nothing is left to draw.

# %%
gap = ex.Periodic(ex.PiecewiseConstant(times=(20.0,), values=(1.0, 0.5)), 40.0, cycles=5)
cold = ex.WindowBath(centers=(0.0, 0.5, 1.0, 1.5, 2.0), volumes=(30, 50, 70, 90, 110), width=0.5)
engine = ex.OpenSystem(
    energies=(0.0, gap),
    couplings=(ex.Coupling(flip, cold, 3e-3, ex.RandomBands()),),
    start=ex.Product(system=1, windows=(1,)),
)
run = ex.cycles(engine, 40.0, 5, ex.EMME())
print("work of each cycle", run.work)
print("entropy production of each", run.entropy_production)

# %% [markdown]
# ## A slow way
#
# The metric of a resonant level at any coupling; at constant speed in it least work is wasted.


# %%
def metric(level):
    return ex.resonant_level_metric(level, coupling=0.5, beta=1.0)


way = ex.geodesic(metric, -3.0, 3.0, duration=1.0, pieces=32)
levels = np.linspace(-3.0, 3.0, 101)
straight = 6.0 * np.mean(jax.vmap(metric)(jnp.asarray(levels))) * 6.0
print(
    "wasted, times the duration: geodesic", float(way.length**2), "straight line", float(straight)
)
figure, axis = plt.subplots(figsize=(5, 3.4), layout="constrained")
axis.plot(way.times, way.values[:, 0])
axis.set(xlabel="time / duration", ylabel="level")
