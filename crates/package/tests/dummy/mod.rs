//! A family that is nowhere but in the tests: what adding one takes.

use continuo_package::family::FieldError;
use continuo_package::{ElementType, Family, GraphId, GraphRole, GraphSpec, Reach, Shape, Signal, TensorSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Makes four frames of stereo out of a latent, on one or more levels.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dummy {
    pub frames: u64,
    pub levels: u32,
    /// Weights that nobody has counted.
    #[serde(default)]
    pub claimed_weights: u64,
}

pub const DUMMY: Family = Family { tag: "dummy", name: "dummy", read };

fn read(json: Value) -> Result<Arc<dyn Shape>, serde_json::Error> {
    serde_json::from_value::<Dummy>(json).map(|shape| Arc::new(shape) as Arc<dyn Shape>)
}

impl Dummy {
    pub fn new(frames: u64, levels: u32) -> Self {
        Self { frames, levels, claimed_weights: 0 }
    }

    pub fn generators(&self) -> Vec<GraphSpec> {
        let tensor = |name: &str| TensorSpec::new(name, ElementType::F32, &[-1, 4]);
        let graph = |level| GraphSpec {
            id: GraphId { role: GraphRole::Generator, level },
            hop_frames: 8u32.pow(level),
            file: if level == 0 { "generator.onnx".into() } else { format!("generator-{level}.onnx") },
            sha256: String::new(),
            inputs: vec![tensor("latent")],
            outputs: vec![tensor("audio")],
            state: vec![],
        };
        (0..self.levels).map(graph).collect()
    }
}

impl Shape for Dummy {
    fn validate(&self) -> Result<(), FieldError> {
        if self.frames == 0 { Err(("frames".into(), "is 0".into())) } else { Ok(()) }
    }

    fn check_signal(&self, signal: Signal) -> Result<(), String> {
        if signal == Signal::Real { Ok(()) } else { Err("is not real".into()) }
    }

    fn reach(&self) -> Reach {
        Reach::None { length_frames: self.frames }
    }

    fn channels(&self) -> u16 {
        2
    }

    fn parameters(&self) -> u64 {
        4 * u64::from(self.levels) + self.claimed_weights
    }

    fn graphs(&self) -> Vec<GraphSpec> {
        self.generators()
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
