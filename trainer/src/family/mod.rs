//! The families of models that can be trained, a folder each.

pub mod wavenet;

use crate::config::Family;

/// All of them.
pub const FAMILIES: &[Family] = &[wavenet::FAMILY];
