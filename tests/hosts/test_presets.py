"""The presets that lie beside the VST3 bundle, loaded by a host."""

import json

import pytest

import scenes
from conftest import run_scene


def test_every_preset_sets_what_its_patch_says(bundle):
    patches = sorted((bundle / "Contents" / "Resources" / "presets" / "patches").glob("*.continuo-patch"))
    assert len(patches) >= 12
    patches = [json.loads(path.read_text(encoding="utf-8")) for path in patches]
    paths = [bundle.parent / "Continuo.vstpresets" / f"{patch['name']}.vstpreset" for patch in patches]
    said = run_scene(scenes.presets, bundle, [str(path) for path in paths])
    for patch, controls in zip(patches, said, strict=True):
        values = patch["parameters"]
        # What a patch leaves out goes to its default, also where the preset before it has turned it.
        assert controls["Length"] == pytest.approx(values["length"], rel=1e-3), patch["name"]
        assert controls["Wildness"] == pytest.approx(values.get("wildness", 50), abs=0.5), patch["name"]
        assert controls["Voices"] == values.get("voices", 16), patch["name"]
        assert controls["Attack"] == pytest.approx(values.get("attack", 0), abs=0.1), patch["name"]
        assert controls["Playback"].upper() == {"timeline": "TIMELINE", "midi": "MIDI"}[values["playback"]], patch["name"]
        mode = {"continue": "Continue", "unconditional": "From silence"}[values["mode"] if "mode" in values else "continue"]
        assert controls["Mode"] == mode, patch["name"]
