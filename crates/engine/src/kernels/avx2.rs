//! AVX2 with FMA, without and with its instruction for 8-bit integers (AVX-VNNI).
//!
//! Small functions here are macros or take no vectors: a closure or a function that is not always inlined would hand vectors
//! over in memory, since it does not have the instruction set of where it is called.

use super::contract::primitives;
use super::precision::CODE_OFFSET;
use super::product::{Dot, FloatDot, WideDot};
use super::simd::{Codes, Simd};
#[allow(clippy::wildcard_imports, reason = "some fifty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

// Of 16 registers, 8 hold sums; a block takes two.
primitives! {
    AVX2 = "AVX2", || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    Avx2, { #[target_feature(enable = "avx2,fma")] },
    f32: FloatDot, [4, 2, 1, 0], bf16: WideDot, [2, 2, 1, 0], int8: Avx2Bytes, [4, 2, 1, 0]
}
primitives! {
    VNNI = "AVX2 VNNI",
    || {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("avxvnni")
    },
    Avx2, { #[target_feature(enable = "avx2,fma,avxvnni")] },
    f32: FloatDot, [4, 2, 1, 0], bf16: WideDot, [2, 2, 1, 0], int8: Vnni, [4, 2, 1, 0]
}

/// Four unsigned bytes times four signed ones, added to a 32-bit sum: exact, as nothing saturates.
struct Vnni;

impl Dot<Avx2> for Vnni {
    type Coding = Codes;
    type Sum = Sums;
    type Weights = [__m256i; 2];
    type Input = __m256i;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Sums {
        // SAFETY: the trait's contract.
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    unsafe fn start(offsets: *const i32) -> Sums {
        // SAFETY: the trait's contract. The inputs are 128 too large; the offsets take that back.
        unsafe { [_mm256_loadu_si256(offsets.cast()), _mm256_loadu_si256(offsets.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> [__m256i; 2] {
        // SAFETY: the trait's contract.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> __m256i {
        // SAFETY: the trait's contract.
        unsafe { _mm256_set1_epi32(*from as i32) }
    }
    #[inline(always)]
    unsafe fn dot(sum: Sums, weights: [__m256i; 2], input: __m256i) -> Sums {
        // SAFETY: the trait's contract.
        unsafe {
            [_mm256_dpbusd_avx_epi32(sum[0], input, weights[0]), _mm256_dpbusd_avx_epi32(sum[1], input, weights[1])]
        }
    }
    #[inline(always)]
    unsafe fn finish(sum: Sums) -> [__m256; 2] {
        // SAFETY: the trait's contract.
        unsafe { [_mm256_cvtepi32_ps(sum[0]), _mm256_cvtepi32_ps(sum[1])] }
    }
}

/// Four codes of a row at a time, in pairs of 16 bits between: exact, as neither weights nor activations reach −128, and
/// two products of 127 · 127 fit.
pub(super) struct Avx2Bytes;

/// Sixteen sums.
type Sums = [__m256i; 2];

/// What AVX2 does for any vector of floats that it shares its processor with.
macro_rules! bytes {
    ($simd:ty, $joined:ident) => {
        impl Dot<$simd> for Avx2Bytes {
            type Coding = Codes;
            type Sum = Sums;
            type Weights = [__m256i; 2];
            /// Magnitudes and signed values.
            type Input = [__m256i; 2];
            const SCALED: bool = true;

            #[inline(always)]
            unsafe fn zero() -> Sums {
                // SAFETY: the trait's contract.
                unsafe { [_mm256_setzero_si256(); 2] }
            }
            #[inline(always)]
            unsafe fn weights(from: *const u32) -> [__m256i; 2] {
                // SAFETY: the trait's contract.
                unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
            }
            #[inline(always)]
            unsafe fn input(from: *const u32) -> [__m256i; 2] {
                // SAFETY: the trait's contract. Flipping the highest bit takes 128 away.
                unsafe {
                    let signed = _mm256_xor_si256(_mm256_set1_epi32(*from as i32), _mm256_set1_epi8(CODE_OFFSET as i8));
                    [_mm256_abs_epi8(signed), signed]
                }
            }
            #[inline(always)]
            unsafe fn dot(sum: Sums, weights: [__m256i; 2], [magnitude, signed]: [__m256i; 2]) -> Sums {
                // SAFETY: the trait's contract. The input's sign goes to the weight, since the multiplication takes one
                // side unsigned.
                unsafe {
                    let ones = _mm256_set1_epi16(1);
                    let low = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(weights[0], signed));
                    let high = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(weights[1], signed));
                    [
                        _mm256_add_epi32(sum[0], _mm256_madd_epi16(low, ones)),
                        _mm256_add_epi32(sum[1], _mm256_madd_epi16(high, ones)),
                    ]
                }
            }
            #[inline(always)]
            unsafe fn finish(sum: Sums) -> <$simd as Simd>::V {
                // SAFETY: the trait's contract.
                unsafe { $joined!(_mm256_cvtepi32_ps(sum[0]), _mm256_cvtepi32_ps(sum[1])) }
            }
        }
    };
}

/// Two registers of eight floats as they are.
macro_rules! two {
    ($low:expr, $high:expr) => {
        [$low, $high]
    };
}

/// Two registers of eight floats in one of sixteen.
macro_rules! one {
    ($low:expr, $high:expr) => {
        _mm512_castpd_ps(_mm512_insertf64x4::<1>(
            _mm512_castps_pd(_mm512_castps256_ps512($low)),
            _mm256_castps_pd($high),
        ))
    };
}

bytes!(Avx2, two);
bytes!(super::avx512::Avx512, one);

/// Sixteen floats in two registers.
pub(super) struct Avx2;

/// Applies an AVX intrinsic to both halves.
macro_rules! halves {
    ($intrinsic:ident, $($operand:ident),+) => {
        // SAFETY: the trait's contract: the caller has AVX2 and FMA.
        unsafe { [$intrinsic($($operand[0]),+), $intrinsic($($operand[1]),+)] }
    };
}

impl Simd for Avx2 {
    type V = [__m256; 2];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { [_mm256_set1_ps(value); 2] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        // SAFETY: the trait's contract.
        unsafe {
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        halves!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_min_ps, a, b)
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        halves!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        const MODE: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the trait's contract.
        unsafe { [_mm256_round_ps::<MODE>(a[0]), _mm256_round_ps::<MODE>(a[1])] }
    }
    #[inline(always)]
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V {
        // SAFETY: the trait's contract. 2ⁿ is the float whose exponent field is n + 127.
        unsafe {
            macro_rules! power {
                ($n:expr) => {
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
                        _mm256_cvtps_epi32($n),
                        _mm256_set1_epi32(127),
                    )))
                };
            }
            [_mm256_mul_ps(a[0], power!(n[0])), _mm256_mul_ps(a[1], power!(n[1]))]
        }
    }
    #[inline(always)]
    unsafe fn largest(a: Self::V) -> f32 {
        // SAFETY: the trait's contract.
        unsafe {
            let eight = _mm256_max_ps(a[0], a[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
    #[inline(always)]
    unsafe fn store_codes(to: *mut u8, a: Self::V) {
        // SAFETY: the trait's contract. Packing works within halves of a register, so the words are put in order between;
        // flipping the highest bit of a byte adds 128.
        unsafe {
            let words = _mm256_packs_epi32(_mm256_cvtps_epi32(a[0]), _mm256_cvtps_epi32(a[1]));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(bytes, _mm_set1_epi8(CODE_OFFSET as i8)));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut u16, a: Self::V) {
        // SAFETY: the trait's contract.
        unsafe {
            macro_rules! half {
                ($a:expr) => {{
                    let bits = _mm256_castps_si256($a);
                    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
                    let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
                    _mm256_srli_epi32::<16>(rounded)
                }};
            }
            let words = _mm256_packus_epi32(half!(a[0]), half!(a[1]));
            _mm256_storeu_si256(to.cast(), _mm256_permute4x64_epi64::<0b11_01_10_00>(words));
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u32) -> [Self::V; 2] {
        // SAFETY: the trait's contract.
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
    unsafe fn prefetch(at: *const u32) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
