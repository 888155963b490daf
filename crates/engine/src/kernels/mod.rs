//! Frame-by-frame stepping in native code: one contract, one implementation per instruction set.
//!
//! The step of a network ([`wavenet`]) is safe Rust over two primitives, a product of a packed matrix with several column
//! vectors and the gate `tanh · sigmoid` ([`contract`]). Only those two are written per instruction set: a scalar
//! reference, AVX2 with FMA, AVX-512F and NEON. [`Kernel::best`] chooses at run time.
//!
//! Every output of a product is one accumulator that takes its inputs in order, so a take's bits do not depend on how
//! many takes or frames share a pass, nor on which of the vector implementations runs.

// Every primitive must end up inside the one function that enables its instruction set.
#![allow(clippy::inline_always)]

pub mod contract;
pub mod packed;
pub mod wavenet;

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
mod simd;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod suite;

pub use contract::Kernel;
pub(crate) use simd::{EXP, LN_2_HIGH, LN_2_HIGH_EXCESS};
