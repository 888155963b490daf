//! `codes`: what a run's encoder makes of the recordings of a dataset.

use std::io::{IsTerminal as _, Write as _};

use super::dataset::{MOST_CODES, Origin, write};
use crate::cli::CodesArgs;
use crate::data::dataset::{Dataset, DatasetError};
use crate::device::{Device, DeviceError};
use crate::family::FAMILIES;
use crate::prepare::PrepareError;
use crate::task::{Coding, TaskError};
use crate::training::checkpoint::{Checkpoint, CheckpointError};
use crate::training::run::{Run, RunError};

/// Why no codes were made.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    /// The run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Its checkpoints.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The dataset that was to be encoded.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The dataset that was to be written.
    #[error(transparent)]
    Write(#[from] PrepareError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The encoder.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The run and the dataset do not go together.
    #[error("{what}: {reason}")]
    Refused {
        /// The run's or the dataset's folder.
        what: String,
        /// Why.
        reason: String,
    },
}

/// `codes RUN --out CODES`.
///
/// # Errors
/// [`CodesError`]; nothing is then left behind.
pub fn run(args: &CodesArgs) -> Result<Origin, CodesError> {
    let run = Run::open(&args.run, FAMILIES)?;
    let device = Device::find(args.device)?;
    let mut task = run.config.task(&device)?;
    let refused =
        |what: &std::path::Path, reason: String| CodesError::Refused { what: what.display().to_string(), reason };
    let Some(Coding { level, codes, hop }) = task.coding() else {
        return Err(refused(&run.dir, "its model has no encoder, and so no codes".into()));
    };
    if codes > MOST_CODES {
        return Err(refused(&run.dir, format!("has {codes} codes; a dataset holds {MOST_CODES} at most")));
    }
    let dataset = match &args.data {
        None => run.dataset(None)?,
        Some(folder) => {
            let dataset = Dataset::open(folder)?;
            let (rate, wanted) = (dataset.sample_rate_hz(), run.config.sample_rate_hz());
            if rate != wanted || dataset.channels() != usize::from(run.config.channels()) {
                let channels = dataset.channels();
                return Err(refused(
                    folder,
                    format!(
                        "has {channels} channels of {rate} frames per second; the run's encoder takes one of {wanted}"
                    ),
                ));
            }
            task.accept(&dataset).map_err(|reason| refused(folder, reason))?;
            dataset
        }
    };
    let (checkpoint, older) = Checkpoint::newest(&run.checkpoints())?;
    for reason in older {
        eprintln!("{reason}; taking the one before");
    }
    checkpoint.restore(task.as_mut())?;
    let origin = Origin {
        level,
        codes,
        hop,
        run_id: run.file.run_id.clone(),
        steps: checkpoint.progress.step,
        data_fingerprint: dataset.fingerprint().to_owned(),
        perplexity: 0.0,
    };
    let shows = std::io::stderr().is_terminal();
    let told = |done: usize, of: usize| {
        if shows {
            // Only to be looked at.
            let _ = write!(std::io::stderr(), "\r{done} of {of} recordings{}", if done == of { "\n" } else { "" });
        }
    };
    let encode = |frames: &[i16]| task.encode(frames).map_err(CodesError::Task);
    let origin = write((&dataset, &args.out, args.force), origin, encode, told)?;
    println!(
        "{}: codes of level {level}, {:.2} per second, of which the use is worth {:.1} of {codes}",
        args.out.display(),
        f64::from(dataset.sample_rate_hz()) / f64::from(hop),
        origin.perplexity
    );
    Ok(origin)
}
