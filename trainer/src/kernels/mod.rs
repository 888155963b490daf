//! The arithmetic of the CPU training path, written for the widest registers at hand.
//!
//! Tiles are frame-major: one row per frame, channels contiguous and padded to whole vectors. A dilated tap is then a
//! shift by rows, every row starts on a vector, and the softmax runs over contiguous memory.

// What is not inlined into a function that enables an instruction set is compiled without it.
#![allow(clippy::inline_always)]

pub mod activations;
pub mod gemm;
pub mod simd;
#[cfg(test)]
mod tests;

use simd::{Portable, Simd};

/// Values in one vector; rows of a tile are padded to a multiple of it.
pub const LANES: usize = 16;

/// `channels`, rounded up to whole vectors.
pub fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// Work that is compiled once per instruction set. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// What it gives back.
    type Output;
    /// Does the work with `S`.
    fn run<S: Simd>(self) -> Self::Output;
}

/// The instruction set in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Whatever the compiler makes of plain Rust.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
        })
    }
}

impl Level {
    /// Every level that this processor can run, best first.
    pub fn available() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                levels.push(Self::Avx512);
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                levels.push(Self::Avx2);
            }
        }
        levels.push(Self::Portable);
        levels
    }

    /// The best level of this processor.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Runs `kernel` at this level.
    ///
    /// # Panics
    /// If the processor lacks the level: values come from [`Level::available`].
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                assert!(std::arch::is_x86_feature_detected!("avx512f"));
                // SAFETY: the feature was just found.
                unsafe { avx512(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                assert!(std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"));
                // SAFETY: both features were just found.
                unsafe { avx2(kernel) }
            }
            _ => kernel.run::<Portable>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<simd::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<simd::Avx2>()
}
