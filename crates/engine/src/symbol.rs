//! What a network that draws step by step takes in: codes or real values.

use crate::ort::Tensor;
use ort::value::PrimitiveTensorElementType;
use std::fmt::Debug;

/// A code or a real value.
pub trait Symbol: Copy + Debug + Default + PartialEq + Send + 'static {
    /// What a graph takes it as.
    type Element: PrimitiveTensorElementType + Copy + Debug + Default;

    /// As a graph takes it.
    fn element(self) -> Self::Element;

    /// As a kernel takes it: a code, or the bits of a real value.
    fn bits(self) -> u32;

    /// The symbol of these bits.
    fn of_bits(bits: u32) -> Self;

    /// Symbols as a tensor `[1, T]`.
    fn tensor(symbols: &[Self]) -> Tensor;
}

impl Symbol for u32 {
    type Element = i64;

    fn element(self) -> i64 {
        self.into()
    }

    fn bits(self) -> u32 {
        self
    }

    fn of_bits(bits: u32) -> Self {
        bits
    }

    fn tensor(symbols: &[Self]) -> Tensor {
        Tensor::i64(&[1, symbols.len() as i64], symbols.iter().map(|&code| i64::from(code)).collect())
    }
}

impl Symbol for f32 {
    type Element = Self;

    fn element(self) -> Self {
        self
    }

    fn bits(self) -> u32 {
        self.to_bits()
    }

    fn of_bits(bits: u32) -> Self {
        Self::from_bits(bits)
    }

    fn tensor(symbols: &[Self]) -> Tensor {
        Tensor::f32(&[1, symbols.len() as i64], symbols.to_vec())
    }
}
