#!/usr/bin/env python3
"""The operations of trainer/src/nn/ops in PyTorch, for trainer/benches/operations.rs to measure itself against.

    operations.py [--threads N] [--processor]

Reads one JSON object a line, as the benchmark writes them, runs what it names once, and prints the seconds that took: on
the wall, or with --processor of all threads' processor time. What a line
names is prepared, and run once, when it comes for the first time. Inputs, weights and biases have gradients.
"""
import argparse
import json
import sys
import time

import torch
from torch.nn import functional


def leaf(*axes):
    return torch.randn(*axes).mul_(0.1).requires_grad_()


def conv1d(row):
    x = leaf(row["batch"], row["inputs"], row["length"])
    weight, bias = leaf(row["outputs"], row["inputs"], row["kernel"]), leaf(row["outputs"])
    return [x, weight, bias], lambda: functional.conv1d(x, weight, bias, row["stride"], row["padding"])


def conv_transpose1d(row):
    x = leaf(row["batch"], row["inputs"], row["length"] // row["stride"])
    weight, bias = leaf(row["inputs"], row["outputs"], row["kernel"]), leaf(row["outputs"])
    # As many frames more as make the output a whole number of strides.
    more = row["stride"] + 2 * row["padding"] - row["kernel"]
    return [x, weight, bias], lambda: functional.conv_transpose1d(x, weight, bias, row["stride"], row["padding"], more)


def recurrent(layer):
    def prepare(row):
        module = layer(row["inputs"], row["units"])
        x = leaf(row["steps"], row["batch"], row["inputs"])
        return [x, *module.parameters()], lambda: module(x)[0]

    return prepare


def softmax_loss(row):
    logits = leaf(row["rows"], row["classes"])
    targets = torch.arange(row["rows"]) * 7919 % row["classes"]
    return [logits], lambda: functional.cross_entropy(logits, targets, reduction="none")


OPERATIONS = {
    "conv1d": conv1d,
    "conv_transpose1d": conv_transpose1d,
    "lstm": recurrent(torch.nn.LSTM),
    "gru": recurrent(torch.nn.GRU),
    "softmax_loss": softmax_loss,
}


def run(leaves, forward, backward, clock):
    """Seconds of one run."""
    for tensor in leaves:
        tensor.grad = None
    before = clock()
    if backward:
        # The gradient of a sum is ones, which are expanded and not stored; dense ones are what a layer behind would send.
        result = forward()
        result.backward(torch.ones_like(result))
    else:
        with torch.no_grad():
            forward()
    return clock() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processor", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    prepared = {}
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        row = json.loads(line)
        backward = row.pop("backward")
        name = json.dumps(row)
        if name not in prepared:
            prepared[name] = OPERATIONS[row["operation"]](row)
            run(*prepared[name], backward=True, clock=clock)
        print(run(*prepared[name], backward, clock), flush=True)


if __name__ == "__main__":
    main()
