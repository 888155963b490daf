//! The takes of a session, in the order in which they were made; one of them is chosen: it plays, it is shown, it is exported.
//!
//! A take that nobody looks at costs what it is packed in. Unpacked are the chosen one and the one that was chosen before it,
//! so that one goes to the other and back at once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Take;
use super::arrangement::Arrangement;
pub use super::id::TakeId;
use super::pack::PackedTake;
use super::play::PlayTake;

/// Most takes that a session keeps. One more takes the place of the oldest without a star.
pub const MAX_TAKES: usize = 32;
/// Most characters of a name.
const MAX_NAME: usize = 80;

/// What is known of a take beside its recipe and its sound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Label {
    /// Counts the takes of a session from 1 on.
    pub number: u32,
    /// The name that the user has given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A bit for each variation that has a star, the lowest for the first one.
    pub stars: u32,
}

/// A take on the shelf.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Which.
    pub id: TakeId,
    /// Number, name and stars.
    pub label: Label,
    /// As the host saves it.
    pub packed: Arc<PackedTake>,
    /// Recipe and sound, while they are wanted.
    pub take: Option<Arc<Take>>,
    /// At the host's rate, once that is known and while it is wanted.
    pub play: Option<Arc<PlayTake>>,
    /// Whether what is packed has the sound, in itself or in the store: else it is here alone and stays unpacked.
    pub stored: bool,
}

/// The takes of a session.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    takes: Vec<Kept>,
    chosen: Option<TakeId>,
    /// The one that was chosen before.
    other: Option<TakeId>,
    /// How they are placed in the song.
    pub strip: Arrangement,
}

impl Label {
    /// What the take is called.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("Take {}", self.number))
    }

    /// Gives the take a name; none if there is nothing in it.
    pub fn rename(&mut self, name: &str) {
        let name: String = name.trim().chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
        self.name = Some(name).filter(|name| !name.is_empty());
    }

    /// Whether a variation has a star.
    pub fn has_star(&self, variation: usize) -> bool {
        variation < 32 && self.stars >> variation & 1 == 1
    }

    /// Gives a variation a star or takes it away.
    pub fn set_star(&mut self, variation: usize, on: bool) {
        if variation < 32 {
            self.stars = self.stars & !(1 << variation) | u32::from(on) << variation;
        }
    }
}

impl Kept {
    /// A take that was just made, or read.
    pub fn new(label: Label, packed: Arc<PackedTake>) -> Self {
        Self { id: TakeId::new(), label, packed, take: None, play: None, stored: true }
    }

    /// Packed alone, as long as that is enough to have it again.
    fn rested(&self) -> Self {
        let take = self.take.clone().filter(|_| !self.stored);
        Self { take, play: None, ..self.clone() }
    }
}

impl Shelf {
    /// These takes, of which the one at `chosen` is chosen. Those without a number get one.
    pub fn of(takes: Vec<Kept>, chosen: usize) -> Self {
        let chosen = takes.get(chosen).or(takes.last()).map(|kept| kept.id);
        let mut shelf = Self { takes, chosen, other: None, strip: Arrangement::default() };
        for at in 0..shelf.takes.len() {
            if shelf.takes[at].label.number == 0 {
                shelf.takes[at].label.number = shelf.next_number();
            }
        }
        shelf
    }

    /// All takes, the oldest first.
    pub fn takes(&self) -> &[Kept] {
        &self.takes
    }

    /// The chosen take; there is one as soon as there is any.
    pub fn chosen(&self) -> Option<&Kept> {
        self.get(self.chosen?)
    }

    /// As [`Shelf::chosen`].
    pub fn chosen_mut(&mut self) -> Option<&mut Kept> {
        self.get_mut(self.chosen?)
    }

    /// The take that was chosen before.
    pub fn other(&self) -> Option<&Kept> {
        self.get(self.other?)
    }

    /// A take.
    pub fn get(&self, id: TakeId) -> Option<&Kept> {
        self.takes.iter().find(|kept| kept.id == id)
    }

    /// As [`Shelf::get`].
    pub fn get_mut(&mut self, id: TakeId) -> Option<&mut Kept> {
        self.takes.iter_mut().find(|kept| kept.id == id)
    }

    /// All of them, to be changed.
    pub fn takes_mut(&mut self) -> &mut [Kept] {
        &mut self.takes
    }

    /// The number of the next take.
    pub fn next_number(&self) -> u32 {
        self.takes.iter().map(|kept| kept.label.number).max().unwrap_or(0).saturating_add(1)
    }

    /// Packed bytes in the host's session of all takes but one.
    pub fn inline_bytes_beside(&self, id: Option<TakeId>) -> u64 {
        let inline = |kept: &&Kept| Some(kept.id) != id && !kept.packed.is_stored_outside();
        self.takes.iter().filter(inline).map(|kept| kept.packed.bytes()).sum()
    }

    /// Whether there is no room for another take: every one has a star, or is placed in the song.
    pub fn is_full(&self) -> bool {
        self.takes.len() >= MAX_TAKES && self.takes.iter().all(|kept| self.is_wanted(kept))
    }

    fn is_wanted(&self, kept: &Kept) -> bool {
        kept.label.stars != 0 || self.strip.holds(kept.id)
    }

    /// Takes another one in as the newest, and chooses it if `choose`. Where there is no room, the oldest goes that has no star
    /// and is not placed in the song, and the oldest of all where there is none.
    pub fn add(&mut self, kept: Kept, choose: bool) {
        // Not more than one: a project may hold more, which somebody has allowed.
        if self.takes.len() >= MAX_TAKES {
            let oldest = |kept: &Kept| !self.is_wanted(kept) && (choose || Some(kept.id) != self.chosen);
            let at = self.takes.iter().position(oldest).unwrap_or(0);
            let removed = self.takes.remove(at);
            self.strip.forget(removed.id);
        }
        let id = kept.id;
        self.takes.push(kept);
        if choose || self.chosen().is_none() {
            self.choose(id);
        }
    }

    /// Chooses a take, if it is there.
    pub fn choose(&mut self, id: TakeId) {
        if self.get(id).is_some() && self.chosen != Some(id) {
            self.other = self.chosen.filter(|before| self.get(*before).is_some());
            self.chosen = Some(id);
        }
        self.rest();
    }

    /// Takes one away, and where it was placed. If it was the chosen one, its neighbour is.
    pub fn remove(&mut self, id: TakeId) -> Option<Kept> {
        let at = self.takes.iter().position(|kept| kept.id == id)?;
        let removed = self.takes.remove(at);
        self.strip.forget(id);
        if self.chosen == Some(id) {
            let neighbour = self.takes.get(at).or(self.takes.last());
            self.chosen = neighbour.map(|kept| kept.id);
        }
        self.other = self.other.filter(|other| *other != id && self.chosen != Some(*other));
        Some(removed)
    }

    /// The same takes, each packed alone.
    #[must_use]
    pub fn rested(&self) -> Self {
        Self { takes: self.takes.iter().map(Kept::rested).collect(), strip: self.strip.clone(), ..*self }
    }

    /// Becomes `wanted`; takes that are in both keep what is unpacked of them here.
    pub fn become_like(&mut self, wanted: Self) {
        let before = std::mem::replace(self, wanted);
        for kept in before.takes {
            if let Some(again) = self.get_mut(kept.id) {
                // It may have been packed anew meanwhile, because of another limit.
                let label = std::mem::take(&mut again.label);
                *again = Kept { label, ..kept };
            }
        }
        self.rest();
    }

    /// Lets go of what is unpacked of takes that nobody looks at.
    fn rest(&mut self) {
        for kept in &mut self.takes {
            if Some(kept.id) != self.chosen && Some(kept.id) != self.other {
                *kept = kept.rested();
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::take::arrangement::Placement;
    use crate::take::pack::{pack, tests::take};

    /// A take of two variations.
    pub(crate) fn kept(number: u32) -> Kept {
        let (packed, _) = pack(&take(), u64::MAX, None);
        let label = Label { number, ..Label::default() };
        Kept { take: Some(Arc::new(take())), ..Kept::new(label, Arc::new(packed)) }
    }

    fn numbers(shelf: &Shelf) -> Vec<u32> {
        shelf.takes().iter().map(|kept| kept.label.number).collect()
    }

    fn filled(count: u32) -> Shelf {
        let mut shelf = Shelf::default();
        for number in 1..=count {
            shelf.add(kept(number), true);
        }
        shelf
    }

    #[test]
    fn only_the_chosen_take_and_the_one_before_are_unpacked() {
        let mut shelf = filled(4);
        let unpacked = |shelf: &Shelf| shelf.takes().iter().map(|kept| kept.take.is_some()).collect::<Vec<_>>();
        assert_eq!(unpacked(&shelf), [false, false, true, true]);
        assert_eq!((shelf.chosen().unwrap().label.number, shelf.other().unwrap().label.number), (4, 3));
        shelf.choose(shelf.takes()[0].id);
        assert_eq!(unpacked(&shelf), [false, false, false, true]);
        assert_eq!(shelf.other().unwrap().label.number, 4);
        // What could not be stored is nowhere else.
        let mut lonely = kept(5);
        lonely.stored = false;
        shelf.add(lonely, false);
        shelf.choose(shelf.takes()[1].id);
        assert_eq!(unpacked(&shelf), [false, false, false, false, true]);
        assert!(shelf.rested().takes()[4].take.is_some());
    }

    #[test]
    fn a_full_shelf_gives_up_the_oldest_without_a_star() {
        let most = MAX_TAKES as u32;
        let mut shelf = filled(most);
        shelf.takes_mut()[0].label.set_star(0, true);
        shelf.add(kept(most + 1), true);
        assert_eq!(shelf.takes().len(), MAX_TAKES);
        assert_eq!(numbers(&shelf)[..2], [1, 3]);
        assert_eq!(shelf.next_number(), most + 2);
        assert!(!shelf.is_full());
        for kept in shelf.takes_mut() {
            kept.label.set_star(15, true);
        }
        assert!(shelf.is_full());
        // One that comes while nobody has asked to see it does not push out what is looked at.
        let mut shelf = filled(most);
        shelf.choose(shelf.takes()[0].id);
        shelf.add(kept(most + 1), false);
        assert_eq!(shelf.chosen().unwrap().label.number, 1);
        assert_eq!(numbers(&shelf)[..2], [1, 3]);
    }

    #[test]
    fn a_placed_take_is_kept_and_goes_with_its_places() {
        let mut shelf = filled(MAX_TAKES as u32);
        let ids: Vec<TakeId> = shelf.takes().iter().map(|kept| kept.id).collect();
        for id in [ids[0], ids[1], ids[0]] {
            assert!(shelf.strip.put(Placement::new(id, 0, 4.0, None)));
        }
        shelf.add(kept(99), true);
        assert_eq!(numbers(&shelf)[..3], [1, 2, 4]);
        let before = shelf.rested();
        shelf.remove(ids[0]);
        assert_eq!(shelf.strip.placements().iter().map(|one| one.take).collect::<Vec<_>>(), [ids[1]]);
        shelf.become_like(before);
        assert_eq!(shelf.strip.placements().len(), 3);
    }

    #[test]
    fn a_removed_take_leaves_its_neighbour_chosen() {
        let mut shelf = filled(3);
        let ids: Vec<TakeId> = shelf.takes().iter().map(|kept| kept.id).collect();
        shelf.choose(ids[1]);
        shelf.remove(ids[1]);
        assert_eq!(shelf.chosen().unwrap().id, ids[2]);
        assert!(shelf.other().is_none(), "it is the chosen one now");
        shelf.remove(ids[2]);
        assert_eq!(shelf.chosen().unwrap().id, ids[0]);
        assert!(shelf.remove(ids[2]).is_none());
        shelf.remove(ids[0]);
        assert!(shelf.chosen().is_none() && shelf.takes().is_empty());
    }

    #[test]
    fn going_back_keeps_what_is_unpacked() {
        let mut shelf = filled(2);
        let before = shelf.rested();
        assert!(before.takes().iter().all(|kept| kept.take.is_none()));
        let (first, second) = (shelf.takes()[0].id, shelf.takes()[1].id);
        shelf.get_mut(second).unwrap().label.rename("  Bridge\n ");
        assert_eq!(shelf.get(second).unwrap().label.title(), "Bridge");
        shelf.remove(first);
        shelf.become_like(before);
        assert_eq!(numbers(&shelf), [1, 2]);
        assert_eq!(shelf.chosen().unwrap().label.title(), "Take 2");
        assert!(shelf.chosen().unwrap().take.is_some() && shelf.get(first).unwrap().take.is_none());
    }

    #[test]
    fn stars_are_of_single_variations() {
        let mut label = Label::default();
        label.set_star(3, true);
        label.set_star(15, true);
        label.set_star(40, true);
        assert!(label.has_star(3) && label.has_star(15) && !label.has_star(4) && !label.has_star(40));
        label.set_star(3, false);
        assert_eq!(label.stars, 1 << 15);
    }
}
