//! Names of the tensors in the graphs of a discrete autoencoder. Local models and the prior have the names of
//! [`wavenet::names`](crate::family::wavenet::names) behind `decoder.` and `prior.`.

pub use crate::family::wavenet::names::{CODES, CONDITIONING, LOGITS};

/// A level's codes, int64 `[B, T]`: output of its encoder, input of its modulator.
pub const LEVEL_CODES: &str = "level_codes";
/// The codebook `[K, C]` of a level with vector quantisation; the same values in its encoder and in its modulator.
pub const CODEBOOK: &str = "codebook";

/// Which of the two stacks of convolutions a tensor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// From symbols to codes.
    Encoder,
    /// From codes to biases.
    Modulator,
}

impl Stack {
    fn prefix(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Modulator => "modulator",
        }
    }

    /// What the symbols or codes are multiplied with first. One row of `W` channels per symbol, `[Q, W]` or `[K, W]`; one row
    /// `[1, W]` for amplitudes; `[W, C, 1]` behind a codebook.
    pub fn input_weight(self) -> String {
        format!("{}.input.weight", self.prefix())
    }

    /// Bias `[W]`.
    pub fn input_bias(self) -> String {
        format!("{}.input.bias", self.prefix())
    }

    /// Weight `[W, W, F]` of a block's dilated convolution.
    pub fn dilated_weight(self, block: u32) -> String {
        format!("{}.block.{block}.dilated.weight", self.prefix())
    }

    /// Bias `[W]` of a block's dilated convolution.
    pub fn dilated_bias(self, block: u32) -> String {
        format!("{}.block.{block}.dilated.bias", self.prefix())
    }

    /// Weight `[W, W, 1]` of the convolution behind it.
    pub fn mix_weight(self, block: u32) -> String {
        format!("{}.block.{block}.mix.weight", self.prefix())
    }

    /// Bias `[W]` of that.
    pub fn mix_bias(self, block: u32) -> String {
        format!("{}.block.{block}.mix.bias", self.prefix())
    }

    /// Weight of the last 1×1 convolution, behind a `ReLU`: the encoder's, of what was averaged over the hop, `[C or K, W, 1]`; the
    /// modulator's, which holds the projections for all layers of the local model one after another, `[L·2D, W, 1]`.
    pub fn output_weight(self) -> String {
        format!("{}.output.weight", self.prefix())
    }

    /// Bias `[C or K]` or `[L·2D]` of that.
    pub fn output_bias(self) -> String {
        format!("{}.output.bias", self.prefix())
    }
}
