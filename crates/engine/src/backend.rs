//! What computes a model, and the choices in loading it.

use crate::kernels::{Kernel, Precision};
use crate::runtime::Runtime;
use crate::verdict::Verdict;

/// Most that a precision may add to the held-out loss to be chosen without being asked for: 0.01 bits per frame.
pub const MOST_LOSS_NATS: f64 = 0.01 * std::f64::consts::LN_2;

/// How a model's frames are to be stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stepping {
    /// The native kernel where there is one and, the library being at hand, it agrees with ONNX Runtime; else ONNX
    /// Runtime.
    #[default]
    Auto,
    /// The native kernel, unchecked.
    Native,
    /// ONNX Runtime.
    OnnxRuntime,
}

/// Choices in loading a model.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// ONNX Runtime, where it is at hand.
    pub runtime: Option<Runtime>,
    /// How frames are stepped.
    pub stepping: Stepping,
    /// The native kernel; the fastest of this processor where none is given.
    pub kernel: Option<Kernel>,
    /// In what the native kernel multiplies where a request does not say; `None` takes the fastest precision whose measured
    /// loss, as the package tells it, is within [`MOST_LOSS_NATS`] of f32's, and f32 where it tells none.
    pub precision: Option<Precision>,
}

/// What was chosen to compute a model, and why. Its text is a sentence part for a user.
#[derive(Debug, Clone, PartialEq)]
pub enum Backend {
    /// The native kernel.
    Native {
        /// The instruction set.
        kernel: &'static str,
        /// In what it multiplies.
        precision: Precision,
        /// What is known about its agreement with ONNX Runtime.
        verdict: Verdict,
    },
    /// ONNX Runtime.
    OnnxRuntime {
        /// Why not the kernel.
        reason: String,
    },
}

impl Backend {
    /// In what products are computed: ONNX Runtime computes in f32 whatever is asked for.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Native { precision, .. } => *precision,
            Self::OnnxRuntime { .. } => Precision::F32,
        }
    }

    /// The name of what computes, without the reasons.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native { kernel, .. } => kernel,
            Self::OnnxRuntime { .. } => "ONNX Runtime",
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Native { kernel, precision, verdict } => write!(f, "the {kernel} kernel in {precision}, {verdict}"),
            Self::OnnxRuntime { reason } => write!(f, "ONNX Runtime, because {reason}"),
        }
    }
}
