//! Reading a manifest, and whether it can be true.

use crate::error::PackageError;
use crate::family::{ArchitectureError, Families, FieldError};
use crate::format1::Manifest1;
use crate::graph::{ElementType, GraphSpec, StatePair, TensorSpec};
use crate::manifest::{Defaults, FORMAT_VERSION, Manifest};
use crate::name::is_plain_file_name;
use crate::signal::{Reach, Signal};
use crate::training::TrainingFacts;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const MOST_CHANNELS: u16 = 2;
const LEVELS: std::ops::RangeInclusive<u32> = 2..=65_536;
const MOST_TEXT: usize = 64 << 10;
const MOST_FRAMES: u64 = 1 << 32;
const MOST_TEMPERATURE: f32 = 100.0;

/// A manifest of format 2 as it is stored, but for its architecture.
#[derive(Debug, Deserialize)]
struct Stored {
    name: String,
    author: String,
    licence: String,
    sample_rate_hz: u32,
    channels: u16,
    signal: Signal,
    reach: Reach,
    graphs: Vec<GraphSpec>,
    #[serde(default)]
    defaults: Defaults,
    training: TrainingFacts,
    run_id: String,
    trainer_version: String,
}

impl Manifest {
    /// Parses and checks a manifest of one of `families`; `path` is named in errors.
    ///
    /// # Errors
    /// [`PackageError::Manifest`], [`PackageError::NewerFormat`], [`PackageError::UnknownFamily`] or
    /// [`PackageError::Field`].
    pub fn from_json(json: &str, families: &Families, path: &Path) -> Result<Self, PackageError> {
        // Version and family are read first: a newer manifest may not parse as this one, and "update" helps more than the
        // name of a field that this version does not know.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let unreadable =
            |error: serde_json::Error| PackageError::Manifest { path: path.to_owned(), reason: error.to_string() };
        let Version { format_version } = serde_json::from_str(json).map_err(unreadable)?;
        let manifest = match format_version {
            0 => return Err(field(path, ("format_version".into(), "is 0".into()))),
            1 => format1(json, path)?,
            FORMAT_VERSION => format2(json, families, path)?,
            found => return Err(PackageError::NewerFormat { path: path.to_owned(), found, supported: FORMAT_VERSION }),
        };
        manifest.validate(path)?;
        Ok(manifest)
    }

    /// Checks every field whose value could mislead the engine, and that all of them fit the architecture; `path` is named
    /// in errors.
    ///
    /// # Errors
    /// [`PackageError::Field`].
    pub fn validate(&self, path: &Path) -> Result<(), PackageError> {
        self.check().map_err(|error| field(path, error))
    }

    fn check(&self) -> Result<(), FieldError> {
        let wrong = |field: &str, reason: String| Err((field.to_owned(), reason));
        for (field, text) in [("name", &self.name), ("author", &self.author), ("licence", &self.licence)] {
            if text.trim().is_empty() || text.len() > MOST_TEXT {
                return wrong(field, "must be a short text".into());
            }
        }
        if !SAMPLE_RATES_HZ.contains(&self.sample_rate_hz) {
            return wrong("sample_rate_hz", format!("is {}; no model has that", self.sample_rate_hz));
        }
        if self.channels == 0 || self.channels > MOST_CHANNELS {
            return wrong("channels", format!("is {}; it must be 1 to {MOST_CHANNELS}", self.channels));
        }
        if let Some(levels) = self.signal.levels()
            && !LEVELS.contains(&levels)
        {
            return wrong("signal.levels", format!("is {levels}; it must be 2 to 65536"));
        }
        if let Reach::Frames { frames } | Reach::None { length_frames: frames } = self.reach
            && !(1..=MOST_FRAMES).contains(&frames)
        {
            return wrong("reach", format!("is {frames} frames; it must be 1 to {MOST_FRAMES}"));
        }
        if let Some(temperature) = self.defaults.temperature
            && !(0.0..=MOST_TEMPERATURE).contains(&temperature)
        {
            return wrong("defaults.temperature", format!("is {temperature}; it must be 0 to {MOST_TEMPERATURE}"));
        }
        if let Some(noise) = self.defaults.noise
            && !(0.0..=1.0).contains(&noise)
        {
            return wrong("defaults.noise", format!("is {noise}; it must be 0 to 1"));
        }
        self.check_graphs()?;
        self.check_architecture()
    }

    fn check_graphs(&self) -> Result<(), FieldError> {
        let mut files = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for graph in &self.graphs {
            let id = graph.id;
            check_graph(graph).map_err(|(field, reason)| (format!("graphs.{id}.{field}"), reason))?;
            if !ids.insert(id) {
                return Err((format!("graphs.{id}"), "is there twice".into()));
            }
            if !files.insert(&graph.file) {
                return Err((format!("graphs.{id}.file"), format!("is {:?}, as another graph's is", graph.file)));
            }
        }
        Ok(())
    }

    /// The hyper-parameters decide the signal, the reach and the boundary of every graph.
    fn check_architecture(&self) -> Result<(), FieldError> {
        let shape = self.architecture.shape();
        shape.validate().map_err(|(field, reason)| (format!("architecture.{field}"), reason))?;
        shape.check_signal(self.signal).map_err(|reason| ("signal".to_owned(), reason))?;
        if self.channels != shape.channels() {
            let reason = format!("is {}; the architecture has {}", self.channels, shape.channels());
            return Err(("channels".into(), reason));
        }
        if self.reach != shape.reach() {
            return Err((
                "reach".into(),
                format!("is {:?}; the architecture makes it {:?}", self.reach, shape.reach()),
            ));
        }
        let needed = shape.graphs();
        for wanted in &needed {
            let field = |(tensor, reason)| (format!("graphs.{}.{tensor}", wanted.id), reason);
            let Some(found) = self.graph(wanted.id) else {
                let reason = format!("is missing; a {} has one", self.architecture.family());
                return Err((format!("graphs.{}", wanted.id), reason));
            };
            if found.hop_frames != wanted.hop_frames {
                let reason = format!("is {}; the architecture makes it {}", found.hop_frames, wanted.hop_frames);
                return Err(field(("hop_frames".into(), reason)));
            }
            found.check_boundary(wanted).map_err(field)?;
        }
        match self.graphs.iter().find(|graph| needed.iter().all(|wanted| wanted.id != graph.id)) {
            Some(graph) => {
                let reason = format!("is there, but a {} has none", self.architecture.family());
                Err((format!("graphs.{}", graph.id), reason))
            }
            None => Ok(()),
        }
    }
}

fn field(path: &Path, (field, reason): FieldError) -> PackageError {
    PackageError::Field { path: path.to_owned(), field, reason }
}

fn unreadable(path: &Path, error: &serde_json::Error) -> PackageError {
    PackageError::Manifest { path: path.to_owned(), reason: error.to_string() }
}

fn format1(json: &str, path: &Path) -> Result<Manifest, PackageError> {
    let manifest: Manifest1 = serde_json::from_str(json).map_err(|error| unreadable(path, &error))?;
    Ok(manifest.upgrade())
}

fn format2(json: &str, families: &Families, path: &Path) -> Result<Manifest, PackageError> {
    // The family decides what the rest of the manifest may be, so it is looked at before that.
    #[derive(Deserialize)]
    struct OfFamily {
        architecture: Value,
    }
    let OfFamily { architecture } = serde_json::from_str(json).map_err(|error| unreadable(path, &error))?;
    let architecture = families.read(architecture).map_err(|error| match error {
        ArchitectureError::Unknown(family) => PackageError::UnknownFamily { path: path.to_owned(), family },
        ArchitectureError::Wrong(error) => field(path, error),
    })?;
    let stored: Stored = serde_json::from_str(json).map_err(|error| unreadable(path, &error))?;
    Ok(Manifest {
        format_version: FORMAT_VERSION,
        name: stored.name,
        author: stored.author,
        licence: stored.licence,
        sample_rate_hz: stored.sample_rate_hz,
        channels: stored.channels,
        signal: stored.signal,
        reach: stored.reach,
        architecture,
        graphs: stored.graphs,
        defaults: stored.defaults,
        training: stored.training,
        run_id: stored.run_id,
        trainer_version: stored.trainer_version,
    })
}

fn check_graph(graph: &GraphSpec) -> Result<(), FieldError> {
    let onnx = Path::new(&graph.file).extension().is_some_and(|extension| extension == "onnx");
    if !onnx || !is_plain_file_name(&graph.file) {
        return Err(("file".into(), format!("is {:?}; it must be a plain file name ending in .onnx", graph.file)));
    }
    if graph.sha256.len() != 64 || !graph.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(("sha256".into(), "must be 64 hexadecimal digits".into()));
    }
    if graph.hop_frames == 0 || u64::from(graph.hop_frames) > MOST_FRAMES {
        return Err(("hop_frames".into(), format!("is {}", graph.hop_frames)));
    }
    for (name, shape) in graph.tensors() {
        if name.is_empty() || name.len() > 256 {
            return Err(("inputs/outputs/state".into(), "has a tensor without a proper name".into()));
        }
        let elements = shape.iter().filter(|&&axis| axis != -1).try_fold(1i64, |product, &axis| {
            if axis < 0 { None } else { product.checked_mul(axis).filter(|&elements| elements <= 1 << 28) }
        });
        if elements.is_none() || shape.len() > 8 {
            return Err((name.to_owned(), format!("has the impossible shape {shape:?}")));
        }
    }
    for pair in &graph.state {
        let whole = pair.element == ElementType::F32 || pair.initial.fract() == 0.0;
        if !pair.initial.is_finite() || !whole {
            return Err((pair.input.clone(), format!("cannot start at {}", pair.initial)));
        }
    }
    Ok(())
}

impl GraphSpec {
    /// Every tensor at the boundary by name, with its axes.
    fn tensors(&self) -> impl Iterator<Item = (&str, &[i64])> {
        let plain = self.inputs.iter().chain(&self.outputs).map(|tensor| (tensor.name.as_str(), &tensor.shape[..]));
        let states = self.state.iter().flat_map(|pair| [(&pair.input, &pair.shape), (&pair.output, &pair.shape)]);
        plain.chain(states.map(|(name, shape)| (name.as_str(), &shape[..])))
    }

    /// Whether this has the inputs, outputs and states that `wanted` has, in any order.
    fn check_boundary(&self, wanted: &Self) -> Result<(), FieldError> {
        check_same("input", &self.inputs, &wanted.inputs)?;
        check_same("output", &self.outputs, &wanted.outputs)?;
        let by_input = |pairs: &[StatePair]| -> BTreeMap<String, StatePair> {
            pairs.iter().map(|pair| (pair.input.clone(), pair.clone())).collect()
        };
        let (found, wanted) = (by_input(&self.state), by_input(&wanted.state));
        for (input, pair) in &wanted {
            match found.get(input) {
                Some(other) if other == pair => {}
                None => return Err((input.clone(), "is no state, but must be carried from run to run".into())),
                Some(other) => {
                    let reason = format!(
                        "is a state {:?} {:?} that goes to {} and starts at {}; it must be {:?} {:?}, go to {} and start at {}",
                        other.element,
                        other.shape,
                        other.output,
                        other.initial,
                        pair.element,
                        pair.shape,
                        pair.output,
                        pair.initial
                    );
                    return Err((input.clone(), reason));
                }
            }
        }
        match self.state.iter().find(|pair| !wanted.contains_key(&pair.input)) {
            Some(pair) => Err((pair.input.clone(), "is a state that the architecture does not have".into())),
            None if self.state.len() == wanted.len() => Ok(()),
            None => Err(("state".into(), "names a tensor twice".into())),
        }
    }
}

fn check_same(kind: &str, found: &[TensorSpec], wanted: &[TensorSpec]) -> Result<(), FieldError> {
    for tensor in wanted {
        match found.iter().find(|other| other.name == tensor.name) {
            None => return Err((tensor.name.clone(), format!("is missing among the {kind}s"))),
            Some(other) if other == tensor => {}
            Some(other) => {
                let reason = format!(
                    "is an {kind} {:?} {:?}; it must be {:?} {:?}",
                    other.element, other.shape, tensor.element, tensor.shape
                );
                return Err((tensor.name.clone(), reason));
            }
        }
    }
    match found.iter().find(|tensor| wanted.iter().all(|other| other.name != tensor.name)) {
        Some(tensor) => Err((tensor.name.clone(), format!("is an {kind} that the architecture does not have"))),
        None if found.len() == wanted.len() => Ok(()),
        None => Err((format!("{kind}s"), "name a tensor twice".into())),
    }
}
