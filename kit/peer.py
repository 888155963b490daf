#!/usr/bin/env python3
"""The trainer's WaveNet in PyTorch: what its speed is measured against, and its numbers are held against.

    peer.py CONFIG.toml [--device cpu|cuda] [--dtype f32|tf32|bf16|f64] [--compile] [--join-skips]
            [--steps N] [--warmup N] [--seconds S] [--threads N]
    peer.py CONFIG.toml --golden FILE.npz [--against FILE.json] [--device ...] [--dtype ...] [--steps N]

Both print one line of JSON. Network, loss, initial distribution, clipping, Adam, learning rate and averaged weights are those of
trainer/src (family/wavenet, nn), and tensors have its names.

The first form measures training steps on random codes, each from codes in the host's memory to new weights and a loss that has been
read, as the trainer's own are. `frames_per_second` counts the frames that the loss is taken over, not the receptive field before them.

The second form makes steps from given weights on given batches, which `continuo-trainer golden` writes: FILE.npz holds each tensor under its name (float32), and `codes`
(uint16, [steps, batch, receptive field + frames]); step n takes batch n, and begins again with the first after the last. The line then
has the loss and the gradients' norms of the first batch and the loss of each step. FILE.json is what the trainer found: with it, the line
also has how far apart both are, and the program fails if that is more than the bounds below.
"""
import argparse
import contextlib
import json
import math
import resource
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn


# Of the norm of a tensor's gradient, and of the norm of all where a tensor's own is next to nothing.
GRADIENT_BOUND = 1e-4
# Of the mean loss over the last tenth of the steps: rounding makes trainings drift apart, but not on average.
LOSS_BOUND = 5e-3


class Shape:
    """The hyper-parameters of a configuration's [model]."""

    def __init__(self, model):
        unknown = [name for name in ("head", "activation", "output", "classes") if name in model]
        if unknown:
            sys.exit(f"{', '.join(unknown)}: only the 2016 network is written down here")
        self.levels, self.taps = model["levels"], model["filter_width"]
        self.residual, self.gate = model["residual_channels"], model["dilation_channels"]
        self.skip, self.end = model["skip_channels"], model["end_channels"]
        self.biases = model.get("biases", True)
        self.dilations = [1 << layer for _ in range(model["stacks"]) for layer in range(model["layers"])]
        # The newest frame, what the causal convolution sees before it, and what each layer does.
        self.receptive_field = 1 + (self.taps - 1) * (1 + sum(self.dilations))

    def tensors(self):
        """Names and axes of the weights, in the order of the exported graph."""
        convolutions = []
        for layer, _ in enumerate(self.dilations):
            convolutions.append((f"layer.{layer}.dilated", [2 * self.gate, self.residual, self.taps]))
            convolutions.append((f"layer.{layer}.skip", [self.skip, self.gate, 1]))
            if layer + 1 < len(self.dilations):
                convolutions.append((f"layer.{layer}.residual", [self.residual, self.gate, 1]))
        convolutions += [("end.0", [self.end, self.skip, 1]), ("end.1", [self.levels, self.end, 1])]
        tensors = {f"causal.tap{tap}.weight": [self.levels, self.residual] for tap in range(self.taps)}
        tensors["causal.bias"] = [self.residual]
        for name, axes in convolutions:
            tensors[f"{name}.weight"] = axes
            tensors[f"{name}.bias"] = axes[:1]
        return {name: axes for name, axes in tensors.items() if self.biases or not name.endswith(".bias")}


def initial_weights(shape, generator):
    """Glorot's uniform distribution; biases are zero. A one-hot input has one channel that is not zero, so its fan-in is the taps."""
    weights = {}
    for name, axes in shape.tensors().items():
        if len(axes) == 1:
            weights[name] = torch.zeros(axes)
            continue
        fans = axes[0] * axes[2] + axes[1] * axes[2] if len(axes) == 3 else shape.taps + axes[1]
        limit = math.sqrt(6 / fans)
        weights[name] = (2 * torch.rand(axes, generator=generator) - 1) * limit
    return weights


def logits(shape, weights, codes, join_skips):
    """Logits [B, Q, N] of the frames after the last N codes, from codes [B, receptive field - 1 + N]."""

    def convolved(x, name, dilation=1):
        return functional.conv1d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), dilation=dilation)

    frames = codes.shape[1] - (shape.taps - 1)
    x = sum(functional.embedding(codes[:, tap : tap + frames], weights[f"causal.tap{tap}.weight"]) for tap in range(shape.taps))
    if shape.biases:
        x = x + weights["causal.bias"]
    x = x.transpose(1, 2)
    # Only the frames that the loss needs go through the skip paths.
    kept = codes.shape[1] - shape.receptive_field + 1
    skips, gates = None, []
    for layer, dilation in enumerate(shape.dilations):
        tanh, sigmoid = convolved(x, f"layer.{layer}.dilated", dilation).chunk(2, dim=1)
        z = torch.tanh(tanh) * torch.sigmoid(sigmoid)
        if join_skips:
            gates.append(z[:, :, -kept:])
        else:
            part = convolved(z[:, :, -kept:], f"layer.{layer}.skip")
            skips = part if skips is None else skips + part
        if layer + 1 < len(shape.dilations):
            x = x[:, :, dilation * (shape.taps - 1) :] + convolved(z, f"layer.{layer}.residual")
    if join_skips:
        # The sum of the layers' products is one product of all their gates.
        layers = range(len(shape.dilations))
        joined = torch.cat([weights[f"layer.{layer}.skip.weight"] for layer in layers], dim=1)
        bias = sum(weights[f"layer.{layer}.skip.bias"] for layer in layers) if shape.biases else None
        skips = functional.conv1d(torch.cat(gates, dim=1), joined, bias)
    return convolved(functional.relu(convolved(functional.relu(skips), "end.0")), "end.1")


def losses(shape, weights, sequences, logit_penalty, join_skips):
    """The mean cross-entropy of sequences [B, receptive field + N] in nats, and what is minimised."""
    predicted = logits(shape, weights, sequences[:, :-1], join_skips)
    cross_entropy = functional.cross_entropy(predicted, sequences[:, shape.receptive_field :])
    if logit_penalty == 0:
        return cross_entropy, cross_entropy
    return cross_entropy, cross_entropy + logit_penalty * predicted.float().square().mean()


def learning_rate(training, step):
    """The learning rate of a step, counted from 0: up over the warm-up, down over the last `decay_steps`."""
    warmup, decay_steps, kind = training.get("warmup_steps", 0), training.get("decay_steps", 0), training.get("decay", "none")
    rise = (step + 1) / warmup if step < warmup else 1.0
    start, fall = max(0, training["steps"] - decay_steps), 1.0
    if kind != "none" and decay_steps > 0 and step >= start:
        progress = min(1.0, (step - start + 1) / decay_steps)
        left = (1 + math.cos(math.pi * progress)) / 2 if kind == "cosine" else 1 - progress
        decay_to = training.get("decay_to", 0.0)
        fall = decay_to + (1 - decay_to) * left
    return training["learning_rate"] * rise * fall


class Trainer:
    """Weights on a device, and what trains them."""

    def __init__(self, config, shape, weights, options):
        self.training, self.device = config["training"], torch.device(options.device)
        master = torch.float64 if options.dtype == "f64" else torch.float32
        self.weights = {name: values.to(self.device, master).requires_grad_() for name, values in weights.items()}
        self.all_weights = list(self.weights.values())
        self.average = [values.detach().clone() for values in self.all_weights]
        betas = (self.training.get("beta1", 0.9), self.training.get("beta2", 0.999))
        epsilon = self.training.get("epsilon", 1e-8)
        self.adam = torch.optim.Adam(self.all_weights, lr=0.0, betas=betas, eps=epsilon, fused=True)
        self.step_number = 0
        penalty = self.training.get("logit_penalty", 0.0)

        def forward(weights, sequences):
            return losses(shape, weights, sequences, penalty, options.join_skips)

        self.forward = torch.compile(forward) if options.compile else forward
        narrow = options.dtype == "bf16"
        self.precision = lambda: torch.autocast(self.device.type, torch.bfloat16) if narrow else contextlib.nullcontext()

    def gradient(self, codes):
        """Leaves the gradient of a batch of codes in the weights, and gives back the loss."""
        sequences = codes.to(self.device)
        self.adam.zero_grad(set_to_none=True)
        with self.precision():
            loss, minimised = self.forward(self.weights, sequences)
        minimised.backward()
        return loss

    def step(self, codes):
        """One step on a batch of codes. Gives back its loss, read."""
        loss = self.gradient(codes)
        clip_norm = self.training.get("clip_norm", 0.0)
        if clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.all_weights, clip_norm)
        self.adam.param_groups[0]["lr"] = learning_rate(self.training, self.step_number)
        self.adam.step()
        self.step_number += 1
        # The window of the average grows with the steps at first.
        decay = min(self.training.get("average_decay", 0.999), (1 + self.step_number) / (10 + self.step_number))
        with torch.no_grad():
            get_ema_multi_avg_fn(decay)(self.average, self.all_weights, None)
        return loss.item()


def peak_memory(device):
    """Bytes at the most: of the GPU, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(trainer, shape, options):
    """Figures of training steps on random codes."""
    batch, frames = trainer.training["batch"], trainer.training["chunk_frames"]
    generator = torch.Generator().manual_seed(1)
    axes = (4, batch, shape.receptive_field + frames)
    batches = torch.randint(shape.levels, axes, generator=generator)
    began = time.perf_counter()
    for step in range(options.warmup):
        trainer.step(batches[step % len(batches)])
    warmed = time.perf_counter()
    if trainer.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(trainer.device)
    times = []
    # Each step reads its loss and so waits for the device: the clock sees whole steps.
    while len(times) < options.steps and sum(times) < options.seconds:
        before = time.perf_counter()
        loss = trainer.step(batches[len(times) % len(batches)])
        times.append(time.perf_counter() - before)
    return {
        "batch": batch,
        "chunk_frames": frames,
        "receptive_field": shape.receptive_field,
        "steps": len(times),
        "warmup_steps": options.warmup,
        "warmup_seconds": warmed - began,
        "seconds_per_step": float(np.mean(times)),
        "median_seconds_per_step": float(np.median(times)),
        "frames_per_second": batch * frames / float(np.mean(times)),
        "peak_memory_bytes": peak_memory(trainer.device),
        "last_loss_nats": loss,
    }


def golden(trainer, codes, options):
    """Loss and gradient of the first batch, and the losses of steps from there."""
    batches = torch.from_numpy(codes.astype(np.int64))
    loss = trainer.gradient(batches[0]).item()
    norms = {name: float(values.grad.double().norm()) for name, values in trainer.weights.items()}
    return {
        "loss_nats": loss,
        "gradient_norm": math.hypot(*norms.values()),
        "gradient_norms": norms,
        "step_losses_nats": [trainer.step(batches[step % len(batches)]) for step in range(options.steps)],
    }


def apart(found, path, steps):
    """How far what was found here is from what the trainer found, and what of it is out of bounds."""
    trainer = json.loads(path.read_text())
    whole = math.hypot(*trainer["gradient_norms"].values())
    gradients = {
        name: abs(found["gradient_norms"][name] - norm) / max(norm, 1e-3 * whole)
        for name, norm in trainer["gradient_norms"].items()
    }
    worst = max(gradients, key=gradients.get)
    ours, theirs = found["step_losses_nats"][:steps], trainer["step_losses"][:steps]
    if len(ours) != len(theirs):
        sys.exit(f"{path}: {len(theirs)} steps, and {len(ours)} here")
    last = max(1, len(ours) // 10)
    ends = [sum(losses[-last:]) / last for losses in (ours, theirs)]
    loss = abs(ends[0] - ends[1]) / abs(ends[1])
    problems = []
    if gradients[worst] > GRADIENT_BOUND:
        problems.append(f"the gradient of {worst} differs by {gradients[worst]:.1e} of it")
    if loss > LOSS_BOUND:
        problems.append(f"the loss after {len(ours)} steps differs by {loss:.1e} of it")
    figures = {
        "worst_gradient": gradients[worst],
        "first_loss": abs(ours[0] - theirs[0]),
        "end_loss_nats": ends[0],
        "trainers_end_loss_nats": ends[1],
        "end_loss": loss,
        "last_steps": last,
    }
    return figures, problems


def read_golden(path, shape):
    """Weights and codes of a FILE.npz; anything that does not fit the configuration is refused."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    codes = arrays.pop("codes", None)
    expected = shape.tensors()
    wrong = [name for name in expected.keys() | arrays.keys() if list(arrays.get(name, np.empty(0)).shape) != expected.get(name)]
    if wrong:
        sys.exit(f"{path}: not of this configuration: {', '.join(sorted(wrong)[:5])}")
    if codes is None or codes.ndim != 3 or codes.shape[2] <= shape.receptive_field or codes.max() >= shape.levels:
        sys.exit(f"{path}: `codes` must be [steps, batch, more than {shape.receptive_field}], below {shape.levels}")
    return {name: torch.from_numpy(arrays[name]) for name in expected}, codes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="configuration, as in trainer/configs")
    parser.add_argument("--device", default="cuda", help="cpu, cuda or cuda:N")
    precisions = "tf32: products in TensorFloat-32; bf16: autocast; f64: to tell rounding from mistakes"
    parser.add_argument("--dtype", choices=["f32", "tf32", "bf16", "f64"], default="f32", help=precisions)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--join-skips", action="store_true", help="all skip paths as one product, which is the same sum")
    parser.add_argument("--steps", type=int, default=30, help="steps that are measured, or compared")
    parser.add_argument("--warmup", type=int, default=5, help="steps before, which are not measured")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end the measurement after so long")
    parser.add_argument("--threads", type=int, default=0, help="threads on the CPU; 0: as many as PyTorch takes")
    parser.add_argument("--golden", type=Path, help="weights and batches to start from")
    parser.add_argument("--against", type=Path, help="what the trainer found with them")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    # cuDNN would take TF32 for f32 unasked.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.dtype == "tf32"
    # Shapes never change, so the fastest convolution is looked for once; not where bits are compared.
    torch.backends.cudnn.benchmark = options.golden is None
    torch.manual_seed(0)

    config = tomllib.loads(options.config.read_text())
    if config.get("family") != "wavenet":
        sys.exit(f"{options.config}: its family is {config.get('family')}; this is a WaveNet")
    shape = Shape(config["model"])
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device; use --device cpu")
    problems = []
    if options.golden:
        weights, codes = read_golden(options.golden, shape)
        figures = golden(Trainer(config, shape, weights, options), codes, options)
        if options.against:
            figures["apart"], problems = apart(figures, options.against, options.steps)
    else:
        weights = initial_weights(shape, torch.Generator().manual_seed(0))
        figures = measure(Trainer(config, shape, weights, options), shape, options)
    about = {
        "program": "pytorch",
        "version": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "config": options.config.stem,
        "weights": sum(math.prod(axes) for axes in shape.tensors().values()),
        "dtype": options.dtype,
        "compile": options.compile,
        "join_skips": options.join_skips,
    }
    print(json.dumps(about | figures))
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
