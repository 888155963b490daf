//! Frame-by-frame stepping in native code: one contract, one implementation per instruction set.
//!
//! The step of a network ([`wavenet`]) is written once over the arithmetic of an instruction set and a [`Precision`]: products of
//! a packed matrix with several column vectors (`product`), the gate `tanh · sigmoid` behind them and the coding of activations
//! (`simd`), and what a code is drawn from (`softmax`). [`contract`] makes a table of functions of it for each instruction set:
//! a scalar reference, AVX2 with FMA, without and with AVX-VNNI, AVX-512, without and with VNNI and BF16, and NEON.
//! [`Kernel::best`] chooses at run time.
//!
//! Every output of a product is one accumulator that takes its inputs in order, so a take's bits do not depend on how
//! many takes or frames share a pass, nor on which of the vector implementations runs; but bfloat16 products differ in
//! rounding between processors with an instruction for them and those without. Sums of 8-bit codes are exact.
//!
//! **Inlining is everything here.** A table's functions enable their instruction set; whatever they call must end up inside them,
//! since a function without the instruction set takes its vectors in memory. `#[inline(always)]` does that for functions. Nothing
//! does it for closures and for iterators over arrays of vectors, so there are none: one closure in `load_bf16` made AVX2's bf16
//! eighty times slower.

// Every primitive must end up inside the one function that enables its instruction set.
#![allow(clippy::inline_always)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod contract;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod packed;
mod precision;
mod product;
pub mod roofline;
mod scalar;
mod simd;
mod softmax;
pub mod wavenet;

#[cfg(test)]
mod suite;

pub use contract::Kernel;
pub use precision::Precision;
