//! Why workers cannot train together.

/// What to do when a run has lost a worker.
pub(super) const GO_ON: &str =
    "What was trained is in the run's checkpoints: `continuo-trainer resume` goes on, with as many workers as you like";

/// A run that several workers train cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeersError {
    /// A batch has no equal share for every worker.
    #[error(
        "`batch` is {sequences}, which {workers} workers cannot share evenly; make it a multiple of {workers}, or take another \
         number of workers"
    )]
    Uneven {
        /// Sequences of a batch.
        sequences: usize,
        /// How many workers.
        workers: usize,
    },
    /// The address cannot be listened at or called.
    #[error("{address}: {reason}. Give --meet HOST:PORT, an address of worker 0 that all workers reach")]
    Address {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// Not all workers came.
    #[error("{missing} did not come within {seconds} s{refused}")]
    Missing {
        /// Who, in words.
        missing: String,
        /// How long worker 0 waited.
        seconds: u64,
        /// Who was refused last and why, as the end of a sentence; or nothing.
        refused: String,
    },
    /// The meeting was called off.
    #[error("{0}")]
    CalledOff(String),
    /// Worker 0 does not train with this one.
    #[error("worker {worker} is refused by worker 0: {reason}")]
    Refused {
        /// This worker.
        worker: usize,
        /// What differs.
        reason: String,
    },
    /// A worker no longer answers.
    #[error("worker {worker} is lost at step {step}: {reason}. {GO_ON}")]
    Gone {
        /// Which.
        worker: usize,
        /// The step that was being made, counted from 1.
        step: u64,
        /// What became of its connection.
        reason: String,
    },
    /// A worker has ended with an error.
    #[error("worker {worker} has stopped at step {step}: {reason}. {GO_ON}")]
    Left {
        /// Which.
        worker: usize,
        /// The step that was being made, counted from 1.
        step: u64,
        /// Its error.
        reason: String,
    },
    /// A worker does something else than this one.
    #[error("worker {worker} stands elsewhere than this one: it sent {theirs}, and {ours} was due. {GO_ON}")]
    OutOfStep {
        /// Which.
        worker: usize,
        /// What it sent, in words.
        theirs: String,
        /// What was expected.
        ours: String,
    },
    /// Workers that should have computed the same have not.
    #[error("step {step}: {what} differs between workers; they no longer train the same model. {GO_ON}")]
    Apart {
        /// The step, counted from 1.
        step: u64,
        /// Which figure.
        what: String,
    },
}
