//! One pass shared by several threads: the layers depend on one another, so one thread runs them; the skip paths of all
//! layers and the two last convolutions, which hold most weights of a wide network, are shared by rows.
//!
//! Between layers and logits the members meet three times per frame, for well under a microsecond each, so they spin for
//! each other. They do so only within [`PackedWaveNet::generate_split`]; between two calls they sleep in their pool.

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
struct Shared<T>(UnsafeCell<Vec<T>>);

// SAFETY: members only touch a part that is theirs until the next meeting, whose counter orders what they wrote before.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T: Clone + Default> Shared<T> {
    fn new(length: usize) -> Self {
        Self(UnsafeCell::new(vec![T::default(); length]))
    }

    /// # Safety
    /// Nobody writes to these values until the next meeting.
    unsafe fn read(&self, range: std::ops::Range<usize>) -> &[T] {
        // SAFETY: the caller's promise; the vector is never resized, so its buffer stays.
        unsafe { &(&(*self.0.get()))[range] }
    }

    /// # Safety
    /// Nobody else touches these values until the next meeting.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that no two such borrows meet")]
    unsafe fn write(&self, range: std::ops::Range<usize>) -> &mut [T] {
        // SAFETY: the caller's promise. The slice is made from the buffer's pointer, so that no borrow of the whole exists.
        unsafe {
            let all = (*self.0.get()).as_mut_ptr();
            std::slice::from_raw_parts_mut(all.add(range.start), range.end - range.start)
        }
    }
}

/// Where members wait for each other.
struct Meeting {
    members: usize,
    arrived: AtomicUsize,
    stop: AtomicBool,
}

impl Meeting {
    /// Arrives at a meeting and waits for the others; `false` if one of them has given up. `turn` counts the meetings.
    fn attend(&self, turn: &mut usize) -> bool {
        *turn += 1;
        let wanted = *turn * self.members;
        self.arrived.fetch_add(1, Ordering::AcqRel);
        let mut spins = 0;
        while self.arrived.load(Ordering::Acquire) < wanted {
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
    meeting: Meeting,
}

impl Board<'_> {
    /// A member's share of the head of one frame: three meetings. `false` when there is no further frame.
    fn head(&self, member: usize, own: &mut Own, turn: &mut usize) -> bool {
        // The first meeting: the leader has run the layers, or has no further frame.
        if !self.meeting.attend(turn) {
            return false;
        }
        let (net, columns) = (self.net, self.columns);
        let (precision, z_stride) = (net.precision, net.sizes().z_stride());
        own.z_scales.resize(columns, GATE_SCALE);
        // SAFETY: only the leader writes gates, before the first meeting of a frame.
        let z = unsafe { self.z.read(0..columns * z_stride) };
        self.share(
            member,
            net.skip,
            Inputs { words: z, stride: z_stride, scales: &own.z_scales },
            &self.skip,
            Epilogue::Relu,
        );
        if !self.meeting.attend(turn) {
            return false;
        }
        let [first, second] = net.end;
        own.words.resize(columns * net.skip.blocks().max(first.blocks()) * BLOCK, 0);
        own.scales.resize(columns, 1.0);
        let mut coded = Coded { words: &mut own.words, scales: &mut own.scales };
        // SAFETY: the skip sums are written before the second meeting and next after the first one of another frame.
        let skip = unsafe { self.skip.read(0..columns * net.skip.blocks()) };
        let skip = coded.encode(self.kernel, precision, skip, net.skip.blocks());
        self.share(member, first, skip, &self.end, Epilogue::Relu);
        if !self.meeting.attend(turn) {
            return false;
        }
        // SAFETY: as before, one meeting later.
        let end = unsafe { self.end.read(0..columns * first.blocks()) };
        let end = coded.encode(self.kernel, precision, end, first.blocks());
        self.share(member, second, end, &self.logits, Epilogue::Store);
        self.meeting.attend(turn)
    }

    /// A member's rows of a product, for every column.
    fn share(&self, member: usize, matrix: MatrixRef, x: Inputs<'_>, y: &Shared<Block>, epilogue: Epilogue) {
        let (first, share) = self.net.arena.matrix(matrix).share(member, self.meeting.members);
        for column in 0..self.columns {
            let start = column * matrix.blocks() + first;
            // SAFETY: shares do not overlap, and nobody reads them before the next meeting.
            let y = unsafe { y.write(start..start + share.blocks) };
            let scales = x.scales.get(column..).unwrap_or_default();
            let x = Inputs { words: &x.words[column * x.stride..], stride: x.stride, scales };
            self.kernel.product(share, 1, x, y, epilogue, None);
        }
    }
}

/// A member's own room.
#[derive(Default)]
struct Own {
    words: Vec<u32>,
    scales: Vec<f32>,
    z_scales: Vec<f32>,
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
        let board = Board {
            net: self,
            kernel,
            columns,
            z: Shared::new(columns * self.sizes().z_stride()),
            skip: Shared::new(columns * self.skip.blocks()),
            end: Shared::new(columns * first.blocks()),
            logits: Shared::new(columns * second.blocks()),
            meeting: Meeting {
                members: pool.current_num_threads(),
                arrived: AtomicUsize::new(0),
                stop: AtomicBool::new(false),
            },
        };
        let leader = Mutex::new((scratch, states, codes, next));
        pool.broadcast(|context| {
            let _guard = StopOnPanic(&board.meeting);
            let (mut own, mut turn) = (Own::default(), 0);
            if context.index() > 0 {
                while board.head(context.index(), &mut own, &mut turn) {}
                return;
            }
            let mut leader = leader.lock().unwrap_or_else(PoisonError::into_inner);
            let (scratch, states, codes, next) = &mut *leader;
            loop {
                let z = self.layers_of_frame(kernel, scratch, states, codes);
                // SAFETY: the others wait at the first meeting of this frame.
                unsafe { board.z.write(0..z.len()) }.copy_from_slice(z);
                if !board.head(0, &mut own, &mut turn) {
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
}
