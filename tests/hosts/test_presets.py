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
        for name, default in (("wildness", 50), ("voices", 16)):
            assert controls[name] == pytest.approx(values.get(name, default), abs=0.5), (patch["name"], name)
        assert controls["length"] == pytest.approx(values["length"], rel=1e-2), patch["name"]
        assert controls["playback"].lower() == values["playback"], patch["name"]
        mode = {"continue": "Continue", "unconditional": "From silence"}[values["mode"]]
        assert controls["mode"] == mode, patch["name"]
