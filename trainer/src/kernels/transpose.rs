//! Matrices with rows and columns exchanged.

use continuo_simd::Simd;

use super::Operation;

/// Rows that are exchanged together: a cache line of what is written.
const HIGH: usize = 16;
/// Columns that are exchanged together.
const WIDE: usize = 8;

/// `to[column][row] = from[row][column] + bias[column]`.
#[derive(Debug)]
pub struct Transpose<'a> {
    /// `[rows, columns]`.
    pub from: &'a [f32],
    /// Distance between its rows.
    pub from_stride: usize,
    /// Rows of `from`.
    pub rows: usize,
    /// Columns of `from`.
    pub columns: usize,
    /// `[columns]`, or empty for zeros.
    pub bias: &'a [f32],
    /// `[columns, rows]`.
    pub to: &'a mut [f32],
    /// Distance between its rows.
    pub to_stride: usize,
}

impl Operation for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Transpose { from, from_stride, rows, columns, bias, to, to_stride } = self;
        for row in (0..rows).step_by(HIGH) {
            for column in (0..columns).step_by(WIDE) {
                let (high, wide) = (HIGH.min(rows - row), WIDE.min(columns - column));
                if high == HIGH && wide == WIDE {
                    let mut block = [[0.0; WIDE]; HIGH];
                    for (index, block) in block.iter_mut().enumerate() {
                        block.copy_from_slice(&from[(row + index) * from_stride + column..][..WIDE]);
                    }
                    for index in 0..WIDE {
                        let bias = if bias.is_empty() { 0.0 } else { bias[column + index] };
                        let to = &mut to[(column + index) * to_stride + row..][..HIGH];
                        for (to, block) in to.iter_mut().zip(&block) {
                            *to = block[index] + bias;
                        }
                    }
                } else {
                    for index in 0..wide {
                        let bias = if bias.is_empty() { 0.0 } else { bias[column + index] };
                        for place in 0..high {
                            to[(column + index) * to_stride + row + place] =
                                from[(row + place) * from_stride + column + index] + bias;
                        }
                    }
                }
            }
        }
    }
}
