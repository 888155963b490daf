//! NEON (Advanced SIMD), which every 64-bit ARM processor has: sixteen values in four registers.

use crate::lanes::{CODE_OFFSET, Simd};
use crate::set::declare;
#[allow(clippy::wildcard_imports, reason = "some thirty intrinsics whose names say where they are from")]
use std::arch::aarch64::*;

declare! {
    /// NEON.
    Neon = "NEON", Neon, is_aarch64_feature_detected: "neon"
}

/// Intrinsics that read and write registers alone.
macro_rules! registers {
    ($call:expr) => {
        // SAFETY: `self` exists, so the processor has these instructions; they touch no memory.
        unsafe { $call }
    };
}

/// Applies an intrinsic to the four quarters.
macro_rules! quarters {
    ($intrinsic:ident, $($operand:ident),+) => {
        registers!(std::array::from_fn(|quarter| $intrinsic($($operand[quarter]),+)))
    };
}

impl Simd for Neon {
    type Lanes = [float32x4_t; 4];
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        registers!([vdupq_n_f32(value); 4])
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::Lanes {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen values.
        unsafe { std::array::from_fn(|quarter| vld1q_f32(from.add(quarter * 4))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Self::Lanes) {
        for (quarter, value) in value.into_iter().enumerate() {
            // SAFETY: as in `load`.
            unsafe { vst1q_f32(to.add(quarter * 4), value) }
        }
    }
    #[inline(always)]
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
        // The accumulator comes first here.
        quarters!(vfmaq_f32, c, a, b)
    }
    #[inline(always)]
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vaddq_f32, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vsubq_f32, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vmulq_f32, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vdivq_f32, a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vminq_f32, a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        quarters!(vmaxq_f32, a, b)
    }
    #[inline(always)]
    fn where_positive(self, x: Self::Lanes, a: Self::Lanes) -> Self::Lanes {
        registers!(std::array::from_fn(|quarter| {
            let positive = vcgtq_f32(x[quarter], vdupq_n_f32(0.0));
            vreinterpretq_f32_u32(vandq_u32(positive, vreinterpretq_u32_f32(a[quarter])))
        }))
    }
    #[inline(always)]
    fn round(self, a: Self::Lanes) -> Self::Lanes {
        quarters!(vrndnq_f32, a)
    }
    #[inline(always)]
    fn scale(self, a: Self::Lanes, n: Self::Lanes) -> Self::Lanes {
        // 2ⁿ is the float whose exponent field is n + 127.
        registers!(std::array::from_fn(|quarter| {
            let exponent = vaddq_s32(vcvtnq_s32_f32(n[quarter]), vdupq_n_s32(127));
            vmulq_f32(a[quarter], vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
        }))
    }
    #[inline(always)]
    fn abs(self, a: Self::Lanes) -> Self::Lanes {
        quarters!(vabsq_f32, a)
    }
    #[inline(always)]
    fn max_magnitude(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // What is NaN stays so here.
        quarters!(vmaxq_f32, a, b)
    }
    #[inline(always)]
    fn largest_magnitude(self, a: Self::Lanes) -> f32 {
        self.largest(a)
    }
    #[inline(always)]
    fn largest(self, a: Self::Lanes) -> f32 {
        registers!(vmaxvq_f32(vmaxq_f32(vmaxq_f32(a[0], a[1]), vmaxq_f32(a[2], a[3]))))
    }
    #[inline(always)]
    unsafe fn store_codes(self, to: *mut u8, a: Self::Lanes) {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen bytes. Flipping the highest bit of a byte adds 128.
        unsafe {
            let words = |low: float32x4_t, high: float32x4_t| {
                vcombine_s16(vmovn_s32(vcvtnq_s32_f32(low)), vmovn_s32(vcvtnq_s32_f32(high)))
            };
            let bytes = vcombine_s8(vmovn_s16(words(a[0], a[1])), vmovn_s16(words(a[2], a[3])));
            vst1q_u8(to, veorq_u8(vreinterpretq_u8_s8(bytes), vdupq_n_u8(CODE_OFFSET)));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16, a: Self::Lanes) {
        for (quarter, value) in a.into_iter().enumerate() {
            // SAFETY: `self` exists; the caller's pointer reaches sixteen values.
            unsafe {
                let bits = vreinterpretq_u32_f32(value);
                let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
                let rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
                vst1_u16(to.add(quarter * 4), vshrn_n_u32::<16>(rounded));
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u32) -> [Self::Lanes; 2] {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen words.
        unsafe {
            let words: [uint32x4_t; 4] = std::array::from_fn(|quarter| vld1q_u32(from.add(quarter * 4)));
            [
                words.map(|words| vreinterpretq_f32_u32(vshlq_n_u32::<16>(words))),
                words.map(|words| vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xffff_0000)))),
            ]
        }
    }
    #[inline(always)]
    fn prefetch(self, _at: *const u32) {
        // The hardware's stream prefetcher does it; the instruction is not stable in Rust.
    }
}
