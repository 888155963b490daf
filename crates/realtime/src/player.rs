//! What sounds: the pinned take, notes, the arrangement, what the editor plays to its user, and what is still fading out.

use crate::course::{Beat, Course};
use crate::head::{Fades, Head, Source};
use crate::keys::{KeySettings, Keys};
use crate::pinned::Pinned;
use crate::placement::Placement;
use crate::strip::Strip;
use crate::tails::Tails;
use crate::timeline::Cue;
use crate::view::TakeView;
use crate::voices::Note;

/// Where playback stands, for display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Playing {
    /// What is read.
    pub source: Source,
    /// The take's frame.
    pub frame: i64,
}

/// Mixes heads into stereo.
#[derive(Debug, Clone, Copy)]
pub struct Player {
    fades: Fades,
    pinned: Pinned,
    strip: Strip,
    tails: Tails,
    keys: Keys,
    /// What is played to the user beside all that, whatever the host's transport does.
    audition: Option<Head>,
    missing: u64,
}

impl Player {
    /// A silent player for a host at `rate_hz`.
    pub fn new(rate_hz: u32) -> Self {
        Self {
            fades: Fades::at(rate_hz),
            pinned: Pinned::new(),
            strip: Strip::new(),
            tails: Tails::new(),
            keys: Keys::new(rate_hz),
            audition: None,
            missing: 0,
        }
    }

    /// The same, silent, for a host at another rate. What MIDI has set up (bend ranges, zones) stays, as its sender says it once.
    #[must_use]
    pub fn at_rate(&self, rate_hz: u32) -> Self {
        Self { keys: self.keys.at_rate(rate_hz), ..Self::new(rate_hz) }
    }

    /// Frames over which playback fades where it must not click.
    pub fn declick_frames(&self) -> usize {
        self.fades.declick as usize
    }

    /// Follows the timeline for the next `frames` frames, with a take that stops at its end and keeps its length.
    ///
    /// `soft` says that the take's first frame is already in the middle of a sound (a continuation without its seed clip).
    pub fn follow(&mut self, cue: Cue, source: Source, soft: bool, frames: usize) {
        let beat = Beat { since_pin: 0.0, frames: 1.0, tempo: 120.0, per_bar: 4.0 };
        self.go(cue, (source, soft), (Course::PLAIN, beat), frames);
    }

    /// The same with a take that goes its `course` through the song, which stands at `beat` at the next frame.
    pub fn go(&mut self, cue: Cue, aim: (Source, bool), course: (Course, Beat), frames: usize) {
        self.pinned.follow(cue, aim, course, frames, (self.fades, &mut self.tails));
    }

    /// Lets the pinned take fade out.
    pub fn stop(&mut self) {
        self.follow(Cue::Stopped, Source { slot: 0, variation: 0, with_seed: false, matched: false }, false, 0);
    }

    /// What [`Player::go_along`] plays: takes in the order of their begins, at most [`crate::PLACEMENTS`], all of them whole.
    pub fn arrange(&mut self, placements: impl Iterator<Item = Placement>) {
        self.strip.set(placements);
    }

    /// Plays the arrangement for the next `frames` frames. `cue` and `beat` are of a timeline that is pinned to the song's start;
    /// one take goes over to the next in `crossfade` frames.
    pub fn go_along(&mut self, cue: Cue, beat: Beat, crossfade: u32, frames: usize) {
        self.strip.follow(cue, (beat, crossfade), frames, (self.fades, &mut self.tails));
    }

    /// Lets the arrangement fade out.
    pub fn stop_arrangement(&mut self) {
        self.strip.stop(self.fades);
    }

    /// How notes are played from here on.
    pub fn set_keys(&mut self, settings: KeySettings) {
        self.keys.set(settings, &mut self.tails);
    }

    /// What a key plays that a single voice goes back to. `soft` as in [`Player::note_on`].
    pub fn aim(&mut self, source: Source, soft: bool) {
        self.keys.aim(source, soft);
    }

    /// Starts a note at `velocity` (0..=1, taken as a factor) of `source`. `soft` says that its first frame is already in the
    /// middle of a sound. The key's note before it, if it still sounds, fades out fast, and so does what is too much.
    pub fn note_on(&mut self, note: Note, velocity: f32, source: Source, soft: bool) {
        let level = if velocity.is_finite() { velocity.clamp(0.0, 1.0) } else { 0.0 };
        self.keys.aim(source, soft);
        self.keys.note_on(note, level, &mut self.tails);
    }

    /// Lets notes fade out as after a key's release, or as soon as their channel's pedal goes up.
    pub fn note_off(&mut self, note: &Note) {
        self.keys.note_off(note, &mut self.tails);
    }

    /// Ends notes as fast as can be without a click. Those that were to begin in this very frame are not heard at all.
    pub fn choke(&mut self, note: &Note) {
        self.keys.choke(note);
    }

    /// Releases a MIDI channel's keys; of the master channel of a zone, the whole zone's.
    pub fn all_notes_off(&mut self, channel: u8) {
        self.keys.all_notes_off(channel, &mut self.tails);
    }

    /// Ends a MIDI channel's notes as [`Player::choke`] does; of the master channel of a zone, the whole zone's.
    pub fn all_sound_off(&mut self, channel: u8) {
        self.keys.all_sound_off(channel);
    }

    /// Moves a MIDI channel's sustain pedal; that of the master channel of a zone holds the whole zone's notes.
    pub fn pedal(&mut self, channel: u8, down: bool) {
        self.keys.pedal(channel, down, &mut self.tails);
    }

    /// Bends a MIDI channel's notes, from -1 to 1; the master channel of a zone those of all its members too.
    pub fn bend(&mut self, channel: u8, value: f32) {
        self.keys.bend(channel, value);
    }

    /// Controllers 6, 38 and 98 to 101 of a MIDI channel, with a value of 0..=127: they choose a registered parameter and set it.
    /// Heeded are 0, how far the wheel bends, and 6, which makes the channels next to this one a zone of MIDI Polyphonic Expression.
    pub fn control(&mut self, channel: u8, controller: u8, value: u8) {
        self.keys.control(channel, controller, value.min(127), &mut self.tails);
    }

    /// Puts a MIDI channel's pedal and bend back, and lets data be meant for no parameter. Ranges and zones stay, as MIDI has it.
    pub fn reset_controllers(&mut self, channel: u8) {
        self.keys.reset_controllers(channel, &mut self.tails);
    }

    /// Tunes sounding notes by semitones.
    pub fn tune(&mut self, note: &Note, semitones: f32) {
        self.keys.tune(note, semitones);
    }

    /// Sets the volume of sounding notes, a factor of 0..=4.
    pub fn volume(&mut self, note: &Note, factor: f32) {
        self.keys.volume(note, factor);
    }

    /// Sets the place of sounding notes between left (-1) and right (1): the other side is turned down.
    pub fn pan(&mut self, note: &Note, place: f32) {
        self.keys.pan(note, place);
    }

    /// Plays a source to the user, from a frame on; what was played to them before fades out. `soft` says that the source's
    /// first frame is already in the middle of a sound.
    pub fn audition(&mut self, source: Source, frame: i64, soft: bool) {
        self.stop_audition();
        let frame = frame.max(0);
        self.audition = Some(Head::new(source, frame, 1.0, soft || frame > 0, self.fades));
    }

    /// Lets what is played to the user fade out.
    pub fn stop_audition(&mut self) {
        if let Some(head) = self.audition.take() {
            self.fade_out(head);
        }
    }

    /// Ends it at once, with all that is read from its slot: in a bounce not even its fade may sound.
    pub fn forget_audition(&mut self, slot: u8) {
        self.audition = None;
        self.tails.forget(slot);
    }

    /// Where that stands; `None` where nothing is played to the user.
    pub fn auditioning(&self) -> Option<Playing> {
        self.audition.map(|head| Playing { source: head.source, frame: head.position })
    }

    /// Ends everything that is read from a slot.
    pub fn close_slot(&mut self, slot: u8) {
        self.pinned.close_slot(slot, self.fades, &mut self.tails);
        self.strip.close_slot(slot, self.fades);
        self.keys.voices.close_slot(slot, self.fades);
        if self.audition.is_some_and(|head| head.source.slot == slot) {
            self.stop_audition();
        }
    }

    /// Whether anything is read from a slot.
    pub fn uses(&self, slot: u8) -> bool {
        self.uses_any(slot..slot.saturating_add(1))
    }

    /// Whether anything is read from any of these slots.
    pub fn uses_any(&self, slots: core::ops::Range<u8>) -> bool {
        let reads = |source: Source| slots.contains(&source.slot);
        self.audition.is_some_and(|head| reads(head.source))
            || self.pinned.uses(reads)
            || self.strip.uses(reads)
            || self.tails.uses(reads)
            || self.keys.voices.uses(reads)
    }

    /// Everything is silent from here on, without fades.
    pub fn reset(&mut self) {
        self.pinned.reset();
        self.strip.reset();
        self.tails = Tails::new();
        self.keys.reset();
        self.audition = None;
    }

    /// Where playback stands: the pinned take, else the newest note.
    pub fn playing(&self) -> Option<Playing> {
        let head = self.pinned.head().or_else(|| self.keys.voices.newest())?;
        Some(Playing { source: head.source, frame: head.position })
    }

    /// The frames that the next `frames` frames of output read at most: calls `visit` with each source and the end of
    /// what is read from it. An offline host waits for these; it plays nothing to a user.
    pub fn needs(&self, frames: usize, mut visit: impl FnMut(Source, i64)) {
        let frames = frames as i64;
        self.pinned.needs(frames, &mut visit);
        for head in self.tails.heads().chain(self.keys.voices.heads()) {
            visit(head.source, head.needs(frames));
        }
    }

    /// Frames that were missing since the last call.
    pub fn take_missing(&mut self) -> u64 {
        core::mem::take(&mut self.missing)
    }

    /// Adds the next frames to `left` and `right`, which have the same length. `view` opens a source for reading; heads
    /// whose source is gone fall silent.
    pub fn mix<'v>(&mut self, view: impl Fn(Source) -> Option<TakeView<'v>>, left: &mut [f32], right: &mut [f32]) {
        let frames = left.len().min(right.len());
        let (left, right) = (&mut left[..frames], &mut right[..frames]);
        let fades = self.fades;
        let missing = &mut self.missing;
        // What is played to the user while it is still being made is no fault of the host's timeline.
        let mut unheard = 0;
        if let Some(head) = &mut self.audition
            && !view(head.source).is_some_and(|view| head.mix(&view, left, right, fades, &mut unheard))
        {
            self.audition = None;
        }
        let mut mix = |head: &mut Head, left: &mut [f32], right: &mut [f32]| {
            view(head.source).is_some_and(|view| head.mix(&view, left, right, fades, missing))
        };
        self.pinned.mix(fades, left, right, &mut mix);
        self.strip.mix(fades, left, right, &mut mix);
        self.keys.mix(&mut self.tails, left, right, mix);
    }

    fn fade_out(&mut self, head: Head) {
        self.tails.fade_out(head, self.fades);
    }
}

#[cfg(test)]
mod course_tests;
#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod strip_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zone_tests;
