//! A family that is in these tests alone: what adding one takes, and what it gets for it. No file of the crates knows it.
//!
//! `drone` makes stereo phrases of one length out of a latent, by one graph in ONNX Runtime. `leak` goes on from a clip value by
//! value, told something at each step.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::runtime;
use continuo_engine::audio::Clip;
use continuo_engine::autoregressive::{Autoregressive, Condition, Past, Real, Stepper, Told};
use continuo_engine::family::{LoadedFamily, Loader};
use continuo_engine::ort::{Graph, Tensor, Values};
use continuo_engine::random::{Place, uniform};
use continuo_engine::{
    Abilities, Backend, EngineError, Families, LoadOptions, Model, Precision, RenderRequest, Sampling, Setting, Source,
    Voice, VoiceRequest, Workers, render,
};
use continuo_package::family::FieldError;
use continuo_package::onnx::{FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto};
use continuo_package::onnx::{TensorProto, ValueInfoProto};
use continuo_package::{
    Architecture, Defaults, ElementType, FORMAT_VERSION, Family, GraphId, GraphRole, GraphSpec, Manifest, Package,
    PackageWriter, Reach, Shape, Signal, TensorSpec, TrainingFacts,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const GENERATOR: GraphId = GraphId::of(GraphRole::Generator);

/// The package's side: hyper-parameters and boundary.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Drone {
    frames: u32,
}

const DRONE: Family = Family { tag: "drone", name: "drone", read };

fn read(json: serde_json::Value) -> Result<Arc<dyn Shape>, serde_json::Error> {
    serde_json::from_value::<Drone>(json).map(|shape| Arc::new(shape) as Arc<dyn Shape>)
}

impl Shape for Drone {
    fn validate(&self) -> Result<(), FieldError> {
        if (1..=1_000).contains(&self.frames) { Ok(()) } else { Err(("frames".into(), "is absurd".into())) }
    }

    fn check_signal(&self, signal: Signal) -> Result<(), String> {
        if signal == Signal::Real { Ok(()) } else { Err("is not real".into()) }
    }

    fn reach(&self) -> Reach {
        Reach::None { length_frames: u64::from(self.frames) }
    }

    fn channels(&self) -> u16 {
        2
    }

    fn parameters(&self) -> u64 {
        2 * u64::from(self.frames)
    }

    fn graphs(&self) -> Vec<GraphSpec> {
        vec![GraphSpec {
            id: GENERATOR,
            hop_frames: 1,
            file: "generator.onnx".into(),
            sha256: String::new(),
            inputs: vec![TensorSpec::new("latent", ElementType::F32, &[-1, 2, 1])],
            outputs: vec![TensorSpec::new("audio", ElementType::F32, &[-1, 2, i64::from(self.frames)])],
            state: vec![],
        }]
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap()
    }
}

/// `audio = latent · ramp`
fn graph(frames: u32) -> Vec<u8> {
    let ramp: Vec<f32> = (0..2 * frames).map(|index| index as f32 / (2 * frames) as f32).collect();
    let graph = GraphProto {
        node: vec![NodeProto::new("Mul", &["latent", "ramp"], &["audio"], vec![])],
        initializer: vec![TensorProto::from_f32("ramp", &[1, 2, frames as usize], &ramp)],
        input: vec![ValueInfoProto::tensor("latent", FLOAT, &[Err("B"), Ok(2), Ok(1)])],
        output: vec![ValueInfoProto::tensor("audio", FLOAT, &[Err("B"), Ok(2), Ok(i64::from(frames))])],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
    ModelProto { ir_version: IR_VERSION, graph: Some(graph), opset_import, ..ModelProto::default() }.encode_to_vec()
}

/// The engine's side: what it can do, and its voice.
const LOADER: Loader = Loader { family: DRONE, abilities, load };

fn abilities(manifest: &Manifest) -> Abilities {
    let fixed_frames = match manifest.reach {
        Reach::None { length_frames } => Some(length_frames),
        _ => None,
    };
    let settings = [Setting::RngSeed, Setting::Variations].into();
    let (channels, classes) = (manifest.channels, Vec::new());
    Abilities { channels, can_continue: false, can_begin: true, classes, fixed_frames, settings }
}

fn load(package: &mut Package, options: &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError> {
    let source = Source::new(&package.path, "generator.onnx");
    let runtime = options.runtime.as_ref().ok_or_else(|| source.needs_runtime("it has no kernel".into()))?;
    let spec = package.manifest.graph(GENERATOR).unwrap();
    let graph =
        Graph::new(runtime, &package.graphs[&GENERATOR], spec, 1).map_err(|reason| source.not_loaded(reason))?;
    Ok(Box::new(LoadedDrone { abilities: abilities(&package.manifest), graph: Arc::new(graph), source }))
}

#[derive(Debug)]
struct LoadedDrone {
    abilities: Abilities,
    graph: Arc<Graph>,
    source: Source,
}

impl LoadedFamily for LoadedDrone {
    fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError> {
        request.validate()?;
        let latent =
            |(variation, channel)| uniform(request.sampling.rng_seed, Place { variation, frame: 0, channel }) as f32;
        let latents = request.variations.clone().flat_map(|variation| [(variation, 0), (variation, 1)]).map(latent);
        let batch = request.variations.len() as i64;
        let mut state = self.graph.initial_state(request.variations.len()).unwrap();
        let input = Tensor::f32(&[batch, 2, 1], latents.collect());
        let outputs = self.graph.run(&mut state, vec![input]).map_err(|reason| self.source.failed(reason))?;
        let Values::F32(sound) = &outputs[0].values else { panic!("not floats") };
        let sound = sound.chunks(self.abilities.fixed_frames.unwrap() as usize).map(<[f32]>::to_vec).collect();
        Ok(Box::new(Made { variations: request.variations.clone(), sound, position: 0 }))
    }

    fn backend(&self, _precision: Option<Precision>) -> Backend {
        Backend::OnnxRuntime { reason: "it has no kernel".into() }
    }

    fn nll_nats(&self, _precision: Precision, _sequences: &[Vec<u32>]) -> Result<f64, EngineError> {
        Err(EngineError::Request { setting: "the likelihood", reason: "is not known to this model".into() })
    }
}

/// A phrase that was made at once.
#[derive(Debug)]
struct Made {
    variations: Range<u32>,
    sound: Vec<Vec<f32>>,
    position: usize,
}

impl Voice for Made {
    fn channels(&self) -> usize {
        2
    }

    fn variations(&self) -> Range<u32> {
        self.variations.clone()
    }

    fn position(&self) -> u64 {
        self.position as u64
    }

    fn prime(&mut self, _clip: &[&[f32]], _cancel: &AtomicBool) -> Result<(), EngineError> {
        Err(EngineError::Request { setting: "the seed clip", reason: "cannot be continued by this model".into() })
    }

    fn begin(&mut self, _cancel: &AtomicBool) -> Result<(), EngineError> {
        Ok(())
    }

    fn generate(&mut self, frames: usize, out: &mut [Vec<f32>], _cancel: &AtomicBool) -> Result<(), EngineError> {
        for (sound, out) in self.sound.iter().zip(out) {
            out.extend_from_slice(&sound[self.position..self.position + frames]);
        }
        self.position += frames;
        Ok(())
    }
}

fn package(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("drone.continuo");
    let shape = Drone { frames: 300 };
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: "Drone".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: 16_000,
        channels: 2,
        signal: Signal::Real,
        reach: shape.reach(),
        graphs: shape.graphs(),
        architecture: Architecture::new(&DRONE, shape),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: "test".into(),
        trainer_version: "0".into(),
    };
    PackageWriter::new(manifest, "x").graph(GENERATOR, graph(300)).write(&path).unwrap();
    path
}

fn request(frames: u64, seed: Option<Clip>) -> RenderRequest {
    let sampling = Sampling { rng_seed: 7, ..Sampling::default() };
    RenderRequest { seed, frames, sampling, class: 0, variations: 0..3, precision: None, workers: Workers::alone() }
}

#[test]
fn a_new_family_renders_in_stereo_and_says_what_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let path = package(folder.path());
    // Without its files it is unknown.
    let error = Model::load(&path, &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("\"drone\""), "{error}");

    let families = Families::default().with(LOADER);
    let options = LoadOptions { runtime: Some(runtime()), ..LoadOptions::default() };
    let model = Model::load_one_of(&families, &path, &options).unwrap();
    let abilities = model.abilities();
    assert_eq!((abilities.channels, abilities.can_continue, abilities.fixed_frames), (2, false, Some(300)));
    assert!(abilities.why_not(Setting::Temperature).is_some_and(|reason| reason.contains("temperature")));
    assert!(abilities.why_not(Setting::RngSeed).is_none());

    let mut sound = vec![Vec::new(); 6];
    let never = AtomicBool::new(false);
    render(&model, &request(300, None), &never, &mut |block| {
        assert_eq!((block.channels, block.variations().count()), (2, 3));
        sound.iter_mut().zip(block.sound).for_each(|(sound, frames)| sound.extend_from_slice(frames));
    })
    .unwrap();
    for (index, sound) in (0..).zip(&sound) {
        let latent = uniform(7, Place { variation: index / 2, frame: 0, channel: index % 2 }) as f32;
        let ramp = |frame: u32| (frame + 300 * (index % 2)) as f32 / 600.0;
        assert!((0..300).all(|frame| (sound[frame as usize] - latent * ramp(frame)).abs() < 1e-6), "{index}");
    }
    let error = render(&model, &request(301, None), &never, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("this model makes 300"), "{error}");
    let clip = Clip { sample_rate_hz: 16_000, channels: vec![vec![0.1; 100]] };
    let error = render(&model, &request(300, Some(clip)), &never, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("the seed clip cannot be continued"), "{error}");
}

/// `value' = 0.7 · value + 0.2 · what it is told`, for two channels that share what they are told.
#[derive(Debug)]
struct Leak {
    states: Vec<[f32; 2]>,
    values: Vec<f32>,
}

impl Stepper for Leak {
    type Symbol = f32;

    fn restart(&mut self) -> Result<(), String> {
        self.states = vec![[0.0; 2]];
        Ok(())
    }

    fn batch(&self) -> usize {
        self.states.len()
    }

    fn fork(&self, batch: usize) -> Result<Self, String> {
        Ok(Self { states: vec![self.states[0]; batch], values: Vec::new() })
    }

    fn prime(&mut self, symbols: &[f32], told: Option<Told<'_>>, _steps_after: usize) -> Result<(), String> {
        let steps = symbols.len() / 2 / self.states.len();
        for step in 0..steps {
            let newest: Vec<f32> =
                symbols.chunks(2 * steps).flat_map(|one| &one[2 * step..2 * step + 2]).copied().collect();
            self.step(&newest, told)?;
        }
        Ok(())
    }

    fn step(&mut self, symbols: &[f32], told: Option<Told<'_>>) -> Result<usize, String> {
        let told = told.ok_or("it was told nothing")?.values;
        self.values.clear();
        for ((state, symbols), told) in self.states.iter_mut().zip(symbols.chunks(2)).zip(told) {
            for (state, symbol) in state.iter_mut().zip(symbols) {
                // Forgets nothing: a recurrent state.
                *state = 0.9 * *state + 0.1 * symbol;
                self.values.push(0.7 * symbol + 0.2 * told + 0.05 * *state);
            }
        }
        Ok(2)
    }

    fn outputs(&self) -> &[f32] {
        &self.values
    }
}

#[derive(Debug, Default)]
struct Wave(Vec<f32>);

impl Condition for Wave {
    fn at(&mut self, step: u64, batch: usize) -> Result<Told<'_>, EngineError> {
        self.0 = vec![(step as f32 * 0.3).sin(); batch];
        Ok(Told { values: &self.0, number: step, steps: 1 })
    }

    fn fork(&self, _variations: Range<u32>) -> Result<Box<dyn Condition>, EngineError> {
        Ok(Box::<Self>::default())
    }
}

fn leak(variations: Range<u32>, workers: &Workers) -> Box<dyn Voice> {
    let source = Source::new(std::path::Path::new("leak.continuo"), "step.onnx");
    let stepper = Leak { states: vec![[0.0; 2]], values: Vec::new() };
    let past = Past { reach: None, silence_before: 3 };
    let request = VoiceRequest { workers: workers.clone(), ..VoiceRequest::new(Sampling::default(), variations) };
    let voice = Autoregressive::new(source, stepper, Real::default(), 2, past, &request).unwrap();
    Box::new(voice.told(Box::<Wave>::default()))
}

#[test]
fn real_values_of_two_channels_are_one_run_however_they_are_cut() {
    let never = AtomicBool::new(false);
    let mut whole = vec![Vec::new(); 2];
    leak(0..1, &Workers::alone()).generate(100, &mut whole, &never).unwrap();
    assert!(whole[0].iter().any(|value| value.abs() > 0.1));
    for (primed, cut) in [(1, 0), (7, 3), (50, 49), (99, 1)] {
        for threads in [1, 3] {
            let mut voice = leak(0..4, &Workers::new(threads, || {}).unwrap());
            for part in [0..cut, cut..primed] {
                voice.prime(&[&whole[0][part.clone()], &whole[1][part]], &never).unwrap();
            }
            assert_eq!(voice.position(), primed as u64);
            let mut rest = vec![Vec::new(); 8];
            voice.generate(40.min(100 - primed), &mut rest, &never).unwrap();
            // Primed again after the variations parted, they go on as before.
            let there = primed + rest[0].len();
            let mut again = vec![Vec::new(); 8];
            if there < 100 {
                voice.prime(&[&whole[0][there..=there], &whole[1][there..=there]], &never).unwrap();
                voice.generate(99 - there, &mut again, &never).unwrap();
            }
            for channel in 0..8 {
                assert_eq!(rest[channel], whole[channel % 2][primed..there], "{primed} {cut} {threads}");
                assert_eq!(again[channel], whole[channel % 2][(there + 1).min(100)..], "{primed} {cut} {threads}");
            }
        }
    }
}
