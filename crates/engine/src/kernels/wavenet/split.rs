//! One pass shared by several threads: the layers depend on one another, so one thread, the leader, runs them; the skip
//! paths of all layers and the two last convolutions, which hold most weights of a wide network, are shared by rows. The
//! others sum the skip paths of the first layers while the leader runs the next ones, so the leader's share is smaller.
//!
//! The members meet three times per frame, for well under a microsecond each, so they spin for each other. They do so only
//! within [`PackedWaveNet::generate_split`]; between two calls they sleep in their pool.

use super::pass::{Coded, Scratch};
use super::{PackedWaveNet, WaveNetState};
use crate::kernels::contract::{Epilogue, Inputs, Kernel};
use crate::kernels::packed::{BLOCK, Block, MatrixRef};
use crate::kernels::simd::GATE_SCALE;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Turns of a waiting loop before the processor is offered to others: some ten microseconds.
const SPINS: usize = 4096;

/// Values that members write by turns: each its own part between two meetings, read by all after the next.
struct Shared<T>(Box<[UnsafeCell<T>]>);

// SAFETY: members only touch a part that is theirs until the next meeting, whose counter orders what they wrote before.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T: Default> Shared<T> {
    fn new(length: usize) -> Self {
        Self((0..length).map(|_| UnsafeCell::new(T::default())).collect())
    }

    /// # Safety
    /// Nobody writes to these values until the next meeting.
    unsafe fn read(&self, range: std::ops::Range<usize>) -> &[T] {
        let cells = &self.0[range];
        // SAFETY: an `UnsafeCell` is laid out as what is in it; the caller promises that it stays as it is.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
    }

    /// # Safety
    /// Nobody else touches these values until the next meeting.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that no two such borrows meet")]
    unsafe fn write(&self, range: std::ops::Range<usize>) -> &mut [T] {
        let cells = &self.0[range];
        // SAFETY: as above, and nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
    }
}

/// Where members wait for each other.
struct Meeting {
    members: usize,
    arrived: AtomicUsize,
    /// Parts of the skip sum whose gates are ready, counted over all frames.
    parts: AtomicUsize,
    stop: AtomicBool,
}

impl Meeting {
    /// Arrives at a meeting and waits for the others; `false` if one of them has given up. `turn` counts the meetings.
    fn attend(&self, turn: &mut usize) -> bool {
        *turn += 1;
        self.arrived.fetch_add(1, Ordering::AcqRel);
        self.wait(&self.arrived, *turn * self.members)
    }

    /// Waits until a counter has come to `wanted`; `false` if a member has given up.
    fn wait(&self, counter: &AtomicUsize, wanted: usize) -> bool {
        let mut spins = 0;
        while counter.load(Ordering::Acquire) < wanted {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                // The host may need the processor that a member is to run on.
                std::thread::yield_now();
            }
        }
        !self.stop.load(Ordering::Acquire)
    }
}

/// Stops the others if its thread panics.
struct StopOnPanic<'a>(&'a Meeting);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop.store(true, Ordering::Release);
        }
    }
}

/// What the members share.
struct Board<'a> {
    net: &'a PackedWaveNet,
    kernel: Kernel,
    columns: usize,
    z: Shared<u32>,
    skip: Shared<Block>,
    end: Shared<Block>,
    logits: Shared<Block>,
    /// Where the rows of each member begin, as a part of all; the leader has fewer of the skip sum's.
    skip_shares: Vec<f64>,
    even_shares: Vec<f64>,
    meeting: Meeting,
}

impl Board<'_> {
    /// A member's share of the head of one frame; `false` when there is no further frame.
    fn head(&self, member: usize, own: &mut Own) -> bool {
        let (net, columns) = (self.net, self.columns);
        let (precision, sizes) = (net.precision, net.sizes());
        let parts = sizes.skip_segments();
        let part_words = sizes.layers / parts * sizes.gate_words;
        for part in 0..parts {
            own.parts += 1;
            if !self.meeting.wait(&self.meeting.parts, own.parts) {
                return false;
            }
            for column in 0..columns {
                let start = column * sizes.z_stride() + part * part_words;
                // SAFETY: the leader has written these gates and next touches them after the last meeting of this frame.
                let words = unsafe { self.z.read(start..start + part_words) };
                let z = Inputs { words, stride: part_words, scales: &[GATE_SCALE] };
                self.share(&self.skip_shares, member, net.skip, part, column, z, (&self.skip, Epilogue::Relu));
            }
        }
        if !self.meeting.attend(&mut own.turn) {
            return false;
        }
        let [first, second] = net.end;
        own.words.resize(columns * net.skip.blocks().max(first.blocks()) * BLOCK, 0);
        own.scales.resize(columns, 1.0);
        let mut coded = Coded { words: &mut own.words, scales: &mut own.scales };
        // SAFETY: the skip sums are written before the meeting and next after the first gates of another frame.
        let skip = unsafe { self.skip.read(0..columns * net.skip.blocks()) };
        let skip = coded.encode(self.kernel, precision, skip, net.skip.blocks());
        self.shares(member, first, skip, (&self.end, Epilogue::Relu));
        if !self.meeting.attend(&mut own.turn) {
            return false;
        }
        // SAFETY: as before, one meeting later.
        let end = unsafe { self.end.read(0..columns * first.blocks()) };
        let end = coded.encode(self.kernel, precision, end, first.blocks());
        self.shares(member, second, end, (&self.logits, Epilogue::Store));
        self.meeting.attend(&mut own.turn)
    }

    /// A member's rows of a product of one segment, for every column.
    fn shares(&self, member: usize, matrix: MatrixRef, x: Inputs<'_>, to: (&Shared<Block>, Epilogue)) {
        for column in 0..self.columns {
            let scales = x.scales.get(column..).unwrap_or_default();
            let x = Inputs { words: &x.words[column * x.stride..], stride: x.stride, scales };
            self.share(&self.even_shares, member, matrix, 0, column, x, to);
        }
    }

    /// A member's rows of one segment of a product, for one column.
    #[allow(clippy::too_many_arguments, reason = "whose, of which, from where and to where")]
    fn share(
        &self,
        shares: &[f64],
        member: usize,
        matrix: MatrixRef,
        segment: usize,
        column: usize,
        x: Inputs<'_>,
        (y, epilogue): (&Shared<Block>, Epilogue),
    ) {
        let (first, share) = self.net.arena.matrix(matrix).share(shares[member], shares[member + 1]);
        if share.blocks == 0 {
            return;
        }
        let start = column * matrix.blocks() + first;
        // SAFETY: shares do not overlap, and nobody else touches them before the next meeting.
        let y = unsafe { y.write(start..start + share.blocks) };
        self.kernel.product_of(share, segment..segment + 1, 1, x, y, epilogue, None);
    }
}

/// A member's own room.
#[derive(Default)]
struct Own {
    words: Vec<u32>,
    scales: Vec<f32>,
    /// Meetings attended.
    turn: usize,
    /// Parts of the skip sum waited for.
    parts: usize,
}

impl PackedWaveNet {
    /// Bytes of the weights that [`PackedWaveNet::generate_split`] shares among threads.
    pub fn shared_bytes(&self) -> usize {
        let bytes = |matrix: MatrixRef| self.arena.matrix(matrix).weights.len() * 64;
        bytes(self.skip) + bytes(self.end[0]) + bytes(self.end[1])
    }

    /// Generates frames with all threads of `pool` on each. `codes` holds the newest code of each take; `next` gets the
    /// logits of the frame after it and writes the code of that one, or ends with `false`.
    ///
    /// The bits are those of [`PackedWaveNet::advance`].
    pub fn generate_split(
        &self,
        kernel: Kernel,
        pool: &rayon::ThreadPool,
        scratch: &mut Scratch,
        states: &mut [WaveNetState],
        codes: &mut [u32],
        next: &mut (dyn FnMut(&[Block], &mut [u32]) -> bool + Send),
    ) {
        let columns = states.len();
        let [first, second] = self.end;
        let members = pool.current_num_threads();
        let board = Board {
            net: self,
            kernel,
            columns,
            z: Shared::new(columns * self.sizes().z_stride()),
            skip: Shared::new(columns * self.skip.blocks()),
            end: Shared::new(columns * first.blocks()),
            logits: Shared::new(columns * second.blocks()),
            skip_shares: shares(self.leaders_share(members), members),
            even_shares: shares(1.0 / members as f64, members),
            meeting: Meeting {
                members,
                arrived: AtomicUsize::new(0),
                parts: AtomicUsize::new(0),
                stop: AtomicBool::new(false),
            },
        };
        let leader = Mutex::new((scratch, states, codes, next));
        pool.broadcast(|context| {
            let _guard = StopOnPanic(&board.meeting);
            let mut own = Own::default();
            if context.index() > 0 {
                while board.head(context.index(), &mut own) {}
                return;
            }
            let mut leader = leader.lock().unwrap_or_else(PoisonError::into_inner);
            let (scratch, states, codes, next) = &mut *leader;
            let sizes = self.sizes();
            let part_words = sizes.layers / sizes.skip_segments() * sizes.gate_words;
            loop {
                self.layers_of_frame(kernel, scratch, states, codes, |z, part| {
                    for column in 0..columns {
                        let start = column * sizes.z_stride() + part * part_words;
                        let place = start..start + part_words;
                        // SAFETY: the others only read these gates once this part is counted.
                        unsafe { board.z.write(place.clone()) }.copy_from_slice(&z[place]);
                    }
                    board.meeting.parts.fetch_add(1, Ordering::AcqRel);
                });
                if !board.head(0, &mut own) {
                    return;
                }
                // SAFETY: logits are written before the last meeting of a frame.
                if !next(unsafe { board.logits.read(0..columns * second.blocks()) }, codes) {
                    board.meeting.stop.store(true, Ordering::Release);
                    return;
                }
            }
        });
    }

    /// The leader's share of the skip sum: what is left to do when it comes from the layers, shared evenly.
    fn leaders_share(&self, members: usize) -> f64 {
        let bytes = |matrix: MatrixRef| self.arena.matrix(matrix).weights.len();
        let skip = bytes(self.skip) as f64;
        let layers: usize = self.layers.iter().map(|l| bytes(l.dilated) + l.residual.map_or(0, bytes)).sum();
        let (layers, members) = (LAYERS_COST * layers as f64, members as f64);
        ((skip - layers * (members - 1.0)) / (members * skip)).clamp(0.0, 1.0 / members)
    }
}

/// How much longer a weight of a layer takes than one of the skip sum: each layer waits for the one before.
const LAYERS_COST: f64 = 2.0;

/// Where each member's part begins, and where the last one's ends, if the leader has this much of the whole.
fn shares(leader: f64, members: usize) -> Vec<f64> {
    let others = (1.0 - leader) / (members - 1).max(1) as f64;
    let start = |member: usize| if member == 0 { 0.0 } else { leader + others * (member - 1) as f64 };
    (0..members).map(start).chain([1.0]).collect()
}
