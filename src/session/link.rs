//! The lock-free side of a session: what `process()` may touch.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;

use super::capture::Capture;
use super::lock::lock;
use crate::settings::Meter;
use crate::take::placed::PlayArrangement;
use crate::take::play::PlayTake;

/// Longest sidechain capture that is kept, in seconds; the newest audio wins.
pub const CAPTURE_SECONDS: f32 = 30.0;

/// How long no block may come until the host counts as one that does not process: a few of the longest blocks.
const REST: Duration = Duration::from_millis(250);
/// How long no block may come until nothing can be heard: on a machine that does something else, blocks are late.
const OFF: Duration = Duration::from_secs(2);

/// What `process()` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AudioCommand {
    /// The `render` parameter went on; the meter is the one at that moment.
    Render(Meter),
    /// The `cancel` parameter went on.
    Cancel,
}

/// What is to be played to the user, whatever the host's transport does.
#[derive(Debug, Clone)]
pub struct Audition {
    /// The sound, at the host's rate.
    pub take: Arc<PlayTake>,
    /// Which variation of it.
    pub variation: u8,
    /// Whether the seed clip is a part of it.
    pub with_seed: bool,
    /// The frame from which on.
    pub frame: i64,
}

/// Queues and atomics between `process()` and everybody else.
pub struct AudioLink {
    commands: ArrayQueue<AudioCommand>,
    incoming: ArrayQueue<Arc<PlayTake>>,
    retired: ArrayQueue<Arc<PlayTake>>,
    auditions: ArrayQueue<Audition>,
    arrangements: ArrayQueue<Arc<PlayArrangement>>,
    retired_arrangements: ArrayQueue<Arc<PlayArrangement>>,
    /// Changes of the arrangement that are underway.
    arranging: AtomicU32,
    /// Bits of the song's position in quarter notes; NaN while no arrangement plays.
    song: AtomicU64,
    /// What is played to the user is to end.
    audition_ends: AtomicBool,
    /// Which take is played to the user, 0 for none, and where it stands: frames from the seed clip's first one.
    auditioned: [AtomicU64; 2],
    /// Whether an editor is open.
    looked_at: AtomicBool,
    outstanding: AtomicU32,
    host_rate: AtomicU32,
    tempo: AtomicU64,
    beats_per_bar: AtomicU64,
    /// Whether a host has named them.
    meter_known: AtomicBool,
    missing: AtomicU64,
    /// Frame of the take that playback stands at, or -1.
    playhead: AtomicI64,
    /// Blocks that were processed.
    blocks: AtomicU32,
    /// How many there were when somebody last looked, and since when.
    seen_blocks: Mutex<(u32, Instant)>,
    /// The `render` and `cancel` switches as they were last seen, by whoever looked: each turn counts once.
    switches: [AtomicBool; 2],
    /// A running render was told to stop and has not yet.
    cancelling: AtomicBool,
    /// Nobody serves requests.
    refuses: AtomicBool,
    capture: Mutex<Option<Arc<CaptureRing>>>,
    /// A [`Capture`] as a number.
    capture_state: AtomicU8,
}

impl std::fmt::Debug for AudioLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioLink")
            .field("outstanding", &self.outstanding)
            .field("host_rate", &self.host_rate_hz())
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

impl AudioLink {
    pub(crate) fn new() -> Self {
        let meter = Meter::default();
        Self {
            commands: ArrayQueue::new(16),
            incoming: ArrayQueue::new(8),
            retired: ArrayQueue::new(32),
            auditions: ArrayQueue::new(4),
            arrangements: ArrayQueue::new(4),
            retired_arrangements: ArrayQueue::new(16),
            arranging: AtomicU32::new(0),
            song: AtomicU64::new(f64::NAN.to_bits()),
            audition_ends: AtomicBool::new(false),
            auditioned: [AtomicU64::new(0), AtomicU64::new(0)],
            looked_at: AtomicBool::new(false),
            outstanding: AtomicU32::new(0),
            host_rate: AtomicU32::new(0),
            tempo: AtomicU64::new(meter.tempo.to_bits()),
            beats_per_bar: AtomicU64::new(meter.beats_per_bar.to_bits()),
            meter_known: AtomicBool::new(false),
            missing: AtomicU64::new(0),
            playhead: AtomicI64::new(-1),
            blocks: AtomicU32::new(0),
            seen_blocks: Mutex::new((0, Instant::now())),
            switches: [AtomicBool::new(false), AtomicBool::new(false)],
            cancelling: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            capture: Mutex::new(None),
            capture_state: AtomicU8::new(0),
        }
    }

    // ---- from process()

    /// Asks the renderer for something; `false` when the queue is full. A render that was asked for counts as
    /// outstanding at once, so that an offline host waits for it from this block on.
    pub fn ask(&self, command: AudioCommand) -> bool {
        match command {
            AudioCommand::Render(_) => self.begin_request(),
            AudioCommand::Cancel => self.cancelling.store(true, Ordering::Release),
        }
        let asked = self.commands.push(command).is_ok();
        if !asked && matches!(command, AudioCommand::Render(_)) {
            self.end_request();
        }
        asked
    }

    /// The next take to play, if there is a new one.
    pub fn next_take(&self) -> Option<Arc<PlayTake>> {
        self.incoming.pop()
    }

    /// Hands a take back to be freed elsewhere. It comes back when the queue is full, to be handed over later.
    pub fn retire(&self, take: Arc<PlayTake>) -> Result<(), Arc<PlayTake>> {
        self.retired.push(take)
    }

    /// Whether there is no room to hand a take back.
    pub fn retired_is_full(&self) -> bool {
        self.retired.is_full()
    }

    /// The next arrangement, if there is a new one.
    pub fn next_arrangement(&self) -> Option<Arc<PlayArrangement>> {
        self.arrangements.pop()
    }

    /// Hands an arrangement back to be freed elsewhere. It comes back when the queue is full, to be handed over later.
    pub fn retire_arrangement(&self, arrangement: Arc<PlayArrangement>) -> Result<(), Arc<PlayArrangement>> {
        self.retired_arrangements.push(arrangement)
    }

    /// Whether there is no room to hand an arrangement back.
    pub fn retired_arrangements_are_full(&self) -> bool {
        self.retired_arrangements.is_full()
    }

    /// Whether the arrangement is being changed and the change is not played yet.
    pub fn arranging(&self) -> bool {
        self.arranging.load(Ordering::Acquire) > 0 && !self.refuses.load(Ordering::Acquire)
    }

    /// Tells editors where the song stands in quarter notes, while an arrangement plays.
    pub fn set_song(&self, beats: Option<f64>) {
        self.song.store(beats.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
    }

    /// What is to be played to the user next.
    pub fn next_audition(&self) -> Option<Audition> {
        self.auditions.pop()
    }

    /// Whether what is played to the user was to end since somebody last asked.
    pub fn takes_audition_end(&self) -> bool {
        self.audition_ends.swap(false, Ordering::AcqRel)
    }

    /// Tells editors which take is played to the user, and at which frame from its seed clip's first one.
    pub fn set_auditioned(&self, at: Option<(u64, i64)>) {
        let (take, frame) = at.unwrap_or((0, 0));
        self.auditioned[1].store(frame.unsigned_abs(), Ordering::Relaxed);
        self.auditioned[0].store(take, Ordering::Release);
    }

    /// Whether an editor is open.
    pub fn is_looked_at(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed)
    }

    /// Whether a render is waiting or running.
    pub fn rendering(&self) -> bool {
        self.outstanding.load(Ordering::Acquire) > 0 && !self.refuses.load(Ordering::Acquire)
    }

    /// Adds frames that were replaced with silence.
    pub fn add_missing(&self, frames: u64) {
        self.missing.fetch_add(frames, Ordering::Relaxed);
    }

    /// Tells editors where playback stands: frames from the seed clip's first one.
    pub fn set_playhead(&self, frame: Option<i64>) {
        self.playhead.store(frame.unwrap_or(-1), Ordering::Relaxed);
    }

    /// Tells editors what becomes of the sidechain.
    pub fn set_capture(&self, state: Capture) {
        self.capture_state.store(state as u8, Ordering::Relaxed);
    }

    /// Counts a block.
    pub fn tick(&self) {
        self.blocks.fetch_add(1, Ordering::Release);
    }

    /// Remembers the host's tempo and time signature.
    pub fn set_meter(&self, meter: Meter) {
        self.tempo.store(meter.tempo.to_bits(), Ordering::Relaxed);
        self.beats_per_bar.store(meter.beats_per_bar.to_bits(), Ordering::Relaxed);
    }

    /// The host has named its tempo.
    pub fn know_meter(&self) {
        self.meter_known.store(true, Ordering::Relaxed);
    }

    /// Looks at the `render` and `cancel` switches; says which of them have gone on since anybody last looked.
    pub fn turned_on(&self, render: bool, cancel: bool) -> (bool, bool) {
        let turned = |switch: &AtomicBool, now: bool| now != switch.swap(now, Ordering::AcqRel) && now;
        (turned(&self.switches[0], render), turned(&self.switches[1], cancel))
    }

    /// Whether the `render` switch was on when somebody last looked.
    pub(crate) fn render_was_on(&self) -> bool {
        self.switches[0].load(Ordering::Acquire)
    }

    /// Whether a render is being cancelled that has not ended yet.
    pub fn cancelling(&self) -> bool {
        self.cancelling.load(Ordering::Acquire) && self.rendering()
    }

    // ---- from everybody else

    pub(crate) fn take_command(&self) -> Option<AudioCommand> {
        self.commands.pop()
    }

    /// Gives `process()` a new take. What it replaces unplayed in the queue is returned to be dropped here.
    pub(crate) fn publish(&self, take: Arc<PlayTake>) {
        drop(self.incoming.force_push(take));
    }

    /// Gives `process()` a new arrangement. What it replaces unplayed in the queue is dropped here.
    pub(crate) fn publish_arrangement(&self, arrangement: Arc<PlayArrangement>) {
        drop(self.arrangements.force_push(arrangement));
    }

    pub(crate) fn begin_arranging(&self) {
        self.arranging.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn end_arranging(&self) {
        let _ = self.arranging.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| Some(count.saturating_sub(1)));
    }

    /// Where the song stands in quarter notes, while an arrangement plays.
    pub(crate) fn song_beats(&self) -> Option<f64> {
        Some(f64::from_bits(self.song.load(Ordering::Relaxed))).filter(|beats| !beats.is_nan())
    }

    /// Plays something to the user from the next block on, in place of what is played now. What it replaces in the queue
    /// is dropped here.
    pub(crate) fn audition(&self, audition: Audition) {
        self.audition_ends.store(false, Ordering::Release);
        drop(self.auditions.force_push(audition));
    }

    /// Ends what is played to the user.
    pub(crate) fn end_audition(&self) {
        while self.auditions.pop().is_some() {}
        self.audition_ends.store(true, Ordering::Release);
    }

    /// Which take is played to the user, and at which second from its seed clip's first frame.
    pub(crate) fn auditioned(&self) -> Option<(u64, f64)> {
        let take = self.auditioned[0].load(Ordering::Acquire);
        let frame = self.auditioned[1].load(Ordering::Relaxed);
        let rate = self.host_rate_hz()?;
        (take != 0).then(|| (take, frame as f64 / f64::from(rate)))
    }

    pub(crate) fn set_looked_at(&self, looked_at: bool) {
        self.looked_at.store(looked_at, Ordering::Relaxed);
    }

    /// Frees what `process()` has let go of.
    pub(crate) fn free_retired(&self) {
        while let Some(take) = self.retired.pop() {
            drop(take);
        }
        while let Some(arrangement) = self.retired_arrangements.pop() {
            drop(arrangement);
        }
    }

    pub(crate) fn begin_request(&self) {
        self.cancelling.store(false, Ordering::Release);
        self.outstanding.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn end_request(&self) {
        // Saturating: a request that ends twice must not keep an offline host waiting for ever.
        let _ =
            self.outstanding.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| Some(count.saturating_sub(1)));
    }

    /// Drops what `process()` asked for and nobody has looked at yet.
    pub(crate) fn forget_commands(&self) {
        while let Some(command) = self.commands.pop() {
            if matches!(command, AudioCommand::Render(_)) {
                self.end_request();
            }
        }
    }

    /// The host's rate in Hz; `None` before the first activation.
    pub fn host_rate_hz(&self) -> Option<u32> {
        let rate = f32::from_bits(self.host_rate.load(Ordering::Acquire));
        (rate >= 1.0).then(|| rate.round() as u32)
    }

    pub(crate) fn set_host_rate(&self, rate_hz: f32) {
        self.host_rate.store(rate_hz.to_bits(), Ordering::Release);
    }

    pub(crate) fn meter(&self) -> Meter {
        Meter {
            tempo: f64::from_bits(self.tempo.load(Ordering::Relaxed)),
            beats_per_bar: f64::from_bits(self.beats_per_bar.load(Ordering::Relaxed)),
        }
    }

    /// Whether the meter is the host's, and not what is assumed until one has named its own.
    pub(crate) fn meter_is_known(&self) -> bool {
        self.meter_known.load(Ordering::Relaxed)
    }

    pub(crate) fn missing_frames(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }

    pub(crate) fn forget_missing(&self) {
        self.missing.store(0, Ordering::Relaxed);
    }

    /// Where playback stands, which take is played to the user, and where in it: to see whether they move.
    pub(crate) fn heads(&self) -> [u64; 3] {
        let [take, frame] = &self.auditioned;
        let playhead = self.playhead.load(Ordering::Relaxed);
        [playhead.cast_unsigned(), take.load(Ordering::Acquire), frame.load(Ordering::Relaxed)]
    }

    /// Tempo, beats per bar and rate, as bits.
    pub(crate) fn meter_bits(&self) -> [u64; 3] {
        let rate = self.host_rate.load(Ordering::Acquire);
        [self.tempo.load(Ordering::Relaxed), self.beats_per_bar.load(Ordering::Relaxed), u64::from(rate)]
    }

    pub(crate) fn playhead_seconds(&self) -> Option<f64> {
        let frame = self.playhead.load(Ordering::Relaxed);
        let rate = self.host_rate_hz()?;
        (frame >= 0).then(|| frame as f64 / f64::from(rate))
    }

    /// Whether blocks have stopped coming. Hosts do not always say so: a sleeping or bypassed instrument is just not
    /// called any more.
    pub(crate) fn at_rest(&self) -> bool {
        self.rests_since() >= REST
    }

    /// Whether none has come for so long that the host runs no audio, and is not just busy.
    pub(crate) fn is_off(&self) -> bool {
        self.rests_since() >= OFF
    }

    /// How long no block has come, as far as anybody has looked.
    fn rests_since(&self) -> Duration {
        let mut seen = lock(&self.seen_blocks);
        let blocks = self.blocks.load(Ordering::Acquire);
        if blocks != seen.0 {
            *seen = (blocks, Instant::now());
        }
        seen.1.elapsed()
    }

    /// There is nobody to do what is asked for, so that nobody must wait for it.
    pub(crate) fn refuse_requests(&self) {
        self.refuses.store(true, Ordering::Release);
    }

    /// Ends everything that was asked for: nobody is left to do it.
    pub(crate) fn end_all_requests(&self) {
        while self.commands.pop().is_some() {}
        self.outstanding.store(0, Ordering::Release);
        self.arranging.store(0, Ordering::Release);
    }

    /// The ring that the sidechain is captured into at `rate_hz`; the one there is, if its rate is the same.
    pub(crate) fn capture_ring(&self, rate_hz: u32) -> Arc<CaptureRing> {
        let mut ring = lock(&self.capture);
        match &*ring {
            Some(present) if present.rate_hz == rate_hz => Arc::clone(present),
            _ => Arc::clone(ring.insert(Arc::new(CaptureRing::new(rate_hz)))),
        }
    }

    pub(crate) fn captured(&self) -> Option<Arc<CaptureRing>> {
        lock(&self.capture).clone()
    }

    /// To be called now and then, not from `process()`: gives a capture that has begun its memory.
    pub(crate) fn tend_capture(&self) {
        if let Some(ring) = self.captured() {
            ring.commit();
        }
    }

    /// What becomes of the sidechain, as `process()` has told last.
    pub fn capture_state(&self) -> Capture {
        let state = usize::from(self.capture_state.load(Ordering::Relaxed));
        Capture::ALL.get(state).copied().unwrap_or_default()
    }

    pub(crate) fn captured_seconds(&self) -> f32 {
        self.captured().map_or(0.0, |ring| ring.frames() as f32 / ring.rate_hz as f32)
    }
}

/// Stereo ring at the host's rate for the sidechain; f32 bits.
#[derive(Debug)]
pub struct CaptureRing {
    /// Frames per second.
    pub rate_hz: u32,
    /// Left and right.
    pub channels: [Box<[AtomicU32]>; 2],
    /// Frames written since the capture began.
    pub written: AtomicUsize,
    /// The system has given all of its memory.
    committed: AtomicBool,
}

/// Values in a page of memory.
const PAGE: usize = 1_024;

/// Silence that the system gives as it gives fresh memory: it takes none before somebody writes. An instance whose sidechain is never captured
/// does without its 11 MB.
fn silence(frames: usize) -> Box<[AtomicU32]> {
    // SAFETY: all bytes 0 are a valid value of an atomic number.
    unsafe { Box::new_zeroed_slice(frames).assume_init() }
}

impl CaptureRing {
    fn new(rate_hz: u32) -> Self {
        let frames = (rate_hz as f32 * CAPTURE_SECONDS) as usize;
        Self {
            rate_hz,
            channels: [silence(frames), silence(frames)],
            written: AtomicUsize::new(0),
            committed: false.into(),
        }
    }

    /// Once something is captured: has the system give the memory that nobody has touched yet, so that `process()` need not wait for it. May be
    /// called while it writes.
    fn commit(&self) {
        if self.frames() == 0 || self.committed.swap(true, Ordering::Relaxed) {
            return;
        }
        for cell in self.channels.iter().flat_map(|channel| channel.iter().step_by(PAGE)) {
            cell.fetch_add(0, Ordering::Relaxed);
        }
    }

    /// Frames that can be read.
    pub fn frames(&self) -> usize {
        self.written.load(Ordering::Acquire).min(self.channels[0].len())
    }

    /// The captured audio, oldest frame first.
    pub fn read(&self) -> [Vec<f32>; 2] {
        let written = self.written.load(Ordering::Acquire);
        let capacity = self.channels[0].len();
        let frames = written.min(capacity);
        let read = |channel: &[AtomicU32]| {
            (written - frames..written)
                .map(|frame| f32::from_bits(channel[frame % capacity].load(Ordering::Relaxed)))
                .collect()
        };
        [read(&self.channels[0]), read(&self.channels[1])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_keeps_what_is_in_it_when_it_gets_its_memory() {
        let link = AudioLink::new();
        let ring = link.capture_ring(8_000);
        assert_eq!(ring.channels[0].len(), 240_000);
        link.tend_capture();
        assert!(!ring.committed.load(Ordering::Relaxed), "nothing is captured");
        ring.channels[1][0].store(0.5_f32.to_bits(), Ordering::Relaxed);
        ring.written.store(2, Ordering::Release);
        link.tend_capture();
        assert!(ring.committed.load(Ordering::Relaxed));
        assert_eq!(ring.read(), [vec![0.0, 0.0], vec![0.5, 0.0]]);
    }
}
