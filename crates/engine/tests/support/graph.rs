//! WaveNet graphs with random weights.

use continuo_package::family::wavenet::graph::step_graph;
use continuo_package::family::wavenet::{Activation, WaveNetShape};
use continuo_package::onnx::ModelProto;

/// `SplitMix64` (Steele, Lea & Flood, 2014): enough for weights and clips that are the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From −1 to 1.
    pub fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Thirty layers of 64 residual, 64 gate and 256 skip channels: the network of the timing tables.
pub fn thirty_layers() -> WaveNetShape {
    WaveNetShape {
        levels: 256,
        dilations: WaveNetShape::doubling_dilations(3, 10),
        filter_width: 2,
        residual_channels: 64,
        dilation_channels: 64,
        skip_channels: 256,
        end_channels: 256,
        ..WaveNetShape::default()
    }
}

/// `wavenet-piano-2016`: the system of Kozakowski & Michalak's blog post.
pub fn piano_2016() -> WaveNetShape {
    WaveNetShape {
        dilations: WaveNetShape::doubling_dilations(5, 11),
        skip_channels: 1024,
        end_channels: 1024,
        ..thirty_layers()
    }
}

/// Small, with no axis a multiple of a vector, three taps and no biases: what a mistake in padding shows in.
pub fn crooked() -> WaveNetShape {
    WaveNetShape {
        levels: 61,
        dilations: vec![1, 3, 2, 5],
        filter_width: 3,
        residual_channels: 19,
        dilation_channels: 21,
        skip_channels: 37,
        end_channels: 70,
        biases: false,
        ..WaveNetShape::default()
    }
}

/// As crooked, over real values, with each of the functions that a head may have.
pub fn real() -> WaveNetShape {
    let (activation, output) = (Activation::Tanh, Activation::ScaledTanh);
    WaveNetShape { levels: 0, activation, output, biases: true, ..crooked() }
}

/// As crooked, told one of three classes, and without functions in its head.
pub fn told() -> WaveNetShape {
    let classes = ["grand", "upright", "harpsichord"].map(String::from).to_vec();
    WaveNetShape { classes, biases: true, activation: Activation::None, ..crooked() }
}

/// Small and quick, with the proportions of a real one.
pub fn small() -> WaveNetShape {
    WaveNetShape {
        levels: 256,
        dilations: WaveNetShape::doubling_dilations(2, 6),
        filter_width: 2,
        residual_channels: 32,
        dilation_channels: 32,
        skip_channels: 64,
        end_channels: 64,
        ..WaveNetShape::default()
    }
}

/// The graph of a WaveNet with random weights.
pub fn wavenet_graph(shape: &WaveNetShape, rng_seed: u64) -> ModelProto {
    let mut random = Random(rng_seed);
    step_graph(shape, |name, axes| {
        // Uniform with the variance that keeps a signal's level (Glorot & Bengio 2010), a little more for lively logits.
        let fan_in: usize = if axes.len() == 3 { axes[1] * axes[2] } else { 3 };
        let bound = (3.0 / fan_in as f32).sqrt() * if name.starts_with("end.1") { 3.0 } else { 1.0 };
        (0..axes.iter().product()).map(|_| random.signed() * bound).collect()
    })
}
