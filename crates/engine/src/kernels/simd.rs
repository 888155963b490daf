//! The primitives, written once over blocks of sixteen floats.
//!
//! An instruction set says how it does arithmetic on a block ([`Simd`]); the register tiling is chosen for it there too.
//! Everything here is inlined into a function that enables the instruction set (`x86.rs`, `neon.rs`, `scalar.rs`).

use super::contract::{Epilogue, Product};
use super::packed::{BLOCK, GROUP};

/// How far ahead weights are asked for, in floats, where they come from beyond the caches: 16 KiB.
const PREFETCH: usize = 4096;

/// Inputs that are summed before their sum is added to the total: the skip paths of all layers are one sum of thousands
/// of terms, whose rounding errors would otherwise grow with its length.
const RUN: usize = 256;

/// Arithmetic on sixteen floats.
///
/// # Safety
/// Every method requires the instruction set of the implementation; pointers must reach sixteen floats.
pub(super) trait Simd {
    /// Sixteen floats.
    type V: Copy;
    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    /// `a · b + c`: rounded once in the vector instruction sets, twice in the scalar reference.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even.
    unsafe fn round(a: Self::V) -> Self::V;
    /// `a · 2ⁿ` for whole `n` with |n| ≤ 126.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// Asks for the cache line at `at`, which need not be valid.
    unsafe fn prefetch(at: *const f32);
}

/// The first bits of ln 2, 355/512, so that a whole number times them is exact; and by how much they exceed it.
pub(crate) const LN_2_HIGH: f32 = 355.0 / 512.0;
pub(crate) const LN_2_HIGH_EXCESS: f32 = 2.121_944_4e-4;

/// Coefficients of eʳ − 1 − r over r², for |r| ≤ ln 2 / 2, the highest power first (Cephes library, `expf`).
pub(crate) const EXP: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `eˣ` for |x| ≤ 87: relative error below 2 · 10⁻⁷.
///
/// x = n · ln 2 + r with |r| ≤ ln 2 / 2, in two parts of ln 2 (Cody & Waite, *Software Manual for the Elementary
/// Functions*, 1980, chapter 6).
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::mul_add(n, S::splat(-LN_2_HIGH), x);
        let r = S::mul_add(n, S::splat(LN_2_HIGH_EXCESS), r);
        let mut p = S::splat(0.0);
        for coefficient in EXP {
            p = S::mul_add(p, r, S::splat(coefficient));
        }
        let p = S::mul_add(S::mul(r, r), p, r);
        S::scale(S::add(p, S::splat(1.0)), n)
    }
}

/// `tanh(a) · sigmoid(b)`: absolute error below 5 · 10⁻⁷ for any finite input.
///
/// Both are made of one exponential each, and share one division:
/// tanh a = (e²ᵃ − 1)/(e²ᵃ + 1), sigmoid b = 1/(1 + e⁻ᵇ).
#[inline(always)]
unsafe fn gated<S: Simd>(a: S::V, b: S::V) -> S::V {
    // SAFETY: the caller has the instruction set of `S`.
    unsafe {
        // Beyond these, tanh is ±1 and the sigmoid 0 or 1 to within the error; the product below stays finite.
        let a = S::max(S::min(a, S::splat(9.5)), S::splat(-9.5));
        let b = S::max(S::min(b, S::splat(40.0)), S::splat(-40.0));
        let one = S::splat(1.0);
        let double = exp::<S>(S::add(a, a));
        let inverse = exp::<S>(S::sub(S::splat(0.0), b));
        let denominator = S::mul(S::add(double, one), S::add(inverse, one));
        S::div(S::sub(double, one), denominator)
    }
}

/// See [`super::contract::Primitives::gate`].
#[inline(always)]
pub(super) unsafe fn gate<S: Simd>(h: *const f32, z: *mut f32, blocks: usize) {
    for block in 0..blocks {
        // SAFETY: the caller gives `h` 32 floats and `z` 16 per block.
        unsafe {
            let a = S::load(h.add(block * 2 * BLOCK));
            let b = S::load(h.add(block * 2 * BLOCK + BLOCK));
            S::store(z.add(block * BLOCK), gated::<S>(a, b));
        }
    }
}

/// See [`super::contract::Primitives::fetch`].
#[inline(always)]
pub(super) unsafe fn fetch<S: Simd>(from: *const f32, length: usize) {
    for line in 0..length.div_ceil(BLOCK) {
        // SAFETY: a prefetch may go anywhere; the caller has the instruction set of `S`.
        unsafe { S::prefetch(from.wrapping_add(line * BLOCK)) }
    }
}

/// `NB` blocks of rows times `C` columns, held in registers over all inputs. `AHEAD`: ask for the weights that come
/// [`PREFETCH`] floats later.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "iterators over these arrays keep the sums in memory: twice the time")]
unsafe fn tile<S: Simd, const NB: usize, const C: usize, const AHEAD: bool>(
    product: &Product,
    block: usize,
    column: usize,
) {
    let &Product { weights, bias, blocks, inputs, x, x_stride, y, y_stride, epilogue, .. } = product;
    // SAFETY: the tile lies inside the product, whose pointers the caller vouches for, and inside one group.
    unsafe {
        let group = block / GROUP * GROUP;
        let width = (blocks - group).min(GROUP) * BLOCK;
        let mut row = weights.add(group * BLOCK * inputs + (block - group) * BLOCK);
        let mut xs = [x; C];
        for (c, start) in xs.iter_mut().enumerate() {
            *start = x.add((column + c) * x_stride);
        }
        let mut total = [[S::splat(0.0); NB]; C];
        if !bias.is_null() {
            for nb in 0..NB {
                let value = S::load(bias.add((block + nb) * BLOCK));
                for c in 0..C {
                    total[c][nb] = value;
                }
            }
        }
        let mut first = 0;
        while first < inputs {
            let last = inputs.min(first + RUN);
            let mut sum = [[S::splat(0.0); NB]; C];
            for input in first..last {
                let mut w = [S::splat(0.0); NB];
                for (nb, value) in w.iter_mut().enumerate() {
                    *value = S::load(row.add(nb * BLOCK));
                    if AHEAD {
                        S::prefetch(row.wrapping_add(nb * BLOCK + PREFETCH));
                    }
                }
                row = row.wrapping_add(width);
                for c in 0..C {
                    let value = S::splat(*xs[c].add(input));
                    for nb in 0..NB {
                        sum[c][nb] = S::mul_add(w[nb], value, sum[c][nb]);
                    }
                }
            }
            for c in 0..C {
                for nb in 0..NB {
                    total[c][nb] = S::add(total[c][nb], sum[c][nb]);
                }
            }
            first = last;
        }
        for c in 0..C {
            for nb in 0..NB {
                let to = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                let value = match epilogue {
                    Epilogue::Store => total[c][nb],
                    Epilogue::Relu => S::max(total[c][nb], S::splat(0.0)),
                    Epilogue::AddTo => S::add(S::load(to), total[c][nb]),
                };
                S::store(to, value);
            }
        }
    }
}

/// As [`tile`]; weights are asked for ahead only by the first column, since the others find them near.
#[inline(always)]
unsafe fn first_or_later<S: Simd, const NB: usize, const C: usize>(product: &Product, block: usize, column: usize) {
    // SAFETY: passed on.
    unsafe {
        if product.ahead && column == 0 {
            tile::<S, NB, C, true>(product, block, column);
        } else {
            tile::<S, NB, C, false>(product, block, column);
        }
    }
}

/// `TWO` blocks of rows times all columns: by eights in parts of `EIGHT` blocks, by fours in parts of `FOUR`, then two,
/// then one.
#[inline(always)]
unsafe fn chunk<S: Simd, const TWO: usize, const FOUR: usize, const EIGHT: usize>(product: &Product, block: usize) {
    let columns = product.columns;
    let eights = if EIGHT > 0 { columns / 8 * 8 } else { 0 };
    let fours = columns / 4 * 4;
    let mut column = fours;
    // SAFETY: as for `tile`; every tile stays below `columns`.
    unsafe {
        for part in (block..block + TWO).step_by(EIGHT.max(1)) {
            for column in (0..eights).step_by(8) {
                first_or_later::<S, EIGHT, 8>(product, part, column);
            }
        }
        for part in (block..block + TWO).step_by(FOUR) {
            for column in (eights..fours).step_by(4) {
                first_or_later::<S, FOUR, 4>(product, part, column);
            }
        }
        if column + 2 <= columns {
            first_or_later::<S, TWO, 2>(product, block, column);
            column += 2;
        }
        if column < columns {
            first_or_later::<S, TWO, 1>(product, block, column);
        }
    }
}

/// See [`super::contract::Primitives::product`]. With one column, `ONE` blocks of rows at a time; with several, `TWO`
/// blocks by two columns, `FOUR` by four or `EIGHT` by eight (0: never): as many sums as there are registers for and at least eight vectors of them,
/// since that many fused operations are under way at once. `ONE` divides [`GROUP`], `TWO` divides it, `FOUR` and `EIGHT`
/// divide `TWO`.
#[inline(always)]
pub(super) unsafe fn product<S: Simd, const ONE: usize, const TWO: usize, const FOUR: usize, const EIGHT: usize>(
    product: &Product,
) {
    let blocks = product.blocks;
    let mut block = 0;
    // SAFETY: as for `tile`. A tile whose number of blocks divides `GROUP` and which starts at a multiple of that number
    // lies in one group; so does one block.
    unsafe {
        if product.columns == 1 {
            while block + ONE <= blocks {
                first_or_later::<S, ONE, 1>(product, block, 0);
                block += ONE;
            }
        }
        while block + TWO <= blocks {
            chunk::<S, TWO, FOUR, EIGHT>(product, block);
            block += TWO;
        }
        while block < blocks {
            chunk::<S, 1, 1, 0>(product, block);
            block += 1;
        }
    }
}
