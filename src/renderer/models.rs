//! Loaded models by content hash.
