//! Notes: each plays the take from its start.

use crate::head::{Fades, Head, Source};

/// How many notes sound at once; one more takes the place of the oldest.
pub const VOICES: usize = 16;

/// What tells notes apart. `None` means any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// MIDI channel, 0..=15.
    pub channel: Option<u8>,
    /// MIDI key, 0..=127.
    pub key: Option<u8>,
    /// The host's own number for the note.
    pub id: Option<i32>,
}

impl Note {
    /// Whether both are the same key of the same channel, whatever number the host gives each press of it.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.key.is_some() && (self.channel, self.key) == (other.channel, other.key)
    }

    /// Whether `other` is one of the notes that this one means.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        fn agrees<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            }
        }
        agrees(self.channel, other.channel) && agrees(self.key, other.key) && agrees(self.id, other.id)
    }
}

/// What keeps a voice from its release. The first is the first to make room for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hold {
    /// Nothing: it fades out.
    Nothing,
    /// The sustain pedal alone.
    Pedal,
    /// Its key.
    Key,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) head: Head,
    pub(crate) note: Note,
    /// Grows with every note; the smallest is the oldest.
    age: u64,
    pub(crate) hold: Hold,
    /// Semitones from the take's own pitch to the key's.
    pub(crate) base: f64,
    /// Semitones that the host tunes this note by.
    pub(crate) tuning: f64,
    /// Volume and place of this note: a factor, and -1 to 1.
    pub(crate) volume: f32,
    pub(crate) pan: f32,
}

impl Voice {
    pub(crate) fn new(note: Note, head: Head, base: f64) -> Self {
        Self { head, note, age: 0, hold: Hold::Key, base, tuning: 0.0, volume: 1.0, pan: 0.0 }
    }

    /// Lets it fade out over `frames`.
    pub(crate) fn release(&mut self, frames: u32) {
        self.head.close(frames);
        self.hold = Hold::Nothing;
    }
}

/// A fixed number of voices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voices {
    voices: [Option<Voice>; VOICES],
    notes: u64,
}

impl Voices {
    pub(crate) const fn new() -> Self {
        Self { voices: [None; VOICES], notes: 0 }
    }

    /// Starts a note beside at most `most - 1` others. The heads of voices that had to make room go to `stolen`, to be faded
    /// out elsewhere: the same key's, and as many as are too many.
    pub(crate) fn start(&mut self, voice: Voice, most: usize, mut stolen: impl FnMut(Head)) {
        self.notes += 1;
        let voice = Voice { age: self.notes, ..voice };
        // A string that is struck again does not sound twice. At most one voice of a key is there, as this is how it came.
        let same = |slot: &&mut Option<Voice>| slot.is_some_and(|other| other.note.is_same_key(&voice.note));
        if let Some(same) = self.voices.iter_mut().find(same) {
            if let Some(before) = same.replace(voice) {
                stolen(before.head);
            }
            return;
        }
        while self.voices.iter().flatten().count() >= most.clamp(1, VOICES) {
            // Released notes go before those that the pedal holds, these before held keys, and among equals the oldest.
            let rank = |slot: &&mut Option<Voice>| slot.as_ref().map(|voice| (voice.hold, voice.age));
            let Some(oldest) = self.voices.iter_mut().filter(|slot| slot.is_some()).min_by_key(rank) else { break };
            if let Some(oldest) = oldest.take() {
                stolen(oldest.head);
            }
        }
        if let Some(free) = self.voices.iter_mut().find(|voice| voice.is_none()) {
            *free = Some(voice);
        }
    }

    /// All that sound.
    pub(crate) fn all(&mut self) -> impl Iterator<Item = &mut Voice> {
        self.voices.iter_mut().flatten()
    }

    /// Takes every voice away.
    pub(crate) fn clear(&mut self, mut stolen: impl FnMut(Head)) {
        for voice in self.voices.iter_mut().filter_map(Option::take) {
            stolen(voice.head);
        }
    }

    /// Fades out the notes that `note` covers over `frames`.
    pub(crate) fn stop(&mut self, note: &Note, frames: u32) {
        for voice in self.all().filter(|voice| note.covers(&voice.note)) {
            voice.release(frames);
        }
    }

    /// Takes notes away that `note` covers and that have not sounded yet.
    pub(crate) fn forget_unheard(&mut self, note: &Note) {
        for slot in &mut self.voices {
            if slot.is_some_and(|voice| note.covers(&voice.note) && !voice.head.was_heard()) {
                *slot = None;
            }
        }
    }

    /// All heads, in the order in which they are mixed.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        self.voices.iter().flatten().map(|voice| &voice.head)
    }

    /// The head of the newest note that sounds.
    pub(crate) fn newest(&self) -> Option<&Head> {
        self.voices.iter().flatten().max_by_key(|voice| voice.age).map(|voice| &voice.head)
    }

    pub(crate) fn close_slot(&mut self, slot: u8, fades: Fades) {
        for voice in self.all().filter(|voice| voice.head.source.slot == slot) {
            voice.release(fades.declick);
        }
    }

    /// Mixes every voice with `mix`, which says whether the voice goes on.
    pub(crate) fn mix(&mut self, mut mix: impl FnMut(&mut Head) -> bool) {
        for slot in &mut self.voices {
            if let Some(voice) = slot
                && !mix(&mut voice.head)
            {
                *slot = None;
            }
        }
    }

    pub(crate) fn uses(&self, source: impl Fn(Source) -> bool) -> bool {
        self.heads().any(|head| source(head.source))
    }
}
