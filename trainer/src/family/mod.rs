//! The families of models that can be trained, a folder each.

pub mod ada;
pub mod wavenet;

use crate::config::Family;

/// All of them.
pub const FAMILIES: &[Family] = &[wavenet::FAMILY, ada::FAMILY];
