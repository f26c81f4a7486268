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
# # Ensembles: what is typical, and how sure it is
#
# Random couplings, random pure starts, grids of parameters: one call fills the machine, keeps what
# is done in a folder, and goes on where it stopped.
#
# Set `ENTROPAX_SMALL=1` in the environment for a quick look.

# %%
import os
import tempfile

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import entropax as ex

SMALL = bool(os.environ.get("ENTROPAX_SMALL"))
SAMPLES, LEVELS, MODES = (6, 10, 6) if SMALL else (128, 100, 60)
folder = tempfile.mkdtemp()

# %% [markdown]
# ## A spin and a random-matrix bath
#
# Draw number i has the key `fold_in(key, i)`: it is the same draw on any number of devices.

# %%
bath = ex.WindowBath(centers=(0.0, 1.0), volumes=(2 * LEVELS // 5, 3 * LEVELS // 5), width=0.5)
flip = jnp.array([[0.0, 1.0], [1.0, 0.0]])
strength = 3e-3 * np.sqrt(1000 / LEVELS)
link = ex.Coupling(flip, bath, strength, ex.RandomBands(variance=1.0))
model = ex.OpenSystem((0.0, 1.0), (link,), ex.Product(system=1, windows=(0,)))
ts = np.linspace(0.0, 60.0, 31)
runs = ex.ensemble(
    model, ts, ex.Schrodinger(), key=jax.random.key(1), samples=SAMPLES, store=f"{folder}/spin"
)
print(f"{len(runs.indices)} draws, {runs.failed.sum()} failed")

# %%
emme = ex.solve(model, ts, ex.EMME(memory="finite")).ledger
mean, error = runs.mean.entropy_production, runs.error.entropy_production
plt.fill_between(ts, mean - 2 * error, mean + 2 * error, alpha=0.3)
plt.plot(ts, mean, label=f"exact, mean of {SAMPLES} draws")
plt.plot(ts, runs.ledger.entropy_production[0], lw=0.7, label="one draw")
plt.plot(ts, emme.entropy_production, "--", label="EMME, finite memory")
plt.xlabel("time")
plt.ylabel("entropy production (nats)")
plt.legend()
plt.show()

# %% [markdown]
# The folder holds every draw. More samples of the same question go on from there; another question
# in the same folder is refused, with what differs.

# %%
more = ex.ensemble(
    model, ts, ex.Schrodinger(), key=jax.random.key(1), samples=SAMPLES + 4, store=f"{folder}/spin"
)
print(f"error at the end: {error[-1]:.2e} of {SAMPLES}, {more.error.entropy_production[-1]:.2e}")
try:
    ex.ensemble(
        model, ts, ex.Schrodinger(), key=jax.random.key(2), samples=4, store=f"{folder}/spin"
    )
except ex.StoreError as refusal:
    print(str(refusal).splitlines()[-1])

# %%
data = ex.open_ensemble(f"{folder}/spin").to_xarray()
data.to_netcdf(f"{folder}/spin.nc", engine="h5netcdf")
print(dict(data.sizes))

# %% [markdown]
# ## Random pure starts of a junction
#
# A model may be a function of a key. Means of what is linear in the state are the thermal start's.


# %%
def leads(coupling):
    return [
        ex.Lead.flat(modes=MODES, width=10.0, coupling=coupling, beta=beta, mu=mu)
        for beta, mu in ((10.0, 1.0), (2.0, -1.0))
    ]


def thermal(coupling):
    return ex.Junction(level=0.0, occupation=0.0, leads=leads(coupling))


x = np.logspace(-1, 5, 13)
pure = ex.ensemble(
    eqx.Partial(ex.pure_start, thermal(3.0)),
    x / 3.0,
    key=jax.random.key(0),
    samples=SAMPLES,
    keep=True,
    quantiles=(0.05, 0.95),
)
mixed = ex.solve(thermal(3.0), x / 3.0).ledger
low, high = (pure.quantiles[level].entropy_production for level in (0.05, 0.95))
plt.semilogx(x, mixed.entropy_production, "0.7", lw=4, label="thermal start")
plt.fill_between(x, low, high, alpha=0.4, label="pure starts, 5 to 95%")
plt.xlabel(r"$\Gamma t$")
plt.ylabel("entropy production (nats)")
plt.legend()
plt.show()

# %% [markdown]
# ## A grid of models
#
# `scan` takes a batch of models, here made by `filter_vmap` over couplings.

# %%
couplings = np.linspace(0.5, 4.0, 4 if SMALL else 15)
grid = ex.scan(eqx.filter_vmap(thermal)(couplings), [10.0, 1e4])
plt.plot(couplings, grid.ledger.entropy_production, "o-")
plt.xlabel(r"coupling $\Gamma$")
plt.ylabel("entropy production at t = 10 and 10000")
plt.show()
