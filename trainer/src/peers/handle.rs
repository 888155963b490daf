//! What the training loop, networks and tasks know of the other workers.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::PeersError;
use super::frame::Kind;
use super::star::Star;

/// One worker among those that train a run together; alone, everything here costs nothing and changes nothing.
///
/// All workers call the same methods in the same order; each call waits until all have come to it.
#[derive(Clone)]
pub struct Peers {
    worker: usize,
    workers: usize,
    star: Option<Arc<Mutex<Star>>>,
}

impl Default for Peers {
    fn default() -> Self {
        Self { worker: 0, workers: 1, star: None }
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} of {}", self.worker, self.workers)
    }
}

/// The rows of a batch that are one worker's.
///
/// # Errors
/// [`PeersError::Uneven`].
pub fn share(sequences: usize, worker: usize, workers: usize) -> Result<Range<usize>, PeersError> {
    if !sequences.is_multiple_of(workers) {
        return Err(PeersError::Uneven { sequences, workers });
    }
    let rows = sequences / workers;
    Ok(worker * rows..(worker + 1) * rows)
}

impl Peers {
    /// A worker of so many, connected.
    pub fn new(worker: usize, workers: usize, star: Star) -> Self {
        Self { worker, workers, star: Some(Arc::new(Mutex::new(star))) }
    }

    /// Which one this is, counted from 0.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// How many there are.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Whether this is the one that keeps the run.
    pub fn leads(&self) -> bool {
        self.worker == 0
    }

    /// The rows of a batch of so many sequences that are this worker's.
    ///
    /// # Errors
    /// [`PeersError::Uneven`].
    pub fn rows(&self, sequences: usize) -> Result<Range<usize>, PeersError> {
        share(sequences, self.worker, self.workers)
    }

    fn star(&self) -> Option<MutexGuard<'_, Star>> {
        self.star.as_ref().map(|star| star.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on exchanges belong to this step of the run, counted from 0.
    pub fn at(&self, step: u64) {
        if let Some(mut star) = self.star() {
            star.at(step);
        }
    }

    /// Replaces numbers by their means over all workers, added up in the workers' order: a gradient, or counts of a batch.
    ///
    /// # Errors
    /// [`PeersError`] if a worker is lost; the values are then of no use.
    pub fn mean(&self, values: &mut [f32]) -> Result<(), PeersError> {
        let Some(mut star) = self.star() else { return Ok(()) };
        let workers = self.workers as f32;
        let add =
            |_, sum: &mut [f32], theirs: &[f32]| sum.iter_mut().zip(theirs).for_each(|(sum, value)| *sum += value);
        star.exchange(Kind::Mean, values, add, |sum| sum.iter_mut().for_each(|sum| *sum /= workers))
    }

    /// The same of figures in double precision.
    ///
    /// # Errors
    /// As [`Peers::mean`].
    pub fn figures(&self, values: &mut [f64]) -> Result<(), PeersError> {
        let Some(mut star) = self.star() else { return Ok(()) };
        let workers = self.workers as f64;
        let add =
            |_, sum: &mut [f64], theirs: &[f64]| sum.iter_mut().zip(theirs).for_each(|(sum, value)| *sum += value);
        star.exchange(Kind::Figures, values, add, |sum| sum.iter_mut().for_each(|sum| *sum /= workers))
    }

    /// The bits that any worker has set.
    ///
    /// # Errors
    /// As [`Peers::mean`].
    pub fn flags(&self, set: u8) -> Result<u8, PeersError> {
        let Some(mut star) = self.star() else { return Ok(set) };
        let mut all = [set];
        star.exchange(Kind::Flags, &mut all, |_, all, theirs| all[0] |= theirs[0], |_| ())?;
        Ok(all[0])
    }

    /// Completes a tensor whose first axis is the batch's sequences and of which each worker has its own rows: a state that
    /// is carried from batch to batch.
    ///
    /// # Errors
    /// As [`Peers::mean`]; [`PeersError::Uneven`] if the tensor has no equal share for every worker.
    pub fn gather(&self, values: &mut [f32]) -> Result<(), PeersError> {
        let Some(mut star) = self.star() else { return Ok(()) };
        share(values.len(), 0, self.workers)?;
        let part = values.len() / self.workers;
        let place = |worker: usize, all: &mut [f32], theirs: &[f32]| {
            let rows = worker * part..(worker + 1) * part;
            all[rows.clone()].copy_from_slice(&theirs[rows]);
        };
        star.exchange(Kind::Rows, values, place, |_| ())
    }

    /// Whether the present step failed at its first exchange, so that nothing has been changed by it.
    pub fn failed_at_once(&self) -> bool {
        self.star().is_some_and(|star| star.failed_at_once())
    }

    /// Tells the others that this worker ends, and why.
    pub fn leave(&self, reason: &str) {
        if let Some(mut star) = self.star() {
            star.leave(reason);
        }
    }
}
