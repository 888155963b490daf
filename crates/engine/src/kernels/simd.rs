//! The arithmetic of one instruction set on sixteen values, and what is made of it alone: the gate and the coding of
//! activations. Products are in [`super::product`].
//!
//! Everything here is inlined into a function that enables the instruction set (`avx512.rs`, `avx2.rs`, `neon.rs`,
//! `scalar.rs`).

// Iterators over arrays of vectors keep them in memory: a tenth of the time of a pass.
#![allow(clippy::needless_range_loop)]

use super::packed::BLOCK;
#[cfg(doc)]
use super::precision::CODE_OFFSET;
use super::precision::MOST_CODE;

/// Arithmetic on sixteen floats.
///
/// # Safety
/// Every method requires the instruction set of the implementation; pointers must reach sixteen values.
pub(super) trait Simd {
    /// Sixteen floats.
    type V: Copy;
    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    /// `a · b + c`: rounded once in the vector instruction sets, twice in the scalar reference.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even, for |a| < 2²².
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a · 2ⁿ` for whole `n` with |n| ≤ 126.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// The largest of the sixteen.
    unsafe fn largest(a: Self::V) -> f32;
    /// Sixteen values in [−127, 127], to the nearest whole number, ties to even, and shifted by [`CODE_OFFSET`], as bytes.
    unsafe fn store_codes(to: *mut u8, a: Self::V);
    /// As [`Simd::store_codes`], 64 values; `to` reaches as many.
    #[inline(always)]
    unsafe fn store_codes_of_four(to: *mut u8, a: [Self::V; 4]) {
        for index in 0..4 {
            // SAFETY: the trait's contract.
            unsafe { Self::store_codes(to.add(index * BLOCK), a[index]) }
        }
    }
    /// Sixteen floats as bfloat16, to the nearest, ties to even.
    unsafe fn store_bf16(to: *mut u16, a: Self::V);
    /// Sixteen pairs of bfloat16 as floats: the low halves of the words, and the high ones.
    unsafe fn load_bf16(from: *const u32) -> [Self::V; 2];
    /// Asks for the cache line at `at`, which need not be valid.
    unsafe fn prefetch(at: *const u32);
}

/// The first bits of ln 2, 355/512, so that a whole number times them is exact; and by how much they exceed it.
pub(super) const LN_2_HIGH: f32 = 355.0 / 512.0;
pub(super) const LN_2_HIGH_EXCESS: f32 = 2.121_944_4e-4;

/// Coefficients of eʳ − 1 − r over r², for |r| ≤ ln 2 / 2, the highest power first (Cephes library, `expf`).
pub(super) const EXP: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `eˣ` for |x| ≤ 87: relative error below 2 · 10⁻⁷.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2, in two parts of ln 2 (Cody & Waite, *Software Manual for the Elementary
/// Functions*, 1980, chapter 6).
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::mul_add(n, S::splat(-LN_2_HIGH), x);
        let r = S::mul_add(n, S::splat(LN_2_HIGH_EXCESS), r);
        let mut p = S::splat(0.0);
        for coefficient in EXP {
            p = S::mul_add(p, r, S::splat(coefficient));
        }
        let p = S::mul_add(S::mul(r, r), p, r);
        S::scale(S::add(p, S::splat(1.0)), n)
    }
}

/// `tanh(a) · sigmoid(b)`: absolute error below 5 · 10⁻⁷ for any finite input.
///
/// Both are made of one exponential each, and share one division:
/// tanh a = (e²ᵃ − 1)/(e²ᵃ + 1), sigmoid b = 1/(1 + e⁻ᵇ).
#[inline(always)]
unsafe fn gated<S: Simd>(a: S::V, b: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        // Beyond these, tanh is ±1 and the sigmoid 0 or 1 to within the error; the product below stays finite.
        let a = clamp::<S>(a, 9.5);
        let b = clamp::<S>(b, 40.0);
        let one = S::splat(1.0);
        let double = exp::<S>(S::add(a, a));
        let inverse = exp::<S>(S::sub(S::splat(0.0), b));
        let denominator = S::mul(S::add(double, one), S::add(inverse, one));
        S::div(S::sub(double, one), denominator)
    }
}

/// A value between −`most` and `most`. In this order of operands, what is not a number stays so on every processor.
#[inline(always)]
unsafe fn clamp<S: Simd>(x: S::V, most: f32) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe { S::max(S::splat(-most), S::min(S::splat(most), x)) }
}

/// Coefficients of (2ᶠ − 1)/f for |f| ≤ ½, the highest power first: the relative error of 2ᶠ stays below 3 · 10⁻⁶. Least
/// squares, weighted until the largest error was smallest (Lawson's method).
const COARSE_EXP2: [f32; 4] = [9.582_82e-3, 5.590_637e-2, 2.402_409_9e-1, 6.931_242e-1];

/// `2ˣ` for |x| ≤ 120: relative error below 4 · 10⁻⁶.
#[inline(always)]
unsafe fn coarse_exp2<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let n = S::round(x);
        let f = S::sub(x, n);
        let [third, second, first, zeroth] = COARSE_EXP2;
        let p = S::mul_add(S::splat(third), f, S::splat(second));
        let p = S::mul_add(S::mul_add(p, f, S::splat(first)), f, S::splat(zeroth));
        S::scale(S::mul_add(p, f, S::splat(1.0)), n)
    }
}

/// `scale · tanh(a) · sigmoid(b)`, with an absolute error below 5 · 10⁻⁶ · `scale`: for outputs that are rounded to 8 bits,
/// in two thirds of the time.
#[inline(always)]
unsafe fn coarse_gated<S: Simd>(a: S::V, b: S::V, scale: f32) -> S::V {
    use std::f32::consts::LOG2_E;
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let a = clamp::<S>(S::mul(a, S::splat(2.0 * LOG2_E)), 27.5);
        let b = clamp::<S>(S::mul(b, S::splat(-LOG2_E)), 58.0);
        let one = S::splat(1.0);
        let (double, inverse) = (coarse_exp2::<S>(a), coarse_exp2::<S>(b));
        let denominator = S::mul(S::add(double, one), S::add(inverse, one));
        let numerator = S::sub(double, one);
        S::div(if scale > 1.0 { S::mul(numerator, S::splat(scale)) } else { numerator }, denominator)
    }
}

/// How the activations of one precision are written down as words.
pub(super) trait Coding<S: Simd> {
    /// Words of sixteen values.
    const WORDS: usize;

    /// Writes the words of `tanh(a) · sigmoid(b)`, as good as they can hold it.
    ///
    /// # Safety
    /// The caller has the instruction set of `S`; `to` reaches the words of sixteen values.
    unsafe fn gate(a: S::V, b: S::V, to: *mut u32);

    /// As [`Coding::gate`] of four pairs of sixteen values, `from` which sixteen of `a` and of `b` take turns.
    ///
    /// # Safety
    /// The caller has the instruction set of `S`; `from` reaches 128 floats and `to` the words of 64 values.
    #[inline(always)]
    unsafe fn gate_of_four(from: *const f32, to: *mut u32) {
        for pair in 0..4 {
            // SAFETY: the caller gives this much.
            unsafe {
                let a = from.add(pair * 2 * BLOCK);
                Self::gate(S::load(a), S::load(a.add(BLOCK)), to.add(pair * Self::WORDS));
            }
        }
    }

    /// Writes the words of `blocks` blocks of values, and gives back what the codes must be multiplied with.
    ///
    /// # Safety
    /// The caller has the instruction set of `S`; `from` reaches 16 · `blocks` floats and `to` their words.
    unsafe fn encode(from: *const f32, blocks: usize, to: *mut u32) -> f32;
}

/// 32-bit floats, as they are.
pub(super) struct Floats;

impl<S: Simd> Coding<S> for Floats {
    const WORDS: usize = BLOCK;

    #[inline(always)]
    unsafe fn gate(a: S::V, b: S::V, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { S::store(to.cast(), gated::<S>(a, b)) }
    }

    #[inline(always)]
    unsafe fn encode(from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        // SAFETY: the trait's contract.
        unsafe { std::ptr::copy_nonoverlapping(from.cast(), to, blocks * BLOCK) };
        1.0
    }
}

/// Pairs of bfloat16.
pub(super) struct Pairs;

impl<S: Simd> Coding<S> for Pairs {
    const WORDS: usize = BLOCK / 2;

    #[inline(always)]
    unsafe fn gate(a: S::V, b: S::V, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { S::store_bf16(to.cast(), coarse_gated::<S>(a, b, 1.0)) }
    }

    #[inline(always)]
    unsafe fn encode(from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        for block in 0..blocks {
            // SAFETY: the trait's contract.
            unsafe { S::store_bf16(to.cast::<u16>().add(block * BLOCK), S::load(from.add(block * BLOCK))) }
        }
        1.0
    }
}

/// 8-bit codes: whole numbers from −127 to 127, shifted by [`CODE_OFFSET`].
pub(super) struct Codes;

/// What gate outputs are multiplied with to make codes of them, and codes to make outputs.
pub(super) const GATE_SCALE: f32 = 1.0 / MOST_CODE;

impl<S: Simd> Coding<S> for Codes {
    const WORDS: usize = BLOCK / 4;

    #[inline(always)]
    unsafe fn gate(a: S::V, b: S::V, to: *mut u32) {
        // SAFETY: the trait's contract. A gate's output times 127 lies in [−127, 127], to within a rounding.
        unsafe { S::store_codes(to.cast(), coarse_gated::<S>(a, b, MOST_CODE)) }
    }

    #[inline(always)]
    unsafe fn gate_of_four(from: *const f32, to: *mut u32) {
        // SAFETY: the trait's contract, and as above.
        unsafe {
            let mut z = [S::splat(0.0); 4];
            for pair in 0..4 {
                let a = from.add(pair * 2 * BLOCK);
                z[pair] = coarse_gated::<S>(S::load(a), S::load(a.add(BLOCK)), MOST_CODE);
            }
            S::store_codes_of_four(to.cast(), z);
        }
    }

    #[inline(always)]
    unsafe fn encode(from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        // SAFETY: the trait's contract.
        unsafe {
            if blocks == 4 {
                return encode_four::<S>(from, to);
            }
            let (mut most, mut least) = (S::splat(0.0), S::splat(0.0));
            for block in 0..blocks {
                let value = S::load(from.add(block * BLOCK));
                most = S::max(most, value);
                least = S::min(least, value);
            }
            let (scale, inverse) = code_scales::<S>(most, least);
            for block in 0..blocks {
                S::store_codes(to.cast::<u8>().add(block * BLOCK), S::mul(S::load(from.add(block * BLOCK)), inverse));
            }
            scale
        }
    }
}

/// What codes are multiplied with, and values to make codes of them, if these are the largest and the smallest among them:
/// the largest in size becomes ±127, to within a rounding.
#[inline(always)]
unsafe fn code_scales<S: Simd>(most: S::V, least: S::V) -> (f32, S::V) {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let largest = S::largest(S::max(most, S::sub(S::splat(0.0), least)));
        // Beyond this the reciprocal is no number any more; so quiet a frame is silence.
        let inverse = if largest > 1e-30 { MOST_CODE / largest } else { 0.0 };
        (largest * GATE_SCALE, S::splat(inverse))
    }
}

/// [`Codes::encode`] of four blocks, the usual number, which stay in registers between the two looks at them.
#[inline(always)]
unsafe fn encode_four<S: Simd>(from: *const f32, to: *mut u32) -> f32 {
    // SAFETY: the caller has the instruction set of `S` and gives 64 floats and room for their words.
    unsafe {
        let mut values = [S::splat(0.0); 4];
        for block in 0..4 {
            values[block] = S::load(from.add(block * BLOCK));
        }
        let most = S::max(S::max(values[0], values[1]), S::max(values[2], values[3]));
        let least = S::min(S::min(values[0], values[1]), S::min(values[2], values[3]));
        let (scale, inverse) = code_scales::<S>(most, least);
        for block in 0..4 {
            values[block] = S::mul(values[block], inverse);
        }
        S::store_codes_of_four(to.cast(), values);
        scale
    }
}

/// See [`super::contract::Primitives::gate`].
#[inline(always)]
pub(super) unsafe fn gate<S: Simd, C: Coding<S>>(h: *const f32, z: *mut u32, pairs: usize) {
    let mut pair = 0;
    // SAFETY: the caller gives `h` 32 floats and `z` the words of 16 values per pair.
    unsafe {
        while pair + 4 <= pairs {
            C::gate_of_four(h.add(pair * 2 * BLOCK), z.add(pair * C::WORDS));
            pair += 4;
        }
        while pair < pairs {
            let a = h.add(pair * 2 * BLOCK);
            C::gate(S::load(a), S::load(a.add(BLOCK)), z.add(pair * C::WORDS));
            pair += 1;
        }
    }
}

/// Asks for words ahead of their use.
#[inline(always)]
pub(super) unsafe fn fetch<S: Simd>(from: *const u32, words: usize) {
    for line in 0..words.div_ceil(BLOCK) {
        // SAFETY: a prefetch may go anywhere; the caller has the instruction set of `S`.
        unsafe { S::prefetch(from.wrapping_add(line * BLOCK)) }
    }
}

/// Copies words: so few that a call of the system's routine would take longer.
#[inline(always)]
pub(super) unsafe fn copy<S: Simd>(from: *const u32, to: *mut u32, words: usize) {
    // SAFETY: the caller has the instruction set of `S` and gives so many words on both sides.
    unsafe {
        if words == BLOCK {
            return S::store(to.cast(), S::load(from.cast()));
        }
        let mut word = 0;
        while word + BLOCK <= words {
            S::store(to.add(word).cast(), S::load(from.add(word).cast()));
            word += BLOCK;
        }
        while word < words {
            *to.add(word) = *from.add(word);
            word += 1;
        }
    }
}
