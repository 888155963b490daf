//! AVX2 with FMA: sixteen values in two registers.
//!
//! Small functions here are macros or take no vectors: a closure or a function that is not always inlined would hand vectors
//! over in memory, since it does not have the instruction set of where it is called.

use crate::lanes::{CODE_OFFSET, Simd};
use crate::set::declare;
#[allow(clippy::wildcard_imports, reason = "some forty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

declare! {
    /// AVX2 with FMA.
    Avx2 = "AVX2", Avx2, is_x86_feature_detected: "avx2", "fma"
}
declare! {
    /// [`Avx2`] with products of 8-bit integers (AVX-VNNI).
    Avx2Vnni = "AVX2 VNNI", Avx2, is_x86_feature_detected: "avx2", "fma", "avxvnni"
}

/// Intrinsics that read and write registers alone.
macro_rules! registers {
    ($call:expr) => {
        // SAFETY: `self` exists, so the processor has these instructions; they touch no memory.
        unsafe { $call }
    };
}

/// Applies an intrinsic to both halves.
macro_rules! halves {
    ($intrinsic:ident, $($operand:ident),+) => {
        registers!([$intrinsic($($operand[0]),+), $intrinsic($($operand[1]),+)])
    };
}

impl Simd for Avx2 {
    type Lanes = [__m256; 2];
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        registers!([_mm256_set1_ps(value); 2])
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> Self::Lanes {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen values.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: Self::Lanes) {
        // SAFETY: as in `load`.
        unsafe {
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        }
    }
    #[inline(always)]
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn add(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        halves!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn where_positive(self, x: Self::Lanes, a: Self::Lanes) -> Self::Lanes {
        macro_rules! half {
            ($half:literal) => {
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x[$half], _mm256_setzero_ps()), a[$half])
            };
        }
        registers!([half!(0), half!(1)])
    }
    #[inline(always)]
    fn round(self, a: Self::Lanes) -> Self::Lanes {
        const MODE: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        registers!([_mm256_round_ps::<MODE>(a[0]), _mm256_round_ps::<MODE>(a[1])])
    }
    #[inline(always)]
    fn scale(self, a: Self::Lanes, n: Self::Lanes) -> Self::Lanes {
        // 2ⁿ is the float whose exponent field is n + 127.
        macro_rules! power {
            ($n:expr) => {
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
                    _mm256_cvtps_epi32($n),
                    _mm256_set1_epi32(127),
                )))
            };
        }
        registers!([_mm256_mul_ps(a[0], power!(n[0])), _mm256_mul_ps(a[1], power!(n[1]))])
    }
    #[inline(always)]
    fn abs(self, a: Self::Lanes) -> Self::Lanes {
        registers!({
            let mask = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MAX));
            [_mm256_and_ps(a[0], mask), _mm256_and_ps(a[1], mask)]
        })
    }
    #[inline(always)]
    fn max_magnitude(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        // As integers, magnitudes are in order, and NaN is beyond infinity.
        macro_rules! half {
            ($half:literal) => {
                _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a[$half]), _mm256_castps_si256(b[$half])))
            };
        }
        registers!([half!(0), half!(1)])
    }
    #[inline(always)]
    fn largest_magnitude(self, a: Self::Lanes) -> f32 {
        registers!({
            let eight = _mm256_max_epi32(_mm256_castps_si256(a[0]), _mm256_castps_si256(a[1]));
            let four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256::<1>(eight));
            let two = _mm_max_epi32(four, _mm_shuffle_epi32::<0b11_10_11_10>(four));
            let one = _mm_max_epi32(two, _mm_shuffle_epi32::<0b01_01_01_01>(two));
            _mm_cvtss_f32(_mm_castsi128_ps(one))
        })
    }
    #[inline(always)]
    fn largest(self, a: Self::Lanes) -> f32 {
        registers!({
            let eight = _mm256_max_ps(a[0], a[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
    #[inline(always)]
    unsafe fn store_codes(self, to: *mut u8, a: Self::Lanes) {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen bytes. Packing works within halves of a register, so
        // the words are put in order between; flipping the highest bit of a byte adds 128.
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(a[0]), _mm256_cvtps_epi32(a[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(bytes, _mm_set1_epi8(CODE_OFFSET as i8)));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16, a: Self::Lanes) {
        macro_rules! half {
            ($a:expr) => {{
                let bits = _mm256_castps_si256($a);
                let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
                let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
                _mm256_srli_epi32::<16>(rounded)
            }};
        }
        // SAFETY: `self` exists; the caller's pointer reaches sixteen values.
        unsafe {
            let words = _mm256_packus_epi32(half!(a[0]), half!(a[1]));
            _mm256_storeu_si256(to.cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(words));
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u32) -> [Self::Lanes; 2] {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen words.
        unsafe {
            let words = [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())];
            let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            [
                [
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words[0])),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words[1])),
                ],
                [
                    _mm256_castsi256_ps(_mm256_and_si256(words[0], mask)),
                    _mm256_castsi256_ps(_mm256_and_si256(words[1], mask)),
                ],
            ]
        }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u32) {
        // SAFETY: a prefetch never faults, wherever it goes.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
