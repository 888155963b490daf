//! AVX-512: sixteen values in one register.

use crate::lanes::{CODE_OFFSET, Simd};
use crate::set::declare;
#[allow(clippy::wildcard_imports, reason = "some thirty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

declare! {
    /// AVX-512 for floats and to narrow integers (F and BW), with the AVX2 and FMA that come with it.
    Avx512 = "AVX-512", Avx512, is_x86_feature_detected: "avx512f", "avx512bw", "avx2", "fma"
}
declare! {
    /// [`Avx512`] with products of 8-bit integers.
    Avx512Vnni = "AVX-512 VNNI", Avx512, is_x86_feature_detected: "avx512f", "avx512bw", "avx2", "fma", "avx512vnni"
}
declare! {
    /// [`Avx512Vnni`] with products of bfloat16.
    Avx512VnniBf16 = "AVX-512 VNNI BF16", Avx512,
    is_x86_feature_detected: "avx512f", "avx512bw", "avx2", "fma", "avx512vnni", "avx512bf16"
}

/// An intrinsic that reads and writes registers alone.
macro_rules! registers {
    ($call:expr) => {
        // SAFETY: `self` exists, so the processor has these instructions; they touch no memory.
        unsafe { $call }
    };
}

impl Simd for Avx512 {
    type Lanes = __m512;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        registers!(_mm512_set1_ps(value))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen values.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        registers!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        registers!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn where_positive(self, x: __m512, a: __m512) -> __m512 {
        registers!(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), a))
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        registers!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn scale(self, a: __m512, n: __m512) -> __m512 {
        registers!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        registers!(_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(i32::MAX))))
    }
    #[inline(always)]
    fn max_magnitude(self, a: __m512, b: __m512) -> __m512 {
        // As integers, magnitudes are in order, and NaN is beyond infinity.
        registers!(_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))))
    }
    #[inline(always)]
    fn largest_magnitude(self, a: __m512) -> f32 {
        f32::from_bits(registers!(_mm512_reduce_max_epi32(_mm512_castps_si512(a))) as u32)
    }
    #[inline(always)]
    fn largest(self, a: __m512) -> f32 {
        registers!(_mm512_reduce_max_ps(a))
    }
    #[inline(always)]
    unsafe fn store_codes(self, to: *mut u8, a: __m512) {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen bytes. Flipping the highest bit of a byte adds 128.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(bytes, _mm_set1_epi8(CODE_OFFSET as i8)));
        }
    }
    #[inline(always)]
    unsafe fn store_codes_of_four(self, to: *mut u8, a: [__m512; 4]) {
        // SAFETY: as in `store_codes`, of 64 bytes. Narrowing puts quarter i of all four next to one another.
        unsafe {
            let low = _mm512_packs_epi32(_mm512_cvtps_epi32(a[0]), _mm512_cvtps_epi32(a[1]));
            let high = _mm512_packs_epi32(_mm512_cvtps_epi32(a[2]), _mm512_cvtps_epi32(a[3]));
            let bytes = _mm512_packs_epi16(low, high);
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            let bytes = _mm512_permutexvar_epi32(order, bytes);
            _mm512_storeu_si512(to.cast(), _mm512_xor_si512(bytes, _mm512_set1_epi8(CODE_OFFSET as i8)));
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut u16, a: __m512) {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen values. Rounded in integers: the instruction for it
        // takes subnormals for zero.
        unsafe {
            let bits = _mm512_castps_si512(a);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded)));
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(self, from: *const u32) -> [__m512; 2] {
        // SAFETY: `self` exists; the caller's pointer reaches sixteen words.
        unsafe {
            let words = _mm512_loadu_si512(from.cast());
            let high = _mm512_and_si512(words, _mm512_set1_epi32(0xffff_0000_u32 as i32));
            [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)), _mm512_castsi512_ps(high)]
        }
    }
    #[inline(always)]
    fn prefetch(self, at: *const u32) {
        // SAFETY: a prefetch never faults, wherever it goes.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

impl Avx512VnniBf16 {
    /// The part of it that multiplies 8-bit integers.
    #[inline(always)]
    pub fn vnni(self) -> Avx512Vnni {
        Avx512Vnni(())
    }
}
