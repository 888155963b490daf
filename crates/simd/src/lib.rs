//! Sixteen lanes of f32, transcendental functions of them, and instruction sets chosen at run time.
//!
//! An [`InstructionSet`] is a value that only its `detect` gives, and only on a processor that has it. So **having the value
//! is the proof**: arithmetic ([`Simd`]) takes one as `self` and is safe to call from anywhere, and no safe code can run an
//! instruction that is not there. What is left to a caller of the few unsafe methods is that its pointers reach far enough.
//!
//! Work is written once, as an [`Operation`] over any arithmetic, and [`InstructionSet::run`] compiles it into one function
//! that enables the instruction set:
//!
//! ```
//! use continuo_simd::{InstructionSet, LANES, Operation, Scalar, Simd};
//!
//! struct Double<'a>(&'a mut [f32; LANES]);
//!
//! impl Operation for Double<'_> {
//!     type Output = ();
//!
//!     #[inline(always)]
//!     fn run<S: Simd>(self, simd: S) {
//!         let value = simd.load_from(self.0);
//!         simd.store_to(self.0, simd.add(value, value));
//!     }
//! }
//!
//! let mut values = [1.5; LANES];
//! Scalar::detect().expect("every processor has it").run(Double(&mut values));
//! assert_eq!(values, [3.0; LANES]);
//! ```
//!
//! **Inlining is everything here.** What an operation calls must end up inside that one function, since a function without the
//! instruction set takes its vectors in memory. `#[inline(always)]` does that for functions. Nothing does it for closures and
//! for iterators over arrays of vectors, so code for wide registers has none: one closure made AVX2's bfloat16 products eighty
//! times slower.

// Every method must end up inside the one function that enables its instruction set.
#![allow(clippy::inline_always)]

mod lanes;
pub mod math;
mod scalar;
mod set;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, Avx2Vnni};
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, Avx512Vnni, Avx512VnniBf16};
pub use lanes::{CODE_OFFSET, LANES, Simd, bf16_bits};
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
pub use scalar::Scalar;
pub use set::{InstructionSet, Operation, Work};
