//! Small matrix products over frame-major tiles: `C (+)= A · B`, rows of `B` and `C` contiguous, `A` with any strides.
//!
//! One micro-kernel serves all three products of a layer: activations by weights (`A` = frames × channels), gradients
//! by transposed weights, and weight gradients (`A` = channels × frames, read with its strides swapped). It broadcasts
//! one value of `A` over a row of `B`, so that no horizontal sum is needed and nothing is packed.

use super::simd::Simd;
use super::{Kernel, LANES};

/// A matrix inside a slice: element (row, column) is at `offset + row · row_stride + column · column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between columns.
    pub column_stride: usize,
}

impl<'a> Strided<'a> {
    /// Rows of `stride` values, one after another.
    pub fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, row_stride: stride, column_stride: 1 }
    }

    /// The transpose of [`Strided::rows`].
    pub fn columns(data: &'a [f32], stride: usize) -> Self {
        Self { data, row_stride: 1, column_stride: stride }
    }
}

/// `C (+)= A · B`; see the module.
#[derive(Debug)]
pub struct Gemm<'a> {
    /// Rows of `A` and `C`.
    pub rows: usize,
    /// Columns of `A`, rows of `B`.
    pub depth: usize,
    /// Columns of `B` and `C`: a multiple of [`LANES`].
    pub columns: usize,
    /// `A`, `[rows, depth]`.
    pub a: Strided<'a>,
    /// `B`, `[depth, columns]`.
    pub b: &'a [f32],
    /// Distance between rows of `B`.
    pub b_stride: usize,
    /// `C`, `[rows, columns]`.
    pub c: &'a mut [f32],
    /// Distance between rows of `C`.
    pub c_stride: usize,
    /// Whether the product is added to `C` or replaces it.
    pub accumulate: bool,
}

/// Depth of one pass: 128 rows of `B`, 64 columns wide, are 32 KiB and stay in the first-level cache.
const DEPTH: usize = 128;

/// Base addresses and strides for the micro-kernel.
#[derive(Clone, Copy)]
struct Block {
    a: *const f32,
    a_row: usize,
    a_column: usize,
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    depth: usize,
    accumulate: bool,
}

impl Kernel for Gemm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Gemm { rows, depth, columns, a, b, b_stride, c, c_stride, accumulate } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!(columns.is_multiple_of(LANES), "columns come in whole vectors");
        assert!(c.len() >= (rows - 1) * c_stride + columns, "C is too short");
        if depth > 0 {
            assert!(a.data.len() > (rows - 1) * a.row_stride + (depth - 1) * a.column_stride, "A is too short");
            assert!(b.len() >= (depth - 1) * b_stride + columns, "B is too short");
        }
        let mut from = 0;
        loop {
            let pass = DEPTH.min(depth - from);
            let mut column = 0;
            while column < columns {
                let left = columns - column;
                let block = Block {
                    // SAFETY: offsets are inside the slices by the assertions above.
                    a: unsafe { a.data.as_ptr().add(if pass == 0 { 0 } else { from * a.column_stride }) },
                    a_row: a.row_stride,
                    a_column: a.column_stride,
                    // SAFETY: as above.
                    b: unsafe { b.as_ptr().add(if pass == 0 { 0 } else { from * b_stride + column }) },
                    b_stride,
                    // SAFETY: as above.
                    c: unsafe { c.as_mut_ptr().add(column) },
                    c_stride,
                    depth: pass,
                    accumulate: accumulate || from > 0,
                };
                // SAFETY: the block lies inside the asserted bounds.
                column += unsafe {
                    if S::WIDEST >= 4 && left >= 4 * LANES {
                        panel::<S, 4>(block, rows);
                        4 * LANES
                    } else if S::WIDEST >= 2 && left >= 2 * LANES {
                        panel::<S, 2>(block, rows);
                        2 * LANES
                    } else {
                        panel::<S, 1>(block, rows);
                        LANES
                    }
                };
            }
            from += pass;
            if from >= depth {
                break;
            }
        }
    }
}

/// All rows of a panel that is `V` vectors wide.
///
/// # Safety
/// `block` must describe memory that is valid for `rows` rows, `V` vectors and its depth.
#[inline(always)]
unsafe fn panel<S: Simd, const V: usize>(block: Block, rows: usize) {
    let most = S::ROWS[match V {
        4 => 0,
        2 => 1,
        _ => 2,
    }];
    let mut row = 0;
    while row < rows {
        let left = (rows - row).min(most);
        // SAFETY: rows from `row` on are inside the caller's bounds.
        let here =
            unsafe { Block { a: block.a.add(row * block.a_row), c: block.c.add(row * block.c_stride), ..block } };
        // SAFETY: each call covers at most `left` rows.
        row += unsafe {
            match left {
                16.. => block_of::<S, 16, V>(here),
                12..=15 => block_of::<S, 12, V>(here),
                8..=11 => block_of::<S, 8, V>(here),
                6..=7 => block_of::<S, 6, V>(here),
                4..=5 => block_of::<S, 4, V>(here),
                3 => block_of::<S, 3, V>(here),
                2 => block_of::<S, 2, V>(here),
                _ => block_of::<S, 1, V>(here),
            }
        };
    }
}

/// `M` rows by `V` vectors, accumulated in registers. Gives back `M`.
///
/// # Safety
/// `block` must describe memory that is valid for `M` rows, `V` vectors and its depth.
#[inline(always)]
unsafe fn block_of<S: Simd, const M: usize, const V: usize>(block: Block) -> usize {
    let mut sums = [[S::splat(0.0); V]; M];
    // SAFETY: the caller's.
    unsafe {
        if block.accumulate {
            for (i, row) in sums.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = S::load(block.c.add(i * block.c_stride + v * LANES));
                }
            }
        }
        let (mut a, mut b) = (block.a, block.b);
        for _ in 0..block.depth {
            let mut across = [S::splat(0.0); V];
            for (v, value) in across.iter_mut().enumerate() {
                *value = S::load(b.add(v * LANES));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let value = S::splat(*a.add(i * block.a_row));
                for (sum, &vector) in row.iter_mut().zip(&across) {
                    *sum = S::mul_add(value, vector, *sum);
                }
            }
            a = a.wrapping_add(block.a_column);
            b = b.wrapping_add(block.b_stride);
        }
        for (i, row) in sums.iter().enumerate() {
            for (v, &sum) in row.iter().enumerate() {
                S::store(block.c.add(i * block.c_stride + v * LANES), sum);
            }
        }
    }
    M
}
