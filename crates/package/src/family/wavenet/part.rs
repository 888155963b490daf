//! A WaveNet that is a part of another family's model.

/// How a WaveNet that is a part of another family's model differs from one that is a model. The default: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// Stands before the names of all weights, for example `decoder.`.
    pub prefix: &'static str,
    /// Whether the gates are told something from outside at every frame:
    /// [`CONDITIONING`](super::names::CONDITIONING).
    pub conditioned: bool,
    /// Whether a code enters as one amplitude, in equal steps from −1 (code 0) to 1 (the last), and not as the row of a table. Codes
    /// of a companded signal are companded amplitudes then.
    pub amplitudes: bool,
}

impl Part {
    /// The name of a weight, which [`super::names`] gives, in such a model.
    pub fn weight(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
