#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use continuo_engine::audio::{Clip, WavFormat, write_wav};

use super::*;
use crate::data::dataset::{Dataset, DatasetError, Split};

fn sine(hz: f64, rate_hz: u32, amplitude: f64, frames: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * hz / f64::from(rate_hz);
    (0..frames).map(|t| (amplitude * (step * t as f64).sin()) as f32).collect()
}

fn wav(path: &Path, rate_hz: u32, channels: Vec<Vec<f32>>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_wav(path, &Clip { sample_rate_hz: rate_hz, channels }, WavFormat::I16).unwrap();
}

fn options(dir: &Path) -> PrepareOptions {
    PrepareOptions {
        folder: dir.join("music"),
        out: dir.join("piano.dataset"),
        rate_hz: 16_000,
        channels: 1,
        holdout: 0.25,
        trim_silence_dbfs: None,
        force: false,
        jobs: 2,
    }
}

fn run(options: &PrepareOptions) -> Result<Summary, PrepareError> {
    prepare(options, &AtomicBool::new(false), &|_, _| Progress::hidden())
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Recordings of every kind and files of every ill, in folders.
fn library(dir: &Path) {
    let music = dir.join("music");
    for i in 0..8_u32 {
        let x = sine(200.0 + f64::from(i) * 50.0, 16_000, 0.5, 16_000 + 100 * i as usize);
        wav(&music.join(format!("a/{i}.wav")), 16_000, vec![x]);
    }
    wav(&music.join("b/cd.wav"), 44_100, vec![sine(440.0, 44_100, 0.5, 44_100), sine(440.0, 44_100, 0.5, 44_100)]);
    wav(&music.join("b/quiet.wav"), 48_000, vec![sine(440.0, 48_000, 1e-4, 48_000)]);
    wav(&music.join("b/cancels.wav"), 16_000, {
        let x = sine(440.0, 16_000, 0.5, 16_000);
        vec![x.clone(), x.iter().map(|x| -x).collect()]
    });
    wav(&music.join("b/clipped.wav"), 16_000, vec![sine(100.0, 16_000, 3.0, 16_000)]);
    std::fs::copy(music.join("a/3.wav"), music.join("b/copy of 3.wav")).unwrap();
    // The same sound in another file.
    let clip = continuo_engine::audio::read(&music.join("a/4.wav")).unwrap();
    write_wav(&music.join("b/four as float.wav"), &clip, WavFormat::F32).unwrap();
    let whole = std::fs::read(music.join("a/0.wav")).unwrap();
    std::fs::write(music.join("b/cut.wav"), &whole[..20_000]).unwrap();
    std::fs::write(music.join("b/header.wav"), &whole[..44]).unwrap();
    std::fs::write(music.join("b/text.wav"), "not a sound\n".repeat(100)).unwrap();
    std::fs::write(music.join("b/empty.flac"), "").unwrap();
    std::fs::write(music.join("cover.jpg"), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    std::fs::write(music.join(".hidden.wav"), &whole).unwrap();
    let mut bytes = std::fs::read(music.join("b/four as float.wav")).unwrap();
    let at = bytes.len() - 400;
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(music.join("b/nan.wav"), bytes).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/engine/tests/fixtures");
    for name in ["tone.flac", "tone.mp3", "tone.ogg", "tone.m4a", "tone.aiff", "alaw.wav", "opus.ogg", "chained.ogg"] {
        std::fs::copy(fixtures.join(name), music.join(name)).unwrap();
    }
}

#[test]
fn a_folder_becomes_a_dataset_and_every_skip_has_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    library(dir.path());
    let summary = run(&options(dir.path())).unwrap();
    let dataset = Dataset::open(&dir.path().join("piano.dataset")).unwrap();
    assert_eq!(names(dir.path()), ["music", "piano.dataset"]);
    assert_eq!(names(dataset.dir()), ["frames.i16", "index.json", "skipped.json"]);
    assert_eq!((dataset.sample_rate_hz(), dataset.channels()), (16_000, 1));

    let imported: Vec<&str> = dataset.index().recordings.iter().map(|r| r.name.as_str()).collect();
    let mut wanted: Vec<String> = (0..8).map(|i| format!("a/{i}.wav")).collect();
    wanted.extend(["alaw.wav", "b/cd.wav", "b/clipped.wav", "b/cut.wav"].map(String::from));
    // The FLAC is the AIFF's sound, the OGG is where the chained one begins, and of equal sounds the first by name is kept.
    wanted.extend(["chained.ogg", "tone.aiff", "tone.m4a", "tone.mp3"].map(String::from));
    assert_eq!(imported, wanted);

    let kinds: BTreeMap<&str, SkipKind> = summary.skipped.iter().map(|s| (s.name.as_str(), s.kind)).collect();
    let wanted = BTreeMap::from([
        (".hidden.wav", SkipKind::NotAudio),
        ("b/cancels.wav", SkipKind::Silent),
        ("b/copy of 3.wav", SkipKind::Duplicate),
        ("b/empty.flac", SkipKind::NotAudio),
        ("b/four as float.wav", SkipKind::Duplicate),
        ("b/header.wav", SkipKind::Damaged),
        ("b/nan.wav", SkipKind::Damaged),
        ("b/quiet.wav", SkipKind::Silent),
        ("b/text.wav", SkipKind::NotAudio),
        ("cover.jpg", SkipKind::NotAudio),
        ("opus.ogg", SkipKind::Unsupported),
        ("tone.flac", SkipKind::Duplicate),
        ("tone.ogg", SkipKind::Duplicate),
    ]);
    assert_eq!(kinds, wanted);
    let text = summary_text(&summary);
    for skipped in &summary.skipped {
        assert!(!skipped.reason.is_empty() && !skipped.reason.contains('/') || skipped.kind == SkipKind::Duplicate);
        assert!(text.contains(&format!("{}: {}", skipped.name, skipped.reason)), "{text}");
    }
    assert!(text.contains("b/copy of 3.wav: the same file as a/3.wav"), "{text}");
    assert!(text.contains("tone.flac: the same sound as tone.aiff"), "{text}");
    assert!(text.contains("b/cut.wav: breaks off after"), "{text}");
    let listed: Vec<Skipped> =
        serde_json::from_slice(&std::fs::read(dataset.dir().join("skipped.json")).unwrap()).unwrap();
    assert_eq!(listed, summary.skipped);
}

#[test]
fn frames_are_the_recordings_and_the_audit_is_right() {
    let dir = tempfile::tempdir().unwrap();
    library(dir.path());
    run(&options(dir.path())).unwrap();
    let dataset = Dataset::open(&dir.path().join("piano.dataset")).unwrap();
    let by_name = |name: &str| dataset.index().recordings.iter().find(|r| r.name == name).unwrap();

    let three = by_name("a/3.wav");
    let wanted: Vec<i16> = sine(350.0, 16_000, 0.5, 16_300).iter().map(|x| (x * 32_768.0).round() as i16).collect();
    assert_eq!(dataset.frames(three), wanted);
    assert!((three.levels.peak - 0.5).abs() < 1e-3 && (three.levels.rms - 0.5_f32.sqrt() / 2.0).abs() < 1e-3);
    assert_eq!((three.levels.source_clipped, three.levels.silent_share), (0, 0.0));
    assert_eq!(three.source_sha256.len(), 64);

    let cd = by_name("b/cd.wav");
    assert_eq!((cd.frames, cd.source_rate_hz, cd.source_channels), (16_000, 44_100, 2));
    let ideal = sine(440.0, 16_000, 0.5 * 32_768.0, 16_000);
    let error = (1_000..15_000).map(|t| (f32::from(dataset.frames(cd)[t]) - ideal[t]).abs()).fold(0.0, f32::max);
    assert!(error < 3.0, "{error} steps of 16 bits");

    // A sine at three times full scale is clipped for 78 % of its time.
    let clipped = by_name("b/clipped.wav").levels;
    assert!((12_000..13_000).contains(&clipped.source_clipped), "{clipped:?}");
    assert_eq!(by_name("b/cut.wav").warnings, ["breaks off after 9978 frames: 6022 frames are missing"]);
}

#[test]
fn the_dataset_depends_on_the_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    library(dir.path());
    let mut first = options(dir.path());
    let read = |name: &str| {
        let dir = dir.path().join(name);
        ["index.json", "frames.i16", "skipped.json"].map(|f| std::fs::read(dir.join(f)).unwrap())
    };
    first.jobs = 1;
    run(&first).unwrap();
    run(&PrepareOptions { jobs: 5, out: dir.path().join("again"), ..first.clone() }).unwrap();
    assert!(read("piano.dataset") == read("again"));

    // Recordings keep their split when others go, and at another rate and number of channels.
    let split = |name: &str| -> BTreeMap<String, Split> {
        let dataset = Dataset::open(&dir.path().join(name)).unwrap();
        dataset.index().recordings.iter().map(|r| (r.name.clone(), r.split)).collect()
    };
    let before = split("again");
    assert!(before.values().any(|s| *s == Split::Heldout) && before.values().any(|s| *s == Split::Train));
    std::fs::remove_dir_all(dir.path().join("music/b")).unwrap();
    let other = PrepareOptions { rate_hz: 22_050, channels: 2, out: dir.path().join("stereo"), ..first };
    run(&other).unwrap();
    assert!(split("stereo").iter().all(|(name, s)| before.get(name).is_none_or(|b| b == s)));
    let stereo = Dataset::open(&dir.path().join("stereo")).unwrap();
    let mono = stereo.index().recordings.iter().find(|r| r.name == "a/0.wav").unwrap();
    assert_eq!((stereo.channels(), mono.frames), (2, 22_050));
    assert!(stereo.frames(mono).chunks(2).all(|f| f[0] == f[1]));
}

#[test]
fn an_existing_dataset_is_replaced_by_force_alone() {
    let dir = tempfile::tempdir().unwrap();
    wav(&dir.path().join("music/a.wav"), 16_000, vec![sine(440.0, 16_000, 0.5, 1_000)]);
    let plain = options(dir.path());
    run(&plain).unwrap();
    assert!(run(&plain).unwrap_err().to_string().contains("--force"));
    wav(&dir.path().join("music/b.wav"), 16_000, vec![sine(550.0, 16_000, 0.5, 1_000)]);
    let force = PrepareOptions { force: true, ..plain.clone() };
    run(&force).unwrap();
    assert_eq!(Dataset::open(&plain.out).unwrap().index().recordings.len(), 2);
    assert_eq!(names(dir.path()), ["music", "piano.dataset"]);

    // Not even force replaces what is no dataset, or the recordings themselves.
    let music = PrepareOptions { out: dir.path().join("music"), ..force.clone() };
    assert!(matches!(run(&music), Err(PrepareError::Overlap { .. })));
    std::fs::create_dir(dir.path().join("thesis")).unwrap();
    std::fs::write(dir.path().join("thesis/chapter1.tex"), "…").unwrap();
    let thesis = PrepareOptions { out: dir.path().join("thesis"), ..force.clone() };
    assert!(matches!(run(&thesis), Err(PrepareError::InTheWay { .. })));
    assert_eq!(names(&dir.path().join("thesis")), ["chapter1.tex"]);
    // A dataset inside the folder of recordings is not imported into the next one.
    let inside = PrepareOptions { out: dir.path().join("music/data"), ..force };
    run(&inside).unwrap();
    let again = run(&inside).unwrap();
    assert_eq!((again.index.recordings.len(), again.skipped.len()), (2, 0));
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    library(dir.path());
    let plain = options(dir.path());
    // Stopped before it begins, and when the second pass begins.
    for at in ["hashing", "importing"] {
        let stop = AtomicBool::new(false);
        let result = prepare(&plain, &stop, &|what, _| {
            stop.fetch_or(what == at, Ordering::Relaxed);
            Progress::hidden()
        });
        assert!(matches!(result, Err(PrepareError::Cancelled)), "{result:?}");
        assert_eq!(names(dir.path()), ["music"]);
    }
    assert!(matches!(Dataset::open(&plain.out), Err(DatasetError::NotADataset { .. })));
    // A killed run's leftover is removed by the next; a folder that only has its name is not.
    std::fs::create_dir(dir.path().join("piano.dataset.partial")).unwrap();
    assert!(matches!(run(&plain), Err(PrepareError::InTheWay { .. })));
    std::fs::write(dir.path().join("piano.dataset.partial/being-prepared"), "").unwrap();
    std::fs::write(dir.path().join("piano.dataset.partial/frames.i16"), "half").unwrap();
    run(&plain).unwrap();
    assert_eq!(names(dir.path()), ["music", "piano.dataset"]);
}

#[test]
fn two_at_once_do_not_write_the_same_dataset() {
    let dir = tempfile::tempdir().unwrap();
    wav(&dir.path().join("music/a.wav"), 16_000, vec![sine(440.0, 16_000, 0.5, 1_000)]);
    let plain = options(dir.path());
    let inner = std::sync::Mutex::new(None);
    prepare(&plain, &AtomicBool::new(false), &|what, _| {
        if what == "importing" {
            *inner.lock().unwrap() = Some(run(&plain));
        }
        Progress::hidden()
    })
    .unwrap();
    assert!(matches!(inner.into_inner().unwrap(), Some(Err(PrepareError::Busy { .. }))));
}

#[test]
fn nothing_to_import_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let plain = options(dir.path());
    assert!(matches!(run(&plain), Err(PrepareError::Folder { .. })));
    std::fs::create_dir(&plain.folder).unwrap();
    assert!(matches!(run(&plain), Err(PrepareError::NoFiles { .. })));
    std::fs::write(plain.folder.join("a.wav"), "text").unwrap();
    std::fs::write(plain.folder.join("b.txt"), "text").unwrap();
    match run(&plain) {
        Err(PrepareError::NothingImported { skipped, .. }) => assert_eq!(skipped.len(), 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(names(dir.path()), ["music"]);
}

#[test]
fn a_full_disk_has_its_own_error() {
    let error = PrepareError::io(Path::new("d.partial/frames.i16"), "write", std::io::ErrorKind::StorageFull.into());
    assert!(matches!(error, PrepareError::DiskFull { .. }) && error.to_string().contains("frames.i16"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_locked_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music");
    wav(&music.join("a.wav"), 16_000, vec![sine(440.0, 16_000, 0.5, 1_000)]);
    std::os::unix::fs::symlink(&music, music.join("round")).unwrap();
    std::os::unix::fs::symlink(music.join("gone.wav"), music.join("broken.wav")).unwrap();
    wav(&dir.path().join("elsewhere/b.wav"), 16_000, vec![sine(550.0, 16_000, 0.5, 1_000)]);
    std::os::unix::fs::symlink(dir.path().join("elsewhere/b.wav"), music.join("linked.wav")).unwrap();
    let summary = run(&options(dir.path())).unwrap();
    assert_eq!(summary.index.recordings.iter().map(|r| &r.name).collect::<Vec<_>>(), ["a.wav", "linked.wav"]);
    assert_eq!(summary.skipped.iter().map(|s| &s.name).collect::<Vec<_>>(), ["broken.wav", "round"]);
}

/// A folder that somebody filled to annoy: it ends in seconds, and every name is told as it is.
#[cfg(unix)]
#[test]
fn pipes_loops_and_strange_names_are_no_trouble() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music");
    let begin = std::time::Instant::now();
    let named = |name: &[u8]| music.join(std::ffi::OsStr::from_bytes(name));
    let strange: [&[u8]; 4] = [b"caf\xe9.wav", b"caf\xe8.wav", b"red\x1b[31m\r.wav", &[b'n'; 251]];
    for (at, name) in strange.iter().enumerate() {
        wav(&named(name), 16_000, vec![sine(300.0 + 100.0 * at as f64, 16_000, 0.5, 2_000)]);
    }
    let made = std::process::Command::new("mkfifo").arg(music.join("pipe.wav")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("pipe.wav", music.join("to the pipe.wav")).unwrap();
    std::os::unix::fs::symlink("circle.wav", music.join("circle.wav")).unwrap();
    std::os::unix::fs::symlink("..", music.join("up")).unwrap();
    // A damaged page in the middle of an OGG is told with what it cost.
    let mut ogg =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/engine/tests/fixtures/pages.ogg")).unwrap();
    let middle = ogg.len() * 3 / 4;
    ogg[middle] ^= 0x55;
    std::fs::write(music.join("damaged.ogg"), ogg).unwrap();

    let plain = PrepareOptions { out: dir.path().join("d".repeat(251)), ..options(dir.path()) };
    let summary = run(&plain).unwrap();
    assert!(begin.elapsed().as_secs() < 20);
    assert_eq!(names(dir.path()), ["d".repeat(251), "music".to_owned()]);
    let dataset = Dataset::open(&plain.out).unwrap();
    let recordings = &dataset.index().recordings;
    assert_eq!(recordings.len(), strange.len() + 1);
    for name in strange {
        let found: Vec<_> = recordings.iter().filter(|r| r.source == named(name)).collect();
        assert_eq!(found.len(), 1, "{name:?}");
        assert!(found[0].source.is_file());
    }
    let mut distinct: Vec<_> = recordings.iter().map(|r| &r.name).collect();
    distinct.dedup();
    assert_eq!(distinct.len(), recordings.len());
    let mut skipped: Vec<_> = summary.skipped.iter().map(|s| s.name.as_str()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["circle.wav", "pipe.wav", "to the pipe.wav", "up"]);
    let text = summary_text(&summary);
    assert!(!text.contains(['\x1b', '\r']), "{text}");
    assert!(text.contains("damaged.ogg: ") && text.contains("frames are missing at frame"), "{text}");
}
