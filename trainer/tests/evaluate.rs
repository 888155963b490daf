//! `evaluate`: runs and packages held against held-out recordings, and a model that only repeats what it has heard.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::recordings;
use continuo_engine::family::{LoadedFamily, Loader};
use continuo_engine::{
    Abilities, Backend, EngineError, Families, LoadOptions, Model, Precision, Setting, Verdict, Voice, VoiceRequest,
};
use continuo_package::family::FieldError;
use continuo_package::onnx::{FLOAT, GraphProto, IR_VERSION, ModelProto, NodeProto, OPSET, OperatorSetIdProto};
use continuo_package::onnx::{TensorProto, ValueInfoProto};
use continuo_package::{
    Architecture, Defaults, ElementType, FORMAT_VERSION, Family, GraphId, GraphRole, GraphSpec, Manifest, Package,
    PackageWriter, Reach, Shape, Signal, TensorSpec, TrainingFacts,
};
use continuo_trainer::cli::{DeviceArg, EvaluateArgs, PrecisionArg, TrainArgs, WorkersArgs};
use continuo_trainer::data::dataset::{Dataset, Split};
use continuo_trainer::data::excerpt::mono;
use continuo_trainer::evaluate::comparison::{Candidate, Comparison};
use continuo_trainer::evaluate::error::EvaluateError;
use continuo_trainer::evaluate::measured::Measured;
use continuo_trainer::evaluate::results::Settings;
use continuo_trainer::evaluate::{command, html, terminal};
use continuo_trainer::random::{Purpose, Random};
use continuo_trainer::train;
use prost::Message as _;
use serde::{Deserialize, Serialize};

const RATE: u32 = 4_000;

/// A model that trains in a second and knows next to nothing.
const CONFIG: &str = r#"
family = "wavenet"

[model]
sample_rate_hz = 4000
levels = 64
stacks = 2
layers = 4
filter_width = 2
residual_channels = 16
dilation_channels = 16
skip_channels = 16
end_channels = 16

[training]
steps = 60
batch = 4
chunk_frames = 800
learning_rate = 0.01
clip_norm = 1.0
average_decay = 0.9

[evaluation]
every_steps = 0
chunks = 2
chunk_frames = 800
preview_every_steps = 0
"#;

/// Decaying notes whose pitches nobody foresees.
fn music(index: u64, seconds: u32) -> Vec<i16> {
    let mut random = Random::new(2, Purpose::named("music of the tests"), index);
    let mut sound = vec![0.0_f64; (seconds * RATE) as usize];
    for begin in (0..sound.len()).step_by(RATE as usize / 4) {
        let pitch = 110.0 * 2_f64.powf(random.below(24) as f64 / 12.0);
        let level = 0.1 + 0.2 * f64::from(random.uniform());
        for (t, value) in sound[begin..].iter_mut().take(RATE as usize).enumerate() {
            let seconds = t as f64 / f64::from(RATE);
            let partial = |n: f64| (std::f64::consts::TAU * pitch * n * seconds).sin() / n;
            *value += level * (-seconds / 0.2).exp() * (partial(1.0) + partial(2.0) + partial(3.0));
        }
    }
    sound.into_iter().map(|value| (value.clamp(-1.0, 1.0) * 32_767.0) as i16).collect()
}

fn dataset(dir: &Path) -> Dataset {
    let sounds: Vec<Vec<i16>> = (0..6).map(|index| music(index, 40)).collect();
    recordings(dir, RATE, 1, &sounds, 2)
}

fn run(dir: &Path) -> PathBuf {
    let config = dir.join("small.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let out = dir.join("small run");
    let arguments = TrainArgs {
        config,
        data: dir.join("data"),
        out: out.clone(),
        init: None,
        device: DeviceArg::Cpu,
        steps: None,
        minutes: None,
        force: false,
        plain: false,
        workers: WorkersArgs::default(),
    };
    train::run(&arguments).unwrap();
    out
}

fn arguments(dir: &Path, models: &[&Path]) -> EvaluateArgs {
    EvaluateArgs {
        models: models.iter().map(|model| model.to_path_buf()).collect(),
        data: dir.join("data"),
        html: None,
        json: None,
        clips: 3,
        seconds: 3.0,
        takes: 2,
        drift_seconds: 20.0,
        chunks: 6,
        chunk_frames: 500,
        search_hours: 1.0,
        temperature: 1.0,
        top_k: 0,
        rng_seed: 3,
        precision: PrecisionArg(Some(Precision::F32)),
        audio: false,
        threads: 1,
        runtime: None,
    }
}

#[test]
fn runs_are_measured_alike_however_many_threads_and_models_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let run = run(dir.path());
    let (html, json) = (dir.path().join("report.html"), dir.path().join("report.json"));
    let both = EvaluateArgs {
        html: Some(html.clone()),
        json: Some(json.clone()),
        audio: true,
        threads: 2,
        ..arguments(dir.path(), &[&run, &run])
    };
    let found = command::run(&both).unwrap();
    let alone = command::run(&arguments(dir.path(), &[&run])).unwrap();
    let [first, second] = &found.models[..] else { panic!("two models were named") };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("small run", "small run (2)"));
    let unnamed = |model: &continuo_trainer::evaluate::results::ModelResult| {
        let mut model = model.clone();
        model.name.clear();
        model.sounds.clear();
        model
    };
    assert_eq!(unnamed(first), unnamed(second));
    assert_eq!(unnamed(first), unnamed(&alone.models[0]));
    assert_eq!(found.corpus, alone.corpus);

    // The likelihood is the engine's, over the chunks that are named.
    let likelihood = first.likelihood.value().unwrap();
    assert_eq!((likelihood.quantiser.as_str(), likelihood.chunks), ("µ-law, 64 levels", 6));
    assert!(likelihood.nats.mean < 64_f64.ln() - 0.5, "it has learnt something: {likelihood:?}");
    assert!((likelihood.bits.mean * std::f64::consts::LN_2 - likelihood.nats.mean).abs() < 1e-12);
    let package = dir.path().join("draft.continuo");
    continuo_trainer::export::draft(
        &continuo_trainer::training::run::Run::open(&run, continuo_trainer::family::FAMILIES).unwrap(),
        &package,
    )
    .unwrap();
    let model = Model::load(&package, &LoadOptions::default()).unwrap();
    let corpus = &found.corpus[0];
    let sequences: Vec<Vec<u32>> = corpus
        .chunks
        .iter()
        .map(|place| {
            let recording =
                data.recordings(Split::Heldout).find(|recording| recording.name == place.recording).unwrap();
            let sound = mono(data.frames(recording), 1);
            let start = (place.start_seconds * f64::from(RATE)).round() as usize;
            let cut = &sound[start - likelihood.context_frames..start + 500];
            cut.iter().map(|&amplitude| model.manifest().signal.encode(amplitude)).collect()
        })
        .collect();
    let expected = model.nll_nats(Precision::F32, &sequences).unwrap();
    assert!((likelihood.nats.mean - expected).abs() < 1e-9, "{} and {expected}", likelihood.nats.mean);

    // Recordings are near to recordings, and nothing else is.
    let frechet = &corpus.frechet;
    assert!(frechet.heldout.mean < frechet.noise / 3.0 && frechet.heldout.mean < frechet.silence / 3.0, "{frechet:?}");
    assert!(frechet.heldout.standard_error.is_some());
    let silence = corpus.squared_error.zero.unwrap().mean;
    let error = first.squared_error.value().unwrap();
    assert!(silence > 1e-4 && (error.relative.mean * silence / error.error.mean - 1.0).abs() < 1e-9);
    assert!(error.between_takes.unwrap() > 0.0, "takes differ");
    let next = first.one_step.value().unwrap();
    assert!(next.error.mean < silence, "the next frame is no secret: {next:?}");
    let onsets = corpus.sound.onsets_per_second.mean;
    assert!((2.0..6.0).contains(&onsets), "four notes a second: {onsets}");
    assert_eq!(first.drift.value().unwrap().takes.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    let (chance, memory) = (corpus.memory.as_ref().unwrap(), first.memory.value().unwrap());
    assert_eq!((chance.windows, corpus.searched.recordings, corpus.searched.of), (6, 4, 4));
    assert!(memory.waveform_largest < 0.9, "{memory:?}");

    let page = std::fs::read_to_string(html).unwrap();
    for part in ["small run (2)", "µ-law, 64 levels", "Fréchet", "<svg", "data:audio/wav;base64,"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let written = json["models"][0]["likelihood"]["value"]["nats"]["mean"].as_f64().unwrap();
    assert!((written - likelihood.nats.mean).abs() < 1e-12);
    assert!(terminal::text(&found).contains("held-out NLL, bits per frame (µ-law, 64 levels)"));

    // Another seed plays something else and expects the same.
    let other = command::run(&EvaluateArgs { rng_seed: 4, ..arguments(dir.path(), &[&run]) }).unwrap();
    assert_eq!(other.models[0].likelihood, first.likelihood);
    assert_ne!(other.models[0].squared_error, first.squared_error);
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    dataset(&dir.path().join("data"));
    let run = run(dir.path());
    let said = |change: fn(&mut EvaluateArgs)| {
        let mut arguments = arguments(dir.path(), &[&run]);
        change(&mut arguments);
        command::run(&arguments).unwrap_err()
    };
    let error = said(|arguments| arguments.seconds = 100.0);
    assert!(matches!(error, EvaluateError::TooShort { .. }), "{error}");
    assert!(error.to_string().contains("--seconds") && error.to_string().contains("40.0 s"), "{error}");
    let error = said(|arguments| arguments.html = Some("/nowhere at all/report.html".into()));
    assert!(error.to_string().contains("/nowhere at all/report.html"), "{error}");
    let error = said(|arguments| arguments.models = vec!["no such model.continuo".into()]);
    assert!(error.to_string().contains("no such model.continuo"), "{error}");
    recordings(&dir.path().join("data"), RATE, 1, &[music(0, 10)], 0);
    let error = said(|_| {});
    assert!(
        matches!(error, EvaluateError::NothingHeldOut { .. }) && error.to_string().contains("--holdout"),
        "{error}"
    );
}

const GENERATOR: GraphId = GraphId::of(GraphRole::Generator);

/// A family that plays a recording: no codes, no seed, phrases of one length.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parrot {
    sound: Vec<f32>,
}

const PARROT: Family = Family { tag: "parrot", name: "parrot", read };
const LOADER: Loader = Loader { family: PARROT, abilities, load };

fn read(json: serde_json::Value) -> Result<Arc<dyn Shape>, serde_json::Error> {
    serde_json::from_value::<Parrot>(json).map(|shape| Arc::new(shape) as Arc<dyn Shape>)
}

impl Shape for Parrot {
    fn validate(&self) -> Result<(), FieldError> {
        Ok(())
    }

    fn check_signal(&self, _: Signal) -> Result<(), String> {
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach::None { length_frames: self.sound.len() as u64 }
    }

    fn channels(&self) -> u16 {
        1
    }

    fn parameters(&self) -> u64 {
        2
    }

    fn graphs(&self) -> Vec<GraphSpec> {
        vec![GraphSpec {
            id: GENERATOR,
            hop_frames: 1,
            file: "generator.onnx".into(),
            sha256: String::new(),
            inputs: vec![TensorSpec::new("latent", ElementType::F32, &[-1, 2, 1])],
            outputs: vec![TensorSpec::new("audio", ElementType::F32, &[-1, 2, 1])],
            state: vec![],
        }]
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap()
    }
}

/// A graph that nobody runs.
fn graph() -> Vec<u8> {
    let graph = GraphProto {
        node: vec![NodeProto::new("Mul", &["latent", "weight"], &["audio"], vec![])],
        initializer: vec![TensorProto::from_f32("weight", &[1, 2, 1], &[1.0, 1.0])],
        input: vec![ValueInfoProto::tensor("latent", FLOAT, &[Err("B"), Ok(2), Ok(1)])],
        output: vec![ValueInfoProto::tensor("audio", FLOAT, &[Err("B"), Ok(2), Ok(1)])],
        ..GraphProto::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: OPSET }];
    ModelProto { ir_version: IR_VERSION, graph: Some(graph), opset_import, ..ModelProto::default() }.encode_to_vec()
}

fn abilities(manifest: &Manifest) -> Abilities {
    let Reach::None { length_frames } = manifest.reach else { panic!("parrots know how long they talk") };
    let settings = [Setting::Variations].into();
    Abilities {
        channels: 1,
        can_continue: false,
        can_begin: true,
        classes: Vec::new(),
        fixed_frames: Some(length_frames),
        settings,
    }
}

#[allow(clippy::unnecessary_wraps, reason = "what a loader is")]
fn load(package: &mut Package, _: &LoadOptions) -> Result<Box<dyn LoadedFamily>, EngineError> {
    let shape = package.manifest.architecture.shape_of::<Parrot>().unwrap().clone();
    Ok(Box::new(LoadedParrot { abilities: abilities(&package.manifest), sound: shape.sound.into() }))
}

#[derive(Debug)]
struct LoadedParrot {
    abilities: Abilities,
    sound: Arc<[f32]>,
}

impl LoadedFamily for LoadedParrot {
    fn abilities(&self) -> &Abilities {
        &self.abilities
    }

    fn voice(&self, request: &VoiceRequest) -> Result<Box<dyn Voice>, EngineError> {
        request.validate()?;
        Ok(Box::new(Talk { variations: request.variations.clone(), sound: Arc::clone(&self.sound), position: 0 }))
    }

    fn backend(&self, _: Option<Precision>) -> Backend {
        Backend::Native { kernel: "beak", precision: Precision::F32, verdict: Verdict::NotChecked }
    }

    fn nll_nats(&self, _: Precision, _: &[Vec<u32>]) -> Result<f64, EngineError> {
        Err(EngineError::Request { setting: "the likelihood", reason: "is not known to this model".into() })
    }
}

#[derive(Debug)]
struct Talk {
    variations: Range<u32>,
    sound: Arc<[f32]>,
    position: usize,
}

impl Voice for Talk {
    fn channels(&self) -> usize {
        1
    }

    fn variations(&self) -> Range<u32> {
        self.variations.clone()
    }

    fn position(&self) -> u64 {
        self.position as u64
    }

    fn prime(&mut self, _: &[&[f32]], _: &AtomicBool) -> Result<(), EngineError> {
        Err(EngineError::Request { setting: "the seed clip", reason: "cannot be continued by this model".into() })
    }

    fn begin(&mut self, _: &AtomicBool) -> Result<(), EngineError> {
        Ok(())
    }

    fn generate(&mut self, frames: usize, out: &mut [Vec<f32>], _: &AtomicBool) -> Result<(), EngineError> {
        let sound = &self.sound[self.position..self.position + frames];
        for out in out {
            out.extend_from_slice(sound);
        }
        self.position += frames;
        Ok(())
    }
}

fn parrot(dir: &Path, sound: Vec<f32>) -> Candidate {
    let package = dir.join("parrot.continuo");
    let shape = Parrot { sound };
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: "Parrot".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: RATE,
        channels: 1,
        signal: Signal::Real,
        reach: shape.reach(),
        graphs: shape.graphs(),
        architecture: Architecture::new(&PARROT, shape),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: "test".into(),
        trainer_version: "0".into(),
    };
    PackageWriter::new(manifest.clone(), "x").graph(GENERATOR, graph()).write(&package).unwrap();
    Candidate { name: "parrot".into(), path: package.clone(), package, manifest }
}

#[test]
fn a_family_without_codes_that_repeats_its_training_audio_is_measured_and_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(&dir.path().join("data"));
    let heard = data.recordings(Split::Train).nth(2).unwrap();
    let sound = mono(data.frames(heard), 1)[20_001..20_001 + 12_000].to_vec();
    let settings = Settings {
        clips: 2,
        seconds: 3.0,
        takes: 1,
        drift_seconds: 20.0,
        temperature: 1.0,
        top_k: 0,
        rng_seed: 0,
        precision: "auto".into(),
        seed_seconds: 2.0,
        chunks: 2,
        chunk_frames: 500,
        search_hours: 1.0,
    };
    let comparison = Comparison {
        dataset: &data,
        settings,
        families: Families::default().with(LOADER),
        options: LoadOptions::default(),
        precision: None,
    };
    let found = comparison.run(&[parrot(dir.path(), sound)]).unwrap();
    let model = &found.models[0];
    assert!(!model.continues && model.kind.starts_with("parrot, makes 3.0 s at once"), "{}", model.kind);
    let Measured::NotApplicable(reason) = &model.likelihood else { panic!("{:?}", model.likelihood) };
    assert!(reason.contains("real values"), "{reason}");
    assert!(model.squared_error.value().is_none() && model.one_step.value().is_none());
    let Measured::NotApplicable(reason) = &model.drift else { panic!("{:?}", model.drift) };
    assert!(reason.contains("3.0 s"), "{reason}");
    // What it plays is music, near to the rest, and all of it was heard before.
    assert!(model.frechet.value().unwrap().mean < found.corpus[0].frechet.noise / 3.0);
    let memory = model.memory.value().unwrap();
    assert!(memory.waveform_median > 0.999, "{memory:?}");
    assert!(memory.found.iter().all(|found| found.recording == heard.name));
    let first = memory.found.iter().find(|found| found.window == 0).unwrap();
    // A quarter of the two seconds of room into the phrase.
    assert!((first.seconds - (20_001.0 + 2_000.0) / f64::from(RATE)).abs() < 1e-9, "{first:?}");
    let chance = found.corpus[0].memory.as_ref().unwrap();
    assert!(chance.waveform_largest < 0.95, "{chance:?}");
    let text = terminal::text(&found);
    assert!(text.contains("4 of 4 seconds are copies of training audio"), "{text}");
    assert!(text.contains("no likelihood, because"), "{text}");
    assert!(html::page(&found, true).contains("not applicable: "));
}
