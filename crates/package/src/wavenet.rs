//! What the trainer's graph writer and the engine's kernel agree on for WaveNet: the hyper-parameters and the names of
//! the tensors (van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016, sections 2.1–2.4; the layout of
//! the public tensorflow-wavenet).

use serde::{Deserialize, Serialize};

/// Hyper-parameters of a WaveNet over quantised audio.
///
/// Axes: `Q` levels, `R` residual, `D` dilation (gate), `S` skip and `E` end channels, `F` filter width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveNetShape {
    /// `Q`: codes in, classes out.
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
}

/// The largest value of each hyper-parameter that a package may name: far above any real model, far below what would
/// exhaust memory.
mod limits {
    pub const LEVELS: u32 = 65_536;
    pub const LAYERS: usize = 512;
    pub const DILATION: u32 = 1 << 20;
    pub const FILTER_WIDTH: u32 = 64;
    pub const CHANNELS: u32 = 16_384;
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

    /// Number of weights in the exported graph, biases included.
    pub fn parameters(&self) -> u64 {
        let [q, r, d, s, e, f] = [
            self.levels,
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
        weights + if self.biases { biases } else { 0 }
    }

    /// Checks that every hyper-parameter is one that a real model could have.
    ///
    /// # Errors
    /// The field and what is wrong with it, to be shown behind the file's name.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        let within = |field, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err((field, format!("is {value}; it must be from {least} to {most}")))
            }
        };
        within("levels", self.levels, 2, limits::LEVELS)?;
        within("filter_width", self.filter_width, 2, limits::FILTER_WIDTH)?;
        within("residual_channels", self.residual_channels, 1, limits::CHANNELS)?;
        within("dilation_channels", self.dilation_channels, 1, limits::CHANNELS)?;
        within("skip_channels", self.skip_channels, 1, limits::CHANNELS)?;
        within("end_channels", self.end_channels, 1, limits::CHANNELS)?;
        if self.dilations.is_empty() || self.dilations.len() > limits::LAYERS {
            return Err((
                "dilations",
                format!("has {} layers; it must have 1 to {}", self.dilations.len(), limits::LAYERS),
            ));
        }
        for &dilation in &self.dilations {
            within("dilations", dilation, 1, limits::DILATION)?;
        }
        let state = u64::from(self.residual_channels) * self.receptive_field_frames();
        if state > limits::STATE {
            return Err(("dilations", format!("need {state} values of state; the limit is {}", limits::STATE)));
        }
        if self.parameters() > limits::WEIGHTS {
            return Err(("channels", format!("make {} weights; the limit is {}", self.parameters(), limits::WEIGHTS)));
        }
        Ok(())
    }
}

/// Names of the tensors in a WaveNet graph.
pub mod names {
    /// Input, int64 `[B, T]`: codes of the newest frames.
    pub const CODES: &str = "codes";
    /// Output, f32 `[B, Q, T]`: unnormalised log-probabilities of the frame after each input frame.
    pub const LOGITS: &str = "logits";
    /// State, int64 `[B, F − 1]`: the codes before `codes`. Initially silence.
    pub const STATE_CAUSAL: &str = "state.causal";
    /// Bias `[R]` of the causal convolution.
    pub const CAUSAL_BIAS: &str = "causal.bias";

    /// Weight `[Q, R]` of one tap of the causal convolution; the last tap is the newest frame.
    pub fn causal_tap(tap: usize) -> String {
        format!("causal.tap{tap}.weight")
    }

    /// State, f32 `[B, R, d·(F − 1)]`: the inputs of a layer before the newest frames. Initially zero.
    pub fn state_layer(layer: usize) -> String {
        format!("state.layer.{layer}")
    }

    /// The output that becomes the state of this name.
    pub fn next(state: &str) -> String {
        format!("next_{state}")
    }

    /// Weight `[2D, R, F]` of a layer's dilated convolution: the first `D` rows for tanh, the others for the sigmoid.
    pub fn dilated_weight(layer: usize) -> String {
        format!("layer.{layer}.dilated.weight")
    }

    /// Bias `[2D]` of a layer's dilated convolution.
    pub fn dilated_bias(layer: usize) -> String {
        format!("layer.{layer}.dilated.bias")
    }

    /// Weight `[R, D, 1]` of a layer's residual path. The last layer has none.
    pub fn residual_weight(layer: usize) -> String {
        format!("layer.{layer}.residual.weight")
    }

    /// Bias `[R]` of a layer's residual path.
    pub fn residual_bias(layer: usize) -> String {
        format!("layer.{layer}.residual.bias")
    }

    /// Weight `[S, D, 1]` of a layer's skip path.
    pub fn skip_weight(layer: usize) -> String {
        format!("layer.{layer}.skip.weight")
    }

    /// Bias `[S]` of a layer's skip path.
    pub fn skip_bias(layer: usize) -> String {
        format!("layer.{layer}.skip.bias")
    }

    /// Weight of the last 1×1 convolutions: `end(0)` is `[E, S, 1]`, `end(1)` is `[Q, E, 1]`.
    pub fn end_weight(index: usize) -> String {
        format!("end.{index}.weight")
    }

    /// Bias of the last 1×1 convolutions: `[E]` and `[Q]`.
    pub fn end_bias(index: usize) -> String {
        format!("end.{index}.bias")
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
            biases: true,
        }
    }

    #[test]
    fn receptive_field_is_the_blog_posts() {
        // 5 × (2^11 − 1) + 2: the blog post says about 10 237 frames, 0.64 s at 16 kHz.
        assert_eq!(piano_2016().receptive_field_frames(), 10_237);
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
        assert_eq!(refused(|shape| shape.filter_width = 0), Some("filter_width"));
        assert_eq!(refused(|shape| shape.levels = 1), Some("levels"));
        assert_eq!(refused(|shape| shape.skip_channels = u32::MAX), Some("skip_channels"));
        assert_eq!(refused(|shape| shape.dilations.clear()), Some("dilations"));
        assert_eq!(refused(|shape| shape.dilations = vec![0]), Some("dilations"));
        assert_eq!(refused(|shape| shape.dilations = vec![1 << 20; 512]), Some("dilations"));
        assert_eq!(refused(|shape| shape.end_channels = 16_384), None);
    }
}
