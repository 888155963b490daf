//! Which engine this is.

/// The engine's version, part of every take's recipe.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
