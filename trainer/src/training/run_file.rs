//! What a run is besides its configuration: `run.json`, which every checkpoint holds too.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::names;

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// Identifies the run.
    pub run_id: String,
    /// The dataset's folder.
    #[serde(with = "crate::names")]
    pub data: PathBuf,
    /// The same as seen from the folder that the run lies in, if it is below that, so that both can be moved together; as
    /// [`crate::names::text`] writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_beside: Option<String>,
    /// The dataset's fingerprint.
    pub data_fingerprint: String,
    /// The trainer that began it.
    pub trainer_version: String,
    /// The model that its first weights came from; none for fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_model: Option<String>,
}

/// What a checkpoint holds of its run, so that the run can be made whole from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `run.json`.
    pub run: RunFile,
    /// `config.toml`.
    pub config: String,
}

impl RunFile {
    /// Notes where the dataset lies. `dir` is the run's folder.
    pub fn place_data(&mut self, data: &Path, dir: &Path) {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        self.data = absolute(data);
        let around = absolute(dir).parent().map(Path::to_path_buf);
        self.data_beside =
            around.and_then(|around| self.data.strip_prefix(around).ok().map(|path| names::text(path).into_owned()));
    }

    /// Where the dataset may lie, if the run lies at `dir`.
    pub fn places_of_data(&self, dir: &Path) -> Vec<PathBuf> {
        let around = std::path::absolute(dir).ok().and_then(|dir| dir.parent().map(Path::to_path_buf));
        let beside = around.zip(self.data_beside.as_ref()).map(|(around, beside)| around.join(names::path(beside)));
        std::iter::once(self.data.clone()).chain(beside).collect()
    }
}
