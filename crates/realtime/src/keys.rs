//! Playing a take from keys: what a note, a pedal, a bend or a release means to the voices.

use crate::channels::{CHANNELS, Channels, Group, Outcome};
use crate::envelope::{Contour, Envelope};
use crate::head::{Fades, Head, Source};
use crate::limiter::Limiter;
use crate::pitch::Pitch;
use crate::pressed::Pressed;
use crate::tails::Tails;
use crate::voices::{Hold, Note, VOICES, Voice, Voices};

/// The release to begin with, in milliseconds.
const RELEASE_MS: f32 = 60.0;

/// Frames that are mixed at once where the keys' sum is limited.
const CHUNK: usize = 64;

/// How a take is played from keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeySettings {
    /// The MIDI key at which the take sounds as it was made; others transpose it. `None`: every key sounds the same.
    pub root: Option<u8>,
    /// Semitones of a whole pitch bend, where MIDI has not said otherwise.
    pub bend_semitones: f32,
    /// Milliseconds from silence to full level; 0 begins at full level.
    pub attack_ms: f32,
    /// Milliseconds from full level to `sustain`.
    pub decay_ms: f32,
    /// Level while the key stays down, 0..=1.
    pub sustain: f32,
    /// Milliseconds from a key's release to silence.
    pub release_ms: f32,
    /// Seconds of what a note plays that are left out at its beginning.
    pub start_seconds: f32,
    /// How many notes sound at once, 1..=[`VOICES`].
    pub voices: usize,
    /// One note at a time, the last that was pressed; after its release the one before, from its start, if that key is down.
    pub mono: bool,
    /// Whether bends, pedals and what hosts say of single notes are heeded.
    pub controllers: bool,
    /// Whether the sum of all notes is kept to full scale.
    pub limits: bool,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            root: None,
            bend_semitones: 2.0,
            attack_ms: 0.0,
            decay_ms: 0.0,
            sustain: 1.0,
            release_ms: RELEASE_MS,
            start_seconds: 0.0,
            voices: VOICES,
            mono: false,
            controllers: false,
            limits: false,
        }
    }
}

/// All notes, and what changes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys {
    rate_hz: u32,
    fades: Fades,
    settings: KeySettings,
    pub(crate) voices: Voices,
    channels: Channels,
    pressed: Pressed,
    limiter: Limiter,
    /// What notes play, and whether that begins in the middle of a sound.
    source: (Source, bool),
}

impl Keys {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            fades: Fades::at(rate_hz),
            settings: KeySettings::default(),
            voices: Voices::new(),
            channels: Channels::new(),
            pressed: Pressed::new(),
            limiter: Limiter::new(rate_hz),
            source: (Source { slot: 0, variation: 0, with_seed: false, matched: false }, false),
        }
    }

    /// Everything is silent and up from here on.
    pub(crate) fn reset(&mut self) {
        *self = self.at_rate(self.rate_hz);
    }

    /// The same at another rate; what MIDI has set up stays.
    pub(crate) fn at_rate(&self, rate_hz: u32) -> Self {
        let channels = self.channels.at_rest();
        Self { settings: self.settings, source: self.source, channels, ..Self::new(rate_hz) }
    }

    pub(crate) fn set(&mut self, settings: KeySettings, tails: &mut Tails) {
        let before = core::mem::replace(&mut self.settings, settings);
        if before.controllers && !settings.controllers {
            self.forget_controllers(Group::ALL, tails);
        }
        if before.bend_semitones.to_bits() != settings.bend_semitones.to_bits() {
            // Who spoke last is heard.
            self.channels.forget_ranges();
            self.retune(Group::ALL);
        }
    }

    pub(crate) fn aim(&mut self, source: Source, soft: bool) {
        self.source = (source, soft);
    }

    pub(crate) fn note_on(&mut self, note: Note, level: f32, tails: &mut Tails) {
        self.pressed.press(note, level);
        self.strike(note, level, tails);
    }

    pub(crate) fn note_off(&mut self, note: &Note, tails: &mut Tails) {
        let (channels, controllers) = (self.channels, self.settings.controllers);
        let held = |note: &Note| controllers && channels.holds(channel_of(note));
        self.pressed.release(note, held);
        let mut ended = false;
        for voice in self.voices.all().filter(|voice| voice.hold == Hold::Key && note.covers(&voice.note)) {
            voice.hold = if held(&voice.note) { Hold::Pedal } else { Hold::Nothing };
            ended |= voice.hold == Hold::Nothing;
        }
        if ended {
            self.let_go(tails);
        }
    }

    pub(crate) fn choke(&mut self, note: &Note) {
        self.pressed.forget(note);
        self.voices.forget_unheard(note);
        self.voices.stop(note, self.fades.declick);
    }

    /// Releases a MIDI channel's keys, or those of all channels that hear it.
    pub(crate) fn all_notes_off(&mut self, channel: u8, tails: &mut Tails) {
        for channel in self.heard_by(channel) {
            self.note_off(&all_of(channel), tails);
        }
    }

    /// Silences a MIDI channel, or all channels that hear it.
    pub(crate) fn all_sound_off(&mut self, channel: u8) {
        for channel in self.heard_by(channel) {
            self.choke(&all_of(channel));
        }
    }

    pub(crate) fn pedal(&mut self, channel: u8, down: bool, tails: &mut Tails) {
        let channel = usize::from(channel).min(CHANNELS - 1);
        if self.settings.controllers && self.channels.pedal(channel, down) && !down {
            self.lift(self.channels.hears(channel), tails);
        }
    }

    pub(crate) fn bend(&mut self, channel: u8, value: f32) {
        let channel = usize::from(channel).min(CHANNELS - 1);
        if self.settings.controllers && value.is_finite() {
            self.channels.bend(channel, value.clamp(-1.0, 1.0));
            self.retune(self.channels.hears(channel));
        }
    }

    pub(crate) fn reset_controllers(&mut self, channel: u8, tails: &mut Tails) {
        if self.settings.controllers {
            self.forget_controllers(self.channels.hears(usize::from(channel).min(CHANNELS - 1)), tails);
        }
    }

    /// A controller that chooses a parameter of a MIDI channel, or sets it.
    pub(crate) fn control(&mut self, channel: u8, controller: u8, value: u8, tails: &mut Tails) {
        if !self.settings.controllers {
            return;
        }
        match self.channels.control(usize::from(channel).min(CHANNELS - 1), controller, value) {
            Outcome::Nothing => {}
            Outcome::Bent(channels) => self.retune(channels),
            Outcome::Zoned(rested, ended) => {
                self.lift(rested, tails);
                self.retune(rested);
                for channel in (0..CHANNELS).filter(|channel| ended.has(*channel)) {
                    self.note_off(&all_of(channel), tails);
                }
            }
        }
    }

    pub(crate) fn tune(&mut self, note: &Note, semitones: f32) {
        self.express(note, |voice| voice.tuning = f64::from(semitones), semitones);
        self.retune(Group::ALL);
    }

    pub(crate) fn volume(&mut self, note: &Note, factor: f32) {
        self.express(note, |voice| voice.volume = factor.clamp(0.0, 4.0), factor);
    }

    pub(crate) fn pan(&mut self, note: &Note, place: f32) {
        self.express(note, |voice| voice.pan = place.clamp(-1.0, 1.0), place);
    }

    /// Adds all notes, and what fades out, with `mix`, which says whether a head goes on.
    pub(crate) fn mix(
        &mut self,
        tails: &mut Tails,
        left: &mut [f32],
        right: &mut [f32],
        mut mix: impl FnMut(&mut Head, &mut [f32], &mut [f32]) -> bool,
    ) {
        if !self.settings.limits && self.limiter.rests() {
            tails.mix(|head| mix(head, left, right));
            self.voices.mix(|head| mix(head, left, right));
            return;
        }
        for (left, right) in left.chunks_mut(CHUNK).zip(right.chunks_mut(CHUNK)) {
            let frames = left.len();
            let (mut sums, mut loudest) = ([[0.0_f32; 2]; CHUNK], [0.0_f32; CHUNK]);
            let mut add = |head: &mut Head| {
                let mut own = [[0.0; CHUNK]; 2];
                let [l, r] = &mut own;
                let goes_on = mix(head, &mut l[..frames], &mut r[..frames]);
                for (frame, (l, r)) in l.iter().zip(r.iter()).enumerate() {
                    sums[frame][0] += l;
                    sums[frame][1] += r;
                    loudest[frame] = loudest[frame].max(l.abs()).max(r.abs());
                }
                goes_on
            };
            tails.mix(&mut add);
            self.voices.mix(&mut add);
            for (frame, (l, r)) in left.iter_mut().zip(right).enumerate() {
                let [a, b] = sums[frame];
                // Switched off, it only comes back.
                let loudest = if self.settings.limits { loudest[frame] } else { f32::INFINITY };
                let gain = self.limiter.advance(a.abs().max(b.abs()), loudest);
                *l += a * gain;
                *r += b * gain;
            }
        }
    }

    fn strike(&mut self, note: Note, level: f32, tails: &mut Tails) {
        let (settings, fades) = (self.settings, self.fades);
        // Also for a host that lets the instrument sleep through silence.
        if self.voices.heads().chain(tails.heads()).next().is_none() {
            self.limiter.settle();
        }
        if settings.mono {
            self.voices.clear(|head| tails.fade_out(head, fades));
        }
        let (source, soft) = self.source;
        let start = (f64::from(settings.start_seconds.max(0.0)) * f64::from(self.rate_hz) + 0.5) as i64;
        let base = settings.root.zip(note.key).map_or(0.0, |(root, key)| f64::from(key) - f64::from(root));
        // A level that falls within a frame clicks, however short somebody wants it.
        let decay = self.frames(settings.decay_ms).max(fades.declick);
        let envelope = Envelope { attack: self.frames(settings.attack_ms), decay, sustain: settings.sustain };
        let pitch = Pitch::at(base + self.bend_of(channel_of(&note)));
        let head = Head::new(source, start, level, soft || start > 0, fades).shaped(pitch, Contour::new(envelope));
        let voices = if settings.mono { 1 } else { settings.voices };
        self.voices.start(Voice::new(note, head, base), voices, |head| tails.fade_out(head, fades));
    }

    /// Ends the voices that nothing holds any more. A single voice goes back to a key that is still down.
    fn let_go(&mut self, tails: &mut Tails) {
        if self.settings.mono
            && let Some((note, level)) = self.pressed.newest()
        {
            return self.strike(note, level, tails);
        }
        let frames = self.frames(self.settings.release_ms).max(1);
        for voice in self.voices.all().filter(|voice| voice.hold == Hold::Nothing) {
            voice.release(frames);
        }
    }

    /// Pedals went up over these channels.
    fn lift(&mut self, lifted: Group, tails: &mut Tails) {
        let channels = self.channels;
        let held = |note: &Note| channels.holds(channel_of(note));
        // Nothing is released but what only the pedal held.
        self.pressed.release_held(held);
        let mut ended = false;
        for voice in self.voices.all().filter(|voice| voice.hold == Hold::Pedal && lifted.has(channel_of(&voice.note)))
        {
            if !held(&voice.note) {
                voice.hold = Hold::Nothing;
                ended = true;
            }
        }
        if ended {
            self.let_go(tails);
        }
    }

    fn forget_controllers(&mut self, channels: Group, tails: &mut Tails) {
        self.channels.rest(channels);
        self.lift(channels, tails);
        self.retune(channels);
    }

    /// Semitones by which a channel's keys are bent.
    fn bend_of(&self, channel: usize) -> f64 {
        self.channels.semitones(channel, self.settings.bend_semitones)
    }

    fn retune(&mut self, channels: Group) {
        let declick = self.fades.declick;
        let (all, range) = (self.channels, self.settings.bend_semitones);
        for voice in self.voices.all().filter(|voice| channels.has(channel_of(&voice.note))) {
            let frames = if voice.head.was_heard() { declick } else { 0 };
            let bend = all.semitones(channel_of(&voice.note), range);
            voice.head.pitch.glide(voice.base + voice.tuning + bend, frames);
        }
    }

    /// The channels to which it is said what a channel says.
    fn heard_by(&self, channel: u8) -> impl Iterator<Item = usize> + use<> {
        let channel = usize::from(channel).min(CHANNELS - 1);
        let all = self.settings.controllers.then(|| self.channels.hears(channel));
        (0..CHANNELS).filter(move |other| all.map_or(*other == channel, |all| all.has(*other)))
    }

    fn express(&mut self, note: &Note, change: impl Fn(&mut Voice), value: f32) {
        if !self.settings.controllers || !value.is_finite() {
            return;
        }
        for voice in self.voices.all().filter(|voice| note.covers(&voice.note)) {
            change(voice);
            let [left, right] = [voice.pan, -voice.pan].map(|away| voice.volume * (1.0 - away.max(0.0)));
            voice.head.set_sides([left, right]);
        }
    }

    /// Milliseconds in frames; the release to begin with is [`Fades::release`] to the frame.
    fn frames(&self, ms: f32) -> u32 {
        (f64::from(ms.max(0.0)) / f64::from(RELEASE_MS) * f64::from(self.fades.release) + 0.5) as u32
    }
}

/// The channel of a note; one without hears the first channel's controllers.
fn channel_of(note: &Note) -> usize {
    usize::from(note.channel.unwrap_or(0)).min(CHANNELS - 1)
}

/// All notes of a MIDI channel.
fn all_of(channel: usize) -> Note {
    Note { channel: Some(channel as u8), key: None, id: None }
}
