//! One level: encoder, quantiser, modulator and local model.

use crate::family::shape::FieldError;
use crate::family::wavenet::WaveNetShape;
use serde::{Deserialize, Serialize};

/// The largest value of each hyper-parameter that a package may name.
mod limits {
    pub const HOP: u32 = 4096;
    pub const CODES: u32 = 65_536;
    pub const CHANNELS: u32 = 16_384;
    pub const BLOCKS: u32 = 256;
    pub const CYCLE: u32 = 16;
    pub const FILTER_WIDTH: u32 = 63;
    pub const CONDITIONING: usize = 1 << 22;
}

/// How the encoder's output becomes a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantiser {
    /// Vector quantisation: the code of the nearest vector of the codebook (van den Oord et al. 2017; section 3.1).
    Vq,
    /// Argmax autoencoder: the largest of the channels after a `ReLU`, the first of equal ones (section 3.2).
    Amae,
    /// The same with a softmax in training, whose largest channel is the largest before it (appendix).
    SoftmaxAmae,
}

/// A stack of residual blocks without causality, at one rate: `ReLU`, a dilated convolution, `ReLU`, a 1×1 convolution, added to what
/// went in. Dilations are 1, 2, 4, … 2^(cycle − 1), and again from 1. Sequences are padded with zeros at their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convolutions {
    /// Residual blocks.
    pub blocks: u32,
    /// Blocks until the dilations begin again.
    pub cycle: u32,
    /// `F`: taps of the dilated convolutions; odd, so that they look as far back as ahead. The paper has 3.
    pub filter_width: u32,
    /// `W`: channels between blocks and within.
    pub channels: u32,
}

impl Convolutions {
    /// Dilation of a block's convolution, in steps.
    pub fn dilation(&self, block: u32) -> u32 {
        1 << (block % self.cycle)
    }

    /// Zeros on either side of a block's convolution.
    pub fn padding(&self, block: u32) -> u32 {
        self.dilation(block) * (self.filter_width - 1) / 2
    }

    /// Steps to each side that decide a step's output.
    pub fn reach(&self) -> u64 {
        (0..self.blocks).map(|block| u64::from(self.padding(block))).sum()
    }

    fn validate(&self) -> Result<(), FieldError> {
        within("blocks", self.blocks, 0, limits::BLOCKS)?;
        within("cycle", self.cycle, 1, limits::CYCLE)?;
        within("filter_width", self.filter_width, 1, limits::FILTER_WIDTH)?;
        if self.filter_width.is_multiple_of(2) {
            return Err(("filter_width".into(), format!("is {}; it must be odd", self.filter_width)));
        }
        within("channels", self.channels, 1, limits::CHANNELS)
    }
}

/// One level of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autoencoder {
    /// Symbols per code: the encoder's outputs are averaged over so many.
    pub hop: u32,
    /// `K`: codes of the level.
    pub codes: u32,
    /// `C`: channels of the codebook's vectors where the quantiser is one; otherwise 0, and a code is a one-hot vector.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code_channels: u32,
    /// How codes are chosen.
    pub quantiser: Quantiser,
    /// From symbols to what the quantiser sees, at the symbols' rate.
    pub encoder: Convolutions,
    /// From codes to biases, at the codes' rate.
    pub modulator: Convolutions,
    /// The local model: a WaveNet over the symbols whose gates get the modulator's biases.
    pub decoder: WaveNetShape,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(channels: &u32) -> bool {
    *channels == 0
}

impl Autoencoder {
    /// Channels that the quantiser sees: the codebook's, or one per code.
    pub fn quantised_channels(&self) -> u32 {
        if self.quantiser == Quantiser::Vq { self.code_channels } else { self.codes }
    }

    pub(super) fn validate(&self) -> Result<(), FieldError> {
        within("hop", self.hop, 1, limits::HOP)?;
        within("codes", self.codes, 2, limits::CODES)?;
        if self.quantiser == Quantiser::Vq {
            within("code_channels", self.code_channels, 1, limits::CHANNELS)?;
        } else if self.code_channels != 0 {
            let reason = format!("is {}; only vector quantisation has a codebook", self.code_channels);
            return Err(("code_channels".into(), reason));
        }
        self.encoder.validate().map_err(|(field, reason)| (format!("encoder.{field}"), reason))?;
        self.modulator.validate().map_err(|(field, reason)| (format!("modulator.{field}"), reason))?;
        if self.decoder.dilations.len().saturating_mul(2 * self.decoder.dilation_channels as usize)
            > limits::CONDITIONING
        {
            let reason = format!("make more than {} channels of conditioning", limits::CONDITIONING);
            return Err(("decoder.dilation_channels".into(), reason));
        }
        Ok(())
    }
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<(), FieldError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err((field.to_owned(), format!("is {value}; it must be from {least} to {most}")))
}
