//! Continuo's trainer: recordings → dataset → model → training → checkpoint → model package.
//!
//! The program is `continuo-trainer` (`main.rs`); everything it does is here, so that tests can call it.

pub mod cli;
pub mod config;
pub mod dataset;
pub mod device;
pub mod export;
pub mod inspect;
pub mod kernels;
pub mod names;
pub mod prepare;
pub mod render;
pub mod rng;
pub mod train;
pub mod training;
pub mod wavenet;
