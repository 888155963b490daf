//! Native code for what is computed frame by frame: written once, compiled for each instruction set and precision.
//!
//! A [`Kernel`] is an instruction set that this processor has: plain code as the reference, AVX2 with FMA, without and with
//! AVX-VNNI, AVX-512, without and with VNNI and BF16, and NEON. [`Kernel::best`] chooses at run time. It runs *operations*:
//! those over sixteen values of f32 are [`continuo_simd::Operation`]s (`softmax`), those that multiply in a [`Precision`] are
//! `ProductOperation`s over a `Dot`, which is how a line of weights meets a word of inputs (`dot`, and for each instruction
//! set `sets`). Products of a packed matrix with columns (`product`) and the coding of activations with the gate behind them
//! (`coding`) are what operations are made of; what a network does with them is a folder of its own ([`wavenet`]), of which
//! nothing here knows.
//!
//! Every output of a product is one accumulator that takes its inputs in order, so a variation's bits do not depend on how
//! many of them or how many frames share a pass, nor on which of the vector implementations runs; but bfloat16 products
//! differ in rounding between processors with an instruction for them and those without. Sums of 8-bit codes are exact.
//!
//! **Inlining is everything here**, as in [`continuo_simd`]: what an operation calls must end up inside the one function that
//! enables the instruction set, so it is `#[inline(always)]`, and there are neither closures nor iterators over arrays of
//! vectors.

// What an operation calls must end up inside the one function that enables its instruction set.
#![allow(clippy::inline_always)]

mod arguments;
mod coding;
mod dot;
mod kernel;
pub mod packed;
mod precision;
mod product;
pub mod roofline;
mod sets;
mod softmax;
pub mod wavenet;

#[cfg(test)]
mod suite;

pub use kernel::Kernel;
pub use precision::Precision;
