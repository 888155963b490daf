"""Files that lie, folders that refuse: the host lives, and nothing but silence comes out."""

import os
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

import scenes
from conftest import run_scene
from studio import resources

MODEL = "piano-16k.continuo"


@pytest.fixture()
def shipped(bundle, tmp_path):
    """A copy of the shipped files: the runtime linked, the presets copied."""
    source, folder = resources(bundle), tmp_path / "resources"
    (folder / "presets").mkdir(parents=True)
    os.symlink(source / "runtime", folder / "runtime")
    shutil.copytree(source / "presets" / "models", folder / "presets" / "models")
    shutil.copytree(source / "presets" / "seeds", folder / "presets" / "seeds")
    return folder


def model_in(folder):
    return folder / "presets" / "models" / MODEL


def seeds_in(folder):
    return sorted((folder / "presets" / "seeds").glob("*.wav"))


def rewrite(package, change):
    """Writes a package anew, each entry's bytes changed by `change(name, bytes)`."""
    with zipfile.ZipFile(package) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(package, "w") as archive:
        for info, data in entries:
            archive.writestr(info.filename, change(info.filename, data), compress_type=info.compress_type)


def truncate(folder):
    model = model_in(folder)
    os.truncate(model, model.stat().st_size // 2)


def change_weights(folder):
    def flip(name, data):
        if not name.endswith(".onnx"):
            return data
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]

    rewrite(model_in(folder), flip)


def climb_out(folder):
    with zipfile.ZipFile(model_in(folder), "a") as archive:
        archive.writestr("../../climbed-out.txt", "out")


def claim_ten_gigabytes(folder):
    """The directory's entry for the graph says 10 GB in a ZIP64 field."""
    model = model_in(folder)
    data = bytearray(model.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    assert directory > 0
    name, extra = struct.unpack_from("<HH", data, directory + 28)
    field = struct.pack("<HHQ", 1, 8, 10 << 30)
    struct.pack_into("<I", data, directory + 24, 0xFFFFFFFF)
    struct.pack_into("<H", data, directory + 30, extra + len(field))
    at = directory + 46 + name + extra
    data[at:at] = field
    end = data.rfind(b"PK\x05\x06")
    size = struct.unpack_from("<I", data, end + 12)[0]
    struct.pack_into("<I", data, end + 12, size + len(field))
    model.write_bytes(data)


def text_for_a_model(folder):
    model_in(folder).write_text("This is not a package.\n")


def nothing_for_a_model(folder):
    model_in(folder).unlink()


def folder_for_a_model(folder):
    model_in(folder).unlink()
    model_in(folder).mkdir()


def text_for_a_clip(folder):
    for clip in seeds_in(folder):
        clip.write_text("This is not a WAV file.\n")


def half_a_clip(folder):
    for clip in seeds_in(folder):
        os.truncate(clip, 30)


def clip_of_ten_gigabytes(folder):
    """An RF64 header that announces 10 GB of samples, then a few."""
    size = 10 << 30
    for clip in seeds_in(folder):
        ds64 = struct.pack("<QQQI", size + 72, size, size // 2, 0)
        fmt = struct.pack("<HHIIHH", 1, 1, 48_000, 96_000, 2, 16)
        body = b"WAVE" + b"ds64" + struct.pack("<I", len(ds64)) + ds64 + b"fmt " + struct.pack("<I", len(fmt)) + fmt
        clip.write_bytes(b"RF64\xff\xff\xff\xff" + body + b"data\xff\xff\xff\xff" + bytes(1000))


def clip_that_claims_four_gigabytes(folder):
    """An ordinary WAV header whose data chunk is said to be as long as the field allows."""
    for clip in seeds_in(folder):
        data = bytearray(clip.read_bytes()[:2000])
        at = data.find(b"data")
        struct.pack_into("<I", data, at + 4, 0xFFFFFFF0)
        struct.pack_into("<I", data, 4, 0xFFFFFFF8)
        clip.write_bytes(data)


def no_clip(folder):
    for clip in seeds_in(folder):
        clip.unlink()


SILENT = [
    truncate,
    change_weights,
    climb_out,
    claim_ten_gigabytes,
    text_for_a_model,
    nothing_for_a_model,
    folder_for_a_model,
    text_for_a_clip,
    half_a_clip,
    no_clip,
]


@pytest.mark.parametrize("damage", SILENT, ids=lambda damage: damage.__name__)
def test_a_file_that_lies_is_refused_and_the_host_lives(bundle, shipped, damage):
    damage(shipped)
    assert run_scene(scenes.bad_files, bundle, shipped) == 0.0
    escaped = [path for path in shipped.parent.rglob("climbed-out.txt")]
    assert escaped == []


@pytest.mark.parametrize(
    "damage", [clip_that_claims_four_gigabytes, clip_of_ten_gigabytes], ids=lambda damage: damage.__name__
)
def test_a_clip_shorter_than_it_claims_does_no_harm(bundle, shipped, damage):
    # The samples that are there are used, and what is missing is told: a crash is what must not be.
    damage(shipped)
    run_scene(scenes.bad_files, bundle, shipped)


def test_the_next_render_works_once_the_file_is_mended(bundle, shipped):
    good = shipped / "good.continuo"
    shutil.copy(model_in(shipped), good)
    truncate(shipped)
    assert run_scene(scenes.mended, bundle, shipped, good) == 0.0


def test_an_unwritable_home_does_no_harm(bundle, shipped, tmp_path):
    blocked = tmp_path / "home"
    blocked.write_text("a file where the home folder should be")
    homes = {name: str(blocked) for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    heard = run_scene(scenes.bad_files, bundle, shipped, homes, wait=120.0, until_heard=True)
    assert heard > 0.0, "a small take needs no folder, so it must sound"


def test_a_damaged_session_is_refused_and_the_host_lives(workshop, tmp_path):
    whole = Path(workshop["state"]).read_bytes()
    for name, data in {"half": whole[: len(whole) // 2], "empty": b"", "flipped": whole[:200] + bytes(64) + whole[264:]}.items():
        state = tmp_path / name
        state.write_bytes(data)
        run_scene(scenes.reopen, workshop["bundle"], state, seconds=1.0)
