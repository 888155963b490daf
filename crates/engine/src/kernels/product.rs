//! Products of a packed matrix with several columns, written once over instruction sets and precisions.
//!
//! An instruction set says how a line of weights meets a word of inputs ([`Dot`]) and how many sums its registers hold.

use super::contract::{Epilogue, Product};
use super::packed::{BLOCK, GROUP};
use super::simd::{Coding, Simd};
use std::ops::Range;

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

/// `NB` blocks of rows times `C` columns, held in registers over all inputs.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "iterators over these arrays keep the sums in memory: twice the time")]
unsafe fn tile<S: Simd, D: Dot<S>, const NB: usize, const C: usize>(product: &Product, block: usize, column: usize) {
    let &Product { weights, offsets, offset_stride, first_step, scales, bias, blocks, words, step, begin, end, .. } =
        product;
    let &Product { x, x_stride, x_scales, scale_stride, y, y_stride, .. } = product;
    const { assert!(size_of::<D::Sum>() == 4 * BLOCK, "a sum is kept in the place of sixteen results") };
    // Codes of one step are one exact sum, which can be left off and taken up again anywhere.
    let one_sum = D::SCALED && step == words;
    // SAFETY: the tile lies inside the product, whose pointers the caller vouches for, and inside one group or covers whole ones.
    unsafe {
        let group = block / GROUP * GROUP;
        let width = (blocks - group).min(GROUP) * BLOCK;
        let mut line = weights.add(group * BLOCK * words + begin * width + (block - group) * BLOCK);
        // From one group of a tile to the next.
        let groups = GROUP * BLOCK * words;
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
        if begin > 0 && !one_sum {
            for c in 0..C {
                for nb in 0..NB {
                    total[c][nb] = S::load(y.add((column + c) * y_stride + (block + nb) * BLOCK));
                }
            }
        } else if !D::SCALED {
            total = [biases; C];
        }
        let (mut first, mut steps) = (begin, 0);
        while first < end {
            let mut sum = [[D::zero(); NB]; C];
            if D::SCALED {
                for nb in 0..NB {
                    if one_sum && begin > 0 {
                        for c in 0..C {
                            let kept = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                            sum[c][nb] = kept.cast::<D::Sum>().read_unaligned();
                        }
                    } else {
                        let start = D::start(offsets.add((first_step + steps) * offset_stride + (block + nb) * BLOCK));
                        for c in 0..C {
                            sum[c][nb] = start;
                        }
                    }
                }
            }
            let last = if one_sum { end } else { end.min(first + step) };
            for word in first..last {
                let mut w = [D::weights(line); NB];
                for nb in 0..NB {
                    w[nb] = D::weights(line.add(nb / GROUP * groups + nb % GROUP * BLOCK));
                }
                line = line.wrapping_add(width);
                for c in 0..C {
                    let value = D::input(xs[c].add(word - begin));
                    for nb in 0..NB {
                        sum[c][nb] = D::dot(sum[c][nb], w[nb], value);
                    }
                }
            }
            if one_sum && end < words {
                for c in 0..C {
                    for nb in 0..NB {
                        let keep = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                        keep.cast::<D::Sum>().write_unaligned(sum[c][nb]);
                    }
                }
                return;
            }
            for c in 0..C {
                for nb in 0..NB {
                    let part = D::finish(sum[c][nb]);
                    total[c][nb] = if D::SCALED {
                        let scale = S::splat(*x_scales.add((column + c) * scale_stride + steps));
                        S::mul_add(part, scale, total[c][nb])
                    } else {
                        S::add(total[c][nb], part)
                    };
                }
            }
            first = last;
            steps += 1;
        }
        if end < words {
            for c in 0..C {
                for nb in 0..NB {
                    S::store(y.add((column + c) * y_stride + (block + nb) * BLOCK), total[c][nb]);
                }
            }
            return;
        }
        // Several columns would take the registers that the gate needs.
        let gated = C == 1 && NB.is_multiple_of(2) && !product.z.is_null();
        for nb in 0..NB {
            let scale = if D::SCALED { S::load(scales.add((block + nb) * BLOCK)) } else { S::splat(1.0) };
            for c in 0..C {
                let to = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                let value = if D::SCALED { S::mul_add(total[c][nb], scale, biases[nb]) } else { total[c][nb] };
                total[c][nb] = match product.epilogue {
                    Epilogue::Store => value,
                    // In this order, a sum that is not a number stays one on every processor.
                    Epilogue::Relu => S::max(S::splat(0.0), value),
                    Epilogue::AddTo => S::add(S::load(to), value),
                };
                if !gated {
                    S::store(to, total[c][nb]);
                }
            }
        }
        if gated {
            for c in 0..C {
                for pair in 0..NB / 2 {
                    let to = product
                        .z
                        .add((column + c) * product.z_stride + (block / 2 + pair) * <D::Coding as Coding<S>>::WORDS);
                    D::Coding::gate(total[c][2 * pair], total[c][2 * pair + 1], to);
                }
            }
        }
    }
}

/// The gate of blocks that a tile of one block has stored.
#[inline(always)]
unsafe fn gate_stored<S: Simd, D: Dot<S>>(product: &Product, blocks: Range<usize>, columns: Range<usize>) {
    if product.z.is_null() {
        return;
    }
    for column in columns {
        // SAFETY: the caller vouches for the pointers; these blocks have been stored.
        unsafe {
            let h = product.y.add(column * product.y_stride + blocks.start * BLOCK);
            let z = product.z.add(column * product.z_stride + blocks.start / 2 * <D::Coding as Coding<S>>::WORDS);
            super::simd::gate::<S, D::Coding>(h, z, blocks.len() / 2);
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
    // SAFETY: as for `tile`; every tile stays below `columns`. Loops over ranges with a step are not compiled as well.
    unsafe {
        let mut part = 0;
        while EIGHT > 0 && part < TWO {
            let mut column = 0;
            while column < eights {
                tile::<S, D, EIGHT, 8>(product, block + part, column);
                column += 8;
            }
            part += EIGHT;
        }
        let mut part = 0;
        while part < TWO {
            let mut column = eights;
            while column < fours {
                tile::<S, D, FOUR, 4>(product, block + part, column);
                column += 4;
            }
            part += FOUR;
        }
        if column + 2 <= columns {
            tile::<S, D, TWO, 2>(product, block, column);
            column += 2;
        }
        if column < columns {
            tile::<S, D, TWO, 1>(product, block, column);
        }
    }
}

/// As [`product`], of one column.
#[inline(always)]
pub(super) unsafe fn product_alone<S: Simd, D: Dot<S>, const ONE: usize, const TWO: usize>(product: &Product) {
    let blocks = product.blocks;
    let mut block = 0;
    // SAFETY: as in `product`.
    unsafe {
        while block + ONE <= blocks {
            tile::<S, D, ONE, 1>(product, block, 0);
            block += ONE;
        }
        while block + TWO <= blocks {
            tile::<S, D, TWO, 1>(product, block, 0);
            block += TWO;
        }
        let single = if ONE == 1 { 0 } else { block };
        while block < blocks {
            tile::<S, D, 1, 1>(product, block, 0);
            block += 1;
        }
        gate_stored::<S, D>(product, single..blocks, 0..1);
    }
}

/// See [`super::contract::Primitives::product`]. With one column, `ONE` blocks of rows at a time; with several, `TWO`
/// blocks by two columns, `FOUR` by four or `EIGHT` by eight (0: never): as many sums as there are registers for and at
/// least eight vectors of them, since that many fused operations are under way at once. `TWO` divides `ONE`, `FOUR` and
/// `EIGHT` divide `TWO`; each is 1 or a multiple of [`GROUP`].
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
    let (blocks, columns) = (product.blocks, product.columns);
    let mut block = 0;
    // SAFETY: as for `tile`. Tiles of more than one block begin at a multiple of their number of blocks, and so with a group.
    unsafe {
        if columns == 1 {
            return product_alone::<S, D, ONE, TWO>(product);
        }
        while block + TWO <= blocks {
            chunk::<S, D, TWO, FOUR, EIGHT>(product, block);
            block += TWO;
        }
        let single = if TWO == 1 { 0 } else { block };
        while block < blocks {
            chunk::<S, D, 1, 1, 0>(product, block);
            block += 1;
        }
        // Where columns are odd, the last one is alone, and tiles of one column have a gate of their own.
        let paired = columns / 2 * 2;
        gate_stored::<S, D>(product, 0..blocks, 0..paired);
        gate_stored::<S, D>(product, single..blocks, paired..columns);
    }
}
