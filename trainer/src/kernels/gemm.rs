//! Small matrix products over frame-major tiles: `C (+)= A · B`, rows of `B` and `C` contiguous, `A` with any strides.
//!
//! One micro-kernel serves all three products of a layer: activations by weights (`A` = frames × channels), gradients
//! by transposed weights, and weight gradients (`A` = channels × frames, read with its strides swapped). It broadcasts
//! one value of `A` over a row of `B`, so that no horizontal sum is needed and nothing is packed. What a word of either is
//! says [`Terms`]: an f32, or a pair of bfloat16 ([`super::bf16`]).

use super::{LANES, Operation};
use continuo_simd::Simd;

/// A matrix inside a slice: word (row, column) is at `offset + row · row_stride + column · column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a, W = f32> {
    /// The words.
    pub data: &'a [W],
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between columns.
    pub column_stride: usize,
}

impl<'a, W> Strided<'a, W> {
    /// Rows of `stride` words, one after another.
    pub fn rows(data: &'a [W], stride: usize) -> Self {
        Self { data, row_stride: stride, column_stride: 1 }
    }

    /// The transpose of [`Strided::rows`].
    pub fn columns(data: &'a [W], stride: usize) -> Self {
        Self { data, row_stride: 1, column_stride: stride }
    }
}

/// `C (+)= A · B`; see the module.
#[derive(Debug)]
pub struct Gemm<'a, W = f32> {
    /// Rows of `A` and `C`.
    pub rows: usize,
    /// Columns of `A`, rows of `B`, in words.
    pub depth: usize,
    /// Columns of `B` and `C`: a multiple of [`LANES`].
    pub columns: usize,
    /// `A`, `[rows, depth]`.
    pub a: Strided<'a, W>,
    /// `B`, `[depth, columns]`.
    pub b: &'a [W],
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

/// What the words of `A` and `B` are, and how two of them make a term of a sum.
pub(super) trait Terms<S: Simd>: Copy {
    /// A word of `A` or `B`.
    type Word: Copy;
    /// One word of `A`, for all lanes.
    type Value: Copy;
    /// Sixteen words of `B`.
    type Across: Copy;

    /// # Safety
    /// `from` must be valid for reading a word.
    unsafe fn value(self, s: S, from: *const Self::Word) -> Self::Value;
    /// # Safety
    /// `from` must be valid for reading sixteen words.
    unsafe fn across(self, s: S, from: *const Self::Word) -> Self::Across;
    /// `sum + value · across`.
    fn add(self, s: S, sum: S::Lanes, value: Self::Value, across: Self::Across) -> S::Lanes;
}

/// Words are f32.
#[derive(Clone, Copy)]
pub(super) struct Floats;

impl<S: Simd> Terms<S> for Floats {
    type Word = f32;
    type Value = S::Lanes;
    type Across = S::Lanes;

    #[inline(always)]
    unsafe fn value(self, s: S, from: *const f32) -> S::Lanes {
        // SAFETY: the caller's.
        s.splat(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn across(self, s: S, from: *const f32) -> S::Lanes {
        // SAFETY: the caller's.
        unsafe { s.load(from) }
    }
    #[inline(always)]
    fn add(self, s: S, sum: S::Lanes, value: S::Lanes, across: S::Lanes) -> S::Lanes {
        s.mul_add(value, across, sum)
    }
}

/// How far the rows of `B` lie from its first word.
pub(super) trait Down: Copy {
    /// # Safety
    /// `B` must have this row.
    unsafe fn to(self, row: usize) -> usize;
}

/// Rows that are equally far apart.
#[derive(Clone, Copy)]
pub(super) struct Even(pub usize);

impl Down for Even {
    #[inline(always)]
    unsafe fn to(self, row: usize) -> usize {
        row * self.0
    }
}

/// Rows wherever a list says.
#[derive(Clone, Copy)]
pub(super) struct Listed(pub *const usize);

impl Down for Listed {
    #[inline(always)]
    unsafe fn to(self, row: usize) -> usize {
        // SAFETY: the list is as long as `B` has rows.
        unsafe { *self.0.add(row) }
    }
}

/// Base addresses and strides for the micro-kernel.
#[derive(Clone, Copy)]
pub(super) struct Block<W = f32, D = Even> {
    pub a: *const W,
    pub a_row: usize,
    pub a_column: usize,
    pub b: *const W,
    pub b_rows: D,
    pub c: *mut f32,
    pub c_stride: usize,
    pub depth: usize,
    pub accumulate: bool,
}

impl Operation for Gemm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.multiply(s, Floats);
    }
}

impl<W: Copy> Gemm<'_, W> {
    /// Computes it, inside the function that enables the instruction set.
    #[inline(always)]
    pub(super) fn multiply<S: Simd, T: Terms<S, Word = W>>(self, s: S, terms: T) {
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
                    b_rows: Even(b_stride),
                    // SAFETY: as above.
                    c: unsafe { c.as_mut_ptr().add(column) },
                    c_stride,
                    depth: pass,
                    accumulate: accumulate || from > 0,
                };
                // SAFETY: the block lies inside the asserted bounds.
                column += unsafe {
                    let widest = const { Sums::of(S::REGISTERS).widest };
                    if widest >= 4 && left >= 4 * LANES {
                        panel::<S, T, [S::Lanes; 4], _>((s, terms), block, rows);
                        4 * LANES
                    } else if widest >= 2 && left >= 2 * LANES {
                        panel::<S, T, [S::Lanes; 2], _>((s, terms), block, rows);
                        2 * LANES
                    } else {
                        panel::<S, T, [S::Lanes; 1], _>((s, terms), block, rows);
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

/// The block of sums that is kept in registers.
pub(super) struct Sums {
    /// Vectors per row of the widest block: 4, 2 or 1.
    pub widest: usize,
    /// Rows of a block that is 4, 2 or 1 vectors wide.
    rows: [usize; 3],
}

impl Sums {
    /// For an instruction set whose registers hold so many vectors. Beside the sums, they hold a row of `B` and a value of `A`.
    pub const fn of(registers: usize) -> Self {
        match registers {
            32.. => Self { widest: 4, rows: [6, 12, 16] },
            8.. => Self { widest: 1, rows: [1, 3, 6] },
            _ => Self { widest: 4, rows: [1, 2, 4] },
        }
    }

    /// Rows of the widest block.
    pub const fn rows_of_widest(&self) -> usize {
        match self.widest {
            4 => self.rows[0],
            2 => self.rows[1],
            _ => self.rows[2],
        }
    }
}

/// One to four vectors side by side: a row of the block of sums. Written out without loops, so that sums live in
/// registers whatever the optimiser thinks of unrolling.
pub(super) trait Row<S: Simd>: Copy {
    /// Which entry of [`Sums::rows`] is for this width.
    const INDEX: usize;
    /// As many words of `B`.
    type Across<T: Terms<S>>: Copy;

    /// The vector in every place.
    fn all(value: S::Lanes) -> Self;
    /// # Safety
    /// `from` must be valid for reading the whole row.
    unsafe fn load(s: S, from: *const f32) -> Self;
    /// # Safety
    /// `from` must be valid for reading the whole row.
    unsafe fn across<T: Terms<S>>(s: S, terms: T, from: *const T::Word) -> Self::Across<T>;
    /// # Safety
    /// `to` must be valid for writing the whole row.
    unsafe fn store(self, s: S, to: *mut f32);
    /// `self + other`.
    fn plus(self, s: S, other: Self) -> Self;
    /// `self + value · across`.
    fn add_product<T: Terms<S>>(self, s: S, terms: T, value: T::Value, across: Self::Across<T>) -> Self;
}

macro_rules! row {
    ($vectors:literal, $index:literal: $($place:literal)*) => {
        impl<S: Simd> Row<S> for [S::Lanes; $vectors] {
            const INDEX: usize = $index;
            type Across<T: Terms<S>> = [T::Across; $vectors];

            #[inline(always)]
            fn all(value: S::Lanes) -> Self {
                [value; $vectors]
            }
            #[inline(always)]
            unsafe fn load(s: S, from: *const f32) -> Self {
                // SAFETY: the caller's.
                unsafe { [$(s.load(from.add($place * LANES))),*] }
            }
            #[inline(always)]
            unsafe fn across<T: Terms<S>>(s: S, terms: T, from: *const T::Word) -> [T::Across; $vectors] {
                // SAFETY: the caller's.
                unsafe { [$(terms.across(s, from.add($place * LANES))),*] }
            }
            #[inline(always)]
            unsafe fn store(self, s: S, to: *mut f32) {
                // SAFETY: the caller's.
                unsafe { $(s.store(to.add($place * LANES), self[$place]);)* }
            }
            #[inline(always)]
            fn plus(self, s: S, other: Self) -> Self {
                [$(s.add(self[$place], other[$place])),*]
            }
            #[inline(always)]
            fn add_product<T: Terms<S>>(self, s: S, terms: T, value: T::Value, across: [T::Across; $vectors]) -> Self {
                [$(terms.add(s, self[$place], value, across[$place])),*]
            }
        }
    };
}

row!(4, 0: 0 1 2 3);
row!(2, 1: 0 1);
row!(1, 2: 0);

/// All rows of a panel as wide as `R`.
///
/// # Safety
/// `block` must describe memory that is valid for `rows` rows, the width of `R` and its depth.
#[inline(always)]
pub(super) unsafe fn panel<S: Simd, T: Terms<S>, R: Row<S>, D: Down>(
    how: (S, T),
    block: Block<T::Word, D>,
    rows: usize,
) {
    let mut row = 0;
    while row < rows {
        let left = (rows - row).min(const { Sums::of(S::REGISTERS).rows[R::INDEX] });
        // SAFETY: rows from `row` on are inside the caller's bounds.
        let here =
            unsafe { Block { a: block.a.add(row * block.a_row), c: block.c.add(row * block.c_stride), ..block } };
        // SAFETY: each call covers at most `left` rows.
        row += unsafe {
            match left {
                16.. => sixteen::<S, T, R, D>(how, here),
                12..=15 => twelve::<S, T, R, D>(how, here),
                8..=11 => eight::<S, T, R, D>(how, here),
                6..=7 => six::<S, T, R, D>(how, here),
                4..=5 => four::<S, T, R, D>(how, here),
                3 => three::<S, T, R, D>(how, here),
                2 => two::<S, T, R, D>(how, here),
                _ => one::<S, T, R, D>(how, here),
            }
        };
    }
}

/// Defines the block of some rows, accumulated in registers. It gives back their number.
macro_rules! block {
    ($name:ident, $rows:literal: $($sum:ident $place:literal)*) => {
        /// # Safety
        /// `block` must describe memory that is valid for this many rows, the width of `R` and its depth.
        #[inline(always)]
        unsafe fn $name<S: Simd, T: Terms<S>, R: Row<S>, D: Down>(
            (s, terms): (S, T),
            block: Block<T::Word, D>,
        ) -> usize {
            // SAFETY: the caller's.
            unsafe {
                $(let mut $sum = R::all(s.splat(0.0));)*
                let mut a = block.a;
                for row in 0..block.depth {
                    let across = R::across(s, terms, block.b.wrapping_add(block.b_rows.to(row)));
                    $($sum = $sum.add_product(s, terms, terms.value(s, a.add($place * block.a_row)), across);)*
                    a = a.wrapping_add(block.a_column);
                }
                // What is there already is added last: it is large beside the products, and would round each of them.
                $({
                    let to = block.c.add($place * block.c_stride);
                    let sum = if block.accumulate { R::load(s, to).plus(s, $sum) } else { $sum };
                    sum.store(s, to);
                })*
            }
            $rows
        }
    };
}

block!(one, 1: s0 0);
block!(two, 2: s0 0 s1 1);
block!(three, 3: s0 0 s1 1 s2 2);
block!(four, 4: s0 0 s1 1 s2 2 s3 3);
block!(six, 6: s0 0 s1 1 s2 2 s3 3 s4 4 s5 5);
block!(eight, 8: s0 0 s1 1 s2 2 s3 3 s4 4 s5 5 s6 6 s7 7);
block!(twelve, 12: s0 0 s1 1 s2 2 s3 3 s4 4 s5 5 s6 6 s7 7 s8 8 s9 9 s10 10 s11 11);
block!(sixteen, 16: s0 0 s1 1 s2 2 s3 3 s4 4 s5 5 s6 6 s7 7 s8 8 s9 9 s10 10 s11 11 s12 12 s13 13 s14 14 s15 15);
