"""The training loop: it stops, goes on after a kill to the same bits, and shares batches between processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from histoscribe.core.errors import DataError, RegistryError
from histoscribe.train import Training, train

RNG = np.random.default_rng(0)
X = torch.from_numpy(RNG.normal(size=(40, 5)).astype(np.float32))
Y = X @ torch.arange(5.0)[:, None]


def make_network():
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1))


def batches(epoch):
    order = np.random.default_rng(epoch).permutation(40)
    return [order[i : i + 10] for i in range(0, 40, 10)]


def run(options, *, checkpoint=None, stop_at=None, score=None):
    network = make_network()
    seen = []

    def loss(batch):
        if stop_at is not None and len(seen) == stop_at:
            raise KeyboardInterrupt
        seen.append(1)
        return ((network(X[batch]) - Y[batch]) ** 2).mean(), len(batch)

    outcome = train(network, batches, loss, options, checkpoint=checkpoint, seed=1, show=False, score=score)
    return network, outcome, len(seen)


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


OPTIONS = Training(epochs=6, lr=1e-2, schedule="step", step=2, gamma=0.5, clip=1.0, checkpoint_s=0.0, patience=0)


def test_the_loss_falls():
    outcome = run(OPTIONS.but({"epochs": 40, "lr": 5e-2, "schedule": "none"}))[1]
    assert outcome.history[-1][0] < 0.2 * outcome.history[0][0]


def test_a_killed_run_goes_on_to_the_same_bits_and_repeats_no_epoch(tmp_path):
    whole = run(OPTIONS)[0]
    file = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        run(OPTIONS, checkpoint=file, stop_at=14)  # in the fourth epoch
    assert file.is_file()
    resumed, outcome, n_batches = run(OPTIONS, checkpoint=file)
    assert same(whole, resumed)
    assert n_batches == 12  # epochs four to six; the first three are not repeated
    assert len(outcome.history) == 6
    assert not file.exists()


def test_a_damaged_checkpoint_is_begun_again(tmp_path):
    file = tmp_path / "state.pt"
    file.write_bytes(b"half a file")
    assert same(run(OPTIONS, checkpoint=file)[0], run(OPTIONS)[0])


def test_it_stops_after_patience_and_keeps_the_best_weights():
    scores = iter([1.0, 3.0, 2.0, 2.0, 9.0, 9.0])
    network, outcome, _ = run(OPTIONS.but({"patience": 2}), score=lambda: next(scores))
    assert [found for _, found in outcome.history] == [1.0, 3.0, 2.0, 2.0]
    assert outcome.epochs == 2
    assert same(network, run(OPTIONS.but({"epochs": 2}))[0])


def test_a_loss_that_is_no_number_is_an_error():
    network = make_network()
    with pytest.raises(DataError, match="loss became nan in epoch 1"):
        train(network, batches, lambda b: (network(X).sum() * float("nan"), len(b)), OPTIONS, show=False)


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(RegistryError, match="'patience'"):
        Training().but({"patiense": 3})


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["none", "step", "cosine-restarts"])
def test_every_optimiser_and_schedule_runs(optimiser, schedule):
    run(OPTIONS.but({"optimiser": optimiser, "schedule": schedule, "epochs": 2, "lr": 1e-3}))


def test_two_processes_train_the_network_of_one(tmp_path):
    alone = tmp_path / "alone.pt"
    script = Path(__file__).with_name("distributed_run.py")
    subprocess.run([sys.executable, str(script), str(alone)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    pair = [tmp_path / f"rank{rank}.pt" for rank in (0, 1)]
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    running = [
        subprocess.Popen([sys.executable, str(script), str(path)], env=shared | {"RANK": str(rank)})
        for rank, path in enumerate(pair)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    states = [torch.load(path, weights_only=True) for path in (alone, *pair)]
    for name, value in states[0].items():
        assert torch.equal(states[1][name], states[2][name])
        assert torch.allclose(value, states[1][name], atol=1e-5)
