//! The arithmetic of the CPU training path: operations that are written once, and compiled for each instruction set.
//!
//! Tiles are frame-major: one row per frame, channels contiguous and padded to whole vectors. A dilated tap is then a
//! shift by rows, every row starts on a vector, and the softmax runs over contiguous memory.

// What is not inlined into a function that enables an instruction set is compiled without it.
#![allow(clippy::inline_always)]

pub mod activations;
pub mod bf16;
mod columns;
pub mod convolution;
pub mod gemm;
pub mod matrix;
pub mod recurrent;
pub mod rows;
pub mod softmax_loss;
#[cfg(test)]
mod tests;
pub mod tiles;
pub mod transpose;
mod vectors;
mod windowed;

#[cfg(target_arch = "aarch64")]
use continuo_simd::Neon;
#[cfg(target_arch = "x86_64")]
use continuo_simd::{Avx2, Avx512};
use continuo_simd::{InstructionSet, Scalar};
pub use continuo_simd::{LANES, Operation};

/// `channels`, rounded up to whole vectors.
pub fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// An instruction set that this processor has. It holds the proof of that, so only such ones can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Whatever the compiler makes of plain Rust.
    Scalar(Scalar),
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scalar(_) => Scalar::NAME,
            #[cfg(target_arch = "aarch64")]
            Self::Neon(_) => Neon::NAME,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Avx2::NAME,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Avx512::NAME,
        })
    }
}

impl Level {
    /// Every level that this processor can run, best first.
    pub fn available() -> Vec<Self> {
        let all = [
            #[cfg(target_arch = "x86_64")]
            Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "aarch64")]
            Neon::detect().map(Self::Neon),
            Some(Self::Scalar(Scalar)),
        ];
        all.into_iter().flatten().collect()
    }

    /// The best level of this processor.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Runs an operation at this level.
    #[inline]
    pub fn run<O: Operation>(self, operation: O) -> O::Output {
        match self {
            Self::Scalar(set) => set.run(operation),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(set) => set.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(set) => set.run(operation),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(set) => set.run(operation),
        }
    }
}
