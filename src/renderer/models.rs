//! Loaded models, shared by all instances.

use std::path::Path;
use std::sync::{Arc, Mutex};

use continuo_engine::{Forecasts, LoadOptions, Model, Precision, Runtime, Stepping, hash};

use super::error::RenderError;
use crate::files::File;
use crate::resources;
use crate::session::lock;

/// Models that stay loaded although nothing renders with them.
const KEPT: usize = 3;

/// Models by the content of their package: two names for one package are one model, and a package that was replaced is
/// loaded anew.
#[derive(Debug, Default)]
pub(super) struct Models {
    /// The most recently used last.
    loaded: Mutex<Vec<Loaded>>,
    /// What was to be measured of which file, where that has begun and not ended well.
    doubtful: Mutex<Vec<(File, Measured)>>,
}

/// What of a render's settings decides whether a model can be measured for it: the takes and the precision.
pub(super) type Measured = (u32, Option<Precision>);

/// A loaded model, and what is known of its speed.
#[derive(Debug, Clone)]
pub(super) struct LoadedModel {
    pub model: Arc<Model>,
    pub forecasts: Arc<Forecasts>,
}

#[derive(Debug)]
struct Loaded {
    model: LoadedModel,
    /// Files known to hold this content, so that they need not be read again.
    files: Vec<File>,
}

impl Models {
    /// The model in the package at `path`; loads it, and with the first one ONNX Runtime, if need be. At least `kept` of the
    /// most recently used then stay loaded.
    pub(super) fn load(&self, path: &Path, kept: usize) -> Result<LoadedModel, RenderError> {
        let file = File::at(path).ok_or_else(|| RenderError::NoModel(path.to_path_buf()))?;
        if let Some(model) = self.known(&file) {
            return Ok(model);
        }
        let content_hash = hash::sha256_hex_of_file(path)
            .map_err(|error| RenderError::Unreadable { path: path.to_path_buf(), reason: error.to_string() })?;
        if let Some(model) = self.touch(|loaded| loaded.model.model.content_hash() == content_hash, Some(&file)) {
            return Ok(model);
        }
        let runtime = resources::onnx_runtime().and_then(|library| {
            // Autoregressive models do without; a model that does not says so itself.
            Runtime::open(&library).inspect_err(|error| tracing::warn!("{error}")).ok()
        });
        let calibrations = resources::user_data_dir().map(|folder| folder.join("calibrations"));
        let options = LoadOptions { runtime, stepping: Stepping::Auto, ..LoadOptions::default() };
        let model = Model::load(path, &options)?;
        // Somebody else may have loaded it meanwhile.
        if let Some(model) = self.touch(|loaded| loaded.model.model.content_hash() == content_hash, Some(&file)) {
            return Ok(model);
        }
        let forecasts = Arc::new(Forecasts::new(&model, calibrations.as_deref()));
        let model = LoadedModel { model, forecasts };
        let mut all = lock(&self.loaded);
        all.push(Loaded { model: model.clone(), files: vec![file] });
        let surplus = all.len().saturating_sub(kept.max(KEPT));
        all.drain(..surplus);
        Ok(model)
    }

    /// Whether no model was loaded yet.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.loaded).is_empty()
    }

    /// The model in the package at `path`, if it is loaded and the file has not changed. Reads no file.
    pub(super) fn at_hand(&self, path: &Path) -> Option<LoadedModel> {
        self.known(&File::at(path)?)
    }

    /// Whether the model in the package at `path` may be measured: not where that has failed, until the file changes.
    pub(super) fn can_be_measured(&self, path: &Path, what: Measured) -> bool {
        File::at(path).is_some_and(|file| !lock(&self.doubtful).contains(&(file, what)))
    }

    /// Notes that a measurement begins, or that it has ended well.
    pub(super) fn measuring(&self, path: &Path, what: Measured, begins: bool) {
        let Some(file) = File::at(path) else { return };
        let mut doubtful = lock(&self.doubtful);
        doubtful.retain(|other| *other != (file.clone(), what));
        if begins {
            doubtful.push((file, what));
        }
    }

    fn known(&self, file: &File) -> Option<LoadedModel> {
        self.touch(|loaded| loaded.files.contains(file), None)
    }

    fn touch(&self, is_it: impl Fn(&Loaded) -> bool, file: Option<&File>) -> Option<LoadedModel> {
        let mut all = lock(&self.loaded);
        let index = all.iter().position(is_it)?;
        let mut loaded = all.remove(index);
        loaded.files.extend(file.cloned());
        let model = loaded.model.clone();
        all.push(loaded);
        Some(model)
    }
}
