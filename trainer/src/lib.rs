//! Continuo's trainer: recordings → dataset → model → training → checkpoint → model package.
//!
//! The program is `continuo-trainer` (`main.rs`); everything it does is here, so that tests can call it.

pub mod audit;
pub mod bench;
pub mod check;
pub mod cli;
pub mod codes;
pub mod config;
pub mod data;
pub mod defaults;
pub mod device;
pub mod evaluate;
pub mod export;
pub mod family;
pub mod golden;
pub mod inspect;
pub mod kernels;
pub mod names;
pub mod nn;
pub mod peers;
pub mod plan;
pub mod prepare;
pub mod random;
pub mod render;
pub mod report;
pub mod task;
pub mod train;
pub mod training;
pub mod workers;
