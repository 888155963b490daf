//! Discrete autoencoders as packages: what they can do, what is refused, and what they cost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::support::ada::{one_level, two_levels, weights, write};
use common::support::clip::notes;
use common::support::graph::small;
use common::{RandomPackage, generate, prime, runtime, voice, workspace};
use continuo_engine::audio::Clip;
use continuo_engine::{
    Backend, EngineError, LoadOptions, Model, Precision, RenderRequest, Sampling, Setting, Signal, Stepping, Verdict,
    VoiceRequest, Workers, render,
};
use continuo_package::family::ada::AdaShape;
use continuo_package::family::ada::reference::Reference;
use continuo_package::onnx::{ModelProto, TensorProto};
use continuo_package::{GraphId, GraphRole, Package};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn options() -> LoadOptions {
    LoadOptions { runtime: Some(runtime()), ..LoadOptions::default() }
}

/// Loads a model with random weights, with a change to each graph.
fn changed(shape: &AdaShape, change: impl Fn(GraphId, &mut ModelProto)) -> Result<Arc<Model>, EngineError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.continuo");
    write(&path, shape, change);
    Model::load(&path, &options())
}

fn model(shape: &AdaShape) -> Arc<Model> {
    changed(shape, |_, _| ()).unwrap()
}

/// Puts one value in the place of all of a tensor's.
fn fill(model: &mut ModelProto, name: &str, value: f32) -> bool {
    let graph = model.graph.as_mut().unwrap();
    let Some(tensor) = graph.initializer.iter_mut().find(|tensor| tensor.name == name) else { return false };
    let axes: Vec<usize> = tensor.dims.iter().map(|&axis| axis as usize).collect();
    *tensor = TensorProto::from_f32(name, &axes, &vec![value; axes.iter().product()]);
    true
}

#[test]
fn a_model_says_what_it_can_do() {
    for shape in [one_level(), two_levels()] {
        let model = model(&shape);
        let abilities = model.abilities();
        assert!(abilities.can_continue && abilities.can_begin);
        assert!(
            abilities.why_not(Setting::CodeTemperature).is_none() && abilities.why_not(Setting::CodeTopK).is_none()
        );
        assert!(abilities.why_not(Setting::Class).is_some());
        let Backend::Native { verdict, .. } = model.backend(None) else { panic!("{}", model.backend(None)) };
        assert!(matches!(verdict, Verdict::Agrees { .. }), "{verdict}");
    }
    // What draws its sound at once says so.
    let wavenet = RandomPackage::new(small()).native();
    assert!(wavenet.abilities().why_not(Setting::CodeTopK).unwrap().contains("without codes"));
}

#[test]
fn a_clip_goes_on_over_the_seam_and_on_every_thread_the_same() {
    let model = model(&two_levels());
    let seed = Clip { sample_rate_hz: 16_000, channels: vec![notes(500, 16_000.0, 3)] };
    let rendered = |threads: usize, precision: Precision| {
        let request = RenderRequest {
            seed: Some(seed.clone()),
            frames: 300,
            sampling: Sampling { rng_seed: 4, ..Sampling::default() },
            class: 0,
            variations: 0..3,
            precision: Some(precision),
            workers: Workers::new(threads, || {}).unwrap(),
        };
        let mut out = vec![Vec::new(); 3];
        let summary = render(&model, &request, &AtomicBool::new(false), &mut |block| {
            for (out, sound) in out.iter_mut().zip(block.variations()) {
                out.extend_from_slice(sound[0]);
            }
        });
        assert_eq!(summary.unwrap().primed_frames, 500);
        out
    };
    for precision in Precision::ALL {
        let alone = rendered(1, precision);
        assert_eq!(alone, rendered(3, precision), "{precision}");
        assert!(alone.iter().all(|out| out.len() == 300));
        let table = Signal::MuLaw { levels: 64 }.table();
        assert!(alone.iter().flatten().all(|value| table.contains(value)));
    }
}

#[test]
fn codes_and_frames_are_drawn_by_settings_of_their_own() {
    let model = model(&one_level());
    let clip = notes(200, 16_000.0, 3);
    let played = |sampling: Sampling| {
        let mut voice = voice(&model, sampling, 0..1);
        prime(&mut *voice, &clip);
        let mut out = vec![Vec::new()];
        generate(&mut *voice, 200, &mut out);
        out.remove(0)
    };
    let base = Sampling { rng_seed: 5, ..Sampling::default() };
    let settings = [
        base,
        Sampling { temperature: 0.0, ..base },
        Sampling { code_temperature: 0.0, ..base },
        Sampling { top_k: 2, ..base },
        Sampling { code_top_k: 2, ..base },
        Sampling { rng_seed: 6, ..base },
    ];
    let all = settings.map(played);
    for one in 0..all.len() {
        for other in 0..one {
            assert_ne!(all[one], all[other], "{:?} and {:?}", settings[one], settings[other]);
        }
    }
    // With neither left to chance, the number that fixes the choices fixes none.
    let sure = Sampling { temperature: 0.0, code_temperature: 0.0, ..base };
    assert_eq!(played(sure), played(Sampling { rng_seed: 7, ..sure }));
    let hot = VoiceRequest::new(Sampling { code_temperature: f32::NAN, ..base }, 0..1);
    assert!(model.voice(&hot).unwrap_err().to_string().contains("temperature of the codes"));
}

#[test]
fn the_likelihood_of_a_recording_is_that_of_the_equations() {
    let shape = one_level();
    let model = model(&shape);
    let mut network = Reference::new(&shape, weights);
    let codes: Vec<u32> =
        notes(160, 16_000.0, 3).iter().map(|&value| Signal::MuLaw { levels: 64 }.encode(value)).collect();
    let level_codes = network.encode(0, &codes);
    let logits = network.decode(0, &codes, &level_codes);
    let reach = shape.autoencoders[0].decoder.receptive_field_frames() as usize;
    let loss = |(logits, &code): (&Vec<f64>, &u32)| {
        logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[code as usize]
    };
    let counted = logits.iter().zip(&codes).skip(reach).map(loss);
    let expected = counted.sum::<f64>() / (codes.len() - reach) as f64;
    let found = model.nll_nats(Precision::F32, &[codes.clone(), codes.clone()]).unwrap();
    assert!((found - expected).abs() < 1e-4, "{found} in place of {expected}");
    for precision in [Precision::Bf16, Precision::Int8] {
        let coarse = model.nll_nats(precision, std::slice::from_ref(&codes)).unwrap();
        assert!((coarse - expected).abs() < 0.1, "{precision}: {coarse} in place of {expected}");
    }
    let error = model.nll_nats(Precision::F32, &[vec![64; 160]]).unwrap_err();
    assert!(error.to_string().contains("above 63"), "{error}");
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_graph() {
    let shape = one_level();
    for (role, tensor) in [
        (GraphRole::Encoder, "encoder.input.bias"),
        (GraphRole::Encoder, "codebook"),
        (GraphRole::Modulator, "modulator.block.0.mix.weight"),
        (GraphRole::Step, "decoder.layer.1.dilated.weight"),
        (GraphRole::Prior, "prior.end.0.bias"),
    ] {
        let spoiled = |id: GraphId, model: &mut ModelProto| {
            assert!(id.role != role || fill(model, tensor, f32::NAN), "{tensor} is there");
        };
        let error = changed(&shape, spoiled).unwrap_err();
        assert!(matches!(&error, EngineError::Graph { entry, .. } if *entry == format!("{role}.onnx")), "{error}");
        assert!(error.to_string().contains(tensor), "{error}");
    }
}

#[test]
fn what_overflows_is_told_with_its_frame() {
    let shape = one_level();
    for (role, tensors) in [
        (GraphRole::Modulator, ["modulator.output.bias", "modulator.output.weight"]),
        (GraphRole::Prior, ["prior.end.0.bias", "prior.end.1.weight"]),
        (GraphRole::Step, ["decoder.end.0.bias", "decoder.end.1.weight"]),
    ] {
        let spoiled = |id: GraphId, model: &mut ModelProto| {
            if id.role == role {
                assert!(tensors.iter().all(|name| fill(model, name, f32::MAX)));
            }
        };
        let model = changed(&shape, spoiled).unwrap();
        let mut voice = voice(&model, Sampling::default(), 0..2);
        prime(&mut *voice, &notes(100, 16_000.0, 3));
        let mut out = vec![Vec::new(); 2];
        let error = voice.generate(10, &mut out, &AtomicBool::new(false)).unwrap_err();
        assert!(matches!(error, EngineError::NotFinite { frame, .. } if frame < 200), "{role}: {error}");
    }
}

#[test]
fn what_the_kernel_does_not_compute_is_stepped_in_onnx_runtime() {
    let other = |id: GraphId, model: &mut ModelProto| {
        if id.role == GraphRole::Step {
            let nodes = &mut model.graph.as_mut().unwrap().node;
            nodes.iter_mut().filter(|node| node.op_type == "Tanh").for_each(|node| node.op_type = "Softsign".into());
        }
    };
    let model = changed(&one_level(), other).unwrap();
    assert!(matches!(model.backend(None), Backend::OnnxRuntime { .. }), "{}", model.backend(None));
    let mut out = vec![Vec::new(); 2];
    generate(&mut *voice(&model, Sampling::default(), 0..2), 50, &mut out);
    assert_eq!(out[1].len(), 50);
}

#[test]
fn without_onnx_runtime_or_a_prior_it_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.continuo");
    write(&path, &one_level(), |_, _| ());
    let error = Model::load(&path, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::NeedsRuntime { .. }), "{error}");
    let (_, abilities) = Model::abilities_of(&path).unwrap();
    assert!(abilities.can_begin && abilities.can_continue);

    let model = model(&AdaShape { prior: None, ..one_level() });
    assert!(!model.abilities().can_continue && !model.abilities().can_begin);
    let mut out = vec![Vec::new()];
    let error = voice(&model, Sampling::default(), 0..1).generate(1, &mut out, &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("no prior"), "{error}");
}

#[test]
fn a_hostile_manifest_is_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("random.continuo");
    write(&path, &two_levels(), |_, _| ());
    let mut json = serde_json::to_value(Package::open(&path).unwrap().manifest).unwrap();
    for (pointer, value, field) in [
        ("/architecture/autoencoders/0/hop", 1 << 30, "architecture.autoencoders.0.hop"),
        ("/architecture/autoencoders/1/encoder/channels", 1 << 30, "architecture.autoencoders.1.encoder.channels"),
        ("/architecture/autoencoders/0/encoder/cycle", 33, "architecture.autoencoders.0.encoder.cycle"),
        ("/architecture/prior/residual_channels", 0, "architecture.prior.residual_channels"),
        ("/architecture/levels", 65, "architecture.autoencoders.0.decoder.levels"),
    ] {
        let before = json.pointer(pointer).unwrap().clone();
        *json.pointer_mut(pointer).unwrap() = value.into();
        let families = continuo_package::Families::default();
        let error = continuo_package::Manifest::from_json(&json.to_string(), &families, &path).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
        *json.pointer_mut(pointer).unwrap() = before;
    }
}

fn golden() -> PathBuf {
    workspace().join("tests/golden/packages/ada-random.continuo")
}

/// What the golden package plays: codes of the audio, line by line.
fn golden_frames(path: &Path) -> Vec<Vec<u32>> {
    let text = std::fs::read_to_string(path.with_extension("frames")).unwrap();
    text.lines().map(|line| line.split(' ').map(|code| code.parse().unwrap()).collect()).collect()
}

/// Behind a clip and from silence.
fn played(model: &Model) -> Vec<Vec<u32>> {
    let signal = model.manifest().signal;
    let play = |length: usize| {
        let mut voice = voice(model, Sampling { rng_seed: 3, ..Sampling::default() }, 0..1);
        prime(&mut *voice, &notes(length, 16_000.0, 3));
        let mut out = vec![Vec::new()];
        generate(&mut *voice, 120, &mut out);
        out[0].iter().map(|&value| signal.encode(value)).collect()
    };
    [0, 333].map(play).to_vec()
}

#[test]
fn the_golden_package_plays_what_it_always_has() {
    let model = Model::load(&golden(), &options()).unwrap();
    assert_eq!(model.manifest().architecture.family().tag, "ada");
    assert_eq!(played(&model), golden_frames(&golden()));
    assert!(Package::open(&golden()).is_ok());
    let steps = LoadOptions { stepping: Stepping::OnnxRuntime, ..options() };
    assert_eq!(played(&Model::load(&golden(), &steps).unwrap()), golden_frames(&golden()));
}

/// Run by hand where the format of packages changes: it writes the golden package and what it plays.
#[test]
#[ignore = "writes into the repository"]
fn write_the_golden_package() {
    write(&golden(), &two_levels(), |_, _| ());
    let lines = played(&Model::load(&golden(), &options()).unwrap());
    let line = |codes: &Vec<u32>| codes.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    let text = lines.iter().map(|codes| line(codes) + "\n").collect::<String>();
    std::fs::write(golden().with_extension("frames"), text).unwrap();
}
