//! What is still fading out.

use crate::head::{Fades, Head, Source};

/// Heads that may fade out at once besides voices. More would need more than one jump per millisecond.
const TAILS: usize = 16;

/// Heads on their way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tails([Option<Head>; TAILS]);

impl Tails {
    pub(crate) const fn new() -> Self {
        Self([None; TAILS])
    }

    /// Fades a head out as fast as can be without a click. What was not heard yet has nothing to fade.
    pub(crate) fn fade_out(&mut self, mut head: Head, fades: Fades) {
        if !head.was_heard() {
            return;
        }
        head.close(fades.declick);
        let place = self.0.iter().position(Option::is_none).or_else(|| {
            // All taken: the one nearest to its end makes room.
            (0..TAILS).min_by_key(|&index| self.0[index].and_then(|tail| tail.closing_frames()))
        });
        if let Some(place) = place {
            self.0[place] = Some(head);
        }
    }

    /// Ends what is read from a slot, without a fade.
    pub(crate) fn forget(&mut self, slot: u8) {
        for tail in &mut self.0 {
            *tail = tail.filter(|head| head.source.slot != slot);
        }
    }

    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        self.0.iter().flatten()
    }

    pub(crate) fn uses(&self, source: impl Fn(Source) -> bool) -> bool {
        self.heads().any(|head| source(head.source))
    }

    /// Mixes every head with `mix`, which says whether it goes on.
    pub(crate) fn mix(&mut self, mut mix: impl FnMut(&mut Head) -> bool) {
        for tail in &mut self.0 {
            if let Some(head) = tail
                && !mix(head)
            {
                *tail = None;
            }
        }
    }
}
