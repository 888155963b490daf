//! Vectors in slices.

use continuo_simd::Simd;

use super::LANES;

/// Loads the vector at `index`; the bound is asserted.
#[inline(always)]
pub(super) fn load<S: Simd>(s: S, from: &[f32], index: usize) -> S::Lanes {
    let lanes = &from[index..index + LANES];
    // SAFETY: the slice holds sixteen values.
    unsafe { s.load(lanes.as_ptr()) }
}

/// Stores a vector at `index`; the bound is asserted.
#[inline(always)]
pub(super) fn store<S: Simd>(s: S, to: &mut [f32], index: usize, value: S::Lanes) {
    let lanes = &mut to[index..index + LANES];
    // SAFETY: the slice holds sixteen values.
    unsafe { s.store(lanes.as_mut_ptr(), value) }
}
