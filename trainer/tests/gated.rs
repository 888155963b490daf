//! Kresge & Ratzlaff's system from recordings to sound: real values, classes, every optimiser.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{TINY, correlation, export_arguments, library, played, tones};
use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_engine::{LoadOptions, Model, Runtime, Sampling, Stepping, VoiceRequest};
use continuo_package::{Package, Signal, figures};
use continuo_trainer::cli::PrepareArgs;
use continuo_trainer::data::dataset::Dataset;
use continuo_trainer::device::Device;
use continuo_trainer::family::FAMILIES;
use continuo_trainer::training::checkpoint::Checkpoint;
use continuo_trainer::training::run::{Run, RunError};
use continuo_trainer::training::trainer::{Limits, Trainer};
use continuo_trainer::{config, export, prepare};

const QUIET: Limits = Limits { time: None, steps: None, quiet: true };

/// [`TINY`] over real values.
fn real() -> String {
    TINY.replace("levels = 64", "head = \"real\"\nactivation = \"none\"\noutput = \"scaled-tanh\"")
        .replace("learning_rate = 0.01", "optimiser = \"rmsprop\"\nrho = 0.9\nl2 = 0.000001\nlearning_rate = 0.003")
}

fn run(dir: &Path, name: &str, text: &str, data: &Dataset) -> Run {
    Run::create(&dir.join(name), config::parse(text, FAMILIES).unwrap(), data, false).unwrap()
}

fn begin<'a>(run: &'a Run, data: &'a Dataset) -> Result<Trainer<'a>, RunError> {
    Trainer::begin(run, data, run.config.task(&Device::Cpu).unwrap())
}

fn exported(run: &Run, out: &Path) {
    export::run(&export_arguments(&run.dir, out, 0.0, 0)).unwrap();
}

/// What a model makes of a clip, with nothing left to chance.
fn continued(file: &Path, stepping: Stepping, class: u32, clip: &[f32], frames: usize) -> Vec<f32> {
    let runtime = Some(Runtime::open(&library()).unwrap());
    let model = Model::load(file, &LoadOptions { runtime, stepping, ..LoadOptions::default() }).unwrap();
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    played(&model, &VoiceRequest { class, ..VoiceRequest::new(sampling, 0..1) }, clip, frames)
}

#[test]
fn a_model_of_real_values_learns_a_tone_and_carries_it_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = tones(&dir.path().join("data"), &[9000, 7900, 9000, 12_000]);
    let text = real().replace("steps = 12", "steps = 400").replace("decay_steps = 4", "decay_steps = 200");
    let run = run(dir.path(), "run", &text.replace("every_steps = 4", "every_steps = 0"), &data);
    let mut trainer = begin(&run, &data).unwrap();
    let before = trainer.measure().unwrap()["squared_error"];
    trainer.train(QUIET).unwrap();
    let after = trainer.progress().heldout["squared_error"];
    // The tones' mean square is 0.145.
    assert!(before > 0.05 && after < 0.001, "the squared error went from {before} to {after}");
    drop(trainer);

    let file = dir.path().join("real.continuo");
    exported(&run, &file);
    let manifest = Package::read_manifest(&file).unwrap();
    assert_eq!(manifest.signal, Signal::Real);
    let error = manifest.training.figure(figures::HELDOUT_SQUARED_ERROR).unwrap();
    assert!((error - after).abs() < 1e-6, "{error} in the package, {after} in the run");
    let noise = f64::from(manifest.defaults.noise.unwrap());
    assert!((noise - error.sqrt()).abs() < 1e-6, "the noise is as loud as the error");

    let held = data.recordings(continuo_trainer::data::dataset::Split::Heldout).next().unwrap();
    let frames: Vec<f32> = data.frames(held).iter().map(|&frame| f32::from(frame) / 32_768.0).collect();
    let native = continued(&file, Stepping::Native, 0, &frames[..4000], 400);
    let r = correlation(&native, &frames[4000..4400]);
    assert!(r > 0.95, "ten periods later the tone is lost: r = {r}");
    let session = continued(&file, Stepping::OnnxRuntime, 0, &frames[..4000], 400);
    let r = correlation(&native, &session);
    assert!(r > 0.999, "ONNX Runtime plays something else: r = {r}");
}

#[test]
fn every_optimiser_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = tones(&dir.path().join("data"), &[2500, 390, 1900, 1200]);
    let sgd = real().replace("optimiser = \"rmsprop\"\nrho = 0.9", "optimiser = \"sgd\"\nmomentum = 0.9");
    let rolling = real().replace("rho = 0.9", "rho = 0.95\nmomentum = 0.5");
    for (name, text) in [("rmsprop", real()), ("rolling", rolling), ("sgd", sgd), ("adam", TINY.to_owned())] {
        let losses = |trainer: &mut Trainer<'_>, steps: usize| -> Vec<u64> {
            (0..steps).map(|_| trainer.step().unwrap().losses.values().next().unwrap().to_bits()).collect()
        };
        let whole = run(dir.path(), &format!("{name} whole"), &text, &data);
        let expected = losses(&mut begin(&whole, &data).unwrap(), 9);
        let broken = run(dir.path(), &format!("{name} broken"), &text, &data);
        let mut trainer = begin(&broken, &data).unwrap();
        let mut found = losses(&mut trainer, 4);
        trainer.checkpoint().unwrap();
        drop(trainer);
        let (checkpoint, _) = Checkpoint::newest(&broken.checkpoints()).unwrap();
        let task = broken.config.task(&Device::Cpu).unwrap();
        found.extend(losses(&mut Trainer::resume(&broken, &data, task, &checkpoint).unwrap(), 5));
        assert_eq!(found, expected, "{name}");
        assert!(expected.windows(2).any(|pair| pair[0] != pair[1]), "{name} moves nothing");
    }
}

/// A folder per class, each with tones of its own period that begin at their highest: out of silence, the class alone tells
/// how they go on.
fn folders(dir: &Path, classes: &[(&str, f32)]) -> Dataset {
    for (class, period) in classes {
        std::fs::create_dir_all(dir.join("recordings").join(class)).unwrap();
        for take in 0..6_u8 {
            let amplitude = 0.6 - 0.01 * f32::from(take);
            let tone = |t: u16| amplitude * (std::f32::consts::TAU * f32::from(t) / period).cos();
            let clip = Clip { sample_rate_hz: 16_000, channels: vec![(0..420).map(tone).collect()] };
            write_wav(&dir.join("recordings").join(class).join(format!("{take}.wav")), &clip, WavFormat::I16).unwrap();
        }
    }
    let arguments = PrepareArgs {
        folder: dir.join("recordings"),
        out: dir.join("data"),
        rate: 16_000,
        channels: 1,
        holdout: 0.0,
        trim_silence: None,
        force: true,
        jobs: 1,
    };
    prepare::command(&arguments).unwrap();
    Dataset::open(&dir.join("data")).unwrap()
}

#[test]
fn a_model_with_classes_plays_like_the_one_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let data = folders(dir.path(), &[("high", 16.0), ("low", 50.0)]);
    let text = TINY
        .replace("levels = 64", "levels = 64\nclasses = [\"low\", \"high\"]")
        .replace("layers = 4", "layers = 5")
        .replace("steps = 12", "steps = 300")
        .replace("decay_steps = 4", "decay_steps = 150")
        .replace("every_steps = 4", "every_steps = 0\npreview_every_steps = 0");
    let run = run(dir.path(), "run", &text, &data);
    begin(&run, &data).unwrap().train(QUIET).unwrap();
    // Too little audio to be compared at an export; the draft is the same model.
    let file = dir.path().join("told.continuo");
    export::draft(&run, &file).unwrap();
    for stepping in [Stepping::Native, Stepping::OnnxRuntime] {
        let crossings = |class| {
            let sound = continued(&file, stepping, class, &[], 400);
            sound.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count()
        };
        let (low, high) = (crossings(0), crossings(1));
        assert!((6..=10).contains(&low), "{low} periods of 50 frames in 400 frames");
        assert!((21..=29).contains(&high), "{high} periods of 16 frames in 400 frames");
    }
}

#[test]
fn recordings_of_no_class_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = folders(dir.path(), &[("high", 16.0), ("low", 50.0)]);
    let said = |name: &str, classes: &str| {
        let text = TINY.replace("levels = 64", &format!("levels = 64\nclasses = {classes}"));
        let run = run(dir.path(), name, &text, &data);
        begin(&run, &data).map(drop).unwrap_err().to_string()
    };
    let other = said("a", "[\"low\"]");
    assert!(other.contains("high/0.wav") && other.contains("model.classes"), "{other}");
    let missing = said("b", "[\"low\", \"high\", \"wide\"]");
    assert!(missing.contains("\"wide\"") && missing.contains("to train on"), "{missing}");
    let error = config::parse(&TINY.replace("levels = 64", "levels = 64\nclasses = [\"x\", \"x\"]"), FAMILIES);
    assert!(error.is_err_and(|error| error.to_string().contains("twice")));
}
