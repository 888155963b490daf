//! AVX2 with FMA, without and with its products of 8-bit integers (AVX-VNNI).

use crate::kernels::coding::Codes;
use crate::kernels::dot::{Dot, FloatDot, Products, WideDot};
use crate::kernels::product::Tiling;
use continuo_simd::{Avx2, Avx2Vnni, Avx512, CODE_OFFSET, InstructionSet as _, Simd};
#[allow(clippy::wildcard_imports, reason = "some twenty intrinsics whose names say where they are from")]
use std::arch::x86_64::*;

// Of 16 registers, 8 hold sums; a block takes two.
type Wide = Tiling<4, 2, 1, 0>;
type Widened = Tiling<2, 2, 1, 0>;

impl Products for Avx2 {
    type F32 = FloatDot<Avx2, Wide>;
    type Bf16 = WideDot<Avx2, Widened>;
    type Int8 = Avx2Bytes<Avx2>;

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

impl Products for Avx2Vnni {
    type F32 = FloatDot<Avx2, Wide>;
    type Bf16 = WideDot<Avx2, Widened>;
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

/// Sixteen sums.
type Sums = [__m256i; 2];

/// Four unsigned bytes times four signed ones, added to a 32-bit sum: exact, as nothing saturates.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Vnni(Avx2Vnni);

impl Dot for Vnni {
    type Set = Avx2Vnni;
    type Simd = Avx2;
    type Coding = Codes;
    type Tiles = Wide;
    type Sum = Sums;
    type Weights = [__m256i; 2];
    type Input = __m256i;
    const SCALED: bool = true;

    #[inline(always)]
    fn set(self) -> Avx2Vnni {
        self.0
    }
    #[inline(always)]
    fn simd(self) -> Avx2 {
        self.0.simd()
    }
    #[inline(always)]
    fn zero(self) -> Sums {
        // SAFETY: `self` holds the proof of the instruction set.
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    unsafe fn start(self, offsets: *const i32) -> Sums {
        // SAFETY: the proof, and the trait's contract. The inputs are 128 too large; the offsets take that back.
        unsafe { [_mm256_loadu_si256(offsets.cast()), _mm256_loadu_si256(offsets.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn weights(self, from: *const u32) -> [__m256i; 2] {
        // SAFETY: the proof, and the trait's contract.
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
    }
    #[inline(always)]
    unsafe fn input(self, from: *const u32) -> __m256i {
        // SAFETY: the proof, and the trait's contract.
        unsafe { _mm256_set1_epi32(*from as i32) }
    }
    #[inline(always)]
    fn dot(self, sum: Sums, weights: [__m256i; 2], input: __m256i) -> Sums {
        // SAFETY: the proof.
        unsafe {
            [_mm256_dpbusd_avx_epi32(sum[0], input, weights[0]), _mm256_dpbusd_avx_epi32(sum[1], input, weights[1])]
        }
    }
    #[inline(always)]
    fn finish(self, sum: Sums) -> [__m256; 2] {
        // SAFETY: the proof.
        unsafe { [_mm256_cvtepi32_ps(sum[0]), _mm256_cvtepi32_ps(sum[1])] }
    }
}

/// Four codes of a row at a time, in pairs of 16 bits between: exact, as neither weights nor activations reach −128, and
/// two products of 127 · 127 fit. It serves the floats of AVX2 and of AVX-512, which both prove that AVX2 is there.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Avx2Bytes<S>(pub S);

/// What AVX2 does for any vector of floats that it shares its processor with.
macro_rules! bytes {
    ($simd:ty, $joined:ident) => {
        impl Dot for Avx2Bytes<$simd> {
            type Set = $simd;
            type Simd = $simd;
            type Coding = Codes;
            type Tiles = Wide;
            type Sum = Sums;
            type Weights = [__m256i; 2];
            /// Magnitudes and signed values.
            type Input = [__m256i; 2];
            const SCALED: bool = true;

            #[inline(always)]
            fn set(self) -> $simd {
                self.0
            }
            #[inline(always)]
            fn simd(self) -> $simd {
                self.0
            }
            #[inline(always)]
            fn zero(self) -> Sums {
                // SAFETY: `self` holds the proof of AVX2.
                unsafe { [_mm256_setzero_si256(); 2] }
            }
            #[inline(always)]
            unsafe fn weights(self, from: *const u32) -> [__m256i; 2] {
                // SAFETY: the proof, and the trait's contract.
                unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(8).cast())] }
            }
            #[inline(always)]
            unsafe fn input(self, from: *const u32) -> [__m256i; 2] {
                // SAFETY: the proof, and the trait's contract. Flipping the highest bit takes 128 away.
                unsafe {
                    let signed = _mm256_xor_si256(_mm256_set1_epi32(*from as i32), _mm256_set1_epi8(CODE_OFFSET as i8));
                    [_mm256_abs_epi8(signed), signed]
                }
            }
            #[inline(always)]
            fn dot(self, sum: Sums, weights: [__m256i; 2], [magnitude, signed]: [__m256i; 2]) -> Sums {
                // SAFETY: the proof. The input's sign goes to the weight, since the multiplication takes one side unsigned.
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
            fn finish(self, sum: Sums) -> <$simd as Simd>::Lanes {
                // SAFETY: the proof.
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
bytes!(Avx512, one);
