"""The VST3 in DawDreamer and pedalboard: what it is, where a take starts, what a session brings back."""

import wave

import numpy as np
import pytest

import scenes
from conftest import run_scene
from studio import resources

RATES = [44_100, 48_000, 96_000]
BLOCKS = [32, 441, 512, 4096]


def test_it_is_an_instrument(bundle):
    kind = run_scene(scenes.kind, bundle)
    # pedalboard also calls whatever has an audio input an effect, and the sidechain is one.
    assert kind["instrument"] and kind["name"] == "Continuo"


def test_parameters_and_ports_are_the_published_ones(bundle):
    found = run_scene(scenes.describe, bundle)
    wanted = ["Mode", "Length", "Length unit", "Wildness", "Temperature", "Top k", "Class", "RNG seed", "Lock RNG seed", "Variations", "Variation", "Gain"]
    wanted += ["Playback", "Start", "Play seed", "Seed source", "Capture", "Capture the loop", "Render", "Cancel"]
    assert found["names"][: len(wanted)] == wanted
    keys = ["Key tracking", "Root key", "Bend range", "Attack", "Decay", "Sustain", "Release", "Velocity curve"]
    keys += ["Start offset", "Voices", "Mono", "Controllers", "Key limiter"]
    assert [name for name in found["names"] if name in keys] == keys
    timeline = ["Level match", "At end", "End fade", "Loop crossfade", "Loop whole bars", "Tempo"]
    timeline += ["Arrangement", "Arrangement crossfade"]
    assert [name for name in found["names"] if name in timeline] == timeline
    codes = ["Code temperature", "Code top k"]
    assert [name for name in found["names"] if name in codes] == codes
    assert found["outputs"] == 2
    assert found["latency"] == 0


def test_the_phrase_is_the_seed_clip_and_something_new(workshop):
    audio = workshop["audio"]
    clip = sorted((resources(workshop["bundle"]) / "presets" / "seeds").glob("*.wav"))[0]
    with wave.open(str(clip)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        seed = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768.0
    frames = len(seed)
    for channel in audio:
        # The clip's last 1/200 s goes over to what the model heard.
        exact = frames - 48_000 // 200
        assert np.abs(channel[:exact] - seed[:exact]).max() < 1e-4
        step = np.abs(np.diff(seed)).max()
        assert abs(channel[frames] - channel[frames - 1]) <= step
    continuation = audio[0][frames:]
    assert np.sqrt(np.mean(continuation**2)) > 1e-3


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_take_pinned_to_bar_2_starts_on_that_frame(workshop, rate, block):
    length = scenes.SEED_SECONDS + scenes.LENGTH_SECONDS
    first = run_scene(scenes.reopen, workshop["bundle"], workshop["state"], rate=rate, block=block, bar=1, seconds=length)
    second = run_scene(
        scenes.reopen, workshop["bundle"], workshop["state"], rate=rate, block=block, bar=2, seconds=length + scenes.BAR_SECONDS
    )
    pin = round(scenes.BAR_SECONDS * rate)
    sounding = np.flatnonzero(first[0])
    assert sounding.size > 0
    assert not second[:, :pin].any(), "something sounds before bar 2"
    frames = min(first.shape[1], second.shape[1] - pin)
    assert frames >= int(length * rate) - block
    assert np.array_equal(second[:, pin : pin + frames], first[:, :frames])


def test_the_block_size_changes_nothing(workshop):
    takes = [run_scene(scenes.reopen, workshop["bundle"], workshop["state"], block=block) for block in BLOCKS]
    frames = min(take.shape[1] for take in takes)
    for take in takes[1:]:
        assert np.array_equal(take[:, :frames], takes[0][:, :frames])


def test_bar_2_moves_with_the_tempo(workshop):
    bar = 4 * 60.0 / 100.0
    audio = run_scene(scenes.reopen, workshop["bundle"], workshop["state"], bar=2, bpm=100.0, seconds=bar + 2.0)
    reference = workshop["audio"]
    pin = round(bar * 48_000)
    assert not audio[:, :pin].any()
    assert np.array_equal(audio[:, pin : pin + 48_000], reference[:, :48_000])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", [32, 4096])
def test_a_note_starts_on_its_frame_in_pedalboard(workshop, rate, block):
    reference = run_scene(scenes.note, workshop["bundle"], workshop["state"], rate, block, 0.0)
    # Half a frame late: pedalboard cuts the fraction off when it turns seconds into frames.
    at = 12_345.5 / rate
    audio = run_scene(scenes.note, workshop["bundle"], workshop["state"], rate, block, at)
    assert np.abs(reference).max() > 0.01, "the note is silent"
    assert not audio[:, :12_345].any()
    assert np.array_equal(audio[:, 12_345 : 12_345 + rate], reference[:, :rate])


def test_a_session_opens_in_a_new_process_without_the_model(workshop):
    models = resources(workshop["bundle"]) / "presets" / "models"
    away = models.with_name("models-moved-away")
    models.rename(away)
    try:
        audio = run_scene(scenes.reopen, workshop["bundle"], workshop["state"])
    finally:
        away.rename(models)
    assert np.array_equal(audio, workshop["audio"])


def test_a_session_opens_without_any_shipped_file(workshop):
    folder = resources(workshop["bundle"])
    away = folder.with_name("Resources-moved-away")
    folder.rename(away)
    try:
        audio = run_scene(scenes.reopen, workshop["bundle"], workshop["state"])
    finally:
        away.rename(folder)
    assert np.array_equal(audio, workshop["audio"])


def test_random_parameters_never_make_an_unsound_block(bundle):
    assert run_scene(scenes.fuzz, bundle, 10.0, 1) > 0
