//! NEON (Advanced SIMD), which every 64-bit ARM processor has.

use super::contract::{Primitives, Product};
use super::simd::{self, Simd};
#[allow(clippy::wildcard_imports, reason = "some twenty intrinsics whose names say where they are from")]
use std::arch::aarch64::*;

pub(super) const NEON: Primitives = Primitives {
    name: "NEON",
    supported: || std::arch::is_aarch64_feature_detected!("neon"),
    product,
    gate,
    fetch: simd::fetch::<Neon>,
};

/// # Safety
/// See [`Primitives::product`].
#[target_feature(enable = "neon")]
unsafe fn product(arguments: &Product) {
    // SAFETY: passed on. Of 32 registers, 16 hold sums; a block takes four.
    unsafe { simd::product::<Neon, 4, 2, 1, 0>(arguments) }
}

/// # Safety
/// See [`Primitives::gate`].
#[target_feature(enable = "neon")]
unsafe fn gate(h: *const f32, z: *mut f32, blocks: usize) {
    // SAFETY: passed on.
    unsafe { simd::gate::<Neon>(h, z, blocks) }
}

struct Neon;

/// Applies a NEON intrinsic to the four quarters.
macro_rules! quarters {
    ($intrinsic:ident, $($operand:ident),+) => {
        // SAFETY: the trait's contract: the caller has NEON.
        unsafe { std::array::from_fn(|quarter| $intrinsic($($operand[quarter]),+)) }
    };
}

impl Simd for Neon {
    type V = [float32x4_t; 4];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { [vdupq_n_f32(value); 4] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { std::array::from_fn(|quarter| vld1q_f32(from.add(quarter * 4))) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        for (quarter, value) in value.into_iter().enumerate() {
            // SAFETY: the trait's contract.
            unsafe { vst1q_f32(to.add(quarter * 4), value) }
        }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // The accumulator comes first here.
        quarters!(vfmaq_f32, c, a, b)
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vaddq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vsubq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vmulq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vdivq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vminq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        quarters!(vmaxq_f32, a, b)
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        quarters!(vrndnq_f32, a)
    }
    #[inline(always)]
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V {
        // SAFETY: the trait's contract. 2ⁿ is the float whose exponent field is n + 127.
        unsafe {
            std::array::from_fn(|quarter| {
                let exponent = vaddq_s32(vcvtnq_s32_f32(n[quarter]), vdupq_n_s32(127));
                vmulq_f32(a[quarter], vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
            })
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {
        // The hardware's stream prefetcher does it; the instruction is not stable in Rust.
    }
}
