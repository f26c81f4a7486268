"""Eigenvalues of Hermitian matrices, without the eigenvectors that JAX's `eigvalsh` computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact


def eigenvalues(matrix: Inexact[Array, "n n"]) -> Float[Array, " n"]:
    """Ascending eigenvalues of a Hermitian matrix; no derivative (see `trace_fn`).

    On CPU this asks LAPACK for values only, 2 to 4 times faster than `jnp.linalg.eigvalsh`,
    which computes vectors too, and is called elsewhere or where JAX's LAPACK entry has changed.
    """
    matrix = jax.lax.stop_gradient(matrix)
    if not values_only_available():
        return jnp.linalg.eigvalsh(matrix)
    return jax.lax.platform_dependent(matrix, cpu=_lapack_values, default=jnp.linalg.eigvalsh)


@functools.cache
def values_only_available() -> bool:
    """Whether JAX's LAPACK entry answers as expected, tested on a small matrix."""
    try:
        cpu = jax.local_devices(backend="cpu")[0]
        with jax.ensure_compile_time_eval(), jax.default_device(cpu):
            return all(_answers(dtype) for dtype in (np.float64, np.complex128))
    except Exception:  # noqa: BLE001 - no CPU, or whatever JAX raises for a changed entry
        return False


def _answers(dtype: type) -> bool:
    sample = np.array([[2.0, 1.0], [1.0, 2.0]], dtype)
    # lowering an ordinary eigenproblem makes JAX load its LAPACK
    jax.jit(jnp.linalg.eigh).lower(sample)
    return np.allclose(np.asarray(jax.jit(_lapack_values)(sample)), [1.0, 3.0])


def _lapack_values(matrix: Array) -> Array:
    n = matrix.shape[-1]
    name = "lapack_zheevd_ffi" if jnp.iscomplexobj(matrix) else "lapack_dsyevd_ffi"
    outputs = [
        jax.ShapeDtypeStruct((n, n), matrix.dtype),
        jax.ShapeDtypeStruct((n,), np.float64),
        jax.ShapeDtypeStruct((), np.int32),
    ]
    call = jax.ffi.ffi_call(name, outputs, input_output_aliases={0: 0}, vmap_method="broadcast_all")
    _, values, info = call(matrix, mode=np.uint8(ord("N")), uplo=np.uint8(ord("L")))
    # of a diagonal with NaN in it LAPACK makes zeros, and reports success
    sound = (info == 0) & jnp.all(jnp.isfinite(matrix))
    return jnp.where(sound, values, jnp.nan)
