//! How activations are written down as the words that products read, and the gate whose outputs they are.

// Iterators over arrays of vectors keep them in memory: a tenth of the time of a pass.
#![allow(clippy::needless_range_loop)]

use super::packed::BLOCK;
use super::precision::{MOST_CODE, Precision};
#[cfg(doc)]
use continuo_simd::CODE_OFFSET;
use continuo_simd::{Simd, math};

/// How the activations of one precision are written down as words.
pub(crate) trait Coding {
    /// The precision.
    const PRECISION: Precision;
    /// Words of sixteen values.
    const WORDS: usize = Self::PRECISION.words(BLOCK);

    /// Writes the words of `tanh(a) · sigmoid(b)`, as good as they can hold it.
    ///
    /// # Safety
    /// `to` reaches the words of sixteen values.
    unsafe fn gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes, to: *mut u32);

    /// As [`Coding::gate`] of four pairs of sixteen values, `from` which sixteen of `a` and of `b` take turns.
    ///
    /// # Safety
    /// `from` reaches 128 floats and `to` the words of 64 values.
    #[inline(always)]
    unsafe fn gate_of_four<S: Simd>(s: S, from: *const f32, to: *mut u32) {
        for pair in 0..4 {
            // SAFETY: the caller gives this much.
            unsafe {
                let a = from.add(pair * 2 * BLOCK);
                Self::gate(s, s.load(a), s.load(a.add(BLOCK)), to.add(pair * Self::WORDS));
            }
        }
    }

    /// Writes the words of `blocks` blocks of values, and gives back what the codes must be multiplied with: 1 unless
    /// 8-bit. There it is no finite number where one of the values is none, since codes cannot say so.
    ///
    /// # Safety
    /// `from` reaches 16 · `blocks` floats and `to` their words.
    unsafe fn encode<S: Simd>(s: S, from: *const f32, blocks: usize, to: *mut u32) -> f32;
}

/// 32-bit floats, as they are.
pub(crate) struct Floats;

impl Coding for Floats {
    const PRECISION: Precision = Precision::F32;

    #[inline(always)]
    unsafe fn gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { s.store(to.cast(), math::gate(s, a, b)) }
    }

    #[inline(always)]
    unsafe fn encode<S: Simd>(_s: S, from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        // SAFETY: the trait's contract.
        unsafe { std::ptr::copy_nonoverlapping(from.cast(), to, blocks * BLOCK) };
        1.0
    }
}

/// Pairs of bfloat16.
pub(crate) struct Pairs;

impl Coding for Pairs {
    const PRECISION: Precision = Precision::Bf16;

    #[inline(always)]
    unsafe fn gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes, to: *mut u32) {
        // SAFETY: the trait's contract.
        unsafe { s.store_bf16(to.cast(), math::coarse_gate(s, a, b, 1.0)) }
    }

    #[inline(always)]
    unsafe fn encode<S: Simd>(s: S, from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        for block in 0..blocks {
            // SAFETY: the trait's contract.
            unsafe { s.store_bf16(to.cast::<u16>().add(block * BLOCK), s.load(from.add(block * BLOCK))) }
        }
        1.0
    }
}

/// 8-bit codes: whole numbers from −127 to 127, shifted by [`CODE_OFFSET`].
pub(crate) struct Codes;

/// What gate outputs are multiplied with to make codes of them, and codes to make outputs.
pub(crate) const GATE_SCALE: f32 = 1.0 / MOST_CODE;

impl Coding for Codes {
    const PRECISION: Precision = Precision::Int8;

    #[inline(always)]
    unsafe fn gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes, to: *mut u32) {
        // SAFETY: the trait's contract. A gate's output times 127 lies in [−127, 127], to within a rounding.
        unsafe { s.store_codes(to.cast(), math::coarse_gate(s, a, b, MOST_CODE)) }
    }

    #[inline(always)]
    unsafe fn gate_of_four<S: Simd>(s: S, from: *const f32, to: *mut u32) {
        // SAFETY: the trait's contract, and as above.
        unsafe {
            let mut z = [s.splat(0.0); 4];
            for pair in 0..4 {
                let a = from.add(pair * 2 * BLOCK);
                z[pair] = math::coarse_gate(s, s.load(a), s.load(a.add(BLOCK)), MOST_CODE);
            }
            s.store_codes_of_four(to.cast(), z);
        }
    }

    #[inline(always)]
    unsafe fn encode<S: Simd>(s: S, from: *const f32, blocks: usize, to: *mut u32) -> f32 {
        // SAFETY: the trait's contract.
        unsafe {
            if blocks == 4 {
                return encode_four(s, from, to);
            }
            let mut most = s.splat(0.0);
            for block in 0..blocks {
                most = s.max_magnitude(most, s.abs(s.load(from.add(block * BLOCK))));
            }
            let (scale, inverse) = code_scales(s, most);
            for block in 0..blocks {
                s.store_codes(to.cast::<u8>().add(block * BLOCK), s.mul(s.load(from.add(block * BLOCK)), inverse));
            }
            scale
        }
    }
}

/// What codes are multiplied with, and values to make codes of them, if these are the largest magnitudes among them: the
/// largest of all becomes ±127, to within a rounding.
#[inline(always)]
fn code_scales<S: Simd>(s: S, most: S::Lanes) -> (f32, S::Lanes) {
    let largest = s.largest_magnitude(most);
    // Below this the reciprocal is no number any more; so quiet a frame is silence.
    let inverse = if largest > 1e-30 { MOST_CODE / largest } else { 0.0 };
    (largest * GATE_SCALE, s.splat(inverse))
}

/// [`Codes::encode`] of four blocks, the usual number, which stay in registers between the two looks at them.
#[inline(always)]
unsafe fn encode_four<S: Simd>(s: S, from: *const f32, to: *mut u32) -> f32 {
    // SAFETY: the caller gives 64 floats and room for their words.
    unsafe {
        let mut values = [s.splat(0.0); 4];
        for block in 0..4 {
            values[block] = s.load(from.add(block * BLOCK));
        }
        let low = s.max_magnitude(s.abs(values[0]), s.abs(values[1]));
        let high = s.max_magnitude(s.abs(values[2]), s.abs(values[3]));
        let (scale, inverse) = code_scales(s, s.max_magnitude(low, high));
        for block in 0..4 {
            values[block] = s.mul(values[block], inverse);
        }
        s.store_codes_of_four(to.cast(), values);
        scale
    }
}

/// `z = tanh(h₀) · sigmoid(h₁)` over pairs of blocks.
///
/// # Safety
/// `h` reaches 32 floats and `z` the words of 16 values per pair.
#[inline(always)]
pub(crate) unsafe fn gate<S: Simd, C: Coding>(s: S, h: *const f32, z: *mut u32, pairs: usize) {
    let mut pair = 0;
    // SAFETY: the caller gives this much.
    unsafe {
        while pair + 4 <= pairs {
            C::gate_of_four(s, h.add(pair * 2 * BLOCK), z.add(pair * C::WORDS));
            pair += 4;
        }
        while pair < pairs {
            let a = h.add(pair * 2 * BLOCK);
            C::gate(s, s.load(a), s.load(a.add(BLOCK)), z.add(pair * C::WORDS));
            pair += 1;
        }
    }
}

/// Asks for words ahead of their use.
#[inline(always)]
pub(crate) fn fetch<S: Simd>(s: S, words: &[u32]) {
    for line in 0..words.len().div_ceil(BLOCK) {
        s.prefetch(words.as_ptr().wrapping_add(line * BLOCK));
    }
}

/// Copies words: so few that a call of the system's routine would take longer.
///
/// # Safety
/// So many words can be read and written.
#[inline(always)]
pub(crate) unsafe fn copy<S: Simd>(s: S, from: *const u32, to: *mut u32, words: usize) {
    // SAFETY: the caller gives so many words on both sides.
    unsafe {
        if words == BLOCK {
            return s.store(to.cast(), s.load(from.cast()));
        }
        let mut word = 0;
        while word + BLOCK <= words {
            s.store(to.add(word).cast(), s.load(from.add(word).cast()));
            word += BLOCK;
        }
        while word < words {
            *to.add(word) = *from.add(word);
            word += 1;
        }
    }
}
