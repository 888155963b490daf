//! Products of f32 with any number of columns: as many whole vectors side by side as registers hold, and what is left over.

use super::LANES;
use super::gemm::{Block, Down, Floats, Sums, panel};
use continuo_simd::Simd;

/// All columns of a panel, of which the last vector may be cut short.
///
/// # Safety
/// `block` must describe memory that is valid for these rows and columns, and for whole vectors of `B`.
#[inline(always)]
pub(super) unsafe fn products<S: Simd, D: Down>(s: S, block: Block<f32, D>, rows: usize, columns: usize) {
    let mut column = 0;
    while column < columns {
        let left = columns - column;
        // SAFETY: columns from here on are the caller's.
        let here = unsafe { Block { b: block.b.add(column), c: block.c.add(column), ..block } };
        let widest = const { Sums::of(S::REGISTERS).widest };
        // SAFETY: each covers no more than the columns that are left, or goes through a buffer of its own.
        column += unsafe {
            if widest >= 4 && left >= 4 * LANES {
                panel::<S, Floats, [S::Lanes; 4], _>((s, Floats), here, rows);
                4 * LANES
            } else if widest >= 2 && left >= 2 * LANES {
                panel::<S, Floats, [S::Lanes; 2], _>((s, Floats), here, rows);
                2 * LANES
            } else if left >= LANES {
                panel::<S, Floats, [S::Lanes; 1], _>((s, Floats), here, rows);
                LANES
            } else {
                cut_short::<S, D>(s, here, rows, left);
                LANES
            }
        };
    }
}

/// Rows whose products are cut short in one vector, at a time.
const CUT_ROWS: usize = 48;

/// Less than a vector of columns: computed beside `C`, and copied.
///
/// # Safety
/// As [`products`].
#[inline(always)]
unsafe fn cut_short<S: Simd, D: Down>(s: S, block: Block<f32, D>, rows: usize, columns: usize) {
    let mut sums = [0.0; CUT_ROWS * LANES];
    let mut row = 0;
    while row < rows {
        let here = CUT_ROWS.min(rows - row);
        // SAFETY: rows from here on are the caller's, and the buffer holds so many whole vectors.
        unsafe {
            let a = block.a.add(row * block.a_row);
            let beside = Block { a, c: sums.as_mut_ptr(), c_stride: LANES, accumulate: false, ..block };
            panel::<S, Floats, [S::Lanes; 1], _>((s, Floats), beside, here);
            for (index, sums) in sums.chunks_exact(LANES).take(here).enumerate() {
                let to = block.c.add((row + index) * block.c_stride);
                for (column, &sum) in sums.iter().enumerate().take(columns) {
                    let to = to.add(column);
                    *to = if block.accumulate { *to + sum } else { sum };
                }
            }
        }
        row += here;
    }
}
