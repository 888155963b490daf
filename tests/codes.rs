//! A model that plays after codes, in an instance like any other: nothing in the plugin knows what kind it is.
// The take store is kept out of the home folder through a variable that only this system knows.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use continuo::Continuo;
use continuo::session::{Command, Snapshot, Status};
use continuo_engine::audio::{WavFormat, write_wav};
use continuo_engine::runtime_file::NAME;
use nice_plug::params::persist::PersistentField as _;
use nice_plug::params::{InternalParamMut as _, Param as _};

fn wait(instance: &Continuo, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    for _ in 0..12_000 {
        let snapshot = instance.parameters().session.snapshot();
        if wanted(&snapshot) {
            return snapshot;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} never came: {:?}", instance.parameters().session.snapshot());
}

/// ONNX Runtime: the file that `CONTINUO_ONNXRUNTIME` names, else the one that `cargo xtask fetch-runtime` puts in place.
fn onnx_runtime() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path =
        std::env::var_os("CONTINUO_ONNXRUNTIME").map_or_else(|| root.join(".cache/runtime").join(NAME), PathBuf::from);
    assert!(path.is_file(), "no ONNX Runtime at {}: run `cargo xtask fetch-runtime`", path.display());
    path
}

#[test]
fn it_renders_and_its_recipe_holds_the_settings_of_its_codes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path("resources/runtime")).unwrap();
    std::os::unix::fs::symlink(onnx_runtime(), path("resources/runtime").join(NAME)).unwrap();
    // SAFETY: this is the program's only test and no other thread runs yet.
    unsafe {
        std::env::set_var("XDG_DATA_HOME", path("data"));
        std::env::set_var("CONTINUO_RESOURCES", path("resources"));
    }
    let instance = Continuo::default();
    let params = instance.parameters();
    // SAFETY: nothing else touches this instance's parameters, as no host has it.
    unsafe {
        params.length._internal_set_plain_value(0.5);
        params.codes.temperature._internal_set_plain_value(0.75);
        params.codes.top_k._internal_set_plain_value(5);
    }
    write_wav(&path("seed.wav"), &common::seed_clip(), WavFormat::I24).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/packages/ada-random.continuo");
    params.session.send(Command::ChooseModel(model));
    params.session.send(Command::ChooseSeed(path("seed.wav")));
    for (mode, words) in [("Continue", "continues seed.wav"), ("From silence", "from silence")] {
        // SAFETY: as above.
        unsafe {
            let value = params.mode.string_to_normalized_value(mode).unwrap();
            params.mode._internal_set_normalized_value(value);
        }
        params.session.send(Command::Render);
        let done = wait(&instance, "the end", |snapshot| {
            assert!(snapshot.error.is_none(), "{:?}", snapshot.error);
            let is_made = snapshot.take.as_ref().is_some_and(|take| take.recipe.contains(words));
            is_made && matches!(snapshot.status, Status::Finished { .. })
        });
        let take = done.take.unwrap();
        assert!((take.ready_seconds - 0.5).abs() < 1e-9, "{mode}");
        assert!(take.recipe.contains("code temperature 0.75 · code top k 5"), "{}", take.recipe);
        assert!(done.stepper.unwrap().contains("kernel"));
        let saved = params.session.map(|saved| saved.take.clone()).unwrap().unpack(None).unwrap();
        let sound = common::sound(&saved, 48_000, 0, false);
        let energy: f32 = sound[0].iter().map(|value| value * value).sum();
        assert!(energy > 1e-3, "{mode}: silence");
    }
}
