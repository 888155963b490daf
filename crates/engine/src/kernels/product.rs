//! Products of a packed matrix with several columns, written once over instruction sets and precisions.
//!
//! An instruction set says how a line of weights meets a word of inputs ([`Dot`]) and how many sums its registers hold
//! ([`Tiling`]).

use super::arguments::{Epilogue, Product};
use super::coding::{Coding, gate};
use super::dot::{Dot, Tiles};
use super::packed::{BLOCK, GROUP};
use continuo_simd::Simd;
use std::hint::black_box;
use std::ops::Range;

/// With one column, `ONE` blocks of rows at a time; with several, `TWO` blocks by two columns, `FOUR` by four or `EIGHT` by
/// eight (0: never): as many sums as there are registers for and at least eight vectors of them, since that many fused
/// operations are under way at once. `TWO` divides `ONE`, `FOUR` and `EIGHT` divide `TWO`; each is 1 or a multiple of
/// [`GROUP`].
#[derive(Clone, Copy)]
pub(super) struct Tiling<const ONE: usize, const TWO: usize, const FOUR: usize, const EIGHT: usize>;

impl<const ONE: usize, const TWO: usize, const FOUR: usize, const EIGHT: usize> Tiles
    for Tiling<ONE, TWO, FOUR, EIGHT>
{
    #[inline(always)]
    unsafe fn product<D: Dot>(d: D, product: &Product) {
        // SAFETY: the trait's contract.
        unsafe { of_columns::<D, ONE, TWO, FOUR, EIGHT>(d, product) }
    }

    #[inline(always)]
    unsafe fn product_of_one<D: Dot>(d: D, product: &Product) {
        // SAFETY: the trait's contract.
        unsafe { of_one_column::<D, ONE, TWO>(d, product) }
    }

    #[inline(always)]
    fn peak<D: Dot>(d: D, rounds: u64) -> u64 {
        peak::<D, FOUR>(d, rounds)
    }
}

/// `NB` blocks of rows times `C` columns, held in registers over all inputs.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "iterators over these arrays keep the sums in memory: twice the time")]
unsafe fn tile<D: Dot, const NB: usize, const C: usize>(d: D, product: &Product, block: usize, column: usize) {
    let s = d.simd();
    let &Product { weights, offsets, offset_stride, first_step, scales, bias, blocks, words, step, begin, end, .. } =
        product;
    let &Product { x, x_stride, x_scales, scale_stride, y, y_stride, bias_stride, .. } = product;
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
        let mut biases = [s.splat(0.0); NB];
        if !bias.is_null() {
            for nb in 0..NB {
                biases[nb] = s.load(bias.add(column * bias_stride + (block + nb) * BLOCK));
            }
        }
        // Each column may have biases of its own; those of the first are there already.
        let own_biases = C > 1 && bias_stride > 0;
        let own_bias = |c: usize, nb: usize| s.load(bias.add((column + c) * bias_stride + (block + nb) * BLOCK));
        let mut total = [[s.splat(0.0); NB]; C];
        if begin > 0 && !one_sum {
            for c in 0..C {
                for nb in 0..NB {
                    total[c][nb] = s.load(y.add((column + c) * y_stride + (block + nb) * BLOCK));
                }
            }
        } else if !D::SCALED {
            total = [biases; C];
            if own_biases {
                for c in 1..C {
                    for nb in 0..NB {
                        total[c][nb] = own_bias(c, nb);
                    }
                }
            }
        }
        let (mut first, mut steps) = (begin, 0);
        while first < end {
            let mut sum = [[d.zero(); NB]; C];
            if D::SCALED {
                for nb in 0..NB {
                    if one_sum && begin > 0 {
                        for c in 0..C {
                            let kept = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                            sum[c][nb] = kept.cast::<D::Sum>().read_unaligned();
                        }
                    } else {
                        let start = d.start(offsets.add((first_step + steps) * offset_stride + (block + nb) * BLOCK));
                        for c in 0..C {
                            sum[c][nb] = start;
                        }
                    }
                }
            }
            let last = if one_sum { end } else { end.min(first + step) };
            for word in first..last {
                let mut w = [d.weights(line); NB];
                for nb in 0..NB {
                    w[nb] = d.weights(line.add(nb / GROUP * groups + nb % GROUP * BLOCK));
                }
                line = line.wrapping_add(width);
                for c in 0..C {
                    let value = d.input(xs[c].add(word - begin));
                    for nb in 0..NB {
                        sum[c][nb] = d.dot(sum[c][nb], w[nb], value);
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
                    let value = d.finish(sum[c][nb]);
                    total[c][nb] = if D::SCALED {
                        let scale = s.splat(*x_scales.add((column + c) * scale_stride + steps));
                        s.mul_add(value, scale, total[c][nb])
                    } else {
                        s.add(total[c][nb], value)
                    };
                }
            }
            first = last;
            steps += 1;
        }
        if end < words {
            for c in 0..C {
                for nb in 0..NB {
                    s.store(y.add((column + c) * y_stride + (block + nb) * BLOCK), total[c][nb]);
                }
            }
            return;
        }
        // Several columns would take the registers that the gate needs.
        let gated = C == 1 && NB.is_multiple_of(2) && !product.z.is_null();
        for nb in 0..NB {
            let scale = if D::SCALED { s.load(scales.add((block + nb) * BLOCK)) } else { s.splat(1.0) };
            for c in 0..C {
                let to = y.add((column + c) * y_stride + (block + nb) * BLOCK);
                let bias = if D::SCALED && own_biases { own_bias(c, nb) } else { biases[nb] };
                let value = if D::SCALED { s.mul_add(total[c][nb], scale, bias) } else { total[c][nb] };
                total[c][nb] = match product.epilogue {
                    Epilogue::Store => value,
                    // In this order, a sum that is not a number stays one on every processor.
                    Epilogue::Relu => s.max(s.splat(0.0), value),
                    Epilogue::AddTo => s.add(s.load(to), value),
                };
                if !gated {
                    s.store(to, total[c][nb]);
                }
            }
        }
        if gated {
            for c in 0..C {
                for pair in 0..NB / 2 {
                    let to = product
                        .z
                        .add((column + c) * product.z_stride + (block / 2 + pair) * <D::Coding as Coding>::WORDS);
                    D::Coding::gate(s, total[c][2 * pair], total[c][2 * pair + 1], to);
                }
            }
        }
    }
}

/// The gate of blocks that a tile of one block has stored.
#[inline(always)]
unsafe fn gate_stored<D: Dot>(d: D, product: &Product, blocks: Range<usize>, columns: Range<usize>) {
    if product.z.is_null() {
        return;
    }
    for column in columns {
        // SAFETY: the caller vouches for the pointers; these blocks have been stored.
        unsafe {
            let h = product.y.add(column * product.y_stride + blocks.start * BLOCK);
            let z = product.z.add(column * product.z_stride + blocks.start / 2 * <D::Coding as Coding>::WORDS);
            gate::<D::Simd, D::Coding>(d.simd(), h, z, blocks.len() / 2);
        }
    }
}

/// `TWO` blocks of rows times all columns: by eights in tiles of `EIGHT` blocks, by fours in tiles of `FOUR`, then two,
/// then one.
#[inline(always)]
unsafe fn chunk<D: Dot, const TWO: usize, const FOUR: usize, const EIGHT: usize>(
    d: D,
    product: &Product,
    block: usize,
) {
    let columns = product.columns;
    let eights = if EIGHT > 0 { columns / 8 * 8 } else { 0 };
    let fours = columns / 4 * 4;
    let mut column = fours;
    // SAFETY: as for `tile`; every tile stays below `columns`. Loops over ranges with a step are not compiled as well.
    unsafe {
        let mut first = 0;
        while EIGHT > 0 && first < TWO {
            let mut column = 0;
            while column < eights {
                tile::<D, EIGHT, 8>(d, product, block + first, column);
                column += 8;
            }
            first += EIGHT;
        }
        let mut first = 0;
        while first < TWO {
            let mut column = eights;
            while column < fours {
                tile::<D, FOUR, 4>(d, product, block + first, column);
                column += 4;
            }
            first += FOUR;
        }
        if column + 2 <= columns {
            tile::<D, TWO, 2>(d, product, block, column);
            column += 2;
        }
        if column < columns {
            tile::<D, TWO, 1>(d, product, block, column);
        }
    }
}

/// See [`Tiles::product_of_one`].
#[inline(always)]
unsafe fn of_one_column<D: Dot, const ONE: usize, const TWO: usize>(d: D, product: &Product) {
    let blocks = product.blocks;
    let mut block = 0;
    // SAFETY: as in `of_columns`.
    unsafe {
        while block + ONE <= blocks {
            tile::<D, ONE, 1>(d, product, block, 0);
            block += ONE;
        }
        while block + TWO <= blocks {
            tile::<D, TWO, 1>(d, product, block, 0);
            block += TWO;
        }
        let single = if ONE == 1 { 0 } else { block };
        while block < blocks {
            tile::<D, 1, 1>(d, product, block, 0);
            block += 1;
        }
        gate_stored(d, product, single..blocks, 0..1);
    }
}

/// See [`Tiles::product`].
#[inline(always)]
unsafe fn of_columns<D: Dot, const ONE: usize, const TWO: usize, const FOUR: usize, const EIGHT: usize>(
    d: D,
    product: &Product,
) {
    let (blocks, columns) = (product.blocks, product.columns);
    let mut block = 0;
    // SAFETY: as for `tile`. Tiles of more than one block begin at a multiple of their number of blocks, and so with a group.
    unsafe {
        if columns == 1 {
            return of_one_column::<D, ONE, TWO>(d, product);
        }
        while block + TWO <= blocks {
            chunk::<D, TWO, FOUR, EIGHT>(d, product, block);
            block += TWO;
        }
        let single = if TWO == 1 { 0 } else { block };
        while block < blocks {
            chunk::<D, 1, 1, 0>(d, product, block);
            block += 1;
        }
        // Where columns are odd, the last one is alone, and tiles of one column have a gate of their own.
        let paired = columns / 2 * 2;
        gate_stored(d, product, 0..blocks, 0..paired);
        gate_stored(d, product, single..blocks, paired..columns);
    }
}

/// See [`Tiles::peak`]: four times `FOUR` sums of their own, all taking the same registers again and again.
#[inline(always)]
fn peak<D: Dot, const FOUR: usize>(d: D, rounds: u64) -> u64 {
    let line = black_box([1u32; BLOCK]);
    // SAFETY: this is a line.
    let weights = unsafe { d.weights(line.as_ptr()) };
    let mut sums = [[d.zero(); FOUR]; 4];
    for round in 0..rounds {
        // Another word each time, so that no part of the product is the same as before.
        // SAFETY: this is one of the line's words.
        let input = unsafe { d.input(line.as_ptr().add(round as usize % BLOCK)) };
        for sum in sums.as_flattened_mut() {
            *sum = d.dot(*sum, weights, input);
        }
    }
    let mut out = [0f32; BLOCK];
    for sum in sums.as_flattened() {
        d.simd().store_to(&mut out, d.finish(*sum));
        black_box(&out);
    }
    4 * FOUR as u64
}
