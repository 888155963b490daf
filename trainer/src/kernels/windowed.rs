//! Products of weights with windows over sequences, `C (+)= A · B`, where `B` is never laid out.
//!
//! A row of `B` is what one tap of one channel sees: frames that lie straight on somewhere in the sequences, so a list of places
//! is all that is kept of it. Neighbouring taps see almost the same frames, which stay in the first-level cache. `A` is packed tile
//! by tile, into memory that stays in the second-level cache, so weights are read once from where they lie.
//!
//! A value of `C` is summed in one order, whatever tile, panel or thread it falls to.

use continuo_simd::Simd;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::columns::products;
use super::gemm::{Block, Listed, Sums};
use super::matrix::{Shared, TILE, WORTH_SHARING};
use super::{LANES, Level, Operation};

/// Most weights that are packed together: they take up most of a second-level cache.
const PACKED: usize = 96 << 10;

/// The weights as `A`: row *r*, and for each channel *c* and each tap of a group, `values[r · row + c · channel + tap]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights<'a> {
    pub values: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between channels.
    pub channel: usize,
}

/// What of `C` is made with the same taps.
#[derive(Debug)]
pub(super) struct Group {
    /// Places of the taps in the weights.
    pub taps: Vec<usize>,
    /// Where each channel's taps see their first frame in a sequence, channel by channel: the places of the rows of `B`.
    pub sees: Vec<usize>,
    /// Where its rows of `C` begin.
    pub to: usize,
    /// Frames of a sequence in `C`.
    pub frames: usize,
}

impl Group {
    fn makes_something(&self) -> bool {
        self.frames > 0 && !self.taps.is_empty()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Windowed<'a> {
    pub weights: Weights<'a>,
    /// Rows of the weights and of `C`.
    pub rows: usize,
    /// Channels that are summed.
    pub channels: usize,
    pub groups: &'a [Group],
    /// Sequences in `B` and in `C`.
    pub batch: usize,
    /// The sequences, one after another; rows of `B` are read in whole vectors.
    pub b: &'a [f32],
    /// Values of a sequence in `B`.
    pub b_sequence: usize,
    pub c: &'a mut [f32],
    /// Values of a sequence in `C`.
    pub c_sequence: usize,
    /// Distance between rows of `C`.
    pub c_stride: usize,
    /// Whether the product is added to `C` or replaces it.
    pub accumulate: bool,
}

impl Windowed<'_> {
    /// Computes it on the threads of the pool that the caller is in.
    ///
    /// # Panics
    /// If a slice is too short for what is to be read or written there.
    pub fn run(self, level: Level) {
        let Windowed { weights, rows, channels, groups, batch, b, b_sequence, c, c_sequence, c_stride, accumulate } =
            self;
        if rows == 0 || channels == 0 || batch == 0 {
            return;
        }
        let mut products = 0;
        for group in groups.iter().filter(|group| group.makes_something()) {
            assert_eq!(group.sees.len(), channels * group.taps.len(), "every tap of every channel sees something");
            let last = (batch - 1) * b_sequence + group.frames.next_multiple_of(LANES);
            assert!(group.sees.iter().all(|sees| sees + last <= b.len()), "B is too short");
            assert!(c_stride >= group.frames || rows == 1, "rows of C overlap");
            assert!(
                c.len() >= group.to + (batch - 1) * c_sequence + (rows - 1) * c_stride + group.frames,
                "C is too short"
            );
            products += group.sees.len() * group.frames * batch * rows;
        }
        let threads = if products < WORTH_SHARING { 1 } else { rayon::current_num_threads() };
        let most = if groups.len() > 1 { TILE / 3 } else { TILE };
        let tiles = rows.div_ceil(most).next_multiple_of(threads).min(rows.div_ceil(LANES));
        let tile = rows.div_ceil(tiles).next_multiple_of(level.run(Rows)).min(rows);
        let tiles = rows.div_ceil(tile);
        // Where there are fewer tiles than threads, threads part the sequences' frames.
        let shares = threads.div_ceil(tiles);
        let c = Shared(c.as_mut_ptr());
        let task = |index: usize| {
            let (first, share) = (index / shares * tile, index % shares);
            let rows = first..rows.min(first + tile);
            level.run(Task {
                weights,
                rows,
                channels,
                groups,
                b,
                b_sequence,
                c,
                c_sequence,
                c_stride,
                accumulate,
                share: (share, shares),
                batch,
            });
        };
        if threads == 1 {
            (0..tiles * shares).for_each(task);
        } else {
            (0..tiles * shares).into_par_iter().with_max_len(1).for_each(task);
        }
    }
}

/// Rows of the micro-kernel's block.
struct Rows;

impl Operation for Rows {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        const { Sums::of(S::REGISTERS).rows_of_widest() }
    }
}

/// Some rows, on one thread. Its bounds were checked by [`Windowed::run`].
struct Task<'a> {
    weights: Weights<'a>,
    rows: std::ops::Range<usize>,
    channels: usize,
    groups: &'a [Group],
    b: &'a [f32],
    b_sequence: usize,
    c: Shared,
    c_sequence: usize,
    c_stride: usize,
    accumulate: bool,
    /// Which share of the panels, of how many.
    share: (usize, usize),
    batch: usize,
}

impl Operation for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let widest = const { Sums::of(S::REGISTERS).widest };
        let width = widest * LANES;
        let groups = || self.groups.iter().filter(|group| group.makes_something());
        let deepest = groups().map(|group| group.taps.len()).max().unwrap_or(0).max(1);
        let taps: usize = groups().map(|group| group.taps.len()).sum();
        // What a panel's taps see together stays in the first-level cache, and the tile's weights in the second.
        let most = (if widest >= 4 { 256 } else { 512 }).min(PACKED / (self.rows.len() * groups().count().max(1)));
        let passes = self.channels.div_ceil((most / deepest).max(1));
        let together = self.channels.div_ceil(passes);
        let mut packed = vec![0.0; self.rows.len() * together * taps];
        for first in (0..self.channels).step_by(together) {
            let channels = first..self.channels.min(first + together);
            let mut free = &mut packed[..];
            for group in groups() {
                let (to, rest) = free.split_at_mut(self.rows.len() * channels.len() * group.taps.len());
                self.weights.pack(&self.rows, &channels, &group.taps, to);
                free = rest;
            }
            let panels = groups().map(|group| group.frames.div_ceil(width)).max().unwrap_or(0);
            let all = self.batch * panels;
            for panel in all * self.share.0 / self.share.1..all * (self.share.0 + 1) / self.share.1 {
                let (sequence, from) = (panel / panels, panel % panels * width);
                let mut free = &packed[..];
                for group in groups() {
                    let depth = channels.len() * group.taps.len();
                    let (weights, rest) = free.split_at(self.rows.len() * depth);
                    free = rest;
                    if from >= group.frames {
                        continue;
                    }
                    let block = Block {
                        a: weights.as_ptr(),
                        a_row: depth,
                        a_column: 1,
                        // SAFETY: inside B, by the assertions of `Windowed::run`.
                        b: unsafe { self.b.as_ptr().add(sequence * self.b_sequence + from) },
                        b_rows: Listed(group.sees[first * group.taps.len()..][..depth].as_ptr()),
                        // SAFETY: inside C, by the assertions of `Windowed::run`.
                        c: unsafe {
                            let row = self.rows.start * self.c_stride;
                            self.c.0.add(group.to + sequence * self.c_sequence + row + from)
                        },
                        c_stride: self.c_stride,
                        depth,
                        accumulate: self.accumulate || first > 0,
                    };
                    // SAFETY: the block has these rows and columns, and B whole vectors of them.
                    unsafe { products(s, block, self.rows.len(), width.min(group.frames - from)) };
                }
            }
        }
    }
}

impl Weights<'_> {
    /// Lays rows of some channels and taps one behind the other.
    #[inline(always)]
    fn pack(&self, rows: &std::ops::Range<usize>, channels: &std::ops::Range<usize>, taps: &[usize], to: &mut [f32]) {
        let depth = channels.len() * taps.len();
        let straight = taps.len() == self.channel && taps.iter().enumerate().all(|(index, &tap)| index == tap);
        if straight {
            // All taps of a channel, and the next channel's behind them.
            for (row, to) in rows.clone().zip(to.chunks_exact_mut(depth)) {
                to.copy_from_slice(&self.values[row * self.row + channels.start * self.channel..][..depth]);
            }
            return;
        }
        for (index, channel) in channels.clone().enumerate() {
            for (place, row) in rows.clone().enumerate() {
                let from = &self.values[row * self.row + channel * self.channel..];
                let to = &mut to[place * depth + index * taps.len()..][..taps.len()];
                for (to, &tap) in to.iter_mut().zip(taps) {
                    *to = from[tap];
                }
            }
        }
    }
}
