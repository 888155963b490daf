//! A model that has learnt one recording by heart plays it: from the run, from the package, in ONNX Runtime and in every
//! kernel of this machine. What training, export, priming and drawing do must all be the same thing for that.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use common::{correlation, export_arguments, library, played, recordings};
use continuo_engine::audio::{self, Clip, WavFormat, write_wav};
use continuo_engine::kernels::Kernel;
use continuo_engine::{Backend, LoadOptions, Model, Precision, Runtime, Sampling, Stepping, VoiceRequest};
use continuo_trainer::cli::{DeviceArg, PrecisionArg, RenderArgs, TrainArgs, WorkersArgs};
use continuo_trainer::{export, render, train};

const RATE: u32 = 4_000;
/// Frames of the recording, and of its beginning that the model is given.
const LENGTH: usize = 6_000;
const GIVEN: usize = 1_000;

/// A model that remembers 511 frames of so little music has room for all of it.
const CONFIG: &str = r#"
family = "wavenet"

[model]
sample_rate_hz = 4000
levels = 64
stacks = 2
layers = 8
filter_width = 2
residual_channels = 24
dilation_channels = 24
skip_channels = 48
end_channels = 48

[training]
steps = 700
batch = 4
chunk_frames = 1500
learning_rate = 0.006
warmup_steps = 20
decay = "linear"
decay_steps = 300
decay_to = 0.02
clip_norm = 1.0
average_decay = 0.97
rng_seed = 1
log_every_steps = 100

[evaluation]
every_steps = 0
chunks = 4
chunk_frames = 1500
preview_every_steps = 0

[corpus]
description = "a melody of the tests"
licence = "CC0-1.0"
"#;

/// Decaying notes with two partials that beat, so that no two moments are alike.
fn melody() -> Vec<i16> {
    let mut sound = vec![0.0_f64; LENGTH];
    for (note, pitch) in [220.0, 277.3, 329.9, 247.1, 196.4, 294.2].into_iter().enumerate() {
        let begin = note * LENGTH / 6;
        for (t, value) in sound[begin..].iter_mut().enumerate() {
            let seconds = t as f64 / f64::from(RATE);
            let partial = |times: f64| (std::f64::consts::TAU * pitch * times * seconds).sin();
            *value += 0.3 * (-seconds / 0.12).exp() * (partial(1.0) + 0.4 * partial(2.013));
        }
    }
    sound.into_iter().map(|value| (value * 32_767.0) as i16).collect()
}

fn amplitudes(sound: &[i16]) -> Vec<f32> {
    sound.iter().map(|&frame| f32::from(frame) / 32_768.0).collect()
}

/// Always the likeliest code.
fn request(precision: Precision) -> VoiceRequest {
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    VoiceRequest { precision: Some(precision), ..VoiceRequest::new(sampling, 0..1) }
}

/// What `render` writes after the beginning of the recording, from a run or a package.
fn rendered(model: &Path, seed: &Path, out: &Path) -> Vec<f32> {
    let arguments = RenderArgs {
        class: None,
        model: model.to_path_buf(),
        seed: Some(seed.to_path_buf()),
        seconds: (LENGTH - GIVEN) as f64 / f64::from(RATE),
        out: out.to_path_buf(),
        temperature: 0.0,
        top_k: 0,
        rng_seed: 0,
        takes: 1,
        precision: PrecisionArg(Some(Precision::F32)),
        threads: 1,
        runtime: Some(library()),
    };
    render::run(&arguments).unwrap();
    let clip = audio::read(out).unwrap();
    assert_eq!((clip.sample_rate_hz, clip.channels.len(), clip.frames()), (RATE, 1, LENGTH));
    clip.channels[0][GIVEN..].to_vec()
}

#[test]
fn what_was_learnt_by_heart_is_played_wherever_the_model_runs() {
    let dir = tempfile::tempdir().unwrap();
    let recording = melody();
    // An export wants several stretches of 4000 frames to compare; five copies of one recording are still that one.
    recordings(&dir.path().join("data"), RATE, 1, &vec![recording.clone(); 5], 1);
    let config = dir.path().join("by-heart.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let run = dir.path().join("run");
    let arguments = TrainArgs {
        config,
        data: dir.path().join("data"),
        out: run.clone(),
        init: None,
        device: DeviceArg::Cpu,
        steps: None,
        minutes: None,
        force: false,
        plain: false,
        workers: WorkersArgs::default(),
    };
    train::run(&arguments).unwrap();

    let package = dir.path().join("by-heart.continuo");
    export::run(&export_arguments(&run, &package, 0.0, 0)).unwrap();

    let sound = amplitudes(&recording);
    let seed = dir.path().join("beginning.wav");
    let beginning = Clip { sample_rate_hz: RATE, channels: vec![sound[..GIVEN].to_vec()] };
    write_wav(&seed, &beginning, WavFormat::F32).unwrap();
    let knows = |what: &str, heard: &[f32]| {
        let r = correlation(heard, &sound[GIVEN..]);
        println!("{what}: r = {r:.5}");
        assert!(r > 0.95, "{what}: r = {r}");
    };
    knows("the run", &rendered(&run, &seed, &dir.path().join("run.wav")));
    knows("the package", &rendered(&package, &seed, &dir.path().join("package.wav")));

    let load = |options| Model::load(&package, &options).unwrap();
    let runtime = Some(Runtime::open(&library()).unwrap());
    let model = load(LoadOptions { runtime, stepping: Stepping::OnnxRuntime, ..LoadOptions::default() });
    assert!(matches!(model.backend(None), Backend::OnnxRuntime { .. }), "{}", model.backend(None));
    knows("ONNX Runtime", &played(&model, &request(Precision::F32), &sound[..GIVEN], LENGTH - GIVEN));
    for kernel in Kernel::available() {
        let options = LoadOptions { stepping: Stepping::Native, kernel: Some(kernel), ..LoadOptions::default() };
        let model = load(options);
        for precision in Precision::ALL {
            let backend = model.backend(Some(precision));
            let said = matches!(&backend, Backend::Native { kernel: name, precision: computed, .. }
                if *name == kernel.name() && *computed == precision);
            assert!(said, "{backend}");
            knows(
                &format!("{} in {precision}", kernel.name()),
                &played(&model, &request(precision), &sound[..GIVEN], LENGTH - GIVEN),
            );
        }
    }

    // What the figure is worth: another moment of the same music is nothing like it.
    let shifted = correlation(&sound[GIVEN - 100..LENGTH - 100], &sound[GIVEN..]);
    assert!(shifted.abs() < 0.5, "{shifted}");
}
