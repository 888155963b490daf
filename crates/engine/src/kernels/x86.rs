//! AVX2 with FMA, and AVX-512F.

use super::contract::{Primitives, Product};
use super::simd::{self, Simd};
#[allow(clippy::wildcard_imports, reason = "some thirty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

pub(super) const AVX512: Primitives = Primitives {
    name: "AVX-512",
    supported: || is_x86_feature_detected!("avx512f"),
    product: product_avx512,
    gate: gate_avx512,
    fetch: simd::fetch::<Avx512>,
};

pub(super) const AVX2: Primitives = Primitives {
    name: "AVX2",
    supported: || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    product: product_avx2,
    gate: gate_avx2,
    fetch: simd::fetch::<Avx2>,
};

/// # Safety
/// See [`Primitives::product`].
#[target_feature(enable = "avx512f")]
unsafe fn product_avx512(arguments: &Product) {
    // SAFETY: passed on. Of 32 registers, up to 16 hold sums.
    unsafe { simd::product::<Avx512, 8, 4, 4, 2>(arguments) }
}

/// # Safety
/// See [`Primitives::gate`].
#[target_feature(enable = "avx512f")]
unsafe fn gate_avx512(h: *const f32, z: *mut f32, blocks: usize) {
    // SAFETY: passed on.
    unsafe { simd::gate::<Avx512>(h, z, blocks) }
}

/// # Safety
/// See [`Primitives::product`].
#[target_feature(enable = "avx2,fma")]
unsafe fn product_avx2(arguments: &Product) {
    // SAFETY: passed on. Of 16 registers, 8 hold sums; a block takes two.
    unsafe { simd::product::<Avx2, 4, 2, 1, 0>(arguments) }
}

/// # Safety
/// See [`Primitives::gate`].
#[target_feature(enable = "avx2,fma")]
unsafe fn gate_avx2(h: *const f32, z: *mut f32, blocks: usize) {
    // SAFETY: passed on.
    unsafe { simd::gate::<Avx2>(h, z, blocks) }
}

struct Avx512;

// In all implementations "the trait's contract" means: the caller has the instruction set, and pointers reach 16 floats.
impl Simd for Avx512 {
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        // SAFETY: the trait's contract.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn scale(a: __m512, n: __m512) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_scalef_ps(a, n) }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}

struct Avx2;

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
            let power = |n: __m256| {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            };
            [_mm256_mul_ps(a[0], power(n[0])), _mm256_mul_ps(a[1], power(n[1]))]
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
