"""Where the bundle lies, and running scenes in processes of their own: a crash there fails a test, not the run."""

import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import scenes


def run_scene(scene, *arguments, **options):
    """Runs a function of scenes.py in a new process and returns what it returns."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(scene, *arguments, **options).result(timeout=600)


@pytest.fixture(scope="session")
def bundle():
    folder = os.environ.get("CONTINUO_BUNDLE")
    assert folder, "set CONTINUO_BUNDLE to the folder with Continuo.vst3 (cargo xtask test does)"
    path = Path(folder) / "Continuo.vst3"
    assert path.is_dir(), f"{path} is missing; make it with: cargo xtask bundle"
    return path


@pytest.fixture(scope="session")
def workshop(bundle, tmp_path_factory):
    """A copy of the bundle whose files may be changed, a take rendered in it, and the saved session."""
    folder = tmp_path_factory.mktemp("workshop")
    copy = folder / "Continuo.vst3"
    shutil.copytree(bundle, copy)
    state = folder / "session.state"
    audio = run_scene(scenes.make_take, copy, state)
    return {"bundle": copy, "state": state, "audio": audio}
