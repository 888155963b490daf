//! The reference: plain loops over the packed weights, without any instruction set.

use crate::kernels::coding::Codes;
use crate::kernels::dot::{Dot, FloatDot, Products, WideDot};
use crate::kernels::product::Tiling;
use continuo_simd::{CODE_OFFSET, Scalar};

type Narrow = Tiling<1, 1, 1, 0>;

impl Products for Scalar {
    type F32 = FloatDot<Scalar, Narrow>;
    type Bf16 = WideDot<Scalar, Narrow>;
    type Int8 = ScalarBytes;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        FloatDot::new(self)
    }
    #[inline(always)]
    fn bf16(self) -> Self::Bf16 {
        WideDot::new(self)
    }
    #[inline(always)]
    fn int8(self) -> ScalarBytes {
        ScalarBytes
    }
}

/// Four codes of a row at a time.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct ScalarBytes;

impl Dot for ScalarBytes {
    type Set = Scalar;
    type Simd = Scalar;
    type Coding = Codes;
    type Tiles = Narrow;
    type Sum = [i32; 16];
    type Weights = [[i8; 4]; 16];
    type Input = [u8; 4];
    const SCALED: bool = true;

    #[inline(always)]
    fn set(self) -> Scalar {
        Scalar
    }
    #[inline(always)]
    fn simd(self) -> Scalar {
        Scalar
    }
    #[inline(always)]
    fn zero(self) -> [i32; 16] {
        [0; 16]
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> [[i8; 4]; 16] {
        // SAFETY: the trait's contract; bytes of a word in the order of memory.
        unsafe { from.cast::<[[i8; 4]; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> [u8; 4] {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<[u8; 4]>().read_unaligned() }
    }
    #[inline(always)]
    fn dot(self, mut sum: [i32; 16], weights: [[i8; 4]; 16], input: [u8; 4]) -> [i32; 16] {
        for (sum, weights) in sum.iter_mut().zip(weights) {
            for (weight, code) in weights.into_iter().zip(input) {
                *sum += i32::from(weight) * (i32::from(code) - i32::from(CODE_OFFSET));
            }
        }
        sum
    }
    #[inline(always)]
    fn finish(self, sum: [i32; 16]) -> [f32; 16] {
        sum.map(|sum| sum as f32)
    }
}
