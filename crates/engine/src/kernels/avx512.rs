//! AVX-512, without and with its instructions for 8-bit integers (VNNI) and bfloat16 (BF16).

use super::avx2::Avx2Bytes;
use super::contract::primitives;
use super::precision::CODE_OFFSET;
use super::product::{Dot, FloatDot, WideDot};
use super::simd::{Codes, Pairs, Simd};
#[allow(clippy::wildcard_imports, reason = "some forty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

// Of 32 registers, up to 16 hold sums.
primitives! {
    /// With AVX-512 for floats and to narrow integers (F and BW), but not to multiply them; 8-bit products are AVX2's.
    PLAIN = "AVX-512", || is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx2"),
    Avx512, { #[target_feature(enable = "avx512f,avx512bw,avx2,fma")] },
    f32: FloatDot, [8, 4, 4, 2], bf16: WideDot, [4, 4, 2, 2], int8: Avx2Bytes, [4, 2, 1, 0]
}
primitives! {
    VNNI = "AVX-512 VNNI",
    || is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni"),
    Avx512, { #[target_feature(enable = "avx512f,avx512bw,avx512vnni")] },
    f32: FloatDot, [8, 4, 4, 2], bf16: WideDot, [4, 4, 2, 2], int8: Vnni, [8, 4, 4, 2]
}
primitives! {
    VNNI_BF16 = "AVX-512 VNNI BF16",
    || {
        is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bf16")
    },
    Avx512, { #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512bf16")] },
    f32: FloatDot, [8, 4, 4, 2], bf16: Bf16, [8, 4, 4, 2], int8: Vnni, [8, 4, 4, 2]
}

/// Four unsigned bytes times four signed ones, added to a 32-bit sum: exact, as nothing saturates.
struct Vnni;

impl Dot<Avx512> for Vnni {
    type Coding = Codes;
    type Sum = __m512i;
    type Weights = __m512i;
    type Input = __m512i;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the trait's contract.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn start(offsets: *const i32) -> __m512i {
        // SAFETY: the trait's contract. The inputs are 128 too large; the offsets take that back.
        unsafe { _mm512_loadu_si512(offsets.cast()) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> __m512i {
        // SAFETY: the trait's contract.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> __m512i {
        // SAFETY: the trait's contract.
        unsafe { _mm512_set1_epi32(*from as i32) }
    }
    #[inline(always)]
    unsafe fn dot(sum: __m512i, weights: __m512i, input: __m512i) -> __m512i {
        // SAFETY: the trait's contract.
        unsafe { _mm512_dpbusd_epi32(sum, input, weights) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m512i) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_cvtepi32_ps(sum) }
    }
}

/// Two products of bfloat16 added to an f32 sum. The instruction rounds in its own way and takes subnormals for zero, so
/// its sums differ from [`WideDot`]'s in their last bits.
struct Bf16;

impl Dot<Avx512> for Bf16 {
    type Coding = Pairs;
    type Sum = __m512;
    type Weights = __m512bh;
    type Input = __m512bh;
    const SCALED: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> __m512bh {
        // SAFETY: the trait's contract; both types are 64 bytes of any content.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> __m512bh {
        // SAFETY: the trait's contract; both types are 64 bytes of any content.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*from as i32)) }
    }
    #[inline(always)]
    unsafe fn dot(sum: __m512, weights: __m512bh, input: __m512bh) -> __m512 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_dpbf16_ps(sum, weights, input) }
    }
    #[inline(always)]
    unsafe fn finish(sum: __m512) -> __m512 {
        sum
    }
}

// In all implementations "the trait's contract" means: the caller has the instruction set, and pointers reach 16 values.
/// Sixteen floats in one register.
pub(super) struct Avx512;

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
    unsafe fn largest(a: __m512) -> f32 {
        // SAFETY: the trait's contract.
        unsafe { _mm512_reduce_max_ps(a) }
    }
    #[inline(always)]
    unsafe fn store_codes(to: *mut u8, a: __m512) {
        // SAFETY: the trait's contract. Flipping the highest bit of a byte adds 128.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(bytes, _mm_set1_epi8(CODE_OFFSET as i8)));
        }
    }
    #[inline(always)]
    unsafe fn store_codes_of_four(to: *mut u8, a: [__m512; 4]) {
        // SAFETY: the trait's contract, and as above. Narrowing puts quarter i of all four next to one another.
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
    unsafe fn store_bf16(to: *mut u16, a: __m512) {
        // SAFETY: the trait's contract. Rounded in integers: the instruction for it takes subnormals for zero.
        unsafe {
            let bits = _mm512_castps_si512(a);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded)));
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u32) -> [__m512; 2] {
        // SAFETY: the trait's contract.
        unsafe {
            let words = _mm512_loadu_si512(from.cast());
            let high = _mm512_and_si512(words, _mm512_set1_epi32(0xffff_0000_u32 as i32));
            [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)), _mm512_castsi512_ps(high)]
        }
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const u32) {
        // SAFETY: a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
}
