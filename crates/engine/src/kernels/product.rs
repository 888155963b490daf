//! Products of a packed matrix with several columns, written once over instruction sets and precisions.
//!
//! An instruction set says how a line of weights meets a word of inputs ([`Dot`]) and how many sums its registers hold.

use super::contract::{Epilogue, Product};
use super::packed::{BLOCK, GROUP};
use super::simd::{Coding, Simd};

/// How far ahead weights are asked for, in words, where they come from beyond the caches: 16 KiB.
const PREFETCH: usize = 4096;

/// How sixteen rows of weights of one precision are multiplied with inputs and summed.
///
/// # Safety
/// Every method requires the instruction set of the implementation; pointers must reach a line of weights (or offsets).
pub(super) trait Dot<S: Simd> {
    /// How this precision's activations are written down.
    type Coding: Coding<S>;
    /// Sixteen sums.
    type Sum: Copy;
    /// A line of weights.
    type Weights: Copy;
    /// A word of inputs, for all rows.
    type Input: Copy;
    /// Whether sums are of codes, which are still to be multiplied with the scales of their row and column.
    const SCALED: bool;
    /// Words that are summed before their sum is added to the total: the skip paths of all layers are one sum of
    /// thousands of terms, whose rounding errors would otherwise grow with its length.
    const RUN: usize;

    /// The empty sum.
    unsafe fn zero() -> Self::Sum;
    /// The empty sum for inputs that are shifted; only called where [`Dot::SCALED`] is true.
    unsafe fn start(offsets: *const i32) -> Self::Sum {
        let _ = offsets;
        // SAFETY: the trait's contract.
        unsafe { Self::zero() }
    }
    unsafe fn weights(from: *const u32) -> Self::Weights;
    unsafe fn input(from: *const u32) -> Self::Input;
    unsafe fn dot(sum: Self::Sum, weights: Self::Weights, input: Self::Input) -> Self::Sum;
    unsafe fn finish(sum: Self::Sum) -> S::V;
}

/// f32 weights and inputs.
pub(super) struct FloatDot;

impl<S: Simd> Dot<S> for FloatDot {
    type Coding = super::simd::Floats;
    type Sum = S::V;
    type Weights = S::V;
    type Input = S::V;
    const SCALED: bool = false;
    const RUN: usize = 256;

    #[inline(always)]
    unsafe fn zero() -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::splat(0.0) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::load(from.cast()) }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::splat(f32::from_bits(*from)) }
    }
    #[inline(always)]
    unsafe fn dot(sum: S::V, weights: S::V, input: S::V) -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::mul_add(weights, input, sum) }
    }
    #[inline(always)]
    unsafe fn finish(sum: S::V) -> S::V {
        sum
    }
}

/// bfloat16 weights and inputs on instruction sets without them: widened to f32, which is exact, and multiplied there.
pub(super) struct WideDot;

impl<S: Simd> Dot<S> for WideDot {
    type Coding = super::simd::Pairs;
    type Sum = S::V;
    type Weights = [S::V; 2];
    type Input = [S::V; 2];
    const SCALED: bool = false;
    const RUN: usize = 128;

    #[inline(always)]
    unsafe fn zero() -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::splat(0.0) }
    }
    #[inline(always)]
    unsafe fn weights(from: *const u32) -> [S::V; 2] {
        // SAFETY: the trait's contract.
        unsafe { S::load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn input(from: *const u32) -> [S::V; 2] {
        // SAFETY: the trait's contract.
        unsafe { [S::splat(f32::from_bits(*from << 16)), S::splat(f32::from_bits(*from & 0xffff_0000))] }
    }
    #[inline(always)]
    unsafe fn dot(sum: S::V, weights: [S::V; 2], input: [S::V; 2]) -> S::V {
        // SAFETY: the trait's contract.
        unsafe { S::mul_add(weights[1], input[1], S::mul_add(weights[0], input[0], sum)) }
    }
    #[inline(always)]
    unsafe fn finish(sum: S::V) -> S::V {
        sum
    }
}

/// `NB` blocks of rows times `C` columns, held in registers over all inputs. `AHEAD`: ask for the weights that come
/// [`PREFETCH`] words later.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "iterators over these arrays keep the sums in memory: twice the time")]
unsafe fn tile<S: Simd, D: Dot<S>, const NB: usize, const C: usize, const AHEAD: bool>(
    product: &Product,
    block: usize,
    column: usize,
) {
    let &Product {
        weights, offsets, scales, bias, blocks, segments, words, x, x_stride, x_scales, y, y_stride, ..
    } = product;
    let &Product { offset_stride, from_segment, to_segment, .. } = product;
    // SAFETY: the tile lies inside the product, whose pointers the caller vouches for, and inside one group.
    unsafe {
        let group = block / GROUP * GROUP;
        let width = (blocks - group).min(GROUP) * BLOCK;
        let segment_words = words / segments;
        let before = from_segment * segment_words;
        let mut line = weights.add(group * BLOCK * words + before * width + (block - group) * BLOCK);
        let mut xs = [x; C];
        for (c, start) in xs.iter_mut().enumerate() {
            *start = x.add((column + c) * x_stride);
        }
        let mut biases = [S::splat(0.0); NB];
        if !bias.is_null() {
            for nb in 0..NB {
                biases[nb] = S::load(bias.add((block + nb) * BLOCK));
            }
        }
        let mut total = [[S::splat(0.0); NB]; C];
        if from_segment > 0 {
            for c in 0..C {
                for nb in 0..NB {
                    total[c][nb] = S::load(y.add((column + c) * y_stride + (block + nb) * BLOCK));
                }
            }
        } else if !D::SCALED {
            total = [biases; C];
        }
        for segment in from_segment..to_segment {
            let mut first = segment * segment_words;
            let end = first + segment_words;
            while first < end {
                let last = if D::SCALED { end } else { end.min(first + D::RUN) };
                let mut sum = [[D::zero(); NB]; C];
                if D::SCALED {
                    for nb in 0..NB {
                        let start = D::start(offsets.add(segment * offset_stride + (block + nb) * BLOCK));
                        for c in 0..C {
                            sum[c][nb] = start;
                        }
                    }
                }
                for word in first..last {
                    let mut w = [D::weights(line); NB];
                    for nb in 0..NB {
                        w[nb] = D::weights(line.add(nb * BLOCK));
                        if AHEAD {
                            S::prefetch(line.wrapping_add(nb * BLOCK + PREFETCH));
                        }
                    }
                    line = line.wrapping_add(width);
                    for c in 0..C {
                        let value = D::input(xs[c].add(word - before));
                        for nb in 0..NB {
                            sum[c][nb] = D::dot(sum[c][nb], w[nb], value);
                        }
                    }
                }
                for c in 0..C {
                    for nb in 0..NB {
                        let part = D::finish(sum[c][nb]);
                        total[c][nb] = if D::SCALED {
                            let scale = S::splat(
                                *x_scales.add((column + c) * (to_segment - from_segment) + segment - from_segment),
                            );
                            S::mul_add(part, scale, total[c][nb])
                        } else {
                            S::add(total[c][nb], part)
                        };
                    }
                }
                first = last;
            }
        }
        if to_segment < segments {
            for c in 0..C {
                for nb in 0..NB {
                    S::store(y.add((column + c) * y_stride + (block + nb) * BLOCK), total[c][nb]);
                }
            }
            return;
        }
        for nb in 0..NB {
            let scale = if D::SCALED { S::load(scales.add((block + nb) * BLOCK)) } else { S::splat(1.0) };
            for c in 0..C {
                let to = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                let value = if D::SCALED { S::mul_add(total[c][nb], scale, biases[nb]) } else { total[c][nb] };
                let value = match product.epilogue {
                    Epilogue::Store => value,
                    // In this order, a sum that is not a number stays one on every processor.
                    Epilogue::Relu => S::max(S::splat(0.0), value),
                    Epilogue::AddTo => S::add(S::load(to), value),
                };
                S::store(to, value);
            }
        }
    }
}

/// As [`tile`]; weights are asked for ahead only by the first column, since the others find them near.
#[inline(always)]
unsafe fn first_or_later<S: Simd, D: Dot<S>, const NB: usize, const C: usize>(
    product: &Product,
    block: usize,
    column: usize,
) {
    // SAFETY: passed on.
    unsafe {
        if product.ahead && column == 0 {
            tile::<S, D, NB, C, true>(product, block, column);
        } else {
            tile::<S, D, NB, C, false>(product, block, column);
        }
    }
}

/// `TWO` blocks of rows times all columns: by eights in parts of `EIGHT` blocks, by fours in parts of `FOUR`, then two,
/// then one.
#[inline(always)]
unsafe fn chunk<S: Simd, D: Dot<S>, const TWO: usize, const FOUR: usize, const EIGHT: usize>(
    product: &Product,
    block: usize,
) {
    let columns = product.columns;
    let eights = if EIGHT > 0 { columns / 8 * 8 } else { 0 };
    let fours = columns / 4 * 4;
    let mut column = fours;
    // SAFETY: as for `tile`; every tile stays below `columns`.
    unsafe {
        for part in (block..block + TWO).step_by(EIGHT.max(1)) {
            for column in (0..eights).step_by(8) {
                first_or_later::<S, D, EIGHT, 8>(product, part, column);
            }
        }
        for part in (block..block + TWO).step_by(FOUR) {
            for column in (eights..fours).step_by(4) {
                first_or_later::<S, D, FOUR, 4>(product, part, column);
            }
        }
        if column + 2 <= columns {
            first_or_later::<S, D, TWO, 2>(product, block, column);
            column += 2;
        }
        if column < columns {
            first_or_later::<S, D, TWO, 1>(product, block, column);
        }
    }
}

/// See [`super::contract::Primitives::product`]. With one column, `ONE` blocks of rows at a time; with several, `TWO`
/// blocks by two columns, `FOUR` by four or `EIGHT` by eight (0: never): as many sums as there are registers for and at
/// least eight vectors of them, since that many fused operations are under way at once. `ONE` divides [`GROUP`], `TWO`
/// divides it, `FOUR` and `EIGHT` divide `TWO`.
#[inline(always)]
pub(super) unsafe fn product<
    S: Simd,
    D: Dot<S>,
    const ONE: usize,
    const TWO: usize,
    const FOUR: usize,
    const EIGHT: usize,
>(
    product: &Product,
) {
    let blocks = product.blocks;
    let mut block = 0;
    // SAFETY: as for `tile`. A tile whose number of blocks divides `GROUP` and which starts at a multiple of that number
    // lies in one group; so does one block. The gate reads what was just written.
    unsafe {
        if product.columns == 1 {
            while block + ONE <= blocks {
                first_or_later::<S, D, ONE, 1>(product, block, 0);
                block += ONE;
            }
        }
        while block + TWO <= blocks {
            chunk::<S, D, TWO, FOUR, EIGHT>(product, block);
            block += TWO;
        }
        while block < blocks {
            chunk::<S, D, 1, 1, 0>(product, block);
            block += 1;
        }
        if !product.z.is_null() {
            for column in 0..product.columns {
                let (h, z) = (product.y.add(column * product.y_stride), product.z.add(column * product.z_stride));
                super::simd::gate::<S, D::Coding>(h, z, blocks / 2);
            }
        }
    }
}
