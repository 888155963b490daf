//! NEON (Advanced SIMD), which every 64-bit ARM processor has.

use super::contract::primitives;
use super::precision::CODE_OFFSET;
use super::product::{Dot, FloatDot, WideDot};
use super::simd::{Codes, Simd};
#[allow(clippy::wildcard_imports, reason = "some forty intrinsics whose names say where they are from")]
use std::arch::aarch64::*;

// Of 32 registers, 16 hold sums; a block takes four.
primitives! {
    NEON = "NEON", || std::arch::is_aarch64_feature_detected!("neon"),
    Neon, { #[target_feature(enable = "neon")] },
    f32: FloatDot, [4, 2, 1, 0], bf16: WideDot, [2, 2, 1, 0], int8: NeonBytes, [2, 2, 1, 0]
}

/// Four codes of a row at a time, in products of 16 bits: exact, as two products of 127 · 127 fit.
struct NeonBytes;

impl Dot<Neon> for NeonBytes {
    type Coding = Codes;
    type Sum = [int32x4_t; 4];
    type Weights = [int8x16_t; 4];
    type Input = int8x8_t;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self::Sum {
        // SAFETY: the trait's contract.
        unsafe { [vdupq_n_s32(0); 4] }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> Self::Weights {
        // SAFETY: the trait's contract.
        unsafe { std::array::from_fn(|quarter| vld1q_s8(from.add(quarter * 4).cast())) }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> int8x8_t {
        // SAFETY: the trait's contract. Flipping the highest bit takes 128 away.
        unsafe { vreinterpret_s8_u8(veor_u8(vreinterpret_u8_u32(vdup_n_u32(*from)), vdup_n_u8(CODE_OFFSET))) }
    }
    #[inline(always)]
    unsafe fn dot(sum: Self::Sum, weights: Self::Weights, input: int8x8_t) -> Self::Sum {
        // SAFETY: the trait's contract. Each quarter holds four rows of four codes; a sum of two products, of at most
        // 127 · 127 each, fits 16 bits.
        unsafe {
            std::array::from_fn(|quarter| {
                let low = vmull_s8(vget_low_s8(weights[quarter]), input);
                let high = vmull_s8(vget_high_s8(weights[quarter]), input);
                vpadalq_s16(sum[quarter], vpaddq_s16(low, high))
            })
        }
    }
    #[inline(always)]
    unsafe fn finish(sum: Self::Sum) -> [float32x4_t; 4] {
        // SAFETY: the trait's contract.
        unsafe { sum.map(|sum| vcvtq_f32_s32(sum)) }
    }
}

/// Sixteen floats in four registers.
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
    unsafe fn largest(a: Self::V) -> f32 {
        // SAFETY: the trait's contract.
        unsafe { vmaxvq_f32(vmaxq_f32(vmaxq_f32(a[0], a[1]), vmaxq_f32(a[2], a[3]))) }
    }
    #[inline(always)]
    unsafe fn store_codes(to: *mut u8, a: Self::V) {
        // SAFETY: the trait's contract. Flipping the highest bit of a byte adds 128.
        unsafe {
            let words = |low: float32x4_t, high: float32x4_t| {
                vcombine_s16(vmovn_s32(vcvtnq_s32_f32(low)), vmovn_s32(vcvtnq_s32_f32(high)))
            };
            let bytes = vcombine_s8(vmovn_s16(words(a[0], a[1])), vmovn_s16(words(a[2], a[3])));
            vst1q_u8(to, veorq_u8(vreinterpretq_u8_s8(bytes), vdupq_n_u8(CODE_OFFSET)));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut u16, a: Self::V) {
        for (quarter, value) in a.into_iter().enumerate() {
            // SAFETY: the trait's contract.
            unsafe {
                let bits = vreinterpretq_u32_f32(value);
                let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
                let rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
                vst1_u16(to.add(quarter * 4), vshrn_n_u32::<16>(rounded));
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u32) -> [Self::V; 2] {
        // SAFETY: the trait's contract.
        unsafe {
            let words: [uint32x4_t; 4] = std::array::from_fn(|quarter| vld1q_u32(from.add(quarter * 4)));
            [
                words.map(|words| vreinterpretq_f32_u32(vshlq_n_u32::<16>(words))),
                words.map(|words| vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xffff_0000)))),
            ]
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const u32) {
        // The hardware's stream prefetcher does it; the instruction is not stable in Rust.
    }
}
