"""What happens inside a host's process. Each scene runs in a new process (see conftest.py) and returns plain data."""

import os
import time
from pathlib import Path

import numpy as np

# A short take: the factory seed clips last 4 s.
SEED_SECONDS = 4.0
LENGTH_SECONDS = 1.0
BAR_SECONDS = 2.0  # 4/4 at 120 per minute


def _studio(bundle, **options):
    from studio import Studio

    return Studio(bundle, **options)


def _prepare(studio, bar=1, play_seed=True, length=LENGTH_SECONDS):
    studio.choose("Mode", "Continue", 2)
    studio.choose("Length unit", "Seconds", 2)
    studio.set_number("Length", length)
    studio.set_number("Variations", 1)
    studio.choose("Playback", "Timeline", 2)
    studio.set_number("Start", bar)
    studio.set("Play seed", 1.0 if play_seed else 0.0)


def describe(bundle):
    studio = _studio(bundle)
    return {
        "names": list(studio.index),
        "inputs": studio.plugin.get_num_input_channels(),
        "outputs": studio.plugin.get_num_output_channels(),
        "latency": studio.plugin.get_latency_samples(),
    }


def make_take(bundle, state):
    """Renders a take pinned to bar 1 and saves the session; returns what it sounds like."""
    studio = _studio(bundle)
    _prepare(studio)
    audio = studio.render_take(SEED_SECONDS + LENGTH_SECONDS)
    studio.save(state)
    return audio


def reopen(bundle, state, rate=48_000, block=512, bar=None, bpm=120.0, seconds=SEED_SECONDS + LENGTH_SECONDS):
    """Opens a saved session and plays it."""
    studio = _studio(bundle, rate=rate, block=block, bpm=bpm)
    studio.load(state)
    if bar is not None:
        studio.set_number("Start", bar)
        studio.play(2 * block / rate)
    return studio.play(seconds)


def note(bundle, state, rate, block, at):
    """Opens a saved session in pedalboard and plays one note `at` seconds; returns the audio."""
    import pedalboard

    plugin = pedalboard.load_plugin(str(bundle))
    plugin.raw_state = Path(state).read_bytes()
    plugin.playback = "MIDI"
    # The state and the switch reach the plugin with the first block.
    plugin([], duration=0.1, sample_rate=rate, num_channels=2, buffer_size=block, reset=False)
    messages = [(bytes([0x90, 60, 127]), at), (bytes([0x80, 60, 0]), at + 4.0)]
    return plugin(messages, duration=at + 2.0, sample_rate=rate, num_channels=2, buffer_size=block, reset=False)


def kind(bundle):
    import pedalboard

    plugin = pedalboard.load_plugin(str(bundle))
    return {"instrument": plugin.is_instrument, "effect": plugin.is_effect, "name": plugin.name}


def presets(bundle, paths):
    """Loads VST3 presets one after the other into one instance; returns what some controls then say."""
    studio = _studio(bundle)
    said = []
    for path in paths:
        assert studio.plugin.load_vst3_preset(str(path)), path
        studio.play(0.1)
        numbers = {name: studio.number(name) for name in ("Length", "Wildness", "Voices", "Attack")}
        said.append({**numbers, "Playback": studio.text("Playback"), "Mode": studio.text("Mode")})
    return said


def bad_files(bundle, folder, environment=None, wait=2.5, until_heard=False):
    """Renders with the shipped files in `folder`; returns the loudest sample that was heard. The process must survive."""
    os.environ["CONTINUO_RESOURCES"] = str(folder)
    os.environ.update(environment or {})
    studio = _studio(bundle)
    _prepare(studio, length=0.5)
    studio.press("Render")
    deadline, heard = time.monotonic() + wait, 0.0
    while time.monotonic() < deadline:
        audio = studio.play(1.0)
        assert np.isfinite(audio).all()
        heard = max(heard, float(np.abs(audio).max()))
        if until_heard and heard > 0.0:
            break
        time.sleep(0.25)
    return heard


def mended(bundle, folder, good):
    """Fails to render with a damaged model, then renders with a whole one in its place, in one process."""
    os.environ["CONTINUO_RESOURCES"] = str(folder)
    studio = _studio(bundle)
    _prepare(studio)
    studio.press("Render")
    time.sleep(1.0)
    silent = float(np.abs(studio.play(1.0)).max())
    model = Path(folder) / "presets" / "models" / "piano-16k.continuo"
    model.unlink()
    os.link(good, model)
    studio.render_take(SEED_SECONDS + LENGTH_SECONDS)
    return silent


def fuzz(bundle, seconds, seed):
    """Random values on random parameters, blocks of odd sizes; returns the number of renders that were checked."""
    random = np.random.default_rng(seed)
    deadline, count = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        studio = _studio(bundle, rate=int(random.choice([44_100, 48_000, 96_000])), block=int(random.choice([32, 441, 2048])))
        for _ in range(20):
            for name in random.choice(list(studio.index), size=4):
                studio.set(str(name), float(random.choice([0.0, 1.0, random.random()])))
            audio = studio.play(float(random.uniform(0.01, 0.5)))
            assert np.isfinite(audio).all()
            quiet = np.abs(audio[audio != 0.0])
            assert quiet.size == 0 or quiet.min() >= np.finfo(np.float32).tiny, "a subnormal number"
            count += 1
            if time.monotonic() > deadline:
                break
    return count
