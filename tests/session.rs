//! What an editor does with a session, on an instance that no host has activated.
// The take store is kept out of the home folder through a variable that only this system knows.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::time::Duration;

use continuo::Continuo;
use continuo::params::SeedSource;
use continuo::session::{Command, Origin, Preferences, Priority, SeedTrim, Snapshot, Status, Storage};
use continuo_engine::Precision;
use continuo_engine::audio::{Clip, WavFormat, read, write_wav};
use nice_plug::params::persist::PersistentField as _;
use nice_plug::params::{InternalParamMut as _, Param as _};

/// Waits until the session's snapshot is as wanted, and gives it.
fn wait(instance: &Continuo, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    wait_while(instance, what, || {}, wanted)
}

/// As [`wait`], with an editor open.
fn watch(instance: &Continuo, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    wait_while(instance, what, || instance.parameters().session.watch(), wanted)
}

fn wait_while(instance: &Continuo, what: &str, doing: impl Fn(), wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    for _ in 0..6_000 {
        doing();
        let snapshot = instance.parameters().session.snapshot();
        if wanted(&snapshot) {
            return snapshot;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} never came: {:?}", instance.parameters().session.snapshot());
}

fn send(instance: &Continuo, command: Command) {
    instance.parameters().session.send(command);
}

/// Waits for an error that contains `part`, reads it and has it taken away.
fn complains(instance: &Continuo, part: &str) {
    wait(instance, part, |snapshot| snapshot.error.as_ref().is_some_and(|error| error.contains(part)));
    send(instance, Command::DismissError);
    wait(instance, "a clean board", |snapshot| snapshot.error.is_none());
}

fn set_length(instance: &Continuo, seconds: f32) {
    // SAFETY: nothing else touches this instance's parameters, as no host has it.
    unsafe { instance.parameters().length._internal_set_plain_value(seconds) };
}

#[test]
fn an_editor_chooses_renders_cancels_exports_and_is_told_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // SAFETY: this is the program's only test and no other thread runs yet. It keeps the take store out of the home folder.
    unsafe {
        std::env::set_var("XDG_DATA_HOME", path("data"));
        std::env::set_var("CONTINUO_RESOURCES", path("nothing shipped"));
    }
    let instance = Continuo::default();
    let params = instance.parameters();
    set_length(&instance, 0.5);

    // Nothing is there, and each complaint names the file and a way out.
    send(&instance, Command::Render);
    complains(&instance, "install Continuo again");
    send(&instance, Command::ChooseModel(path("gone.continuo")));
    complains(&instance, "gone.continuo");
    assert_eq!(params.session.snapshot().model.origin, Origin::Factory);
    send(&instance, Command::ExportTake(path("none.wav")));
    complains(&instance, "render one first");

    common::write_model(&path("model.continuo"));
    std::fs::write(path("text.wav"), "These are words.").unwrap();
    send(&instance, Command::ChooseModel(path("model.continuo")));
    send(&instance, Command::ChooseSeed(path("text.wav")));
    let chosen = wait(&instance, "the choice", |snapshot| snapshot.seed.origin == Origin::Chosen);
    assert_eq!((chosen.model.name.as_str(), chosen.seed.name.as_str()), ("model.continuo", "text.wav"));
    assert_eq!(chosen.forecast_seconds, None);
    send(&instance, Command::Render);
    complains(&instance, "text.wav");
    assert_eq!(params.session.snapshot().status, Status::Failed);
    // SAFETY: as above.
    unsafe {
        params.seed_source._internal_set_normalized_value(params.seed_source.preview_normalized(SeedSource::Sidechain))
    };
    send(&instance, Command::Render);
    complains(&instance, "sidechain");
    // SAFETY: as above.
    unsafe {
        params.seed_source._internal_set_normalized_value(params.seed_source.preview_normalized(SeedSource::Clip))
    };

    // Who looks is told how long a render will take before there was any, by which kernel and with which settings; nobody
    // opens a model for those who do not look.
    let unseen = params.session.snapshot();
    assert!(unseen.stepper.is_none() && unseen.forecast_seconds.is_none() && unseen.preferences.is_none());
    let seen = watch(&instance, "a forecast before a render", |snapshot| {
        snapshot.forecast_seconds.is_some() && snapshot.stepper.is_some()
    });
    assert!(seen.stepper.unwrap().contains("kernel"));
    assert_eq!(seen.preferences, Some(Preferences::default()));
    // Other settings are kept, and asked for anew what has not been measured with them.
    let preferred = Preferences { threads: 1, priority: Priority::Normal, precision: Some(Precision::Bf16) };
    send(&instance, Command::Prefer(preferred));
    wait(&instance, "the settings", |snapshot| snapshot.preferences == Some(preferred));
    let file = path("data").join("continuo/renderer.json");
    wait(&instance, "their file", |_| {
        std::fs::read_to_string(&file).is_ok_and(|text| serde_json::from_str(&text).ok() == Some(preferred))
    });
    let measured = || {
        let folder = std::fs::read_dir(path("data").join("continuo/calibrations")).unwrap();
        let texts = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        texts.into_iter().any(|text| text.contains("bf16, 1 threads"))
    };
    watch(&instance, "a measurement in 16 bits", |_| measured());
    watch(&instance, "its forecast", |snapshot| snapshot.forecast_seconds.is_some());
    watch(&instance, "its words", |snapshot| snapshot.stepper.as_ref().is_some_and(|words| words.contains("in bf16")));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    send(&instance, Command::Prefer(Preferences { threads: 2, ..preferred }));
    complains(&instance, "renderer.json");
    std::fs::remove_dir(&file).unwrap();
    send(&instance, Command::Prefer(preferred));
    // A model that cannot be opened is refused when it is chosen, in words, and the one before stays.
    std::fs::write(path("broken.continuo"), "no package").unwrap();
    let mut changed = std::fs::read(path("model.continuo")).unwrap();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x40;
    std::fs::write(path("changed.continuo"), changed).unwrap();
    for name in ["broken.continuo", "changed.continuo"] {
        send(&instance, Command::ChooseModel(path(name)));
        let says = |snapshot: &Snapshot| snapshot.error.as_ref().is_some_and(|error| error.contains(name));
        let refused = wait(&instance, name, says);
        assert_eq!(refused.model.name, "model.continuo");
        let words = refused.error.unwrap();
        let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(!words.split(|letter: char| !letter.is_alphanumeric()).any(is_hash), "{words}");
    }
    // What was wrong goes when it is: another choice, the file itself put right.
    send(&instance, Command::ChooseModel(path("model.continuo")));
    wait(&instance, "no error any more", |snapshot| snapshot.error.is_none());
    std::fs::rename(path("model.continuo"), path("elsewhere.continuo")).unwrap();
    send(&instance, Command::ChooseSeed(path("text.wav")));
    send(&instance, Command::Render);
    wait(&instance, "no model", |snapshot| snapshot.error.as_ref().is_some_and(|error| error.contains("not there")));
    std::fs::rename(path("elsewhere.continuo"), path("model.continuo")).unwrap();
    wait(&instance, "no error any more", |snapshot| snapshot.error.is_none());

    // A whole render, without a host.
    let mut seed = common::seed_clip();
    // Quieter than what a model of random weights plays.
    seed.channels.iter_mut().flatten().for_each(|value| *value *= 0.2);
    write_wav(&path("seed.wav"), &seed, WavFormat::I24).unwrap();
    send(&instance, Command::ChooseSeed(path("seed.wav")));
    let before = params.session.revision();
    send(&instance, Command::Render);
    let done = wait(&instance, "the end", |snapshot| matches!(snapshot.status, Status::Finished { .. }));
    assert!(params.session.revision() > before);
    let overview = done.take.unwrap();
    assert!((overview.ready_seconds - 0.5).abs() < 1e-9 && (overview.seam - 0.5).abs() < 1e-6);
    assert!(overview.recipe.contains("seed.wav") && overview.recipe.contains("Random"));
    assert!(done.stepper.unwrap().contains("kernel"));
    assert!(matches!(done.storage, Some(Storage::Inline { bytes }) if bytes > 1_000));
    let forecast = wait(&instance, "a forecast", |snapshot| snapshot.forecast_seconds.is_some());
    assert!(forecast.forecast_seconds.unwrap() > 0.0);

    // What is exported is the seed clip and then the continuation.
    send(&instance, Command::ExportTake(path("phrase.wav")));
    wait(&instance, "the notice", |snapshot| snapshot.notice.as_ref().is_some_and(|text| text.contains("phrase.wav")));
    let phrase = read(&path("phrase.wav")).unwrap();
    assert_eq!((phrase.sample_rate_hz, phrase.frames()), (48_000, 48_000));
    for (written, wanted) in phrase.channels.iter().zip(&seed.channels) {
        let exact = &wanted[..24_000 - 240];
        assert!(written.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1.0 / 4_194_304.0));
    }
    // The continuation has the level at which it plays, and the file says so.
    let made = params.session.map(|saved| saved.take.clone()).unwrap().unpack(None).unwrap();
    let matched = common::heard_of(&made, 48_000, 0, (true, true));
    assert!(matched != common::sound(&made, 48_000, 0, true));
    for (written, wanted) in phrase.channels.iter().zip(&matched) {
        assert!(written.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1.0 / 4_194_304.0));
    }
    let text = String::from_utf8_lossy(&std::fs::read(path("phrase.wav")).unwrap()).into_owned();
    assert!(text.contains("level matched to the clip") && text.contains("at 120 BPM"));
    // What is there already is replaced only if the user says so.
    let exported = std::fs::metadata(path("phrase.wav")).unwrap().modified().unwrap();
    let asks = |snapshot: &Snapshot| snapshot.overwrite.as_deref() == Some(&path("phrase.wav"));
    send(&instance, Command::ExportTake(path("phrase.wav")));
    wait(&instance, "the question", asks);
    send(&instance, Command::KeepFile);
    wait(&instance, "no question", |snapshot| snapshot.overwrite.is_none());
    assert_eq!(std::fs::metadata(path("phrase.wav")).unwrap().modified().unwrap(), exported);
    std::fs::write(path("phrase.wav"), "something else").unwrap();
    send(&instance, Command::ExportTake(path("phrase.wav")));
    wait(&instance, "the question", asks);
    send(&instance, Command::ExportOver(path("phrase.wav")));
    wait(&instance, "no question", |snapshot| snapshot.overwrite.is_none());
    for _ in 0..6_000 {
        if read(&path("phrase.wav")).is_ok_and(|again| again == phrase) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(read(&path("phrase.wav")).unwrap(), phrase);
    send(&instance, Command::ExportTake(Path::new("/proc/none/phrase.wav").to_path_buf()));
    complains(&instance, "/proc/none/phrase.wav");

    // Another render that is stopped leaves the take that was there.
    set_length(&instance, 120.0);
    send(&instance, Command::Render);
    wait(&instance, "progress", |snapshot| matches!(snapshot.status, Status::Rendering { seconds_left: Some(_), .. }));
    send(&instance, Command::Cancel);
    let cancelled = wait(&instance, "the cancel", |snapshot| snapshot.status == Status::Cancelled);
    assert_eq!(cancelled.take.unwrap(), overview);

    // Every render stays until it is deleted; undo and redo go through renders, deletions and seed clips.
    set_length(&instance, 0.25);
    let takes = |count: usize| move |snapshot: &Snapshot| snapshot.takes.len() == count && !snapshot.status.busy();
    send(&instance, Command::Render);
    let two = wait(&instance, "a second take", takes(2));
    assert_eq!(two.takes.iter().map(|entry| entry.chosen).collect::<Vec<_>>(), [false, true]);
    assert!(two.takes[1].bits_per_frame[0] > 0.1 && two.takes[1].bits_per_frame.len() == 1);
    send(&instance, Command::ChooseTake(two.takes[0].id));
    wait(&instance, "the first take", |snapshot| snapshot.take.as_ref() == Some(&overview));
    send(&instance, Command::CompareTakes);
    wait(&instance, "the second take", |snapshot| snapshot.take == two.take);
    send(&instance, Command::DeleteTake(two.takes[1].id));
    wait(&instance, "one take", |snapshot| takes(1)(snapshot) && snapshot.take.as_ref() == Some(&overview));
    send(&instance, Command::Undo);
    wait(&instance, "it again", |snapshot| takes(2)(snapshot) && snapshot.take == two.take);
    send(&instance, Command::Redo);
    wait(&instance, "one take again", takes(1));
    send(&instance, Command::SeedFromTake { variation: 0, until_seconds: None, render: true });
    let extended = wait(&instance, "what goes on from it", takes(2));
    assert!(extended.seed.name.starts_with("Take 1, variation 1"), "{}", extended.seed.name);
    assert!((extended.take.unwrap().seed_seconds - 1.0).abs() < 1e-3, "half a second of clip and half of continuation");
    send(&instance, Command::Undo);
    wait(&instance, "one take", takes(1));
    send(&instance, Command::Undo);
    wait(&instance, "the clip before", |snapshot| snapshot.seed.name == "seed.wav");

    // Above the limit the sound lies in the store, and another instance opens it from there.
    send(&instance, Command::InlineLimit(10));
    let stored = wait(&instance, "the store", |snapshot| matches!(snapshot.storage, Some(Storage::Store { .. })));
    let Some(Storage::Store { folder: store, .. }) = stored.storage else { unreachable!() };
    assert!(store.starts_with(folder.path()));
    let saved = params.session.map(Clone::clone);
    assert!(saved.take.as_ref().unwrap().is_stored_outside());
    let other = Continuo::default();
    other.parameters().session.set(saved.clone());
    let restored = other.parameters().session.snapshot();
    assert_eq!((restored.error, restored.take.unwrap()), (None, overview));
    // The store is gone, as on another machine: said in words, and kept for the next save.
    std::fs::remove_dir_all(&store).unwrap();
    other.parameters().session.set(saved.clone());
    let lost = other.parameters().session.snapshot();
    assert!(lost.take.is_none() && lost.error.unwrap().contains("copy it from the machine"));
    assert_eq!(other.parameters().session.map(Clone::clone), saved);
    // A store that cannot be written: the take stays in the project.
    std::fs::write(&store, "in the way").unwrap();
    send(&instance, Command::InlineLimit(20));
    complains(&instance, "stays inside the project");
    assert!(matches!(params.session.snapshot().storage, Some(Storage::Inline { .. })));

    // A file of any length: what is chosen of it is gone on from, and nothing else.
    let ramp: Vec<f32> = (0..8_000 * 70).map(|frame| (frame % 1_999) as f32 / 2_000.0).collect();
    let long = Clip { sample_rate_hz: 8_000, channels: vec![ramp] };
    write_wav(&path("long.wav"), &long, WavFormat::F32).unwrap();
    set_length(&instance, 0.5);
    send(&instance, Command::InlineLimit(u64::MAX));
    send(&instance, Command::ChooseSeed(path("long.wav")));
    let goes_on_from = |trim: Option<SeedTrim>, name: &str| {
        send(&instance, Command::TrimSeed(trim));
        send(&instance, Command::Render);
        let ends = format!("continues {name} ·");
        wait(&instance, name, |snapshot| {
            matches!(snapshot.status, Status::Finished { .. })
                && snapshot.take.as_ref().is_some_and(|take| take.recipe.contains(&ends))
        });
        let packed = params.session.map(|saved| saved.take.clone()).unwrap();
        let seed = packed.unpack(None).unwrap().seed.unwrap();
        assert_eq!(params.session.map(|saved| saved.seed_trim), trim);
        seed.channels[0].clone()
    };
    let whole = &long.channels[0];
    assert!(goes_on_from(SeedTrim::new(65.5, 66.0), "long.wav 65.5-66.0 s") == whole[524_000..528_000]);
    assert!(goes_on_from(None, "long.wav 10.0-70.0 s") == whole[80_000..]);

    // A model that is lost is named with what it was, and found again under another name. Another one is asked about.
    send(&instance, Command::ChooseModel(path("model.continuo")));
    wait(&instance, "the model's hash", |_| params.session.map(|saved| saved.model_sha256.clone()).is_some());
    let saved = params.session.map(Clone::clone);
    std::fs::rename(path("model.continuo"), path("moved.continuo")).unwrap();
    common::write_model_of(&path("other.continuo"), 8);
    let third = Continuo::default();
    third.parameters().session.set(saved.clone());
    set_length(&third, 0.25);
    let told = watch(&third, "the lost model", |snapshot| snapshot.lost_model().is_some());
    assert_eq!(told.lost_model().unwrap().sha256, saved.model_sha256);
    let words = told.error.unwrap();
    assert!(words.contains("model.continuo") && words.contains(&saved.model_sha256.unwrap()[..12]), "{words}");
    send(&third, Command::LocateModel(path("other.continuo")));
    let asked = wait(&third, "a question", |snapshot| snapshot.other_model.is_some());
    assert_eq!(asked.model.path, Some(path("model.continuo")), "nothing is used unasked");
    send(&third, Command::LeaveModel);
    wait(&third, "no question", |snapshot| snapshot.other_model.is_none());
    send(&third, Command::LocateModel(path("moved.continuo")));
    let found = |snapshot: &Snapshot| snapshot.model.path == Some(path("moved.continuo")) && snapshot.error.is_none();
    wait(&third, "the model again", found);
    let before = third.parameters().session.snapshot().takes.len();
    send(&third, Command::Render);
    wait(&third, "a take", |snapshot| snapshot.takes.len() == before + 1 && snapshot.error.is_none());
    send(&third, Command::LocateModel(path("other.continuo")));
    let asked = wait(&third, "a question", |snapshot| snapshot.other_model.is_some()).other_model.unwrap();
    send(&third, Command::ChooseModel(asked.path.clone()));
    wait(&third, "the other one", |snapshot| {
        snapshot.model.path == Some(path("other.continuo")) && snapshot.other_model.is_none()
    });
}
