//! Sixteen lanes of f32 in the widest registers the processor has.

/// Sixteen f32 lanes. Every instruction set computes the same expression in the same order; fused multiply-add rounds
/// once where the hardware has it, so results differ between instruction sets in the last bit and are equal on one.
pub trait Simd: Copy {
    /// Sixteen values.
    type Lanes: Copy;
    /// Vectors per row of the widest block of sums that is kept in registers: 4, 2 or 1.
    const WIDEST: usize;
    /// Rows of such a block that is 4, 2 or 1 vectors wide.
    const ROWS: [usize; 3];

    /// Sixteen times `value`.
    fn splat(value: f32) -> Self::Lanes;
    /// The sixteen values at `from`.
    ///
    /// # Safety
    /// `from` must be valid for reading sixteen values.
    unsafe fn load(from: *const f32) -> Self::Lanes;
    /// Puts sixteen values at `to`.
    ///
    /// # Safety
    /// `to` must be valid for writing sixteen values.
    unsafe fn store(to: *mut f32, value: Self::Lanes);
    /// `a · b + c`.
    fn mul_add(a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
    /// `a + b`.
    fn add(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a − b`.
    fn sub(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a · b`.
    fn mul(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a / b`.
    fn div(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The larger of each pair; the second where one is no number.
    fn max(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// The smaller of each pair; the second where one is no number.
    fn min(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `a` where `x` > 0, else 0.
    fn where_positive(x: Self::Lanes, a: Self::Lanes) -> Self::Lanes;
    /// 2 to the power of `n`, for whole `n` in [−126, 127].
    fn exp2_whole(n: Self::Lanes) -> Self::Lanes;
    /// The nearest whole number.
    fn round(a: Self::Lanes) -> Self::Lanes;
}

/// eˣ, for any x (clamped to ±87): Cody–Waite reduction by ln 2 and a polynomial of degree 6; relative error below 2e-7.
#[inline(always)]
pub fn exp<S: Simd>(x: S::Lanes) -> S::Lanes {
    // The second operand comes back where one is no number, so that a NaN stays one.
    let x = S::min(S::splat(87.0), S::max(S::splat(-87.0), x));
    let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
    let r = S::mul_add(n, S::splat(-0.693_359_4), x);
    let r = S::mul_add(n, S::splat(2.121_944_4e-4), r);
    // Cephes' expf coefficients.
    let mut p = S::splat(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = S::mul_add(p, r, S::splat(c));
    }
    let e = S::add(S::mul_add(S::mul(r, r), p, r), S::splat(1.0));
    S::mul(e, S::exp2_whole(n))
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub fn sigmoid<S: Simd>(x: S::Lanes) -> S::Lanes {
    let one = S::splat(1.0);
    S::div(one, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
}

/// tanh x = 1 − 2 / (1 + e²ˣ), and near zero, where that cancels, an odd polynomial; relative error below 5e-7.
#[inline(always)]
pub fn tanh<S: Simd>(x: S::Lanes) -> S::Lanes {
    let one = S::splat(1.0);
    let e = exp::<S>(S::add(x, x));
    let far = S::sub(one, S::div(S::splat(2.0), S::add(one, e)));
    let square = S::mul(x, x);
    // Cephes' tanhf coefficients.
    let mut p = S::splat(-5.704_988_7e-3);
    for c in [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = S::mul_add(p, square, S::splat(c));
    }
    let near = S::mul_add(S::mul(p, square), x, x);
    let is_near = S::sub(S::splat(0.625 * 0.625), square);
    S::add(S::where_positive(is_near, near), S::sub(far, S::where_positive(is_near, far)))
}

/// Plain Rust, for processors without the sets below.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> [f32; 16] {
    let mut out = [0.0; 16];
    for (lane, value) in out.iter_mut().enumerate() {
        *value = f(lane);
    }
    out
}

impl Simd for Portable {
    type Lanes = [f32; 16];
    const WIDEST: usize = 4;
    const ROWS: [usize; 3] = [1, 2, 4];

    #[inline(always)]
    fn splat(value: f32) -> Self::Lanes {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::Lanes {
        // SAFETY: the caller says that sixteen values may be read; f32 arrays have the alignment of f32.
        unsafe { from.cast::<[f32; 16]>().read() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::Lanes) {
        // SAFETY: the caller says that sixteen values may be written.
        unsafe { to.cast::<[f32; 16]>().write(value) }
    }
    #[inline(always)]
    fn mul_add(a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
        each(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    fn add(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn max(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
        each(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn where_positive(x: Self::Lanes, a: Self::Lanes) -> Self::Lanes {
        each(|i| if x[i] > 0.0 { a[i] } else { 0.0 })
    }
    #[inline(always)]
    fn exp2_whole(n: Self::Lanes) -> Self::Lanes {
        each(|i| f32::from_bits(((n[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    fn round(a: Self::Lanes) -> Self::Lanes {
        each(|i| a[i].round_ties_even())
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    #[allow(clippy::wildcard_imports)]
    use std::arch::x86_64::*;

    /// AVX-512F. Only for use inside functions that enable `avx512f`.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx512;

    // SAFETY of every block below: these types are only named inside `#[target_feature]` functions of this crate's
    // `kernels`, entered after the processor was asked for the feature; the intrinsics have no other condition, save
    // for loads and stores, whose condition is the trait's.
    macro_rules! intrinsic {
        ($call:expr) => {
            // SAFETY: see above.
            unsafe { $call }
        };
    }

    impl Simd for Avx512 {
        type Lanes = __m512;
        const WIDEST: usize = 4;
        const ROWS: [usize; 3] = [6, 12, 16];

        #[inline(always)]
        fn splat(value: f32) -> __m512 {
            intrinsic!(_mm512_set1_ps(value))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            intrinsic!(_mm512_loadu_ps(from))
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, value: __m512) {
            intrinsic!(_mm512_storeu_ps(to, value));
        }
        #[inline(always)]
        fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            intrinsic!(_mm512_fmadd_ps(a, b, c))
        }
        #[inline(always)]
        fn add(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_add_ps(a, b))
        }
        #[inline(always)]
        fn sub(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_sub_ps(a, b))
        }
        #[inline(always)]
        fn mul(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_mul_ps(a, b))
        }
        #[inline(always)]
        fn div(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_div_ps(a, b))
        }
        #[inline(always)]
        fn max(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_max_ps(a, b))
        }
        #[inline(always)]
        fn min(a: __m512, b: __m512) -> __m512 {
            intrinsic!(_mm512_min_ps(a, b))
        }
        #[inline(always)]
        fn where_positive(x: __m512, a: __m512) -> __m512 {
            intrinsic!(_mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), a))
        }
        #[inline(always)]
        fn exp2_whole(n: __m512) -> __m512 {
            intrinsic!(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(
                _mm512_cvtps_epi32(n),
                _mm512_set1_epi32(127)
            ))))
        }
        #[inline(always)]
        fn round(a: __m512) -> __m512 {
            intrinsic!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
        }
    }

    /// AVX2 with FMA, two registers for sixteen lanes. Only for use inside functions that enable both.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2;

    impl Simd for Avx2 {
        type Lanes = [__m256; 2];
        const WIDEST: usize = 1;
        const ROWS: [usize; 3] = [1, 3, 6];

        #[inline(always)]
        fn splat(value: f32) -> Self::Lanes {
            intrinsic!([_mm256_set1_ps(value); 2])
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::Lanes {
            intrinsic!([_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))])
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, value: Self::Lanes) {
            intrinsic!({
                _mm256_storeu_ps(to, value[0]);
                _mm256_storeu_ps(to.add(8), value[1]);
            });
        }
        #[inline(always)]
        fn mul_add(a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])])
        }
        #[inline(always)]
        fn add(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn sub(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn mul(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn div(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn max(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn min(a: Self::Lanes, b: Self::Lanes) -> Self::Lanes {
            intrinsic!([_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])])
        }
        #[inline(always)]
        fn where_positive(x: Self::Lanes, a: Self::Lanes) -> Self::Lanes {
            let half = |x, a| intrinsic!(_mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()), a));
            [half(x[0], a[0]), half(x[1], a[1])]
        }
        #[inline(always)]
        fn exp2_whole(n: Self::Lanes) -> Self::Lanes {
            let half = |n| {
                intrinsic!(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(
                    _mm256_cvtps_epi32(n),
                    _mm256_set1_epi32(127)
                ))))
            };
            [half(n[0]), half(n[1])]
        }
        #[inline(always)]
        fn round(a: Self::Lanes) -> Self::Lanes {
            let half = |a| intrinsic!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a));
            [half(a[0]), half(a[1])]
        }
    }
}
