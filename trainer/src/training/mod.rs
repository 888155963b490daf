//! Training: from a configuration and a dataset to checkpoints. It knows tasks, and no family.

pub mod checkpoint;
#[cfg(unix)]
mod hangup;
pub mod log;
pub mod preview;
pub mod run;
pub mod run_file;
pub mod stop;
mod telling;
pub mod tensorboard;
pub mod together;
pub mod trainer;
pub mod view;
