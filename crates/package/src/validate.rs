//! Whether a manifest can be true.

use crate::archive::is_graph_file_name;
use crate::error::PackageError;
use crate::manifest::{Architecture, ElementType, FORMAT_VERSION, Family, Generation, GraphSpec, Manifest};
use std::path::Path;

const SAMPLE_RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const MOST_CHANNELS: u16 = 2;
const LEVELS: std::ops::RangeInclusive<u32> = 2..=65_536;
const MOST_TEXT: usize = 64 << 10;
const MOST_FRAMES: u64 = 1 << 32;

impl Manifest {
    /// Parses and checks a manifest; `path` is named in errors.
    ///
    /// # Errors
    /// [`PackageError::Manifest`], [`PackageError::NewerFormat`] or [`PackageError::Field`].
    pub fn from_json(json: &str, path: &Path) -> Result<Self, PackageError> {
        // The version is read alone first: a newer manifest may not parse as this one, and "update" helps more than
        // the name of a field that this version does not know.
        #[derive(serde::Deserialize)]
        struct Version {
            format_version: u32,
        }
        let unreadable =
            |error: serde_json::Error| PackageError::Manifest { path: path.to_owned(), reason: error.to_string() };
        let Version { format_version } = serde_json::from_str(json).map_err(unreadable)?;
        if format_version > FORMAT_VERSION {
            let (path, supported) = (path.to_owned(), FORMAT_VERSION);
            return Err(PackageError::NewerFormat { path, found: format_version, supported });
        }
        let manifest: Self = serde_json::from_str(json).map_err(unreadable)?;
        manifest.validate(path)?;
        Ok(manifest)
    }

    /// Checks every field whose value could mislead the engine; `path` is named in errors.
    ///
    /// # Errors
    /// [`PackageError::Field`].
    pub fn validate(&self, path: &Path) -> Result<(), PackageError> {
        self.check().map_err(|(field, reason)| PackageError::Field { path: path.to_owned(), field, reason })
    }

    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |field: &str, reason: String| Err((field.to_owned(), reason));
        if self.format_version == 0 {
            return wrong("format_version", "is 0".into());
        }
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
        if let Some(levels) = self.quantisation.levels()
            && !LEVELS.contains(&levels)
        {
            return wrong("quantisation.levels", format!("is {levels}; it must be 2 to 65536"));
        }
        if self.receptive_field_frames == 0 || self.receptive_field_frames > MOST_FRAMES {
            return wrong("receptive_field_frames", format!("is {}", self.receptive_field_frames));
        }
        if let Generation::FixedLength { frames } = self.generation
            && (frames == 0 || frames > MOST_FRAMES)
        {
            return wrong("generation.frames", format!("is {frames}"));
        }
        self.check_architecture()?;
        if self.graphs.is_empty() {
            return wrong("graphs", "is empty; a model has at least one graph".into());
        }
        for (role, graph) in &self.graphs {
            graph.check().map_err(|(field, reason)| (format!("graphs.{role}.{field}"), reason))?;
        }
        Ok(())
    }

    fn check_architecture(&self) -> Result<(), (String, String)> {
        let wrong = |field: &str, reason: String| Err((field.to_owned(), reason));
        let Architecture::Wavenet(shape) = &self.architecture else { return Ok(()) };
        shape.validate().map_err(|(field, reason)| (format!("architecture.{field}"), reason))?;
        if self.family != Family::Wavenet {
            return wrong("architecture", format!("is a WaveNet's, but the family is {}", self.family));
        }
        if self.quantisation.levels() != Some(shape.levels) {
            return wrong("architecture.levels", format!("is {}; quantisation says otherwise", shape.levels));
        }
        if self.receptive_field_frames != shape.receptive_field_frames() {
            let (told, real) = (self.receptive_field_frames, shape.receptive_field_frames());
            return wrong("receptive_field_frames", format!("is {told}; the dilations make {real}"));
        }
        Ok(())
    }
}

impl GraphSpec {
    fn check(&self) -> Result<(), (String, String)> {
        if !is_graph_file_name(&self.file) {
            return Err(("file".into(), format!("is {:?}; it must be a plain file name ending in .onnx", self.file)));
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(("sha256".into(), "must be 64 hexadecimal digits".into()));
        }
        let tensors = self.inputs.iter().chain(&self.outputs).map(|tensor| (&tensor.name, &tensor.shape));
        let states = self.state.iter().flat_map(|pair| [(&pair.input, &pair.shape), (&pair.output, &pair.shape)]);
        for (name, shape) in tensors.chain(states) {
            if name.is_empty() || name.len() > 256 {
                return Err(("inputs/outputs/state".into(), "has a tensor without a proper name".into()));
            }
            let elements = shape.iter().filter(|&&axis| axis != -1).try_fold(1i64, |product, &axis| {
                if axis < 0 { None } else { product.checked_mul(axis).filter(|&elements| elements <= 1 << 28) }
            });
            if elements.is_none() || shape.len() > 8 {
                return Err((name.clone(), format!("has the impossible shape {shape:?}")));
            }
        }
        for pair in &self.state {
            let whole = pair.element == ElementType::F32 || pair.initial.fract() == 0.0;
            if !pair.initial.is_finite() || !whole {
                return Err((pair.input.clone(), format!("cannot start at {}", pair.initial)));
            }
        }
        Ok(())
    }
}
