//! Patches of the user's own, as an editor saves, loads, renames and deletes them; and models that will not do.
// The user's folder is moved through a variable that only this system knows.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::time::Duration;

use continuo::Continuo;
use continuo::patch::Patch;
use continuo::session::{Command, Snapshot};
use continuo_engine::audio::{WavFormat, write_wav};
use nice_plug::prelude::Param as _;

fn wait(instance: &Continuo, what: &str, is_there: impl Fn(&Snapshot) -> bool) -> Snapshot {
    for _ in 0..6_000 {
        let snapshot = instance.parameters().session.snapshot();
        if is_there(&snapshot) {
            return snapshot;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no {what}: {:?}", instance.parameters().session.snapshot().error);
}

fn send(instance: &Continuo, command: Command) {
    instance.parameters().session.send(command);
}

fn complains(instance: &Continuo, part: &str) {
    wait(instance, part, |snapshot| snapshot.error.as_ref().is_some_and(|error| error.contains(part)));
    send(instance, Command::DismissError);
    wait(instance, "clean board", |snapshot| snapshot.error.is_none());
}

/// Turns the controls as an open editor would.
fn turn(instance: &Continuo) {
    let params = instance.parameters();
    params.put(&params.session.take_wishes());
}

fn load(instance: &Continuo, path: &Path) -> Snapshot {
    let before = instance.parameters().session.revision();
    send(instance, Command::LoadPatch(path.to_path_buf()));
    let snapshot = wait(instance, "patch", |snapshot| {
        instance.parameters().session.revision() > before && snapshot.patch.is_some() && snapshot.error.is_none()
    });
    turn(instance);
    snapshot
}

#[test]
fn a_patch_is_saved_loaded_undone_renamed_and_deleted_and_what_is_wrong_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // SAFETY: this is the program's only test and no other thread runs yet. It keeps the patches out of the home folder.
    unsafe {
        std::env::set_var("XDG_DATA_HOME", path("data"));
        std::env::set_var("CONTINUO_RESOURCES", path("shipped"));
    }
    std::fs::create_dir_all(path("shipped/presets/models")).unwrap();
    std::fs::create_dir_all(path("shipped/presets/seeds")).unwrap();
    let factory = path("shipped/presets/models/piano-16k.continuo");
    common::write_model(&factory);
    write_wav(&path("shipped/presets/seeds/01-test.wav"), &common::seed_clip(), WavFormat::I24).unwrap();
    // Two models of one name: the user's is told from the shipped one by its content.
    let own = path("mine.continuo");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/presets/models/piano-16k.continuo"), &own).unwrap();

    let instance = Continuo::default();
    let params = instance.parameters();
    let length = |seconds: f32| params.put(&[("length".into(), params.length.preview_normalized(seconds))]);
    send(&instance, Command::ChooseModel(own.clone()));
    wait(&instance, "model", |snapshot| snapshot.model.name == "mine.continuo" && snapshot.card.is_some());
    length(3.0);
    let file = path("data/continuo/patches/My Patch.continuo-patch");
    send(&instance, Command::SavePatch { name: " My Patch ".into(), over: false });
    let saved = wait(&instance, "saved patch", |snapshot| snapshot.patch.as_deref() == Some("My Patch"));
    assert!(saved.notice.unwrap().contains("My Patch.continuo-patch") && saved.patches == 1);
    let patch = Patch::read(&file).unwrap();
    assert_eq!(patch.clip.as_ref().map(|clip| clip.file.as_str()), Some("01-test.wav"));
    assert_eq!(patch.model.as_ref().unwrap().path.as_deref(), own.to_str());
    send(&instance, Command::SavePatch { name: "my patch".into(), over: false });
    complains(&instance, "already");
    send(&instance, Command::SavePatch { name: String::new(), over: false });
    complains(&instance, "needs a name");

    // Something else, and back by the patch; and again by undo.
    send(&instance, Command::FactoryModel);
    wait(&instance, "factory model", |snapshot| snapshot.model.path.is_none());
    length(9.0);
    let loaded = load(&instance, &file);
    assert_eq!(loaded.model.name, "mine.continuo");
    assert!((params.length.value() - 3.0).abs() < 1e-3);
    assert!(loaded.notice.is_none());
    send(&instance, Command::Undo);
    wait(&instance, "model before", |snapshot| snapshot.model.path.is_none());
    turn(&instance);
    assert!((params.length.value() - 9.0).abs() < 1e-3);

    // The model has gone, or another has its name.
    let hidden = path("hidden");
    std::fs::rename(&own, &hidden).unwrap();
    send(&instance, Command::LoadPatch(file.clone()));
    complains(&instance, "mine.continuo");
    assert!(params.session.snapshot().model.path.is_none());
    std::fs::write(&own, "no model").unwrap();
    send(&instance, Command::LoadPatch(file.clone()));
    complains(&instance, "cannot be used");
    std::fs::copy(&factory, &own).unwrap();
    assert!(load(&instance, &file).notice.unwrap().contains("another version"));
    // The user's folder comes before where it lay.
    std::fs::create_dir_all(path("data/continuo/models")).unwrap();
    std::fs::rename(&hidden, path("data/continuo/models/mine.continuo")).unwrap();
    let loaded = load(&instance, &file);
    assert_eq!(loaded.model.path.as_deref(), Some(path("data/continuo/models/mine.continuo").as_path()));
    assert!(loaded.notice.is_none());

    send(&instance, Command::RenamePatch(file.clone(), "Another".into()));
    let renamed = path("data/continuo/patches/Another.continuo-patch");
    wait(&instance, "new name", |_| renamed.exists() && !file.exists());
    assert_eq!(Patch::read(&renamed).unwrap().parameters, patch.parameters);
    send(&instance, Command::DeletePatch(factory.clone()));
    complains(&instance, "no patch of your own");
    send(&instance, Command::DeletePatch(renamed.clone()));
    wait(&instance, "empty folder", |_| !renamed.exists());
    send(&instance, Command::LoadPatch(renamed));
    complains(&instance, "Another.continuo-patch");

    // A model that will not do is told when it is chosen, the factory's too.
    std::fs::write(&factory, "no model").unwrap();
    send(&instance, Command::FactoryModel);
    complains(&instance, "piano-16k.continuo");
}
