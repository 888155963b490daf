//! What several workers agree on around a step: where they begin, what the step reports, and whether to stop.

use continuo_package::hash::{Hasher, sha256_hex};

use super::checkpoint::{Progress, vectors};
use super::run::{Run, RunError};
use super::stop::End;
use crate::data::dataset::Dataset;
use crate::peers::{Peers, PeersError, Standing};
use crate::task::{StepReport, Task};

/// Largest relative difference of a gradient's norm between workers. They compute it from the same numbers, so more is a
/// mistake.
const MOST_APART: f64 = 1e-4;
/// Every worker may send so much, however small the model.
const LEAST_BYTES: usize = 4_096;
/// Flags of [`Peers::flags`].
const LIMIT: u8 = 1;
const INTERRUPTED: u8 = 2;

/// Where a run stands, for a meeting of so many workers.
///
/// # Errors
/// If the place in the dataset cannot be written down.
pub fn standing(
    run: &Run,
    dataset: &Dataset,
    progress: &Progress,
    task: &dyn Task,
    workers: usize,
) -> Result<Standing, RunError> {
    let mut hash = Hasher::new();
    let sums = (&progress.cursor, &progress.running_losses, progress.running_steps, task.state());
    let place = serde_json::to_vec(&sums).map_err(|error| RunError::Io {
        file: run.dir.clone(),
        action: "writing down where training stands",
        source: error.into(),
    })?;
    hash.update(place);
    for network in task.networks() {
        hash.update(network.optimiser.steps().to_le_bytes());
    }
    let mut most_bytes = LEAST_BYTES;
    for (name, _, values) in vectors(task) {
        hash.update(format!("\0{name}\0"));
        hash.update(bytemuck::cast_slice(values));
        most_bytes = most_bytes.max(size_of_val(values));
    }
    Ok(Standing {
        trainer_version: env!("CARGO_PKG_VERSION").to_owned(),
        workers,
        config: sha256_hex(run.config.to_toml().as_bytes()),
        dataset: dataset.fingerprint().to_owned(),
        step: progress.step,
        state: hash.finish_hex(),
        most_bytes,
    })
}

/// Makes the report of a worker's rows that of all rows: means of losses, all frames.
///
/// # Errors
/// [`PeersError::Apart`] if the workers did not move the same weights by the same gradient; or if one is lost.
pub fn report(peers: &Peers, step: u64, report: &mut StepReport) -> Result<(), PeersError> {
    if peers.workers() == 1 {
        return Ok(());
    }
    let own = report.losses.values().chain(report.gradient_norms.values()).copied();
    let mut means: Vec<f64> = own.chain([report.frames as f64]).collect();
    peers.figures(&mut means)?;
    let mut means = means.into_iter();
    for (loss, mean) in report.losses.values_mut().zip(&mut means) {
        *loss = mean;
    }
    for ((name, norm), mean) in report.gradient_norms.iter().zip(&mut means) {
        if (norm - mean).abs() > MOST_APART * mean.abs() {
            return Err(PeersError::Apart { step, what: format!("the norm of the gradient of {name}") });
        }
    }
    let frames = means.next().unwrap_or_default();
    // Means of means are means only where all count alike.
    if (frames - report.frames as f64).abs() > 0.0 {
        return Err(PeersError::Apart { step, what: "the number of frames".into() });
    }
    report.frames *= peers.workers() as u64;
    Ok(())
}

/// Whether all stop before this step, because one of them has a reason to.
///
/// # Errors
/// If a worker is lost.
pub fn agree(peers: &Peers, step: u64, wish: Option<End>) -> Result<Option<End>, PeersError> {
    if peers.workers() == 1 {
        return Ok(wish);
    }
    peers.at(step);
    let flag = match wish {
        Some(End::Interrupted) => INTERRUPTED,
        Some(_) => LIMIT,
        None => 0,
    };
    Ok(match peers.flags(flag)? {
        0 => None,
        LIMIT => Some(End::Limit),
        _ => Some(End::Interrupted),
    })
}
