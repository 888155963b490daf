//! How takes are exported.

/// What of a variation is written, and at which rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// The seed clip, then the continuation; else the continuation alone.
    pub with_seed: bool,
    /// The model's own rate; else the host's.
    pub model_rate: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { with_seed: true, model_rate: false }
    }
}
