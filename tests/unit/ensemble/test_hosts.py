"""Which share of the draws is this process's."""

import pytest

from entropax.ensemble import hosts


def test_shares_are_whole_chunks_and_all() -> None:
    for samples, chunk, size in ((20, 8, 2), (1000, 16, 7), (5, 4, 8), (16, 16, 3)):
        shares = [hosts.Share(i, size).of(samples, chunk) for i in range(size)]
        assert shares[0][0] == 0
        assert shares[-1][1] == samples
        assert [a for a, _ in shares[1:]] == [b for _, b in shares[:-1]]
        assert all(a % chunk == 0 or a == samples for a, _ in shares)
        lengths = [-(-(b - a) // chunk) for a, b in shares]
        assert max(lengths) - min(lengths) <= 1


def test_share_is_what_the_launcher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in hosts._LAUNCHERS:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    assert hosts.found() == (0, 1)
    monkeypatch.setenv("SLURM_PROCID", "0")  # of a batch script, which is no step
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert hosts.found() == (0, 1)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    assert hosts.found() == (0, 8)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    assert hosts.found() == (2, 4)
