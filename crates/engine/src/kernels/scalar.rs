//! The reference: plain loops over the packed weights, without any instruction set.
//!
//! It multiplies and adds with two roundings, because a fused operation without its instruction is a library call.

use super::contract::primitives;
use super::precision::{CODE_OFFSET, bf16_bits};
use super::product::{Dot, FloatDot, WideDot};
use super::simd::{Codes, Simd};

primitives! {
    SCALAR = "scalar", || true, Scalar, {},
    f32: FloatDot, [1, 1, 1, 0], bf16: WideDot, [1, 1, 1, 0], int8: ScalarBytes, [1, 1, 1, 0]
}

/// Four codes of a row at a time.
struct ScalarBytes;

impl Dot<Scalar> for ScalarBytes {
    type Coding = Codes;
    type Sum = [i32; 16];
    type Weights = [[i8; 4]; 16];
    type Input = [u8; 4];
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> [i32; 16] {
        [0; 16]
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> [[i8; 4]; 16] {
        // SAFETY: the trait's contract; bytes of a word in the order of memory.
        unsafe { from.cast::<[[i8; 4]; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> [u8; 4] {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<[u8; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn dot(mut sum: [i32; 16], weights: [[i8; 4]; 16], input: [u8; 4]) -> [i32; 16] {
        for (sum, weights) in sum.iter_mut().zip(weights) {
            for (weight, code) in weights.into_iter().zip(input) {
                *sum += i32::from(weight) * (i32::from(code) - i32::from(CODE_OFFSET));
            }
        }
        sum
    }
    #[inline(always)]
    unsafe fn finish(sum: [i32; 16]) -> [f32; 16] {
        sum.map(|sum| sum as f32)
    }
}

struct Scalar;

impl Simd for Scalar {
    type V = [f32; 16];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<Self::V>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, mut c: Self::V) -> Self::V {
        for lane in 0..16 {
            c[lane] += a[lane] * b[lane];
        }
        c
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        // Adding and taking away 1.5 · 2²³ rounds to even for |a| < 2²², without a library call.
        const MAGIC: f32 = 12_582_912.0;
        lanes(a, a, |a, _| (a + MAGIC) - MAGIC)
    }
    #[inline(always)]
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V {
        lanes(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn largest(a: Self::V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, |largest, value| if value > largest { value } else { largest })
    }
    #[inline(always)]
    unsafe fn store_codes(to: *mut u8, a: Self::V) {
        // SAFETY: the trait's contract.
        unsafe {
            let codes = Self::round(a).map(|value| (value as i32 + i32::from(CODE_OFFSET)) as u8);
            to.cast::<[u8; 16]>().write_unaligned(codes);
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut u16, a: Self::V) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<[u16; 16]>().write_unaligned(a.map(bf16_bits)) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u32) -> [Self::V; 2] {
        // SAFETY: the trait's contract.
        let words = unsafe { from.cast::<[u32; 16]>().read_unaligned() };
        [words.map(|word| f32::from_bits(word << 16)), words.map(|word| f32::from_bits(word & 0xffff_0000))]
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const u32) {}
}

/// A plain loop, which compilers turn into whatever vectors there are.
#[inline(always)]
fn lanes(mut a: [f32; 16], b: [f32; 16], operation: impl Fn(f32, f32) -> f32) -> [f32; 16] {
    for lane in 0..16 {
        a[lane] = operation(a[lane], b[lane]);
    }
    a
}
