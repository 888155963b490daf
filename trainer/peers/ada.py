#!/usr/bin/env python3
"""A level of a discrete autoencoder in PyTorch, in double precision, for the trainer to be held against.

    ada.py CONFIG.toml --golden FILE.npz --against FILE.json

Both files are written by `continuo-trainer golden CONFIG.toml --out FILE.npz --json FILE.json`: the first weights and batches, the
first gradient's norms and the losses of some steps. Only argmax autoencoders: where the trainer's codebook of a VQ-VAE begins
is drawn from its own generator.
"""
import argparse
import json
import sys
import tomllib

import numpy
import torch
from torch.nn import functional

EPSILON = 1e-6


class Level:
    def __init__(self, config, weights):
        self.model, self.quantiser, self.training = (config[key] for key in ("model", "quantiser", "training"))
        self.weights = weights
        self.amplitudes = self.model.get("input", "one-hot") == "continuous"

    def embedded(self, symbols, table):
        if self.amplitudes:
            rows = (2 * symbols.double() / (self.model["levels"] - 1) - 1).unsqueeze(-1) * table
        else:
            rows = table[symbols]
        return rows.transpose(1, 2)

    def convolved(self, x, name, **options):
        return functional.conv1d(x, self.weights[name + ".weight"], self.weights[name + ".bias"], **options)

    def blocks(self, name, x):
        sizes = self.model[name]
        for block in range(sizes["blocks"]):
            dilation = 2 ** (block % sizes["cycle"])
            padding = dilation * (sizes["filter_width"] - 1) // 2
            place = f"{name}.block.{block}"
            h = self.convolved(x.relu(), place + ".dilated", dilation=dilation, padding=padding)
            x = x + self.convolved(h.relu(), place + ".mix")
        return x.relu()

    def losses(self, symbols):
        """Mean negative log-likelihood in nats, and the penalty."""
        weights, hop = self.weights, self.model["hop"]
        x = self.embedded(symbols, weights["encoder.input.weight"]) + weights["encoder.input.bias"][:, None]
        queries = self.convolved(functional.avg_pool1d(self.blocks("encoder", x), hop), "encoder.output")
        codes = queries.shape[1]
        if self.quantiser["kind"] == "amae":
            shares = queries.relu() / (queries.relu().sum(1, keepdim=True) + EPSILON)
            penalty = ((codes * shares.mean((0, 2)) - 1) ** 2).mean()
        elif self.quantiser["kind"] == "softmax-amae":
            shares = queries.softmax(1)
            mean = shares.mean((0, 2))
            penalty = numpy.log(codes) + (mean * mean.log()).sum()
        else:
            sys.exit("only argmax autoencoders can be compared")
        one_hot = functional.one_hot(shares.argmax(1), codes).double().transpose(1, 2)
        heard = shares + (one_hot - shares).detach()
        rows = weights["modulator.input.weight"].t().unsqueeze(2)
        x = functional.conv1d(heard, rows, weights["modulator.input.bias"])
        biases = self.convolved(self.blocks("modulator", x), "modulator.output").repeat_interleave(hop, 2)
        logits = self.decoded(symbols, biases)
        kept = self.training["chunk_frames"]
        nats = functional.cross_entropy(logits[:, :, -kept:], symbols[:, -kept:])
        return nats, penalty

    def decoded(self, symbols, biases):
        sizes, weights = self.model["decoder"], self.weights
        taps, wide = sizes["filter_width"], 2 * sizes["dilation_channels"]
        x = sum(
            self.embedded(symbols[:, tap : symbols.shape[1] - taps + tap], weights[f"decoder.causal.tap{tap}.weight"])
            for tap in range(taps)
        )
        x = x + weights["decoder.causal.bias"][:, None]
        skips, layers = [], sizes["stacks"] * sizes["layers"]
        for layer in range(layers):
            place, dilation = f"decoder.layer.{layer}", 2 ** (layer % sizes["layers"])
            h = self.convolved(x, place + ".dilated", dilation=dilation)
            h = h + biases[:, layer * wide : (layer + 1) * wide, -h.shape[2] :]
            z = h[:, : wide // 2].tanh() * h[:, wide // 2 :].sigmoid()
            skips.append(self.convolved(z, place + ".skip"))
            if layer + 1 < layers:
                x = x[:, :, -z.shape[2] :] + self.convolved(z, place + ".residual")
        y = sum(skip[:, :, -skips[-1].shape[2] :] for skip in skips)
        return self.convolved(self.convolved(y.relu(), "decoder.end.0").relu(), "decoder.end.1")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--golden", required=True)
    parser.add_argument("--against", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with open(options.config, "rb") as file:
        config = tomllib.load(file)
    with open(options.against, encoding="utf-8") as file:
        against = json.load(file)
    arrays = numpy.load(options.golden)
    batches = torch.from_numpy(arrays["codes"].astype(numpy.int64))
    weights = {
        name: torch.from_numpy(arrays[name].astype(numpy.float64)).requires_grad_() for name in arrays.files if name != "codes"
    }
    level, training = Level(config, weights), config["training"]
    adam = torch.optim.Adam(weights.values(), lr=training["learning_rate"])
    worst_gradient, worst_loss = 0.0, 0.0
    for step, batch in enumerate(batches):
        adam.zero_grad()
        nats, penalty = level.losses(batch)
        (nats + config["quantiser"]["penalty"] * penalty).backward()
        if step == 0:
            largest = max(against["gradient_norms"].values())
            for name, norm in against["gradient_norms"].items():
                worst_gradient = max(worst_gradient, abs(weights[name].grad.norm().item() - norm) / largest)
        worst_loss = max(worst_loss, abs(nats.item() - against["step_losses"][step]) / nats.item())
        torch.nn.utils.clip_grad_norm_(weights.values(), training["clip_norm"])
        adam.step()
    print(f"gradients' norms within {worst_gradient:.1e} of the largest, {len(batches)} losses within {worst_loss:.1e}")
    return 0 if worst_gradient < 1e-4 and worst_loss < 1e-3 else 1


sys.exit(main())
