//! The native kernel against ONNX Runtime on the same package.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::clip::notes;
use common::support::graph::{crooked, real, small, thirty_layers, told, wavenet_graph};
use common::{RandomPackage, STEP, generate, manifest, piano, prime, runtime, seed_clips, voice, write_package};
use continuo_engine::family::wavenet::WaveNetWeights;
use continuo_engine::kernels::packed::{BLOCK, Block, floats};
use continuo_engine::kernels::wavenet::{PackedWaveNet, Scratch};
use continuo_engine::kernels::{Kernel, Precision};
use continuo_engine::ort::StepGraph;
use continuo_engine::{
    Backend, EngineError, LoadOptions, MOST_LOSS_NATS, Model, Sampling, Setting, Stepping, Symbol, Verdict,
    VoiceRequest,
};
use continuo_package::family::wavenet::{WaveNetShape, names};
use continuo_package::{Package, onnx};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The difference between two logits; infinite where one of them is not finite, since a NaN would be passed over by `max`.
fn difference(expected: f32, found: f32) -> f32 {
    if expected.is_finite() && found.is_finite() { (expected - found).abs() } else { f32::INFINITY }
}

/// The largest difference between the logits of a kernel and of ONNX Runtime, both fed the same clip.
fn teacher_forced(path: &Path, kernel: Kernel, clip: &[f32]) -> f32 {
    let package = Package::open(path).unwrap();
    let shape = package.manifest.architecture.shape_of::<WaveNetShape>().unwrap();
    let graph = &package.graphs[&STEP];
    let session = StepGraph::new(&runtime(), graph, package.manifest.graph(STEP).unwrap()).unwrap();
    let weights = WaveNetWeights::from_graph(shape, &onnx::decode(graph).unwrap().graph.unwrap()).unwrap();
    let class = shape.classes.len().saturating_sub(1);
    let net = PackedWaveNet::new(&weights, Precision::F32, class).unwrap();
    if shape.is_real() {
        return largest_difference(&net, kernel, &session, class as u32, clip);
    }
    let codes: Vec<u32> = clip.iter().map(|&value| package.manifest.signal.encode(value)).collect();
    largest_difference(&net, kernel, &session, class as u32, &codes)
}

fn largest_difference<S: Symbol>(
    net: &PackedWaveNet,
    kernel: Kernel,
    session: &StepGraph,
    class: u32,
    symbols: &[S],
) -> f32 {
    let (mut expected, mut session_state) = (Vec::new(), session.initial_state().unwrap());
    let (mut state, mut scratch) = ([net.new_state()], Scratch::default());
    let mut logits = vec![Block::default(); net.logits_stride() / BLOCK];
    let (mut largest, mut loudest) = (0f32, 0f32);
    // Several runs, so that the state between them is compared too.
    for piece in symbols.chunks(1000) {
        session.run(&mut session_state, class, piece, &mut expected).unwrap();
        for (frame, symbol) in piece.iter().enumerate() {
            net.step(kernel, &mut scratch, &mut state, &[symbol.bits()], &mut logits);
            for (level, found) in floats(&logits)[..net.shape().outputs() as usize].iter().enumerate() {
                let expected = expected[level * piece.len() + frame];
                largest = largest.max(difference(expected, *found));
                loudest = loudest.max(expected.abs());
            }
        }
    }
    assert!(loudest > 0.5, "the model says nothing");
    largest
}

/// Recordings: the factory seed clips where this checkout has them, else made-up notes.
fn recordings(rate_hz: u32, frames: usize) -> Vec<f32> {
    let mut clip = seed_clips(rate_hz).concat();
    if clip.is_empty() {
        clip = notes(frames, rate_hz as f32, 1);
    }
    while clip.len() < frames {
        clip.extend_from_within(..);
    }
    clip.truncate(frames);
    clip
}

#[test]
fn logits_are_onnx_runtimes_over_16000_frames() {
    let package = RandomPackage::new(thirty_layers());
    let difference = teacher_forced(&package.path, Kernel::best(), &recordings(16_000, 16_500));
    println!("largest difference: {difference:e}");
    assert!(difference <= 1e-4, "{difference:e}");
}

#[test]
fn every_kernel_agrees_with_onnx_runtime() {
    for shape in [small(), crooked(), real(), told()] {
        let package = RandomPackage::new(shape);
        for kernel in Kernel::available() {
            let difference = teacher_forced(&package.path, kernel, &notes(2_000, 16_000.0, 2));
            assert!(difference <= 1e-4, "{}: {difference:e}", kernel.name());
        }
    }
}

#[test]
fn the_factory_model_agrees_on_its_seed_clips() {
    let path = piano().expect("the repository ships presets/models/piano-16k.continuo");
    let rate = Package::read_manifest(&path).unwrap().sample_rate_hz;
    assert!(!seed_clips(rate).is_empty(), "there is a factory model but no seed clip");
    let difference = teacher_forced(&path, Kernel::best(), &recordings(rate, 24_000));
    println!("largest difference: {difference:e}");
    assert!(difference <= 1e-4, "{difference:e}");
}

#[test]
fn a_class_is_heard_and_one_that_is_not_there_is_refused() {
    let package = RandomPackage::new(told());
    let sounds = |stepping| {
        let model = package.with_runtime(stepping);
        assert_eq!(model.abilities().classes, ["grand", "upright", "harpsichord"]);
        (0..3u32)
            .map(|class| {
                let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
                let mut voice = model.voice(&VoiceRequest { class, ..VoiceRequest::new(sampling, 0..1) }).unwrap();
                prime(&mut *voice, &notes(300, 16_000.0, 3));
                let mut sound = vec![Vec::new()];
                generate(&mut *voice, 200, &mut sound);
                sound.remove(0)
            })
            .collect::<Vec<_>>()
    };
    let native = sounds(Stepping::Native);
    assert!(native[0] != native[1] && native[1] != native[2], "classes sound alike");
    assert!(native == sounds(Stepping::OnnxRuntime), "the kernel and ONNX Runtime drew different codes");
    let request = VoiceRequest { class: 3, ..VoiceRequest::new(Sampling::default(), 0..1) };
    let error = package.native().voice(&request).unwrap_err().to_string();
    assert!(error.starts_with("the class is 3; the model has 3"), "{error}");
}

#[test]
fn a_model_of_real_values_plays_what_it_computes_or_adds_its_noise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("real.continuo");
    let shape = real();
    let graph = wavenet_graph(&shape, 17);
    let load = |noise: Option<f32>, stepping| {
        let mut manifest = manifest(&shape);
        manifest.defaults.noise = noise;
        write_package(&path, manifest, &graph);
        Model::load(&path, &LoadOptions { runtime: Some(runtime()), stepping, ..LoadOptions::default() }).unwrap()
    };
    let sound = |model: &Model, temperature, rng_seed| {
        let sampling = Sampling { temperature, rng_seed, ..Sampling::default() };
        let mut voice = voice(model, sampling, 0..2);
        prime(&mut *voice, &notes(300, 16_000.0, 3));
        let mut takes = vec![Vec::new(); 2];
        generate(&mut *voice, 400, &mut takes);
        takes
    };
    let model = load(None, Stepping::Native);
    assert!(matches!(model.backend(None), Backend::Native { .. }));
    let plain = sound(&model, 1.0, 0);
    assert!(plain[0] == plain[1] && plain == sound(&model, 0.3, 9), "there is nothing left to chance");
    assert!(plain[0].iter().any(|value| value.abs() > 0.1) && plain[0].iter().all(|value| value.is_finite()));
    let session = sound(&load(None, Stepping::OnnxRuntime), 1.0, 0);
    let apart = plain[0].iter().zip(&session[0]).map(|(a, b)| (a - b).abs()).take(100).fold(0f32, f32::max);
    assert!(apart < 1e-3, "{apart}: ONNX Runtime plays something else");
    assert!(model.abilities().why_not(Setting::Temperature).is_some());

    let noisy = load(Some(0.01), Stepping::Native);
    assert!(noisy.abilities().why_not(Setting::Temperature).is_none());
    assert!(noisy.abilities().why_not(Setting::TopK).is_some());
    let drawn = sound(&noisy, 1.0, 0);
    assert!(drawn[0] != drawn[1] && drawn != sound(&noisy, 1.0, 1) && drawn == sound(&noisy, 1.0, 0));
    assert!(sound(&noisy, 0.0, 0) == plain, "temperature 0 adds none");
}

fn sequence(model: &std::sync::Arc<Model>, frames: usize) -> Vec<Vec<f32>> {
    let sampling = Sampling { rng_seed: 77, ..Sampling::default() };
    let mut two = voice(model, sampling, 3..5);
    prime(&mut *two, &notes(300, 16_000.0, 3));
    let mut takes = vec![Vec::new(); 2];
    generate(&mut *two, frames, &mut takes);
    takes
}

#[test]
fn the_sampled_sequence_is_onnx_runtimes_over_4000_frames() {
    let path = piano().expect("the repository ships presets/models/piano-16k.continuo");
    let load = |stepping| {
        let precision = Some(Precision::F32);
        let options = LoadOptions { runtime: Some(runtime()), stepping, precision, ..LoadOptions::default() };
        Model::load(&path, &options).unwrap()
    };
    let (native, session) = (load(Stepping::Native), load(Stepping::OnnxRuntime));
    assert!(matches!(native.backend(None), Backend::Native { .. }));
    assert!(matches!(session.backend(None), Backend::OnnxRuntime { .. }));
    let (native, session) = (sequence(&native, 4_000), sequence(&session, 4_000));
    assert!(native == session, "the kernel and ONNX Runtime drew different codes");
    assert!(native[0] != native[1], "two takes are the same");
    let lively = native[0].windows(2).filter(|pair| (pair[0] - pair[1]).abs() > 0.0).count();
    assert!(lively > 100, "the sequence stands still");
}

#[test]
fn loading_says_that_the_kernel_agrees() {
    let model = RandomPackage::new(small()).with_runtime(Stepping::Auto);
    let Backend::Native { kernel, verdict: Verdict::Agrees { by }, .. } = model.backend(None) else {
        panic!("{}", model.backend(None));
    };
    assert_eq!(kernel, Kernel::best().name());
    assert!(by < 1e-4);
    assert!(model.backend(None).to_string().contains("agrees with ONNX Runtime"), "{}", model.backend(None));
}

#[test]
fn logits_that_are_not_finite_are_no_agreement_and_play_nothing() {
    // Finite weights, as a package must have, whose products are not.
    let package = RandomPackage::changed(small(), |model| {
        let tensors = &mut model.graph.as_mut().unwrap().initializer;
        let end = tensors.iter_mut().find(|tensor| tensor.name == names::end_weight(1)).unwrap();
        let loud = end.to_f32().unwrap().iter().map(|weight| weight.signum() * 3e38).collect::<Vec<_>>();
        end.float_data.clear();
        end.raw_data = loud.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    });
    for stepping in [Stepping::Auto, Stepping::Native, Stepping::OnnxRuntime] {
        let model = package.with_runtime(stepping);
        let backend = model.backend(None);
        assert!(!matches!(backend, Backend::Native { verdict: Verdict::Agrees { .. }, .. }), "{backend}");
        let mut voice = voice(&model, Sampling::default(), 0..1);
        let error = voice.generate(20, &mut [Vec::new()], &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, EngineError::NotFinite { .. }), "{error}");
    }
}

#[test]
fn the_order_of_the_state_in_the_manifest_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reversed.continuo");
    let mut manifest = manifest(&small());
    manifest.graphs[0].state.reverse();
    write_package(&path, manifest, &wavenet_graph(&small(), 17));
    let load = |path, stepping| {
        Model::load(path, &LoadOptions { runtime: Some(runtime()), stepping, ..LoadOptions::default() }).unwrap()
    };
    let native = load(&path, Stepping::Auto);
    let agrees = matches!(native.backend(None), Backend::Native { verdict: Verdict::Agrees { .. }, .. });
    assert!(agrees, "{}", native.backend(None));
    let straight = RandomPackage::new(small());
    assert!(sequence(&native, 50) == sequence(&straight.native(), 50));
    let stepped = [&path, &straight.path].map(|path| sequence(&load(path, Stepping::OnnxRuntime), 50));
    assert!(stepped[0] == stepped[1]);
}

#[test]
fn a_graph_that_is_not_what_the_kernel_computes_is_stepped_in_onnx_runtime() {
    // The weights are all there and of the right shape, but one gate is another function: only running it shows that.
    let package = RandomPackage::changed(small(), |model| {
        let nodes = &mut model.graph.as_mut().unwrap().node;
        let gate = nodes.iter_mut().filter(|node| node.op_type == "Tanh").nth(5).unwrap();
        gate.op_type = "Softsign".into();
    });
    let model = package.with_runtime(Stepping::Auto);
    let Backend::OnnxRuntime { reason } = model.backend(None) else { panic!("{}", model.backend(None)) };
    assert!(reason.contains("differs"), "{reason}");
    assert!(model.backend(None).to_string().starts_with("ONNX Runtime, because the"), "{}", model.backend(None));
    let asked = package.with_runtime(Stepping::OnnxRuntime);
    assert!(sequence(&model, 200) == sequence(&asked, 200));
    assert!(sequence(&model, 200) != sequence(&package.with_runtime(Stepping::Native), 200));
}

#[test]
fn onnx_runtime_steps_bit_for_bit_however_it_is_cut() {
    let model = RandomPackage::new(crooked()).with_runtime(Stepping::OnnxRuntime);
    let sampling = Sampling { rng_seed: 5, ..Sampling::default() };
    let mut whole = vec![Vec::new(); 3];
    generate(&mut *voice(&model, sampling, 0..3), 120, &mut whole);
    for primed in [1, 7, 40, 100] {
        let mut one = voice(&model, sampling, 1..2);
        prime(&mut *one, &whole[1][..primed / 2]);
        prime(&mut *one, &whole[1][primed / 2..primed]);
        let mut rest = vec![Vec::new()];
        generate(&mut *one, 120 - primed, &mut rest);
        assert!(rest[0] == whole[1][primed..], "primed with {primed}");
    }
}

#[test]
fn a_graph_that_onnx_runtime_refuses_is_named() {
    let package = RandomPackage::changed(crooked(), |model| {
        model.graph.as_mut().unwrap().node.iter_mut().find(|node| node.op_type == "Tanh").unwrap().op_type =
            "Tanq".into();
    });
    let options = LoadOptions { runtime: Some(runtime()), stepping: Stepping::OnnxRuntime, ..LoadOptions::default() };
    let error = Model::load(&package.path, &options).unwrap_err();
    assert!(matches!(error, EngineError::Session { .. }), "{error}");
    assert!(error.to_string().contains("random.continuo"), "{error}");
    // The kernel does not need the nodes, so the model still plays, and says what happened.
    let model = package.with_runtime(Stepping::Auto);
    assert!(
        matches!(model.backend(None), Backend::Native { verdict: Verdict::Failed { .. }, .. }),
        "{}",
        model.backend(None)
    );
}

/// The losses of the shipped model on its seed clips, by precision.
#[test]
fn coarser_precisions_lose_little_on_real_audio() {
    let path = piano().expect("the repository ships presets/models/piano-16k.continuo");
    let model = Model::load(&path, &LoadOptions::default()).unwrap();
    let signal = model.manifest().signal;
    let sequences: Vec<Vec<u32>> = seed_clips(model.sample_rate_hz())
        .iter()
        .map(|clip| clip[..12_000].iter().map(|&amplitude| signal.encode(amplitude)).collect())
        .collect();
    let losses = Precision::ALL.map(|precision| model.nll_nats(precision, &sequences).unwrap());
    println!("nats per frame: {losses:?}");
    assert!(losses[0] > 1.0 && losses[0] < 4.0, "{losses:?}");
    assert!(losses[1] - losses[0] < MOST_LOSS_NATS / 2.0, "bf16: {losses:?}");
    assert!(losses[2] - losses[0] < MOST_LOSS_NATS, "int8: {losses:?}");
    // What the package says of itself is what decides.
    assert_eq!(model.backend(None).precision(), Precision::Int8);
}
