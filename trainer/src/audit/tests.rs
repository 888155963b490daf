#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use continuo_engine::audio::{Clip, WavFormat, resample, write_wav};

use super::facts::{Facts, Needs};
use super::findings::{Finding, Weight, find, verdict};
use super::*;
use crate::data::dataset::Dataset;
use crate::prepare::{PrepareError, PrepareOptions, Progress, SkipKind, prepare};
use crate::random::{Purpose, Random};

const RATE: u32 = 16_000;

/// Decaying notes of random pitch and level over a floor of noise: enough like music for what is measured here.
fn notes(seed: u64, seconds: f64, rate_hz: u32) -> Vec<f32> {
    let mut random = Random::new(seed, Purpose::named("notes of the audit's tests"), 0);
    let (mut pitch, mut level, mut phase) = (0.0_f32, 0.0_f32, 0.0_f32);
    (0..(seconds * f64::from(rate_hz)) as usize)
        .map(|t| {
            if t % (rate_hz as usize / 4) == 0 {
                (pitch, level) = (200.0 + 600.0 * random.uniform(), 0.1 + 0.3 * random.uniform());
            }
            level *= 1.0 - 4.0 / rate_hz as f32;
            phase = (phase + pitch / rate_hz as f32).fract();
            level * (2.0 * phase - 1.0) + 2e-3 * (random.uniform() - 0.5)
        })
        .collect()
}

fn wav(path: &Path, rate_hz: u32, channels: Vec<Vec<f32>>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_wav(path, &Clip { sample_rate_hz: rate_hz, channels }, WavFormat::I16).unwrap();
}

fn options(folder: PathBuf) -> AuditOptions {
    AuditOptions { folder, rate_hz: RATE, channels: 1, holdout: 0.05, trim_silence_dbfs: None, jobs: 2 }
}

fn audit(options: &AuditOptions) -> Facts {
    survey(options, &AtomicBool::new(false), &|_, _| Progress::hidden()).unwrap()
}

fn needs(chunk_frames: usize, context_frames: usize) -> Needs {
    Needs { config: "c.toml".into(), chunk_frames, context_frames, batch: 4, steps: 1_000 }
}

fn finding<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} among {findings:#?}"))
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.id).collect()
}

/// Both reports must hold whatever was found, and the page must be well-formed.
fn reports(facts: &Facts) -> (String, String) {
    let findings = find(facts);
    let (text, page) = (terminal::text(facts, &findings), html::page(facts, &findings));
    assert_eq!(crate::report::page::well_formed(&page), Ok(()));
    assert!(!page.contains("<script") && !page.contains("src=\"http") && !page.contains("NaN"), "{page}");
    assert!(!text.contains(['\x1b', '\r']), "{text}");
    assert!(text.contains(&format!("verdict   {}", verdict(&findings))));
    for finding in &findings {
        assert!(
            !finding.advice.is_empty() && text.contains(&finding.what.replace('\x1b', "\\u{1b}")),
            "{}",
            finding.what
        );
    }
    serde_json::to_string(facts).unwrap();
    (text, page)
}

#[test]
fn a_good_folder_is_called_good() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..6 {
        wav(&dir.path().join(format!("{i}.wav")), RATE, vec![notes(i, 240.0, RATE)]);
    }
    let mut facts = audit(&options(dir.path().into()));
    facts.needs = Some(needs(4_096, 500));
    let findings = find(&facts);
    // Twenty-four minutes are not much.
    assert_eq!(ids(&findings), ["little-audio"], "{findings:#?}");
    assert_eq!(verdict(&findings), "good to train on: nothing needs mending");
    let (text, page) = reports(&facts);
    assert!(text.contains("6 recordings, 24.0 min, as 16000 Hz mono"), "{text}");
    assert!(page.contains("Average spectrum") && page.matches("<svg").count() == 4);
    for r in &facts.recordings {
        assert!(r.bandwidth_hz > 7_500.0 && !r.cut_off && r.levels.silent_share == 0.0, "{r:?}");
        assert!(r.loudness_lufs.is_some_and(|lufs| (-40.0..-10.0).contains(&lufs)));
    }
}

#[test]
fn tiny_data_is_told_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let one = dir.path().join("one");
    wav(&one.join("a.wav"), RATE, vec![notes(1, 0.2, RATE)]);
    let mut facts = audit(&options(one.clone()));
    facts.needs = Some(needs(4_096, 500));
    let findings = find(&facts);
    assert_eq!(ids(&findings), ["too-short", "little-audio", "nothing-held-out"], "{findings:#?}");
    assert!(findings[0].weight == Weight::Stop && findings[0].advice.starts_with("set chunk_frames to 3200 or less"));
    reports(&facts);

    let many = dir.path().join("many");
    (0..100).for_each(|i| wav(&many.join(format!("{i:02}.wav")), RATE, vec![notes(i, 1.2, RATE)]));
    let mut facts = audit(&options(many));
    facts.needs = Some(needs(160_000, 1_000));
    let findings = find(&facts);
    let short = finding(&findings, "too-short");
    assert_eq!((short.weight, short.files.len()), (Weight::Stop, 100));
    assert!(short.what.starts_with("none of the 100 recordings is as long as one chunk of 160000 frames (10.00 s)"));
    assert!(short.advice.contains("19200"), "{short:?}");
    // Long enough, but never with a whole past.
    facts.needs = Some(needs(16_000, 10_000));
    assert_eq!(finding(&find(&facts), "short-of-context").weight, Weight::Warning);

    let twice = dir.path().join("twice");
    wav(&twice.join("a.wav"), RATE, vec![notes(1, 40.0, RATE)]);
    std::fs::copy(twice.join("a.wav"), twice.join("b.wav")).unwrap();
    let facts = audit(&options(twice));
    let findings = find(&facts);
    assert_eq!(ids(&findings), ["little-audio", "nothing-held-out", "duplicates"], "{findings:#?}");
    let double = finding(&findings, "duplicates");
    assert_eq!(double.files, ["b.wav: the same file as a.wav"]);
    assert!(double.what.contains("40.0 s"), "{double:?}");
    reports(&facts);
}

#[test]
fn each_fault_of_a_recording_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for i in 0..8 {
        wav(&path(&format!("good/{i}.wav")), RATE, vec![notes(i, 20.0, RATE)]);
    }
    let sound = notes(50, 20.0, RATE);
    wav(&path("clipped.wav"), RATE, vec![sound.iter().map(|x| (x * 20.0).clamp(-1.0, 1.0)).collect()]);
    wav(&path("offset.wav"), RATE, vec![notes(51, 20.0, RATE).iter().map(|x| 0.5 * x + 0.1).collect()]);
    let mut rests = notes(52, 20.0, RATE);
    rests[3 * RATE as usize..].fill(0.0);
    wav(&path("rests.wav"), RATE, vec![rests]);
    // Out of a telephone.
    let narrow = Clip { sample_rate_hz: RATE, channels: vec![notes(53, 20.0, RATE)] };
    let narrow = resample(&resample(&narrow, 6_000).unwrap(), 44_100).unwrap();
    wav(&path("narrow.wav"), 44_100, narrow.channels);
    // Turned over, a little quieter: nearly nothing is left in mono.
    let turned: Vec<f32> = notes(54, 20.0, RATE).iter().map(|x| -0.9 * x).collect();
    wav(&path("turned.wav"), RATE, vec![notes(54, 20.0, RATE), turned]);
    wav(&path("left.wav"), RATE, vec![notes(55, 20.0, RATE), vec![0.0; 20 * RATE as usize]]);
    wav(&path("low.wav"), 8_000, vec![notes(56, 20.0, 8_000)]);
    // A copy at another level and rate, as encoders make it.
    let copy = Clip { sample_rate_hz: RATE, channels: vec![notes(3, 20.0, RATE).iter().map(|x| 0.5 * x).collect()] };
    wav(&path("good/copy.wav"), 44_100, resample(&copy, 44_100).unwrap().channels);
    wav(
        &path("hiss.wav"),
        RATE,
        vec![{
            let mut random = Random::new(9, Purpose::named("hiss"), 0);
            (0..20 * RATE).map(|_| 0.3 * (random.uniform() - 0.5)).collect()
        }],
    );

    let facts = audit(&options(dir.path().into()));
    let findings = find(&facts);
    let about = |id: &str| -> Vec<&str> {
        finding(&findings, id).files.iter().map(|file| file.split(':').next().unwrap_or_default()).collect()
    };
    assert_eq!(about("clipping"), ["clipped.wav"]);
    assert_eq!(about("offset"), ["offset.wav"]);
    assert_eq!(about("silence"), ["rests.wav"]);
    assert_eq!(about("bandwidth"), ["narrow.wav"]);
    assert_eq!(about("cancelling"), ["turned.wav"]);
    assert_eq!(about("dead-channel"), ["left.wav"]);
    assert_eq!(about("low-rate"), ["low.wav"]);
    assert_eq!(about("nearly-the-same"), ["good/copy.wav is like good/3.wav"]);
    assert!(about("outliers").contains(&"hiss.wav"), "{:#?}", facts.homogeneity.outliers);
    assert!(!about("outliers").iter().any(|name| name.starts_with("good/")), "{:#?}", facts.homogeneity.outliers);
    let narrow = facts.recordings.iter().find(|r| r.name == "narrow.wav").unwrap();
    assert!(narrow.cut_off && (2_700.0..3_300.0).contains(&narrow.bandwidth_hz), "{narrow:?}");
    // What matters most comes first.
    assert!(findings.windows(2).all(|pair| pair[0].weight <= pair[1].weight));
    let (text, page) = reports(&facts);
    assert!(text.contains(" 3.1!") && text.contains("! = cut off there"), "{text}");
    assert!(page.contains("hiss.wav"));
}

/// The audit and `prepare` read alike: what one keeps, with these levels, the other keeps; what one leaves out, with this
/// reason, the other leaves out.
#[test]
fn audit_and_prepare_agree() {
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music");
    for i in 0..4_u32 {
        let silence = vec![0.0; RATE as usize * i as usize];
        let sound = notes(u64::from(i), 3.0, RATE);
        wav(&music.join(format!("{i}.wav")), RATE, vec![[&silence[..], &sound, &silence].concat()]);
    }
    std::fs::copy(music.join("1.wav"), music.join("one.wav")).unwrap();
    let quiet = notes(9, 3.0, RATE).iter().map(|x| 0.02 * x).collect();
    wav(&music.join("quiet.wav"), RATE, vec![quiet]);
    let whole = std::fs::read(music.join("0.wav")).unwrap();
    std::fs::write(music.join("cut.wav"), &whole[..30_000]).unwrap();
    std::fs::write(music.join("text.wav"), "not a sound").unwrap();
    std::fs::write(music.join("empty.flac"), "").unwrap();
    for trim in [None, Some(-30.0)] {
        let facts = audit(&AuditOptions { trim_silence_dbfs: trim, ..options(music.clone()) });
        let out = dir.path().join(format!("{}.dataset", trim.is_some()));
        let prepared = prepare(
            &PrepareOptions {
                folder: music.clone(),
                out: out.clone(),
                rate_hz: RATE,
                channels: 1,
                holdout: 0.05,
                trim_silence_dbfs: trim,
                force: false,
                jobs: 2,
            },
            &AtomicBool::new(false),
            &|_, _| Progress::hidden(),
        )
        .unwrap();
        assert_eq!(facts.skipped, prepared.skipped);
        assert_eq!(prepared.index.trim_silence_dbfs, trim);
        let recordings = &prepared.index.recordings;
        assert_eq!(facts.recordings.len(), recordings.len());
        for (ours, theirs) in facts.recordings.iter().zip(recordings) {
            assert_eq!((&ours.name, ours.frames, ours.levels), (&theirs.name, theirs.frames, theirs.levels));
            assert_eq!((ours.trimmed, &ours.warnings), (theirs.trimmed.unwrap_or_default(), &theirs.warnings));
        }
        let dataset = Dataset::open(&out).unwrap();
        let text = crate::prepare::summary_text(&prepared);
        let findings = find(&facts);
        if trim.is_none() {
            assert!(recordings.iter().all(|r| r.trimmed.is_none()) && !text.contains("silence  "));
            assert!(!ids(&findings).contains(&"trim-silence"));
        } else {
            let three = recordings.iter().find(|r| r.name == "3.wav").unwrap();
            let trimmed = three.trimmed.unwrap();
            assert!((45_000..=48_000).contains(&trimmed.head_frames) && trimmed.tail_frames >= 45_000, "{trimmed:?}");
            assert_eq!(three.frames + trimmed.frames(), 9 * u64::from(RATE));
            assert!(dataset.frames(three)[..2_048].iter().any(|x| x.unsigned_abs() > 1_000));
            let silent = prepared.skipped.iter().find(|s| s.name == "quiet.wav").unwrap();
            assert_eq!((silent.kind, silent.frames), (SkipKind::Silent, Some(48_000)));
            assert!(silent.reason.contains("nothing in its 3.0 s is louder than -30 dBFS"), "{silent:?}");
            // 3 · 12 s of silence and more around 12 s of sound: most of it goes, and both say so.
            assert!(text.contains("warning  more than half was discarded as silence"), "{text}");
            let told = finding(&findings, "trim-silence");
            assert!(told.what.starts_with("-30 dBFS would discard 53 % of the hours"), "{told:?}");
            assert!(told.weight == Weight::Warning && told.advice.starts_with("the silence is real"), "{told:?}");
        }
        reports(&facts);
    }
}

/// Quiet music and a threshold that is meant for loud music: the usual way to a model of noise.
#[test]
fn a_threshold_that_throws_music_away_is_no_good() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..5 {
        let level = if i == 0 { 1.0 } else { 0.1 };
        wav(&dir.path().join(format!("{i}.wav")), RATE, vec![notes(i, 20.0, RATE).iter().map(|x| level * x).collect()]);
    }
    let facts = audit(&AuditOptions { trim_silence_dbfs: Some(-30.0), ..options(dir.path().into()) });
    let findings = find(&facts);
    let told = finding(&findings, "trim-silence");
    assert_eq!(told.weight, Weight::Stop);
    assert!(told.what.contains("and 4 recordings of which nothing is louder (80.0 s)"), "{told:?}");
    assert!(told.advice.starts_with("take -40 dBFS, or leave --trim-silence out"), "{told:?}");
    let default = facts.thresholds.last().unwrap();
    assert!(default.dbfs < -10.0 && default.discarded > 0.9, "{default:?}");
}

#[test]
fn a_folder_full_of_rubbish_has_findings_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music");
    std::fs::create_dir(&music).unwrap();
    assert!(matches!(
        survey(&options(music.clone()), &AtomicBool::new(false), &|_, _| Progress::hidden()),
        Err(AuditError::Folder(PrepareError::NoFiles { .. }))
    ));
    std::fs::write(music.join("notes.txt"), "a list").unwrap();
    std::fs::write(music.join("empty.wav"), "").unwrap();
    std::fs::write(music.join("picture.flac"), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    std::fs::write(music.join("zeros.mp3"), vec![0; 100_000]).unwrap();
    let mut random = Random::new(4, Purpose::named("rubbish"), 0);
    std::fs::write(music.join("noise.ogg"), (0..50_000).map(|_| random.below(256) as u8).collect::<Vec<_>>()).unwrap();
    wav(&music.join("silence.wav"), RATE, vec![vec![0.0; 16_000]]);
    // A header that promises four gigabytes, and one of no rate at all.
    wav(&music.join("a.wav"), RATE, vec![notes(1, 1.0, RATE)]);
    let mut huge = std::fs::read(music.join("a.wav")).unwrap();
    std::fs::remove_file(music.join("a.wav")).unwrap();
    huge[4..8].fill(0xfe);
    huge[40..44].fill(0xfe);
    let mut rateless = huge.clone();
    rateless[24..28].fill(0);
    std::fs::write(music.join("rateless.wav"), rateless).unwrap();
    let facts = audit(&options(music.clone()));
    let findings = find(&facts);
    assert_eq!(ids(&findings)[0], "nothing-usable", "{findings:#?}");
    assert_eq!(facts.skipped.len(), 7, "{:#?}", facts.skipped);
    let broken = finding(&findings, "unreadable");
    assert_eq!(broken.files.len(), 5, "{broken:#?}");
    reports(&facts);

    std::fs::write(music.join("huge.wav"), huge).unwrap();
    let facts = audit(&options(music.clone()));
    assert_eq!(facts.recordings.len(), 1);
    assert!(ids(&find(&facts)).contains(&"incomplete"), "{:#?}", find(&facts));
    let (text, _) = reports(&facts);
    assert!(text.contains("huge.wav: breaks off after"), "{text}");

    // Ctrl-C.
    let stop = AtomicBool::new(false);
    let stopped = survey(&options(music), &stop, &|what, _| {
        stop.fetch_or(what == "listening", Ordering::Relaxed);
        Progress::hidden()
    });
    assert!(matches!(stopped, Err(AuditError::Cancelled)), "{stopped:?}");
}

#[cfg(unix)]
#[test]
fn names_of_any_kind_are_told_as_they_are() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    for (at, name) in
        [&b"caf\xe9.wav"[..], b"red\x1b[31m\r.wav", b"<b>&\".wav", "Ü — 1.wav".as_bytes()].iter().enumerate()
    {
        let sound: Vec<f32> = notes(at as u64, 2.0, RATE).iter().map(|x| x + 0.05).collect();
        wav(&dir.path().join(std::ffi::OsStr::from_bytes(name)), RATE, vec![sound]);
    }
    let facts = audit(&options(dir.path().into()));
    assert_eq!(facts.recordings.len(), 4);
    let (text, page) = reports(&facts);
    assert!(text.contains("bytes:caf%e9.wav") && text.contains("Ü — 1.wav"), "{text}");
    assert!(page.contains("&lt;b&gt;&amp;&quot;.wav") && page.contains("\\u{1b}"), "{page}");
}

#[test]
fn the_short_audit_warns_where_there_is_something_to_warn_of() {
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music");
    (0..6).for_each(|i| wav(&music.join(format!("{i}.wav")), RATE, vec![notes(i, 3.0, RATE)]));
    let prepared = |name: &str| {
        let options = PrepareOptions {
            folder: music.clone(),
            out: dir.path().join(name),
            rate_hz: RATE,
            channels: 1,
            holdout: 0.2,
            trim_silence_dbfs: None,
            force: false,
            jobs: 2,
        };
        prepare(&options, &AtomicBool::new(false), &|_, _| Progress::hidden()).unwrap();
        Dataset::open(&options.out).unwrap()
    };
    let plan = |frames, context| crate::data::batches::BatchPlan {
        sequences: 1,
        frames,
        context,
        signal: continuo_package::Signal::Real,
        order: crate::data::dataset::Order::Shuffled,
        carried: false,
    };
    let dataset = prepared("good");
    let lines = brief(&dataset, Some(&plan(4_096, 500)));
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].starts_with("data      ") && lines[1].contains("0 % silent") && lines[1].contains("18 places"));
    assert_eq!(lines, brief(&dataset, Some(&plan(4_096, 500))), "it says the same every time");
    let short = brief(&dataset, Some(&plan(160_000, 0)));
    assert!(short[2].contains("shorter than a sequence of 10.00 s and never used"), "{short:#?}");
    let alone = brief(&dataset, Some(&plan(40_000, 10_000)));
    assert!(alone[2].contains("receptive field together (3.12 s)"), "{alone:#?}");

    for i in 0..12 {
        let mut sound = notes(100 + i, 4.0, RATE);
        sound[8_000..].fill(0.0);
        wav(&music.join(format!("silent/{i}.wav")), RATE, vec![sound]);
    }
    let lines = brief(&prepared("bad"), None);
    assert!(lines[2].contains("of the audio is silent"), "{lines:#?}");
}
