//! One frame of a variation shared by several threads: the layers depend on one another, so one thread, the leader, runs them;
//! the skip paths of all layers and the two last convolutions, which hold most weights of a wide network, are shared by
//! rows. The others sum their rows of the skip paths of the first layers while the leader runs the next ones, so the
//! leader's share is smaller.
//!
//! The members meet three times per frame, for well under a microsecond each, so they spin for each other. They do so only
//! within [`PackedWaveNet::generate_split`]; between two calls they sleep in their pool. A member that does not come, because
//! the host needs its core, is not waited for: the leader finishes the frame and goes on alone.

use super::activate::{epilogue, finish};
use super::network::PackedWaveNet;
use super::pass::Coded;
use super::scratch::Scratch;
use super::state::WaveNetState;
use crate::kernels::arguments::Inputs;
use crate::kernels::coding::GATE_SCALE;
use crate::kernels::kernel::{Kernel, Multiply};
use crate::kernels::packed::{BLOCK, Block, MatrixRef, PackedMatrix};
use continuo_package::family::wavenet::Activation;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Most stages, which are layers whose gates are handed over together: each one more costs a little and lets the other
/// threads begin earlier.
const MOST_STAGES: usize = 11;

/// Turns of a waiting loop before the processor is offered to others: some ten microseconds.
const SPINS: usize = 4096;

/// How long the leader waits for the others at a meeting, at least, and as a multiple of what the layers took it. Threads that
/// run are there far sooner; one that has to wait for its core comes milliseconds later, with every frame.
const PATIENCE: Duration = Duration::from_micros(300);
const PATIENCE_IN_LAYERS: u32 = 8;

/// How long it waits for them in the first frame, when they have to wake up.
const WAKING: Duration = Duration::from_millis(2);

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
    unsafe fn read(&self, range: Range<usize>) -> &[T] {
        let cells = &self.0[range];
        // SAFETY: an `UnsafeCell` is laid out as what is in it; the caller promises that it stays as it is.
        unsafe { std::slice::from_raw_parts(cells.as_ptr().cast(), cells.len()) }
    }

    /// # Safety
    /// Nobody else touches these values until the next meeting.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that no two such borrows meet")]
    unsafe fn write(&self, range: Range<usize>) -> &mut [T] {
        let cells = &self.0[range];
        // SAFETY: as above, and nobody else looks.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
    }
}

/// Where members wait for each other.
struct Meeting {
    members: usize,
    arrived: AtomicUsize,
    /// Stages whose gates are ready, counted over all frames.
    stages: AtomicUsize,
    stop: AtomicBool,
}

impl Meeting {
    /// Arrives at a meeting and waits for the others; `false` if one of them has given up or patience has ended.
    fn attend(&self, turn: &mut usize, patience: Option<Duration>) -> bool {
        *turn += 1;
        self.arrived.fetch_add(1, Ordering::AcqRel);
        self.wait(&self.arrived, *turn * self.members, patience)
    }

    /// Waits until a counter has come to `wanted`; `false` if a member has given up or patience has ended.
    fn wait(&self, counter: &AtomicUsize, wanted: usize, patience: Option<Duration>) -> bool {
        let mut spins = 0;
        let mut since = None;
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
                let since = since.get_or_insert_with(Instant::now);
                if patience.is_some_and(|patience| since.elapsed() > patience) {
                    return false;
                }
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
    /// The layers of each stage.
    stages: Vec<Range<usize>>,
    z: Shared<u32>,
    /// One value: [`WaveNetState::skip_scale`].
    skip_scale: Shared<f32>,
    skip: Shared<Block>,
    end: Shared<Block>,
    outputs: Shared<Block>,
    /// Where the rows of each member begin, as a part of all; the leader has fewer of the skip sum's.
    skip_shares: Vec<f64>,
    even_shares: Vec<f64>,
    meeting: Meeting,
}

impl<'a> Board<'a> {
    fn new(net: &'a PackedWaveNet, kernel: Kernel, members: usize) -> Self {
        let ([first, second], layers) = (net.end, net.layers.len());
        let stages = MOST_STAGES.min(layers);
        Self {
            net,
            kernel,
            stages: (0..stages).map(|stage| layers * stage / stages..layers * (stage + 1) / stages).collect(),
            z: Shared::new(net.sizes().z_stride()),
            skip_scale: Shared::new(1),
            skip: Shared::new(net.skip.blocks()),
            end: Shared::new(first.blocks()),
            outputs: Shared::new(second.blocks()),
            skip_shares: shares(net.leaders_share(members), members),
            even_shares: shares(1.0 / members as f64, members),
            meeting: Meeting {
                members,
                arrived: AtomicUsize::new(0),
                stages: AtomicUsize::new(0),
                stop: AtomicBool::new(false),
            },
        }
    }

    /// The leader gives these layers' gates to the others.
    fn hand_over(&self, z: &[u32], stage: Range<usize>, skip_scale: f32) {
        let gate_words = self.net.sizes().gate_words;
        let place = stage.start * gate_words..stage.end * gate_words;
        if stage.end == self.net.layers.len() {
            // SAFETY: the others only read it once this stage is counted, which is the last.
            unsafe { self.skip_scale.write(0..1) }.fill(skip_scale);
        }
        // SAFETY: the others only read these gates once this stage is counted.
        unsafe { self.z.write(place.clone()) }.copy_from_slice(&z[place]);
        self.meeting.stages.fetch_add(1, Ordering::AcqRel);
    }

    /// A member's rows of the skip sum of one frame; `false` when there is no further frame.
    fn skip(&self, member: usize, own: &mut Own) -> bool {
        let (first, rows) = self.rows(&self.skip_shares, member, self.net.skip);
        let gate_words = self.net.sizes().gate_words;
        for stage in &self.stages {
            own.stages += 1;
            if !self.meeting.wait(&self.meeting.stages, own.stages, own.patience) {
                return false;
            }
            if rows.blocks > 0 {
                // SAFETY: the leader has written these gates and next touches them after the last meeting of this frame.
                let words = unsafe { self.z.read(stage.start * gate_words..stage.end * gate_words) };
                // SAFETY: rows do not overlap, and nobody else touches them before the next meeting.
                let y = unsafe { self.skip.write(first..first + rows.blocks) };
                // A sum is multiplied with its scale once it is complete.
                let is_last = stage.end == self.net.layers.len();
                // SAFETY: as above, for the last stage.
                let scales = if is_last { unsafe { self.skip_scale.read(0..1) } } else { &[GATE_SCALE] };
                let x = Inputs { words, stride: 0, scales };
                let (segments, activation) = (stage.clone(), self.net.shape.activation);
                let epilogue = epilogue(activation);
                let product = Multiply { matrix: rows, segments, columns: 1, x, y: &mut *y, epilogue, gate: None };
                self.kernel.multiply(product);
                if is_last {
                    finish(self.kernel, activation, y);
                }
            }
        }
        true
    }

    /// A member's rows of the two last convolutions; `false` when there is no further frame.
    fn head(&self, member: usize, own: &mut Own) -> bool {
        if !self.meeting.attend(&mut own.turn, own.patience) {
            return false;
        }
        let (net, precision) = (self.net, self.net.precision);
        let [first, second] = net.end;
        own.words.resize(net.skip.blocks().max(first.blocks()) * BLOCK, 0);
        let mut scale = [1.0];
        let mut coded = Coded { words: &mut own.words, scales: &mut scale };
        // SAFETY: the skip sums are written before the meeting and next after the first gates of another frame.
        let skip = unsafe { self.skip.read(0..net.skip.blocks()) };
        let skip = coded.encode(self.kernel, precision, skip, net.skip.blocks());
        self.share(member, first, skip, &self.end, net.shape.activation);
        if !self.meeting.attend(&mut own.turn, own.patience) {
            return false;
        }
        // SAFETY: as before, one meeting later.
        let end = unsafe { self.end.read(0..first.blocks()) };
        let end = coded.encode(self.kernel, precision, end, first.blocks());
        self.share(member, second, end, &self.outputs, net.shape.output);
        self.meeting.attend(&mut own.turn, own.patience)
    }

    /// A member's rows of a product, and the block with which they begin.
    fn rows(&self, shares: &[f64], member: usize, matrix: MatrixRef) -> (usize, PackedMatrix<'_>) {
        self.net.arena.matrix(matrix).share(shares[member], shares[member + 1])
    }

    /// A member's rows of one of the last convolutions.
    fn share(&self, member: usize, matrix: MatrixRef, x: Inputs<'_>, y: &Shared<Block>, activation: Activation) {
        let (first, rows) = self.rows(&self.even_shares, member, matrix);
        if rows.blocks > 0 {
            // SAFETY: rows do not overlap, and nobody else touches them before the next meeting.
            let y = unsafe { y.write(first..first + rows.blocks) };
            let (segments, epilogue) = (0..rows.segments, epilogue(activation));
            let product = Multiply { matrix: rows, segments, columns: 1, x, y: &mut *y, epilogue, gate: None };
            self.kernel.multiply(product);
            finish(self.kernel, activation, y);
        }
    }
}

/// A member's own room.
#[derive(Default)]
struct Own {
    words: Vec<u32>,
    /// Meetings attended.
    turn: usize,
    /// Stages waited for.
    stages: usize,
    /// How long it waits for the others; none for ever, which is for those whom the leader stops.
    patience: Option<Duration>,
}

impl PackedWaveNet {
    /// Bytes of the weights that [`PackedWaveNet::generate_split`] shares among threads.
    pub fn shared_bytes(&self) -> usize {
        let bytes = |matrix: MatrixRef| self.arena.matrix(matrix).weights.len() * 64;
        bytes(self.skip) + bytes(self.end[0]) + bytes(self.end[1])
    }

    /// Generates frames of a variation alone with this thread and all of `pool` on each. `symbol` is the newest code, or the bits
    /// of the newest value; `next` gets the outputs for the frame after it and writes the symbol of that one, or ends with `false`.
    ///
    /// Gives back whether the others came in time; otherwise this thread went on alone. The bits are those of
    /// [`PackedWaveNet::step`] in any case.
    pub fn generate_split(
        &self,
        kernel: Kernel,
        pool: &rayon::ThreadPool,
        scratch: &mut Scratch,
        state: &mut WaveNetState,
        symbol: &mut u32,
        next: &mut dyn FnMut(&[Block], &mut u32) -> bool,
    ) -> bool {
        let board = &Board::new(self, kernel, pool.current_num_threads() + 1);
        let mut in_time = true;
        // This thread is one of the members: it runs anyway, and some systems wake threads up where it would sleep.
        pool.in_place_scope(|scope| {
            scope.spawn_broadcast(|_, context| {
                let _guard = StopOnPanic(&board.meeting);
                let (member, mut own) = (context.index() + 1, Own::default());
                while board.skip(member, &mut own) && board.head(member, &mut own) {}
            });
            let _guard = StopOnPanic(&board.meeting);
            let mut own = Own { patience: Some(WAKING), ..Own::default() };
            let mut more = true;
            let began = Instant::now();
            let mut patience = None;
            while more && in_time {
                self.step_layers(kernel, scratch, state, *symbol, &board.stages, |z, stage, scale| {
                    board.hand_over(z, stage, scale);
                });
                let patience =
                    *patience.get_or_insert_with(|| PATIENCE.max(began.elapsed().saturating_mul(PATIENCE_IN_LAYERS)));
                in_time = board.skip(0, &mut own) && board.head(0, &mut own);
                own.patience = Some(patience);
                if in_time {
                    // SAFETY: logits are written before the last meeting of a frame.
                    more = next(unsafe { board.outputs.read(0..self.end[1].blocks()) }, symbol);
                }
            }
            board.meeting.stop.store(true, Ordering::Release);
            if !in_time {
                // The frame has gone through the layers already, and its gates are this thread's own.
                let mut outputs = vec![Block::default(); self.end[1].blocks()];
                self.step_head(kernel, scratch, state, &mut outputs);
                if next(&outputs, symbol) {
                    self.generate_alone(kernel, scratch, state, symbol, &mut outputs, next);
                }
            }
        });
        in_time
    }

    /// As [`PackedWaveNet::generate_split`] with this thread alone; `outputs` is room for a frame's.
    pub fn generate_alone(
        &self,
        kernel: Kernel,
        scratch: &mut Scratch,
        state: &mut WaveNetState,
        symbol: &mut u32,
        outputs: &mut [Block],
        next: &mut dyn FnMut(&[Block], &mut u32) -> bool,
    ) {
        loop {
            let states = std::slice::from_mut(state);
            self.step(kernel, scratch, states, std::slice::from_ref(symbol), outputs);
            if !next(outputs, symbol) {
                return;
            }
        }
    }

    /// The leader's share of the skip sum: what is left to do when it comes from the layers, shared evenly.
    fn leaders_share(&self, members: usize) -> f64 {
        let bytes = |matrix: MatrixRef| self.arena.matrix(matrix).weights.len();
        let skip = bytes(self.skip) as f64;
        let layers: usize = self.layers.iter().map(|l| bytes(l.dilated) + l.residual.map_or(0, bytes)).sum();
        let (layers, members) = (layers as f64, members as f64);
        ((skip - layers * (members - 1.0)) / (members * skip)).clamp(0.0, 1.0 / members)
    }
}

/// Where each member's part begins, and where the last one's ends, if the leader has this much of the whole.
fn shares(leader: f64, members: usize) -> Vec<f64> {
    let others = (1.0 - leader) / (members - 1).max(1) as f64;
    let start = |member: usize| if member == 0 { 0.0 } else { leader + others * (member - 1) as f64 };
    (0..members).map(start).chain([1.0]).collect()
}
