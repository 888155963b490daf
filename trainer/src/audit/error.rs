//! Why there is no audit.

use std::path::PathBuf;

use crate::bench::BenchError;
use crate::prepare::PrepareError;
use crate::training::run::RunError;

/// A reason to stop. A bad recording is none: it is a finding.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The folder.
    #[error(transparent)]
    Folder(PrepareError),
    /// The configuration or the device.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The measurement of the configuration's speed.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The configuration wants something else than was asked for.
    #[error("{}: the configuration wants {wanted}, but {asked} was asked for; leave the option out", config.display())]
    Contradiction {
        /// The configuration.
        config: PathBuf,
        /// What it wants.
        wanted: String,
        /// The option.
        asked: String,
    },
    /// A report could not be written.
    #[error("{}: cannot be written: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted; nothing was written")]
    Cancelled,
}

impl From<PrepareError> for AuditError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Cancelled => Self::Cancelled,
            error => Self::Folder(error),
        }
    }
}
