//! The graphs of a package as the manifest describes them: what each is for, and what goes in and comes out.

use serde::{Deserialize, Serialize};

/// What a graph is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphRole {
    /// A causal graph over `T` steps with explicit state: primes on a whole clip and steps one frame.
    Step,
    /// Latent → audio.
    Generator,
    /// Audio → latent or codes.
    Encoder,
    /// Codes → conditioning.
    Modulator,
    /// A causal graph over codes.
    Prior,
}

impl std::fmt::Display for GraphRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Step => "step",
            Self::Generator => "generator",
            Self::Encoder => "encoder",
            Self::Modulator => "modulator",
            Self::Prior => "prior",
        })
    }
}

/// Which graph of a package: models of several levels have one of a role at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GraphId {
    /// What it is for.
    pub role: GraphRole,
    /// How far it is from the audio: 0 reads or writes audio, 1 the codes of level 0, and so on.
    #[serde(default)]
    pub level: u32,
}

impl GraphId {
    /// The only graph of a role, or the one that is nearest to the audio.
    pub const fn of(role: GraphRole) -> Self {
        Self { role, level: 0 }
    }
}

impl std::fmt::Display for GraphId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.level {
            0 => self.role.fmt(f),
            level => write!(f, "{}.{level}", self.role),
        }
    }
}

/// One ONNX graph of a package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GraphSpec {
    /// Which one it is.
    #[serde(flatten)]
    pub id: GraphId,
    /// Frames of audio per step of the graph's time axis: 1 at the rate of the audio, 8 for codes of eight frames each.
    pub hop_frames: u32,
    /// The entry in the archive, for example `step.onnx`. A plain file name.
    pub file: String,
    /// SHA-256 of the entry, hexadecimal.
    pub sha256: String,
    /// Inputs that are not state, in the graph's order.
    pub inputs: Vec<TensorSpec>,
    /// Outputs that are not state, in the graph's order.
    pub outputs: Vec<TensorSpec>,
    /// State that goes in at one run and comes out for the next.
    #[serde(default)]
    pub state: Vec<StatePair>,
}

/// A named tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// Its element type.
    pub element: ElementType,
    /// Its axes: a length, or −1 where the caller chooses (`B` variations, `T` steps).
    pub shape: Vec<i64>,
}

impl TensorSpec {
    /// A tensor of this name, element type and axes.
    pub fn new(name: impl Into<String>, element: ElementType, shape: &[i64]) -> Self {
        Self { name: name.into(), element, shape: shape.to_vec() }
    }
}

/// A state tensor: the output of one run is the input of the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatePair {
    /// Name of the input.
    pub input: String,
    /// Name of the output; same shape.
    pub output: String,
    /// Element type of both.
    pub element: ElementType,
    /// Axes of both; −1 is the number of variations.
    pub shape: Vec<i64>,
    /// The value of every element before the first step.
    pub initial: f64,
}

/// Element types that graphs use at their boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// 64-bit integer.
    I64,
}
