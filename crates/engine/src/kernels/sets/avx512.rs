//! AVX-512, without and with its products of 8-bit integers (VNNI) and bfloat16 (BF16).

use super::avx2::Avx2Bytes;
use crate::kernels::coding::{Codes, Pairs};
use crate::kernels::dot::{Dot, FloatDot, Products, WideDot};
use crate::kernels::product::Tiling;
use continuo_simd::{Avx512, Avx512Vnni, Avx512VnniBf16, InstructionSet as _};
#[allow(clippy::wildcard_imports, reason = "a dozen intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

// Of 32 registers, up to 16 hold sums.
type Wide = Tiling<8, 4, 4, 2>;
type Widened = Tiling<4, 4, 2, 2>;

impl Products for Avx512 {
    type F32 = FloatDot<Avx512, Wide>;
    type Bf16 = WideDot<Avx512, Widened>;
    type Int8 = Avx2Bytes<Avx512>;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        FloatDot::new(self)
    }
    #[inline(always)]
    fn bf16(self) -> Self::Bf16 {
        WideDot::new(self)
    }
    #[inline(always)]
    fn int8(self) -> Self::Int8 {
        Avx2Bytes(self)
    }
}

impl Products for Avx512Vnni {
    type F32 = FloatDot<Avx512, Wide>;
    type Bf16 = WideDot<Avx512, Widened>;
    type Int8 = Vnni;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        FloatDot::new(self.simd())
    }
    #[inline(always)]
    fn bf16(self) -> Self::Bf16 {
        WideDot::new(self.simd())
    }
    #[inline(always)]
    fn int8(self) -> Vnni {
        Vnni(self)
    }
}

impl Products for Avx512VnniBf16 {
    type F32 = FloatDot<Avx512, Wide>;
    type Bf16 = Bf16;
    type Int8 = Vnni;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        FloatDot::new(self.simd())
    }
    #[inline(always)]
    fn bf16(self) -> Bf16 {
        Bf16(self)
    }
    #[inline(always)]
    fn int8(self) -> Vnni {
        Vnni(self.vnni())
    }
}

/// Four unsigned bytes times four signed ones, added to a 32-bit sum: exact, as nothing saturates.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Vnni(Avx512Vnni);

impl Dot for Vnni {
    type Set = Avx512Vnni;
    type Simd = Avx512;
    type Coding = Codes;
    type Tiles = Wide;
    type Sum = __m512i;
    type Weights = __m512i;
    type Input = __m512i;
    const SCALED: bool = true;

    #[inline(always)]
    fn set(self) -> Avx512Vnni {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> Avx512 {
        self.0.simd()
    }
    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: `self` holds the proof of the instruction set.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn start(self, offsets: *const i32) -> __m512i {
        // SAFETY: the proof, and the trait's contract. The inputs are 128 too large; the offsets take that back.
        unsafe { _mm512_loadu_si512(offsets.cast()) }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> __m512i {
        // SAFETY: the proof, and the trait's contract.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> __m512i {
        // SAFETY: the proof, and the trait's contract.
        unsafe { _mm512_set1_epi32(*from as i32) }
    }
    #[inline(always)]
    fn dot(self, sum: __m512i, weights: __m512i, input: __m512i) -> __m512i {
        // SAFETY: the proof.
        unsafe { _mm512_dpbusd_epi32(sum, input, weights) }
    }
    #[inline(always)]
    fn finish(self, sum: __m512i) -> __m512 {
        // SAFETY: the proof.
        unsafe { _mm512_cvtepi32_ps(sum) }
    }
}

/// Two products of bfloat16 added to an f32 sum. The instruction rounds in its own way and takes subnormals for zero, so
/// its sums differ from [`WideDot`]'s in their last bits.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Bf16(Avx512VnniBf16);

impl Dot for Bf16 {
    type Set = Avx512VnniBf16;
    type Simd = Avx512;
    type Coding = Pairs;
    type Tiles = Wide;
    type Sum = __m512;
    type Weights = __m512bh;
    type Input = __m512bh;
    const SCALED: bool = false;

    #[inline(always)]
    fn set(self) -> Avx512VnniBf16 {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> Avx512 {
        self.0.simd()
    }
    #[inline(always)]
    fn zero(self) -> __m512 {
        // SAFETY: `self` holds the proof of the instruction set.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> __m512bh {
        // SAFETY: the proof, and the trait's contract; both types are 64 bytes of any content.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> __m512bh {
        // SAFETY: the proof, and the trait's contract; both types are 64 bytes of any content.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*from as i32)) }
    }
    #[inline(always)]
    fn dot(self, sum: __m512, weights: __m512bh, input: __m512bh) -> __m512 {
        // SAFETY: the proof.
        unsafe { _mm512_dpbf16_ps(sum, weights, input) }
    }
    #[inline(always)]
    fn finish(self, sum: __m512) -> __m512 {
        sum
    }
}
