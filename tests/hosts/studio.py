"""The plugin in DawDreamer: parameters by name and text, the transport from bar 1, and waiting for a render.

DawDreamer renders as fast as it can and the plugin never waits for frames in VST3 (a host may say "offline" one call
late), so a take is complete once two renders in a row give the same sound that reaches the take's end.
"""

import re
import time
from pathlib import Path

import dawdreamer
import numpy as np

BPM = 120.0


class Studio:
    """One instance of the plugin at one sample rate and block size."""

    def __init__(self, bundle, rate=48_000, block=512, bpm=BPM):
        self.rate, self.block = rate, block
        self.engine = dawdreamer.RenderEngine(rate, block)
        self.engine.set_bpm(bpm)
        self.plugin = self.engine.make_plugin_processor("continuo", str(bundle))
        self.engine.load_graph([(self.plugin, [])])
        self.index = {p["name"]: p["index"] for p in self.plugin.get_parameters_description()}

    def text(self, name):
        return self.plugin.get_parameter_text(self.index[name])

    def number(self, name):
        """The number in a parameter's text."""
        text = self.text(name)
        if text.strip().lower() == "off":
            return 0.0
        return float(re.search(r"[-+]?\d+(\.\d+)?", text).group())

    def set(self, name, normalised):
        self.plugin.set_parameter(self.index[name], normalised)

    def choose(self, name, text, steps):
        """Sets a parameter of `steps` values to the one that is called `text`."""
        for step in range(steps):
            self.set(name, step / (steps - 1))
            if self.text(name).strip().lower() == text.lower():
                return
        raise AssertionError(f"{name} has no value {text!r}")

    def set_number(self, name, wanted):
        """Sets a parameter whose text rises with its value to the number `wanted`."""
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            self.set(name, middle)
            found = self.number(name)
            if found == wanted:
                return
            low, high = (middle, high) if found < wanted else (low, middle)
        for end in (0.0, 1.0):
            self.set(name, end)
            if self.number(name) == wanted:
                return
        raise AssertionError(f"{name} cannot be {wanted}: the nearest is {self.text(name)!r}")

    def play(self, seconds):
        """Rolls the transport from bar 1; returns audio of shape [channel, frame]."""
        assert self.engine.render(seconds)
        return np.array(self.engine.get_audio())

    def press(self, name):
        """Off, on, off, each seen by one block."""
        for value in (0.0, 1.0, 0.0):
            self.set(name, value)
            self.play(2 * self.block / self.rate)

    def render_take(self, seconds, timeout=240.0):
        """Presses Render and waits until what plays for `seconds` from bar 1 is complete."""
        before = self.play(seconds)
        self.press("Render")
        last, deadline = None, time.monotonic() + timeout
        while time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.play(seconds)
            tail = now[:, -int(0.25 * self.rate):]
            whole = np.abs(tail).max() > 0.0 and not np.array_equal(now, before)
            if whole and last is not None and np.array_equal(now, last):
                return now
            last = now
        raise AssertionError(f"no complete take after {timeout} s")

    def save(self, path):
        self.plugin.save_state(str(path))

    def load(self, path):
        self.plugin.load_state(str(path))


def resources(bundle):
    """The shipped files inside a VST3 bundle."""
    return Path(bundle) / "Contents" / "Resources"
