"""Train a small network as one process of several (see test_loop.py) and write its weights."""

from __future__ import annotations

import sys

import numpy as np
import torch

from histoscribe.train import Ranks, Training, train

torch.set_num_threads(1)
rng = np.random.default_rng(0)
X = torch.from_numpy(rng.normal(size=(41, 5)).astype(np.float32))
Y = X @ torch.arange(5.0)[:, None]
torch.manual_seed(3)
network = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
ranks = Ranks()


def batches(epoch):
    order = np.random.default_rng(epoch).permutation(41)
    return [order[i : i + 10] for i in range(0, 41, 10)]  # the last batch has one observation: one rank has none


def loss(batch):
    own = batch[ranks.rank :: ranks.size]
    return (((network(X[own]) - Y[own]) ** 2).mean(), len(own)) if len(own) else None


train(network, batches, loss, Training(epochs=3, lr=1e-2, patience=0, device="cpu"), show=False)
torch.save(network.state_dict(), sys.argv[1])
