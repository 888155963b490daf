//! Packages, clips and the runtime library for the engine's tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
pub mod support;

use continuo_engine::{LoadOptions, Model, Runtime, Sampling, Stepping, Voice, VoiceRequest};
use continuo_package::family::wavenet::{FAMILY, WaveNetShape};
use continuo_package::onnx::ModelProto;
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, GraphRole, Manifest, PackageWriter, Shape, Signal, TrainingFacts,
};
use prost::Message;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The only graph of a WaveNet.
pub const STEP: GraphId = GraphId::of(GraphRole::Step);

/// A voice on this thread, in the model's own precision.
pub fn voice(model: &Model, sampling: Sampling, variations: Range<u32>) -> Box<dyn Voice> {
    model.voice(&VoiceRequest::new(sampling, variations)).unwrap()
}

/// Primes a voice of one channel.
pub fn prime(voice: &mut dyn Voice, clip: &[f32]) {
    voice.prime(&[clip], &AtomicBool::new(false)).unwrap();
}

/// Generates, appending to one vector per channel of each variation.
pub fn generate(voice: &mut dyn Voice, frames: usize, out: &mut [Vec<f32>]) {
    voice.generate(frames, out, &AtomicBool::new(false)).unwrap();
}

/// The root of the source tree.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// ONNX Runtime, loaded.
pub fn runtime() -> Runtime {
    Runtime::open(&runtime_path()).unwrap()
}

/// ONNX Runtime: the file that `CONTINUO_ONNXRUNTIME` names, else the one that `cargo xtask fetch-runtime` puts in place.
pub fn runtime_path() -> PathBuf {
    let path = std::env::var_os("CONTINUO_ONNXRUNTIME")
        .map_or_else(|| workspace().join(".cache/runtime").join(continuo_engine::runtime_file::NAME), PathBuf::from);
    assert!(
        path.is_file(),
        "this test compares with ONNX Runtime, and there is no library at {}: run `cargo xtask fetch-runtime`, \
         or set CONTINUO_ONNXRUNTIME to the library's path",
        path.display()
    );
    path
}

/// The manifest of a WaveNet of this shape at 16 kHz.
pub fn manifest(shape: &WaveNetShape) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        name: "Random".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: 16_000,
        channels: 1,
        signal: if shape.is_real() { Signal::Real } else { Signal::MuLaw { levels: shape.levels } },
        reach: shape.reach(),
        architecture: Architecture::new(&FAMILY, shape.clone()),
        graphs: shape.graphs(),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: "test".into(),
        trainer_version: "0".into(),
    }
}

/// Writes a package whose only graph is this.
pub fn write_package(path: &Path, manifest: Manifest, graph: &ModelProto) {
    PackageWriter::new(manifest, "Do as you like.\n").graph(STEP, graph.encode_to_vec()).write(path).unwrap();
}

/// A package with random weights, in a folder of its own.
pub struct RandomPackage {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    pub shape: WaveNetShape,
}

impl RandomPackage {
    pub fn new(shape: WaveNetShape) -> Self {
        Self::changed(shape, |_| {})
    }

    /// With a change to the graph.
    pub fn changed(shape: WaveNetShape, change: impl FnOnce(&mut ModelProto)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random.continuo");
        let mut graph = support::graph::wavenet_graph(&shape, 17);
        change(&mut graph);
        write_package(&path, manifest(&shape), &graph);
        Self { folder, path, shape }
    }

    /// Loaded without ONNX Runtime.
    pub fn native(&self) -> Arc<Model> {
        Model::load(&self.path, &LoadOptions::default()).unwrap()
    }

    /// Loaded with ONNX Runtime at hand.
    pub fn with_runtime(&self, stepping: Stepping) -> Arc<Model> {
        Model::load(&self.path, &LoadOptions { runtime: Some(runtime()), stepping, ..LoadOptions::default() }).unwrap()
    }
}

/// The factory piano model, where this checkout has it.
pub fn piano() -> Option<PathBuf> {
    Some(workspace().join("presets/models/piano-16k.continuo")).filter(|path| path.is_file())
}

/// The factory seed clips at `rate_hz`, where this checkout has them.
pub fn seed_clips(rate_hz: u32) -> Vec<Vec<f32>> {
    let Ok(folder) = std::fs::read_dir(workspace().join("presets/seeds")) else { return Vec::new() };
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let wav = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "wav"));
    wav.map(|path| continuo_engine::audio::read(path).unwrap())
        .map(|clip| continuo_engine::seam::model_seed(&clip, rate_hz).unwrap())
        .collect()
}
