//! Whether a native kernel computes what the graph says.

/// What is known about the agreement of a kernel with ONNX Runtime on one graph.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// They agree.
    Agrees {
        /// Largest difference between two logits.
        by: f32,
    },
    /// They do not.
    Differs {
        /// Largest difference between two logits.
        by: f32,
        /// The largest that would have been allowed.
        allowed: f32,
    },
    /// The library was not at hand, or no check was asked for.
    NotChecked,
    /// ONNX Runtime could not run the graph.
    Failed {
        /// What it said.
        reason: String,
    },
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agrees { by } => write!(f, "which agrees with ONNX Runtime to {by:.1e}"),
            Self::Differs { by, allowed } => {
                write!(f, "which differs from ONNX Runtime by {by:.1e} (allowed: {allowed:.1e})")
            }
            Self::NotChecked => write!(f, "not checked against ONNX Runtime"),
            Self::Failed { reason } => write!(f, "not checked, because ONNX Runtime failed: {reason}"),
        }
    }
}
