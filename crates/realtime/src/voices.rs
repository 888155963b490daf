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
    fn is_same_key(&self, other: &Self) -> bool {
        self.key.is_some() && (self.channel, self.key) == (other.channel, other.key)
    }

    fn covers(&self, other: &Self) -> bool {
        fn agrees<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            }
        }
        agrees(self.channel, other.channel) && agrees(self.key, other.key) && agrees(self.id, other.id)
    }
}

#[derive(Debug, Clone, Copy)]
struct Voice {
    head: Head,
    note: Note,
    /// Grows with every note; the smallest is the oldest.
    age: u64,
    held: bool,
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

    /// Starts a note. The head of a voice that had to make room is returned, to be faded out elsewhere: the same key's, else
    /// one of all voices if there is none to spare.
    pub(crate) fn start(&mut self, note: Note, head: Head) -> Option<Head> {
        self.notes += 1;
        let voice = Voice { head, note, age: self.notes, held: true };
        // A string that is struck again does not sound twice. At most one voice of a key is there, as this is how it came.
        if let Some(same) = self.voices.iter_mut().flatten().find(|voice| voice.note.is_same_key(&note)) {
            return Some(core::mem::replace(same, voice).head);
        }
        if let Some(free) = self.voices.iter_mut().find(|voice| voice.is_none()) {
            *free = Some(voice);
            return None;
        }
        // Released notes go before held ones, and among equals the oldest goes.
        let oldest = self.voices.iter_mut().flatten().min_by_key(|voice| (voice.held, voice.age))?;
        Some(core::mem::replace(oldest, voice).head)
    }

    /// Fades out the notes that `note` covers over `frames`.
    pub(crate) fn stop(&mut self, note: &Note, frames: u32) {
        for voice in self.voices.iter_mut().flatten().filter(|voice| note.covers(&voice.note)) {
            voice.head.close(frames);
            voice.held = false;
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
        for voice in self.voices.iter_mut().flatten().filter(|voice| voice.head.source.slot == slot) {
            voice.head.close(fades.declick);
            voice.held = false;
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
