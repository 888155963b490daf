//! The keys that are down, in the order in which they went down: what a single voice goes back to.

use crate::voices::Note;

/// How many keys are remembered; of one more, the oldest is forgotten.
const KEYS: usize = 32;

#[derive(Debug, Clone, Copy)]
struct Key {
    note: Note,
    level: f32,
    /// Grows with every press.
    age: u64,
    /// Whether it is up and the sustain pedal holds it.
    pedal: bool,
}

/// Keys that are down, or that the sustain pedal holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pressed {
    keys: [Option<Key>; KEYS],
    presses: u64,
}

impl Pressed {
    pub(crate) const fn new() -> Self {
        Self { keys: [None; KEYS], presses: 0 }
    }

    /// A key goes down.
    pub(crate) fn press(&mut self, note: Note, level: f32) {
        self.retain(|key| !key.note.is_same_key(&note));
        self.presses += 1;
        let key = Key { note, level, age: self.presses, pedal: false };
        // Free places are the oldest of all.
        if let Some(place) = self.keys.iter_mut().min_by_key(|place| place.map_or(0, |key| key.age)) {
            *place = Some(key);
        }
    }

    /// The keys that `note` covers go up; `held` tells whether the pedal holds one.
    pub(crate) fn release(&mut self, note: &Note, held: impl Fn(&Note) -> bool) {
        for key in self.keys.iter_mut().flatten().filter(|key| note.covers(&key.note)) {
            key.pedal = true;
        }
        self.release_held(held);
    }

    /// Of the keys that are up, only those stay that the pedal still holds.
    pub(crate) fn release_held(&mut self, held: impl Fn(&Note) -> bool) {
        self.retain(|key| !key.pedal || held(&key.note));
    }

    /// Forgets the keys that `note` covers.
    pub(crate) fn forget(&mut self, note: &Note) {
        self.retain(|key| !note.covers(&key.note));
    }

    /// The key that went down last, and its level.
    pub(crate) fn newest(&self) -> Option<(Note, f32)> {
        self.keys.iter().flatten().max_by_key(|key| key.age).map(|key| (key.note, key.level))
    }

    fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        for place in &mut self.keys {
            *place = place.filter(|key| keep(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(key: u8) -> Note {
        Note { channel: Some(0), key: Some(key), id: None }
    }

    #[test]
    fn the_newest_of_those_that_are_still_down() {
        let mut pressed = Pressed::new();
        let newest = |pressed: &Pressed| pressed.newest().and_then(|(note, _)| note.key);
        for key in [60, 64, 67, 64] {
            pressed.press(note(key), 0.5);
        }
        assert_eq!(newest(&pressed), Some(64));
        pressed.release(&note(64), |_| false);
        assert_eq!(newest(&pressed), Some(67));
        // Held by the pedal, then let go with it.
        pressed.release(&note(67), |_| true);
        assert_eq!(newest(&pressed), Some(67));
        pressed.release(&Note { channel: None, key: Some(1), id: None }, |_| false);
        assert_eq!(newest(&pressed), Some(60));
        pressed.forget(&Note { channel: None, key: None, id: None });
        assert_eq!(newest(&pressed), None);
        for key in 0..100 {
            pressed.press(note(key), 1.0);
        }
        assert_eq!(newest(&pressed), Some(99));
    }
}
