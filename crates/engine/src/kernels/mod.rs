//! Frame-by-frame stepping in native code: one contract, one implementation per instruction set.
//!
//! The step of a network ([`wavenet`]) is safe Rust over a few primitives ([`contract`]): a product of a packed matrix with
//! several column vectors and the gate `tanh · sigmoid` behind it, and the coding of activations in the product's
//! [`Precision`]. They are written once over the arithmetic of an instruction set, of which there are a scalar reference,
//! AVX2 with FMA, AVX-512 (with VNNI and BF16 where the processor has them) and NEON. [`Kernel::best`] chooses at run time.
//!
//! Every output of a product is one accumulator that takes its inputs in order, so a take's bits do not depend on how
//! many takes or frames share a pass, nor on which of the vector implementations runs; but bfloat16 products differ in
//! rounding between processors with an instruction for them and those without. Sums of 8-bit codes are exact.

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
