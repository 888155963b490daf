//! NEON (Advanced SIMD), which every 64-bit ARM processor has.

use crate::kernels::coding::Codes;
use crate::kernels::dot::{Dot, FloatDot, Products, WideDot};
use crate::kernels::product::Tiling;
use continuo_simd::{CODE_OFFSET, Neon};
#[allow(clippy::wildcard_imports, reason = "some twenty intrinsics whose names say where they are from")]
use std::arch::aarch64::*;

// Of 32 registers, 16 hold sums; a block takes four.
type Wide = Tiling<4, 2, 1, 0>;
type Narrow = Tiling<2, 2, 1, 0>;

impl Products for Neon {
    type F32 = FloatDot<Neon, Wide>;
    type Bf16 = WideDot<Neon, Narrow>;
    type Int8 = NeonBytes;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        FloatDot::new(self)
    }
    #[inline(always)]
    fn bf16(self) -> Self::Bf16 {
        WideDot::new(self)
    }
    #[inline(always)]
    fn int8(self) -> NeonBytes {
        NeonBytes(self)
    }
}

/// Four codes of a row at a time, in products of 16 bits: exact, as two products of 127 · 127 fit.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct NeonBytes(Neon);

impl Dot for NeonBytes {
    type Set = Neon;
    type Simd = Neon;
    type Coding = Codes;
    type Tiles = Narrow;
    type Sum = [int32x4_t; 4];
    type Weights = [int8x16_t; 4];
    type Input = int8x8_t;
    const SCALED: bool = true;

    #[inline(always)]
    fn set(self) -> Neon {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> Neon {
        self.0
    }
    #[inline(always)]
    fn zero(self) -> Self::Sum {
        // SAFETY: `self` holds the proof of NEON.
        unsafe { [vdupq_n_s32(0); 4] }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> Self::Weights {
        // SAFETY: the proof, and the trait's contract.
        unsafe { std::array::from_fn(|quarter| vld1q_s8(from.add(quarter * 4).cast())) }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> int8x8_t {
        // SAFETY: the proof, and the trait's contract. Flipping the highest bit takes 128 away.
        unsafe { vreinterpret_s8_u8(veor_u8(vreinterpret_u8_u32(vdup_n_u32(*from)), vdup_n_u8(CODE_OFFSET))) }
    }
    #[inline(always)]
    fn dot(self, sum: Self::Sum, weights: Self::Weights, input: int8x8_t) -> Self::Sum {
        // SAFETY: the proof. Each quarter holds four rows of four codes; a sum of two products, of at most 127 · 127 each,
        // fits 16 bits.
        unsafe {
            std::array::from_fn(|quarter| {
                let low = vmull_s8(vget_low_s8(weights[quarter]), input);
                let high = vmull_s8(vget_high_s8(weights[quarter]), input);
                vpadalq_s16(sum[quarter], vpaddq_s16(low, high))
            })
        }
    }
    #[inline(always)]
    fn finish(self, sum: Self::Sum) -> [float32x4_t; 4] {
        // SAFETY: the proof.
        unsafe { sum.map(|sum| vcvtq_f32_s32(sum)) }
    }
}
