//! WaveNet (van den Oord et al. 2016) as a thing to be trained.
//!
//! [`fused`] is written by hand for CPUs; [`network`] is the same network in Burn's operations, for GPUs and as the
//! reference that the tests hold the first against. Both read the same flat vector of weights ([`parameters`]) and give
//! back a gradient of the same layout.

pub mod compute;
pub mod config;
pub mod device_batch;
pub mod export;
pub mod fused;
pub mod guarded;
pub mod initial;
pub mod layout;
pub mod network;
pub mod open;
pub mod optimisation;
pub mod parameters;
pub mod parity;
pub mod pass;
pub mod products;
pub mod sequence;
pub mod signal;
pub mod task;
mod value_parity;

pub use compute::{Compute, ComputeError};
pub use sequence::Sequence;

use crate::config::Family;

/// What the registry of families holds.
pub const FAMILY: Family = Family { name: config::NAME, parse: |text| Ok(Box::new(config::Config::parse(text)?)) };
