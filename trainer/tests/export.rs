//! From a run to a package, and from a package to sound.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{TINY, library, odd_shape, sequences, tones, weights};
use continuo_engine::audio::{self, Clip, WavFormat, write_wav};
use continuo_engine::seam::crossfade_frames;
use continuo_engine::{Precision, Runtime};
use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::{GraphId, GraphRole, Package, onnx};
use continuo_trainer::cli::{DeviceArg, ExportArgs, InspectArgs, PrecisionArg, RenderArgs, TrainArgs, WorkersArgs};
use continuo_trainer::family::FAMILIES;
use continuo_trainer::family::wavenet::export::{Exported, VerifyError, centre_logits};
use continuo_trainer::family::wavenet::fused::Fused;
use continuo_trainer::family::wavenet::parameters::Table;
use continuo_trainer::family::wavenet::parity;
use continuo_trainer::family::wavenet::{Compute as _, Sequence};
use continuo_trainer::kernels::Level;
use continuo_trainer::nn::Tensors;
use continuo_trainer::render::Rendered;
use continuo_trainer::training::checkpoint::Checkpoint;
use continuo_trainer::training::run::Run;
use continuo_trainer::{export, inspect, render, train};

fn trained(dir: &Path) -> PathBuf {
    trained_on(dir, &[30_000, 20_000, 12_000])
}

/// A run on recordings of these lengths, the last one held out.
fn trained_on(dir: &Path, lengths: &[u64]) -> PathBuf {
    tones(&dir.join("data"), lengths);
    let config = dir.join("tiny.toml");
    std::fs::write(&config, TINY).unwrap();
    let out = dir.join("run");
    let arguments = TrainArgs {
        config,
        data: dir.join("data"),
        out: out.clone(),
        init: None,
        device: DeviceArg::Cpu,
        steps: Some(30),
        minutes: None,
        force: false,
        plain: false,
        workers: WorkersArgs::default(),
    };
    train::run(&arguments).unwrap();
    out
}

fn export_arguments(run: &Path, out: &Path) -> ExportArgs {
    common::export_arguments(run, out, 0.9, 32)
}

fn render_arguments(model: PathBuf, out: PathBuf) -> RenderArgs {
    RenderArgs {
        class: None,
        model,
        seed: None,
        seconds: 0.5,
        out,
        temperature: 1.0,
        top_k: 0,
        rng_seed: 3,
        takes: 1,
        // A package may choose a coarser one by its measured losses, of which a run knows nothing.
        precision: PrecisionArg(Some(Precision::F32)),
        threads: 0,
        runtime: None,
    }
}

#[test]
fn a_run_becomes_a_package_that_renders() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let out = dir.path().join("tones.continuo");
    let arguments = export_arguments(&run, &out);
    let exported = export::run(&arguments).unwrap();

    let package = Package::open(&out).unwrap();
    let training = &package.manifest.training;
    assert_eq!(package.manifest.name, "tones");
    assert_eq!(training, &exported.manifest.training);
    let defaults = package.manifest.defaults;
    assert_eq!((defaults.temperature.map(f32::to_bits), defaults.top_k), (Some(0.9f32.to_bits()), Some(32)));
    assert_eq!((training.steps, training.frames_seen), (30, 30 * 3 * 400));
    assert!(training.corpus.contains("tones of the tests") && training.corpus.contains("CC0"));
    assert!((training.corpus_hours - 50_000.0 / 16_000.0 / 3600.0).abs() < 1e-9);
    let (nats, bits) = (training.figures["heldout_nll_nats"], training.figures["heldout_nll_bits"]);
    assert!(nats > 0.0 && nats < 64f64.ln() && (bits * std::f64::consts::LN_2 - nats).abs() < 1e-9);
    assert!(training.figures["export_largest_log_probability_difference_nats"] <= parity::MOST_LOG_PROBABILITY);
    assert!(package.preview.is_some_and(|wav| wav.starts_with(b"RIFF") && wav.len() > 8 * 2 * 12_000));
    assert!(package.licence.contains("tones of the tests"));

    let text = inspect::run(&InspectArgs { file: out.clone() }).unwrap();
    for part in ["tones", "16000 frames per second", "µ-law, 64 levels", "30 (36000 frames)", "stacks = 2", "nats"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }

    // A stereo clip at another rate comes back untouched up to its last milliseconds, with the continuation behind it in both channels.
    let tone = |t: i32| (t as f32 * 0.03).sin() * 0.4;
    let seed = Clip {
        sample_rate_hz: 48_000,
        channels: vec![(0..24_000).map(tone).collect(), (0..24_000).map(|t| -tone(t) * 0.5).collect()],
    };
    let seed_file = dir.path().join("seed.wav");
    write_wav(&seed_file, &seed, WavFormat::F32).unwrap();
    let wav = dir.path().join("phrase.wav");
    let arguments = RenderArgs { seed: Some(seed_file), ..render_arguments(out.clone(), wav.clone()) };
    let Rendered { files, summary, .. } = render::run(&arguments).unwrap();
    assert_eq!((files, summary.variations), (vec![wav.clone()], 1));
    let phrase = audio::read(&wav).unwrap();
    assert_eq!((phrase.sample_rate_hz, phrase.channels.len(), phrase.frames()), (48_000, 2, 48_000));
    for (channel, original) in phrase.channels.iter().zip(&seed.channels) {
        let exact = &original[..24_000 - crossfade_frames(48_000, 24_000)];
        assert!(channel.iter().zip(exact).all(|(a, b)| (a - b).abs() < 2e-7), "the seed is as it was");
    }
    assert_eq!(phrase.channels[0][24_000..], phrase.channels[1][24_000..]);
    assert!(phrase.channels[0][24_000..].iter().any(|x| x.abs() > 0.01), "the continuation is not silence");

    // What is said is what was computed, not what the model would have chosen.
    for precision in Precision::ALL {
        let arguments = RenderArgs {
            seconds: 0.05,
            precision: PrecisionArg(Some(precision)),
            ..render_arguments(out.clone(), dir.path().join("said.wav"))
        };
        let backend = render::run(&arguments).unwrap().backend.to_string();
        assert!(backend.contains(precision.name()), "{precision}: {backend}");
    }

    // The run renders as the package does, and each take has its own file and its own sound.
    let (from_package, from_run) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
    render::run(&render_arguments(out, from_package.clone())).unwrap();
    let arguments = RenderArgs { takes: 2, ..render_arguments(run, from_run) };
    let files = render::run(&arguments).unwrap().files;
    assert_eq!(files, [dir.path().join("b-1.wav"), dir.path().join("b-2.wav")]);
    let [a, b, c] = [&from_package, &files[0], &files[1]].map(|file| audio::read(file).unwrap());
    assert_eq!((a.sample_rate_hz, a.frames()), (16_000, 8_000));
    assert_eq!(a, b);
    assert_ne!(b, c);
}

#[test]
fn a_package_is_where_another_run_starts() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained(dir.path());
    let package = dir.path().join("tones.continuo");
    let arguments = export_arguments(&run, &package);
    export::run(&arguments).unwrap();

    let read = weights_of(&package);
    let first = Run::open(&run, FAMILIES).unwrap();
    let (task, _) = export::trained(&first).unwrap();
    let network = task.networks()[0];
    let mut average = Tensors { layout: network.weights.layout.clone(), values: network.average.clone() };
    centre_logits(&mut average, 64);
    assert_eq!(read, average.values);

    let further = TrainArgs {
        config: dir.path().join("tiny.toml"),
        data: dir.path().join("data"),
        out: dir.path().join("further"),
        init: Some(package.clone()),
        device: DeviceArg::Cpu,
        steps: Some(1),
        minutes: None,
        force: false,
        plain: false,
        workers: WorkersArgs::default(),
    };
    train::run(&further).unwrap();
    let second = Run::open(&further.out, FAMILIES).unwrap();
    assert!(second.file.initial_model.as_ref().is_some_and(|model| model.starts_with("tones (package SHA-256 ")));
    let (checkpoint, _) = Checkpoint::newest(&second.checkpoints()).unwrap();
    let layout = &average.layout;
    let moved = layout.tensors().iter().map(|tensor| &checkpoint.tensors[&format!("wavenet/weights/{}", tensor.name)]);
    let (near, far) = moved
        .flat_map(|tensor| &tensor.values)
        .zip(&read)
        .fold((0f32, 0usize), |(near, far), (a, b)| (near.max((a - b).abs()), far + usize::from((a - b).abs() > 0.0)));
    assert!(near < 0.02 && far > read.len() / 2, "one step away: {near}, {far}");

    // A model of another architecture is refused before anything is written.
    let other = dir.path().join("other.toml");
    std::fs::write(&other, TINY.replace("skip_channels = ", "skip_channels = 1")).unwrap();
    let refused = TrainArgs { config: other, out: dir.path().join("refused"), ..further };
    let error = train::run(&refused).unwrap_err().to_string();
    assert!(error.contains("tones.continuo") && error.contains("another architecture"), "{error}");
    assert!(!refused.out.exists());
}

/// The weights in a package's graph, tensor by tensor.
fn weights_of(package: &Path) -> Vec<f32> {
    let package = Package::open(package).unwrap();
    let graph = onnx::decode(&package.graphs[&GraphId::of(GraphRole::Step)]).unwrap().graph.unwrap();
    let floats = graph.initializer.iter().filter_map(onnx::TensorProto::to_f32);
    floats.flatten().collect()
}

/// A table and weights of a shape.
fn weighted(shape: &WaveNetShape, rng_seed: u64) -> (Arc<Table>, Tensors) {
    let table = Arc::new(Table::new(shape));
    let weights = Tensors { values: weights(&table, rng_seed), layout: table.layout.clone() };
    (table, weights)
}

#[test]
fn odd_shapes_agree_with_onnx_runtime_and_a_wrong_weight_is_noticed() {
    let runtime = Runtime::open(&library()).unwrap();
    for biases in [true, false] {
        let shape = odd_shape(biases);
        let (table, weights) = weighted(&shape, 4);
        let exported = Exported::new(&table, &weights.values);
        let mut compute = Fused::new(&table, Level::detect(), 1).unwrap();
        let pieces = sequences(&shape, 2, 700, 8);
        let graph = exported.graph();
        let mut compare =
            |values: &[f32]| parity::compare(&runtime, &graph, &shape, &mut compute, values, &pieces).unwrap();
        let found = compare(exported.values());
        assert!(found.check().is_ok() && found.logit <= 2e-5, "{found:?}");
        // Drawn once in the run over all frames, and once in the runs of uneven lengths.
        assert_eq!((found.frames, found.drawn), (1400, 2800));
        let mut changed = exported.values().to_vec();
        changed[table.find("layer.2.dilated.weight").unwrap().offset + 1] += 0.01;
        let found = compare(&changed);
        assert!(found.check().is_err(), "{found:?}");
    }
}

/// What was refused before: logits so large that f32 rounds them by more than any absolute bound that makes sense, in a
/// distribution that is none the worse for it.
#[test]
fn a_sharply_trained_model_is_exported() {
    let runtime = Runtime::open(&library()).unwrap();
    let shape = odd_shape(true);
    let (table, mut weights) = weighted(&shape, 4);
    weights.get_mut("end.1.weight").iter_mut().for_each(|weight| *weight *= 300.0);
    let exported = Exported::new(&table, &weights.values);
    let mut compute = Fused::new(&table, Level::detect(), 1).unwrap();
    // Codes that the model itself thinks likely, as real audio is after training.
    let mut codes = sequences(&shape, 1, 1, 8)[0].codes().to_vec();
    let receptive = shape.receptive_field_frames() as usize;
    for _ in 0..300 {
        let newest = codes[codes.len() - receptive - 1..].to_vec().into();
        let logits = compute.outputs(exported.values(), &newest).unwrap();
        let likeliest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        *codes.last_mut().unwrap() = likeliest as u16;
        codes.push(0);
    }
    let pieces = [Sequence::from(codes)];
    let graph = exported.graph();
    let found = parity::compare(&runtime, &graph, &shape, &mut compute, exported.values(), &pieces).unwrap();
    assert!(found.logit > 1e-4, "the logits are rounded visibly: {found:?}");
    assert!(found.check().is_ok(), "{found:?}");
}

#[test]
fn too_little_audio_is_not_enough_to_say_that_a_graph_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let run = trained_on(dir.path(), &[3_990, 3_990, 12_000]);
    let out = dir.path().join("x.continuo");
    let error = export::run(&export_arguments(&run, &out)).unwrap_err();
    let export::ExportError::Task(error) = &error else { panic!("{error}") };
    let said = error.to_string();
    assert_eq!(said, VerifyError::TooLittleAudio { found: 3 }.to_string());
    assert!(said.contains("3 stretches of 4000 frames, and 4 are needed"), "{said}");
    assert!(!out.exists());
}

#[test]
fn centred_logits_have_no_mean_and_the_same_distribution() {
    let shape = odd_shape(true);
    let (table, mut weights) = weighted(&shape, 6);
    for name in ["end.1.weight", "end.1.bias"] {
        weights.get_mut(name).iter_mut().for_each(|value| *value += 1.0);
    }
    let mut compute = Fused::new(&table, Level::detect(), 1).unwrap();
    let batch = sequences(&shape, 1, 300, 1);
    let before = compute.outputs(&weights.values, &batch[0]).unwrap();
    let loss = compute.loss(&weights.values, &batch).unwrap();
    centre_logits(&mut weights, shape.levels as usize);
    let after = compute.outputs(&weights.values, &batch[0]).unwrap();
    assert!((compute.loss(&weights.values, &batch).unwrap() - loss).abs() < 1e-6);
    let levels = shape.levels as usize;
    let mean = |row: &[f32]| row.iter().sum::<f32>() / levels as f32;
    assert!(before.chunks(levels).any(|row| mean(row).abs() > 0.1), "there is something to take out");
    for (before, after) in before.chunks(levels).zip(after.chunks(levels)) {
        assert!(mean(after).abs() < 1e-5);
        let shift = before[0] - after[0];
        assert!(before.iter().zip(after).all(|(b, a)| (b - a - shift).abs() < 2e-5));
    }
}

#[test]
fn an_export_without_a_run_or_a_library_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ExportArgs {
        run: dir.path().join("nothing"),
        out: dir.path().join("x.continuo"),
        with: Vec::new(),
        name: None,
        author: "x".into(),
        licence: "x".into(),
        licence_file: None,
        runtime: Some(dir.path().join("no-library.so")),
        data: None,
        temperature: None,
        top_k: None,
    };
    assert!(export::run(&arguments).unwrap_err().to_string().contains("no-library.so"));
    let arguments = ExportArgs { runtime: Some(library()), ..arguments };
    assert!(export::run(&arguments).unwrap_err().to_string().contains("not a run"));
    assert!(!dir.path().join("x.continuo").exists());
}
