//! Matrix products of any size: `C (+)= A · B`, where `B` is packed once and serves every row of `A`.
//!
//! `B` lies in panels as wide as the micro-kernel's widest block ([`super::gemm`]), each a whole depth of rows one behind the
//! other, so that a pass over part of the depth reads memory straight on and stays in the first-level cache whatever the
//! strides were before. `A` is read where it is: rows at a fixed distance, in segments, with a depth that runs straight on,
//! in runs. A convolution is such a product without its windows being copied: the rows of `A` overlap.
//!
//! A value of `C` is summed in one order, whatever tile, panel or thread it falls to.

use std::ops::Range;

use continuo_simd::Simd;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;

use super::columns::products;
use super::gemm::{Block, Even, Sums};
use super::transpose::Transpose;
use super::{LANES, Level, Operation, padded};

/// In [`Places`]: a row or column that is all zeros.
pub const NOWHERE: usize = usize::MAX;

/// Rows of `C` that are computed together: their part of `A` stays in the second-level cache.
pub const TILE: usize = 192;

/// Below so many multiply-adds, threads cost more than they bring.
pub(super) const WORTH_SHARING: usize = 1 << 20;

/// Elements of a pass that are packed together, so that what is read and what is written stay in the caches.
const PACKED_TOGETHER: usize = 256;

/// A matrix inside a slice: element (row, column) is at `rows[row] + columns[column]`.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Of each row, or [`NOWHERE`].
    pub rows: &'a [usize],
    /// Of each column, or [`NOWHERE`].
    pub columns: &'a [usize],
}

/// The places of `count` things that are `stride` apart.
pub fn every(stride: usize, count: usize) -> Vec<usize> {
    (0..count).map(|index| index * stride).collect()
}

/// A packed right-hand side.
#[derive(Debug)]
pub struct Panels {
    /// Panel by panel, `[depth, width]` each; the last one may be narrower. Columns come in whole vectors.
    values: Vec<f32>,
    depth: usize,
    columns: usize,
    /// Columns of a panel.
    width: usize,
    level: Level,
}

/// Columns of the micro-kernel's widest block.
struct Widest;

impl Operation for Widest {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        const { Sums::of(S::REGISTERS).widest * LANES }
    }
}

/// How far a whole vector of columns are apart, if all are equally far.
fn distance(columns: &[usize]) -> Option<usize> {
    let distance = columns.get(1)?.checked_sub(columns[0])?;
    let even = columns.windows(2).all(|pair| pair[0] != NOWHERE && pair[1].checked_sub(pair[0]) == Some(distance));
    (columns.len() == LANES && even && columns[LANES - 1] != NOWHERE).then_some(distance)
}

impl Panels {
    /// Packs a matrix for `level`.
    ///
    /// # Panics
    /// If it does not lie inside its slice.
    pub fn pack(level: Level, source: Places<'_>) -> Self {
        let mut panels = Self::empty(level);
        panels.pack_again(source);
        panels
    }

    /// A matrix without rows and columns, to be packed.
    pub fn empty(level: Level) -> Self {
        Self { values: Vec::new(), depth: 0, columns: 0, width: level.run(Widest), level }
    }

    /// Packs another matrix in the same memory.
    ///
    /// # Panics
    /// If it does not lie inside its slice.
    pub fn pack_again(&mut self, source: Places<'_>) {
        let Places { data, rows, columns } = source;
        let (depth, width) = (rows.len(), self.width);
        self.clear(depth, columns.len());
        if depth == 0 || columns.is_empty() {
            return;
        }
        // In the order in which they lie in memory.
        let mut order: Vec<usize> = (0..depth).filter(|&row| rows[row] != NOWHERE).collect();
        order.sort_by_key(|&row| rows[row]);
        let level = self.level;
        let pack = |(index, into): (usize, &mut [f32])| {
            let columns = &columns[index * width..(index * width + width).min(columns.len())];
            let wide = into.len() / depth;
            let mut transposed = [0.0; PACKED_TOGETHER * LANES];
            for part in order.chunks(PACKED_TOGETHER) {
                for (vector, columns) in columns.chunks(LANES).enumerate() {
                    let at = vector * LANES;
                    if columns.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)) && columns[0] != NOWHERE {
                        for &row in part {
                            let from = &data[rows[row] + columns[0]..][..columns.len()];
                            into[row * wide + at..][..columns.len()].copy_from_slice(from);
                        }
                    } else if let Some(stride) = distance(columns) {
                        // Columns next to one another in the panel, whose rows lie straight on.
                        for run in part.chunk_by(|&one, &next| rows[next] == rows[one] + 1) {
                            level.run(Transpose {
                                from: &data[rows[run[0]] + columns[0]..],
                                from_stride: stride,
                                rows: LANES,
                                columns: run.len(),
                                bias: &[],
                                to: &mut transposed,
                                to_stride: LANES,
                            });
                            for (from, &row) in transposed.chunks_exact(LANES).zip(run) {
                                into[row * wide + at..][..LANES].copy_from_slice(from);
                            }
                        }
                    } else {
                        let lanes = columns.iter().enumerate().filter(|&(_, &column)| column != NOWHERE);
                        for (lane, &column) in lanes {
                            for &row in part {
                                into[row * wide + at + lane] = data[rows[row] + column];
                            }
                        }
                    }
                }
            }
        };
        self.each(pack);
    }

    /// Makes memory for a matrix of this size, which is all zeros.
    fn clear(&mut self, depth: usize, columns: usize) {
        (self.depth, self.columns) = (depth, columns);
        let len = depth * padded(columns);
        if self.values.capacity() < len {
            // Fresh memory is zero already.
            self.values = vec![0.0; len];
        } else {
            self.values.clear();
            self.values.resize(len, 0.0);
        }
    }

    /// Packs a matrix of another size in the same memory, panel by panel: `pack` is called with a panel's first column, its
    /// number of columns, and its place, `[depth, whole vectors]`, where it may leave anything behind a row's columns.
    pub fn fill(&mut self, depth: usize, columns: usize, pack: impl Fn(usize, usize, &mut [f32]) + Sync + Send) {
        let width = self.width;
        self.clear(depth, columns);
        self.each(|(index, into)| pack(index * width, width.min(columns - index * width), into));
    }

    /// Calls `pack` with every panel's number and place.
    fn each(&mut self, pack: impl Fn((usize, &mut [f32])) + Sync + Send) {
        let panel = self.depth * self.width;
        if self.values.len() >= WORTH_SHARING / 8 && rayon::current_num_threads() > 1 {
            self.values.par_chunks_mut(panel).enumerate().for_each(pack);
        } else {
            self.values.chunks_mut(panel.max(1)).enumerate().for_each(pack);
        }
    }

    /// Rows of `B`.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of `B`.
    pub fn columns(&self) -> usize {
        self.columns
    }

    fn count(&self) -> usize {
        self.columns.div_ceil(self.width)
    }
}

/// Rows of `A` that are a fixed distance apart, and where their products go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where the first row begins in `A`.
    pub from: usize,
    /// Where its products begin in `C`.
    pub to: usize,
    /// Number of rows.
    pub rows: usize,
}

/// Part of the depth that lies straight on in each row of `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where it begins, from the row's beginning.
    pub offset: usize,
    /// Its values.
    pub depth: usize,
}

/// The left-hand side.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Distance between rows.
    pub stride: usize,
    /// The rows.
    pub segments: &'a [Segment],
    /// The depth: together as deep as `B`.
    pub runs: &'a [Run],
}

/// `C (+)= A · B`; see the module.
#[derive(Debug)]
pub struct Product<'a> {
    /// `A`.
    pub a: Left<'a>,
    /// `B`.
    pub b: &'a Panels,
    /// `C`; what lies between its rows is not touched.
    pub c: &'a mut [f32],
    /// Distance between rows of `C`.
    pub c_stride: usize,
    /// Whether the product is added to `C` or replaces it.
    pub accumulate: bool,
}

/// Memory that several threads write, each in places of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared(pub *mut f32);

// SAFETY: whoever makes one sees to it that no two threads touch the same value.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Product<'_> {
    /// Computes it on the threads of the pool that the caller is in.
    ///
    /// # Panics
    /// If the matrices do not lie in their slices, do not fit each other, or rows of `C` overlap.
    pub fn run(mut self, level: Level) {
        let rows: usize = self.a.segments.iter().map(|segment| segment.rows).sum();
        let threads = rayon::current_num_threads();
        if threads == 1 || rows * self.b.depth * self.b.columns < WORTH_SHARING {
            return self.run_here(level);
        }
        let (panels, tiles) = (self.b.count(), tiles(&self.a, self.c_stride));
        let shares = threads.div_ceil(tiles.len().max(1)).min(panels);
        let task = self.task();
        (0..tiles.len() * shares).into_par_iter().with_max_len(1).for_each(|index| {
            let share = index % shares;
            let panels = panels * share / shares..panels * (share + 1) / shares;
            level.run(Task { a: Left { segments: &tiles[index / shares], ..task.a }, panels, ..task.clone() });
        });
    }

    /// Computes it on this thread.
    ///
    /// # Panics
    /// As [`Product::run`].
    pub fn run_here(mut self, level: Level) {
        let tiles = tiles(&self.a, self.c_stride);
        let task = self.task();
        for segments in &tiles {
            level.run(Task { a: Left { segments, ..task.a }, ..task.clone() });
        }
    }

    /// The whole of it as one task, with its bounds checked.
    fn task(&mut self) -> Task<'_> {
        let Product { a, b, c_stride, accumulate, .. } = *self;
        let depth: usize = a.runs.iter().map(|run| run.depth).sum();
        assert_eq!(depth, b.depth, "A is as wide as B is deep");
        let reach = a.runs.iter().map(|run| run.offset + run.depth).max().unwrap_or(0);
        let mut free = 0;
        for segment in a.segments.iter().filter(|segment| segment.rows > 0) {
            let last = segment.rows - 1;
            assert!(a.data.len() >= segment.from + last * a.stride + reach, "A is too short");
            assert!(last == 0 || c_stride >= b.columns, "rows of C overlap");
            assert!(segment.to >= free, "segments of C overlap");
            free = segment.to + last * c_stride + b.columns;
        }
        assert!(self.c.len() >= free, "C is too short");
        Task { a, b, panels: 0..b.count(), c: Shared(self.c.as_mut_ptr()), c_stride, accumulate }
    }
}

/// Segments in groups of at most [`TILE`] rows.
fn tiles(a: &Left<'_>, c_stride: usize) -> Vec<Vec<Segment>> {
    let mut tiles: Vec<Vec<Segment>> = Vec::new();
    let mut free = 0;
    for segment in a.segments {
        let mut done = 0;
        while done < segment.rows {
            if free == 0 {
                tiles.push(Vec::new());
                free = TILE;
            }
            let rows = free.min(segment.rows - done);
            let part = Segment { from: segment.from + done * a.stride, to: segment.to + done * c_stride, rows };
            tiles.last_mut().into_iter().for_each(|tile| tile.push(part));
            done += rows;
            free -= rows;
        }
    }
    tiles
}

/// Some rows and panels of a product, on one thread. Its bounds were checked by [`Product::task`].
#[derive(Debug, Clone)]
struct Task<'a> {
    a: Left<'a>,
    b: &'a Panels,
    panels: Range<usize>,
    c: Shared,
    c_stride: usize,
    accumulate: bool,
}

impl Operation for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Task { a, b, panels, c, c_stride, accumulate } = self;
        // A row of the panel's widest block, times this, is half of a first-level cache.
        let most = const { if Sums::of(S::REGISTERS).widest >= 4 { 128 } else { 256 } };
        if b.depth == 0 && !accumulate {
            for segment in a.segments {
                for row in 0..segment.rows {
                    // SAFETY: rows of C are inside its slice, by the assertions of `Product::task`.
                    unsafe { c.0.add(segment.to + row * c_stride).write_bytes(0, b.columns) };
                }
            }
            return;
        }
        let mut before = 0;
        for run in a.runs {
            let mut from = 0;
            while from < run.depth {
                let depth = most.min(run.depth - from);
                for index in panels.clone() {
                    let first = index * b.width;
                    let columns = b.width.min(b.columns - first);
                    let wide = padded(columns);
                    for segment in a.segments {
                        let block = Block {
                            // SAFETY: inside A, by the assertions of `Product::task`.
                            a: unsafe { a.data.as_ptr().add(segment.from + run.offset + from) },
                            a_row: a.stride,
                            a_column: 1,
                            // SAFETY: panels have this depth and width.
                            b: unsafe { b.values.as_ptr().add(first * b.depth + (before + from) * wide) },
                            b_rows: Even(wide),
                            // SAFETY: inside C, by the assertions of `Product::task`.
                            c: unsafe { c.0.add(segment.to + first) },
                            c_stride,
                            depth,
                            accumulate: accumulate || before + from > 0,
                        };
                        // SAFETY: the block has these rows and columns.
                        unsafe { products::<S, _>(s, block, segment.rows, columns) };
                    }
                }
                from += depth;
            }
            before += run.depth;
        }
    }
}
