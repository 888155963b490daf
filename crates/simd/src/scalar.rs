//! The reference: plain loops, without any instruction set. Compilers turn them into whatever vectors there are.
//!
//! It multiplies and adds with two roundings, because a fused operation without its instruction is a library call.

use crate::lanes::{CODE_OFFSET, LANES, Simd, bf16_bits};
use crate::set::{InstructionSet, Work};

/// No instruction set: what every processor can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scalar;

impl InstructionSet for Scalar {
    const NAME: &'static str = "scalar";
    type Simd = Self;

    fn detect() -> Option<Self> {
        Some(Self)
    }

    #[inline(always)]
    fn simd(self) -> Self {
        self
    }

    #[inline(always)]
    fn enable<W: Work>(self, work: W) -> W::Output {
        work.run()
    }
}

/// A plain loop over pairs.
#[inline(always)]
fn lanes(mut a: [f32; LANES], b: [f32; LANES], operation: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    for lane in 0..LANES {
        a[lane] = operation(a[lane], b[lane]);
    }
    a
}

impl Simd for Scalar {
    type Lanes = [f32; LANES];
    const REGISTERS: usize = 4;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::Lanes {
        // SAFETY: the caller's pointer reaches sixteen values.
        unsafe { from.cast::<Self::Lanes>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Self::Lanes) {
        // SAFETY: the caller's pointer reaches sixteen values.
        unsafe { to.cast::<Self::Lanes>().write_unaligned(value) }
    }
    #[inline(always)]
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, mut c: Self::Lanes) -> Self::Lanes {
        for lane in 0..LANES {
            c[lane] += a[lane] * b[lane];
        }
        c
    }
    #[inline(always)]
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn min(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        lanes(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn where_positive(self, x: Self::Lanes, a: Self::Lanes) -> Self::Lanes {
        lanes(x, a, |x, a| if x > 0.0 { a } else { 0.0 })
    }
    #[inline(always)]
    fn round(self, a: Self::Lanes) -> Self::Lanes {
        // Adding and taking away 1.5 · 2²³ rounds to even for |a| < 2²², without a library call.
        const MAGIC: f32 = 12_582_912.0;
        lanes(a, a, |a, _| (a + MAGIC) - MAGIC)
    }
    #[inline(always)]
    fn scale(self, a: Self::Lanes, n: Self::Lanes) -> Self::Lanes {
        // 2ⁿ is the float whose exponent field is n + 127.
        lanes(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    fn abs(self, a: Self::Lanes) -> Self::Lanes {
        lanes(a, a, |a, _| a.abs())
    }
    #[inline(always)]
    fn max_magnitude(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // As integers, magnitudes are in order, and NaN is beyond infinity.
        lanes(a, b, |a, b| f32::from_bits((a.to_bits() as i32).max(b.to_bits() as i32) as u32))
    }
    #[inline(always)]
    fn largest_magnitude(self, a: Self::Lanes) -> f32 {
        f32::from_bits(a.into_iter().fold(0, |largest, value| largest.max(value.to_bits() as i32)) as u32)
    }
    #[inline(always)]
    fn largest(self, a: Self::Lanes) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, |largest, value| if value > largest { value } else { largest })
    }
    #[inline(always)]
    unsafe fn store_codes(self, to: *mut u8, a: Self::Lanes) {
        let codes = self.round(a).map(|value| (value as i32 + i32::from(CODE_OFFSET)) as u8);
        // SAFETY: the caller's pointer reaches sixteen bytes.
        unsafe { to.cast::<[u8; LANES]>().write_unaligned(codes) }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16, a: Self::Lanes) {
        // SAFETY: the caller's pointer reaches sixteen values.
        unsafe { to.cast::<[u16; LANES]>().write_unaligned(a.map(bf16_bits)) }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u32) -> [Self::Lanes; 2] {
        // SAFETY: the caller's pointer reaches sixteen words.
        let words = unsafe { from.cast::<[u32; LANES]>().read_unaligned() };
        [words.map(|word| f32::from_bits(word << 16)), words.map(|word| f32::from_bits(word & 0xffff_0000))]
    }
    #[inline(always)]
    fn prefetch(self, _at: *const u32) {}
}
