//! What the trainer's graph writer and the engine's kernel agree on for WaveNet: the hyper-parameters and the names of
//! the tensors (van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016, sections 2.1–2.4; the layout of
//! the public tensorflow-wavenet).

use super::shape::{Family, FieldError, Shape};
use crate::graph::{ElementType, GraphId, GraphRole, GraphSpec, StatePair, TensorSpec};
use crate::signal::{Reach, Signal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

mod activation;
pub mod graph;
pub mod names;
mod part;
#[cfg(any(test, feature = "testing"))]
pub mod reference;

pub use activation::Activation;
pub use part::Part;

/// WaveNet: van den Oord et al. 2016, and the systems built on it.
pub const FAMILY: Family = Family { tag: "wavenet", name: "WaveNet", read };

fn read(json: Value) -> Result<Arc<dyn Shape>, serde_json::Error> {
    serde_json::from_value::<WaveNetShape>(json).map(|shape| Arc::new(shape) as Arc<dyn Shape>)
}

/// Hyper-parameters of a WaveNet over codes (van den Oord et al. 2016; Kozakowski & Michalak 2016) or over real values
/// (Kresge & Ratzlaff, *Generative Gated Convolutional Networks for Raw Audio*).
///
/// Axes: `Q` outputs, `R` residual, `D` dilation (gate), `S` skip and `E` end channels, `F` filter width, `G` classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveNetShape {
    /// Codes in, and as many logits out. 0: one real value in, and one out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub levels: u32,
    /// Dilation of each layer, in frames, from the input to the output.
    pub dilations: Vec<u32>,
    /// `F`: taps of every dilated convolution, and of the causal one at the input.
    pub filter_width: u32,
    /// `R`: channels between layers.
    pub residual_channels: u32,
    /// `D`: channels of the gate's output; the dilated convolution makes 2·`D`.
    pub dilation_channels: u32,
    /// `S`: channels summed over layers.
    pub skip_channels: u32,
    /// `E`: channels between the two last 1×1 convolutions.
    pub end_channels: u32,
    /// Whether the convolutions have biases.
    pub biases: bool,
    /// What the sum of the skip paths and the first of the two last convolutions go through.
    #[serde(default, skip_serializing_if = "Activation::is_relu")]
    pub activation: Activation,
    /// What the value goes through that comes out, where it is real.
    #[serde(default = "none", skip_serializing_if = "Activation::is_none")]
    pub output: Activation,
    /// Names of the kinds of recordings that the model was told apart (composers, instruments): the global conditioning of
    /// van den Oord et al. 2016, section 2.5. None: it was told nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

fn none() -> Activation {
    Activation::None
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(levels: &u32) -> bool {
    *levels == 0
}

impl Default for WaveNetShape {
    /// What the 2016 paper has wherever this does not say otherwise: 256 levels, two taps, rectified sums in the head. The sizes are still to be
    /// filled in.
    fn default() -> Self {
        Self {
            levels: 256,
            dilations: Vec::new(),
            filter_width: 2,
            residual_channels: 0,
            dilation_channels: 0,
            skip_channels: 0,
            end_channels: 0,
            biases: true,
            activation: Activation::Relu,
            output: Activation::None,
            classes: Vec::new(),
        }
    }
}

/// The largest value of each hyper-parameter that a package may name: far above any real model, far below what would
/// exhaust memory.
mod limits {
    pub const LEVELS: u32 = 65_536;
    pub const LAYERS: usize = 512;
    pub const DILATION: u32 = 1 << 20;
    pub const FILTER_WIDTH: u32 = 64;
    pub const CHANNELS: u32 = 16_384;
    pub const CLASSES: usize = 256;
    pub const CLASS_NAME: usize = 256;
    pub const WEIGHTS: u64 = 1 << 29;
    pub const STATE: u64 = 1 << 28;
}

impl WaveNetShape {
    /// Dilations 1, 2, 4, … of `layers` layers, `stacks` times over.
    pub fn doubling_dilations(stacks: u32, layers: u32) -> Vec<u32> {
        (0..stacks).flat_map(|_| (0..layers).map(|layer| 1 << layer)).collect()
    }

    /// Frames of the past that decide the next one: the newest frame, (F − 1) for the causal convolution, and
    /// (F − 1) · d for each layer.
    pub fn receptive_field_frames(&self) -> u64 {
        let taps = u64::from(self.filter_width - 1);
        1 + taps + taps * self.dilations.iter().map(|&dilation| u64::from(dilation)).sum::<u64>()
    }

    /// Whether the model takes and gives real values.
    pub fn is_real(&self) -> bool {
        self.levels == 0
    }

    /// `Q`: what comes out for each frame, logits or one value.
    pub fn outputs(&self) -> u32 {
        self.levels.max(1)
    }

    /// Values that a frame's gates are told where they are told something from outside ([`Part::conditioned`]): the 2·`D` of
    /// each layer, from the input to the output.
    pub fn conditioning_channels(&self) -> usize {
        self.dilations.len() * 2 * self.dilation_channels as usize
    }

    /// Number of weights in the exported graph, biases included.
    pub fn parameters(&self) -> u64 {
        let [q, r, d, s, e, f] = [
            self.outputs(),
            self.residual_channels,
            self.dilation_channels,
            self.skip_channels,
            self.end_channels,
            self.filter_width,
        ]
        .map(u64::from);
        let layers = self.dilations.len() as u64;
        let weights = f * q * r + layers * (2 * d * r * f + s * d) + layers.saturating_sub(1) * r * d + e * s + q * e;
        let biases = r + layers * (2 * d + s) + layers.saturating_sub(1) * r + e + q;
        let classes = layers * self.classes.len() as u64 * 2 * d;
        weights + classes + if self.biases { biases } else { 0 }
    }

    /// The boundary of the graph: state in the order of the layers.
    pub fn step_graph(&self) -> GraphSpec {
        self.part_graph(Part::default(), GraphId::of(GraphRole::Step), 1)
    }

    /// As [`WaveNetShape::step_graph`], of a WaveNet that is a part of another family's model and lies in it as this graph, each
    /// of whose steps stands for so many frames of audio.
    pub fn part_graph(&self, part: Part, id: GraphId, hop_frames: u32) -> GraphSpec {
        let history = i64::from(self.filter_width) - 1;
        let (symbol, input, output) = if self.is_real() {
            (ElementType::F32, names::VALUES, names::NEXT_VALUE)
        } else {
            (ElementType::I64, names::CODES, names::LOGITS)
        };
        let causal = StatePair {
            input: names::STATE_CAUSAL.into(),
            output: names::next(names::STATE_CAUSAL),
            element: symbol,
            shape: vec![-1, history],
            initial: f64::from(self.levels / 2),
        };
        let layer = |(layer, &dilation): (usize, &u32)| {
            let input = names::state_layer(layer);
            let output = names::next(&input);
            let shape = vec![-1, i64::from(self.residual_channels), i64::from(dilation) * history];
            StatePair { input, output, element: ElementType::F32, shape, initial: 0.0 }
        };
        let mut inputs = vec![TensorSpec::new(input, symbol, &[-1, -1])];
        if !self.classes.is_empty() {
            inputs.push(TensorSpec::new(names::CLASS, ElementType::I64, &[-1]));
        }
        if part.conditioned {
            let channels = self.conditioning_channels() as i64;
            inputs.push(TensorSpec::new(names::CONDITIONING, ElementType::F32, &[-1, channels, -1]));
        }
        GraphSpec {
            id,
            hop_frames,
            file: format!("{id}.onnx"),
            sha256: String::new(),
            inputs,
            outputs: vec![TensorSpec::new(output, ElementType::F32, &[-1, i64::from(self.outputs()), -1])],
            state: std::iter::once(causal).chain(self.dilations.iter().enumerate().map(layer)).collect(),
        }
    }
}

impl WaveNetShape {
    fn validate_classes(&self) -> Result<(), FieldError> {
        let wrong = |reason: String| Err(("classes".to_owned(), reason));
        let classes = &self.classes;
        if classes.len() > limits::CLASSES {
            return wrong(format!("are {}; the limit is {}", classes.len(), limits::CLASSES));
        }
        if !classes.is_empty() && !self.biases {
            return wrong("are there, but no biases for them to move".into());
        }
        for (index, name) in classes.iter().enumerate() {
            if name.trim().is_empty() || name.len() > limits::CLASS_NAME {
                return wrong("must have short names".into());
            }
            if classes[..index].contains(name) {
                return wrong(format!("name {name:?} twice"));
            }
        }
        Ok(())
    }
}

impl Shape for WaveNetShape {
    fn validate(&self) -> Result<(), FieldError> {
        let within = |field: &str, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err((field.to_owned(), format!("is {value}; it must be from {least} to {most}")))
            }
        };
        if !self.is_real() {
            within("levels", self.levels, 2, limits::LEVELS)?;
        }
        within("filter_width", self.filter_width, 2, limits::FILTER_WIDTH)?;
        within("residual_channels", self.residual_channels, 1, limits::CHANNELS)?;
        within("dilation_channels", self.dilation_channels, 1, limits::CHANNELS)?;
        within("skip_channels", self.skip_channels, 1, limits::CHANNELS)?;
        within("end_channels", self.end_channels, 1, limits::CHANNELS)?;
        if self.dilations.is_empty() || self.dilations.len() > limits::LAYERS {
            return Err((
                "dilations".into(),
                format!("has {} layers; it must have 1 to {}", self.dilations.len(), limits::LAYERS),
            ));
        }
        for &dilation in &self.dilations {
            within("dilations", dilation, 1, limits::DILATION)?;
        }
        if self.output != Activation::None && !(self.is_real() && self.output.is_bounded()) {
            return Err(("output".into(), format!("is {}; logits have none, and a real value a tanh", self.output)));
        }
        self.validate_classes()?;
        let state = u64::from(self.residual_channels) * self.receptive_field_frames();
        if state > limits::STATE {
            return Err(("dilations".into(), format!("need {state} values of state; the limit is {}", limits::STATE)));
        }
        if self.parameters() > limits::WEIGHTS {
            return Err((
                "channels".into(),
                format!("make {} weights; the limit is {}", self.parameters(), limits::WEIGHTS),
            ));
        }
        Ok(())
    }

    fn check_signal(&self, signal: Signal) -> Result<(), String> {
        match signal.levels() {
            None if self.is_real() => Ok(()),
            Some(levels) if levels == self.levels => Ok(()),
            _ if self.is_real() => Err(format!("is {signal}; the architecture has real values")),
            _ => Err(format!("is {signal}; the architecture has {} levels", self.levels)),
        }
    }

    fn reach(&self) -> Reach {
        Reach::Frames { frames: self.receptive_field_frames() }
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn parameters(&self) -> u64 {
        Self::parameters(self)
    }

    fn graphs(&self) -> Vec<GraphSpec> {
        vec![self.step_graph()]
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piano_2016() -> WaveNetShape {
        WaveNetShape {
            levels: 256,
            dilations: WaveNetShape::doubling_dilations(5, 11),
            filter_width: 2,
            residual_channels: 64,
            dilation_channels: 64,
            skip_channels: 1024,
            end_channels: 1024,
            ..WaveNetShape::default()
        }
    }

    #[test]
    fn receptive_field_is_the_blog_posts() {
        // 5 × (2^11 − 1) + 2: the blog post says about 10 237 frames, 0.64 s at 16 kHz.
        assert_eq!(piano_2016().receptive_field_frames(), 10_237);
    }

    #[test]
    fn receptive_fields_of_long_dilations_are_the_papers() {
        // Kresge & Ratzlaff: five stacks of dilations 1 to 4096 see "nearly 3 s" at 16 kHz.
        let long = |stacks, layers| WaveNetShape {
            dilations: WaveNetShape::doubling_dilations(stacks, layers),
            ..piano_2016()
        };
        assert_eq!(long(5, 13).receptive_field_frames(), 5 * 8191 + 2);
        let seconds = long(5, 13).receptive_field_frames() as f64 / 16_000.0;
        assert!((2.5..3.0).contains(&seconds), "{seconds} s");
        // One stack of 1 to 16 384.
        assert_eq!(long(1, 15).receptive_field_frames(), 32_767 + 2);
    }

    #[test]
    fn what_the_2016_paper_has_is_written_as_before() {
        let json = piano_2016().to_json();
        for added in ["activation", "output", "classes"] {
            assert!(json.get(added).is_none(), "{added}");
        }
        assert_eq!(serde_json::from_value::<WaveNetShape>(json).ok(), Some(piano_2016()));
        let real = WaveNetShape { levels: 0, output: Activation::ScaledTanh, ..piano_2016() };
        assert!(real.to_json().get("levels").is_none());
        assert_eq!(serde_json::from_value::<WaveNetShape>(real.to_json()).ok(), Some(real));
    }

    #[test]
    fn parameters_count_every_tensor() {
        // 55 layers of dilated (128·64·2 + 128), skip (1024·64 + 1024); 54 residual (64·64 + 64); causal and the end.
        let expected = 55 * (16_384 + 128 + 65_536 + 1024)
            + 54 * (4096 + 64)
            + (2 * 256 * 64 + 64)
            + (1024 * 1024 + 1024)
            + (256 * 1024 + 256);
        assert_eq!(piano_2016().parameters(), expected);
    }

    #[test]
    fn absurd_shapes_are_refused_by_field() {
        assert!(piano_2016().validate().is_ok());
        let refused = |change: fn(&mut WaveNetShape)| {
            let mut shape = piano_2016();
            change(&mut shape);
            shape.validate().err().map(|(field, _)| field)
        };
        assert_eq!(refused(|shape| shape.filter_width = 0), Some("filter_width".into()));
        assert_eq!(refused(|shape| shape.levels = 1), Some("levels".into()));
        assert_eq!(refused(|shape| shape.output = Activation::Tanh), Some("output".into()));
        assert_eq!(refused(|shape| (shape.levels, shape.output) = (0, Activation::Relu)), Some("output".into()));
        assert_eq!(refused(|shape| (shape.levels, shape.output) = (0, Activation::ScaledTanh)), None);
        assert_eq!(refused(|shape| shape.classes = vec!["a".into(), "a".into()]), Some("classes".into()));
        assert_eq!(refused(|shape| shape.classes = vec![" ".into()]), Some("classes".into()));
        assert_eq!(refused(|shape| (shape.biases, shape.classes) = (false, vec!["a".into()])), Some("classes".into()));
        assert_eq!(refused(|shape| shape.skip_channels = u32::MAX), Some("skip_channels".into()));
        assert_eq!(refused(|shape| shape.dilations.clear()), Some("dilations".into()));
        assert_eq!(refused(|shape| shape.dilations = vec![0]), Some("dilations".into()));
        assert_eq!(refused(|shape| shape.dilations = vec![1 << 20; 512]), Some("dilations".into()));
        assert_eq!(refused(|shape| shape.end_channels = 16_384), None);
    }
}
