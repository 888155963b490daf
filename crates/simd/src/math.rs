//! Exponentials and what is made of them, each written once over any arithmetic.
//!
//! Errors are given for the instruction sets that round a multiplication and its addition once.

use crate::lanes::Simd;
use std::f32::consts::LOG2_E;

/// The first bits of ln 2, 355/512, so that a whole number times them is exact; and by how much they exceed it.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_HIGH_EXCESS: f32 = 2.121_944_4e-4;

/// Coefficients of eʳ − 1 − r over r², for |r| ≤ ln 2 / 2, the highest power first (Cephes library, `expf`).
const EXP: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// Coefficients of (tanh x / x − 1) / x², the highest power of x² first (Cephes library, `tanhf`).
const TANH: [f32; 5] = [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1];

/// Coefficients of (2ᶠ − 1)/f for |f| ≤ ½, the highest power first: the relative error of 2ᶠ stays below 3 · 10⁻⁶. Least
/// squares, weighted until the largest error was smallest (Lawson's method).
const COARSE_EXP2: [f32; 4] = [9.582_82e-3, 5.590_637e-2, 2.402_409_9e-1, 6.931_242e-1];

/// Added to a number of a few hundred and taken away again, leaves the nearest whole one.
const ROUND: f32 = 12_582_912.0;

/// A value between −`most` and `most`; what is NaN stays so.
#[inline(always)]
fn clamp<S: Simd>(s: S, x: S::Lanes, most: f32) -> S::Lanes {
    // In this order of operands: the second one comes back where one is NaN.
    s.max(s.splat(-most), s.min(s.splat(most), x))
}

/// `eˣ` for any x, which is taken for ±87 beyond: relative error below 2 · 10⁻⁷.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    exp_in_range(s, clamp(s, x, 87.0))
}

/// `eˣ` for |x| ≤ 87: relative error below 2 · 10⁻⁷.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2, in two parts of ln 2 (Cody & Waite, *Software Manual for the Elementary
/// Functions*, 1980, chapter 6).
#[inline(always)]
pub fn exp_in_range<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    let n = s.round(s.mul(x, s.splat(LOG2_E)));
    let r = s.mul_add(n, s.splat(-LN_2_HIGH), x);
    let r = s.mul_add(n, s.splat(LN_2_HIGH_EXCESS), r);
    let [highest, others @ ..] = EXP;
    let mut p = s.splat(highest);
    for coefficient in others {
        p = s.mul_add(p, r, s.splat(coefficient));
    }
    let p = s.mul_add(s.mul(r, r), p, r);
    s.scale(s.add(p, s.splat(1.0)), n)
}

/// `eˣ` for −86 ≤ x ≤ 0: relative error below 3 · 10⁻⁷, and the same bits on every processor.
///
/// As [`exp_in_range`], of additions and multiplications each rounded by itself: instructions that round once for two
/// operations do not give the same everywhere.
#[inline(always)]
pub fn exp_same_everywhere<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    let round = s.splat(ROUND);
    let n = s.sub(s.add(s.mul(x, s.splat(LOG2_E)), round), round);
    let r = s.sub(x, s.mul(n, s.splat(LN_2_HIGH)));
    let r = s.add(r, s.mul(n, s.splat(LN_2_HIGH_EXCESS)));
    let [highest, others @ ..] = EXP;
    let mut p = s.splat(highest);
    for coefficient in others {
        p = s.add(s.mul(p, r), s.splat(coefficient));
    }
    let p = s.add(s.mul(s.mul(r, r), p), r);
    s.scale(s.add(p, s.splat(1.0)), n)
}

/// 1 / (1 + e⁻ˣ): absolute error below 2 · 10⁻⁷.
#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

/// tanh x = 1 − 2 / (1 + e²ˣ), and near zero, where that cancels, an odd polynomial: relative error below 5 · 10⁻⁷.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    let one = s.splat(1.0);
    let e = exp(s, s.add(x, x));
    let far = s.sub(one, s.div(s.splat(2.0), s.add(one, e)));
    let square = s.mul(x, x);
    let [highest, others @ ..] = TANH;
    let mut p = s.splat(highest);
    for coefficient in others {
        p = s.mul_add(p, square, s.splat(coefficient));
    }
    let near = s.mul_add(s.mul(p, square), x, x);
    let is_near = s.sub(s.splat(0.625 * 0.625), square);
    s.add(s.where_positive(is_near, near), s.sub(far, s.where_positive(is_near, far)))
}

/// `tanh(a) · sigmoid(b)`: absolute error below 5 · 10⁻⁷ for any finite input.
///
/// Both are made of one exponential each, and share one division:
/// tanh a = (e²ᵃ − 1)/(e²ᵃ + 1), sigmoid b = 1/(1 + e⁻ᵇ).
#[inline(always)]
pub fn gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes) -> S::Lanes {
    // Beyond these, tanh is ±1 and the sigmoid 0 or 1 to within the error; the product below stays finite.
    let a = clamp(s, a, 9.5);
    let b = clamp(s, b, 40.0);
    let one = s.splat(1.0);
    let double = exp_in_range(s, s.add(a, a));
    let inverse = exp_in_range(s, s.sub(s.splat(0.0), b));
    let denominator = s.mul(s.add(double, one), s.add(inverse, one));
    s.div(s.sub(double, one), denominator)
}

/// `scale · tanh(a) · sigmoid(b)`, with an absolute error below 5 · 10⁻⁶ · `scale`: for outputs that are rounded to 8 bits,
/// in two thirds of the time of [`gate`].
#[inline(always)]
pub fn coarse_gate<S: Simd>(s: S, a: S::Lanes, b: S::Lanes, scale: f32) -> S::Lanes {
    let a = clamp(s, s.mul(a, s.splat(2.0 * LOG2_E)), 27.5);
    let b = clamp(s, s.mul(b, s.splat(-LOG2_E)), 58.0);
    let one = s.splat(1.0);
    let (double, inverse) = (coarse_exp2(s, a), coarse_exp2(s, b));
    let denominator = s.mul(s.add(double, one), s.add(inverse, one));
    let numerator = s.sub(double, one);
    s.div(if scale > 1.0 { s.mul(numerator, s.splat(scale)) } else { numerator }, denominator)
}

/// `2ˣ` for |x| ≤ 120: relative error below 4 · 10⁻⁶.
#[inline(always)]
fn coarse_exp2<S: Simd>(s: S, x: S::Lanes) -> S::Lanes {
    let n = s.round(x);
    let f = s.sub(x, n);
    let [third, second, first, zeroth] = COARSE_EXP2;
    let p = s.mul_add(s.splat(third), f, s.splat(second));
    let p = s.mul_add(s.mul_add(p, f, s.splat(first)), f, s.splat(zeroth));
    s.scale(s.mul_add(p, f, s.splat(1.0)), n)
}
