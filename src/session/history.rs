//! Undo and redo of what is saved beside the parameters: the takes, the model, the seed clip.
//!
//! A step is the whole of it as it was: takes that nobody looks at are shared and packed, so a copy is a list of pointers.

use super::deed::Deed;
use super::file_choice::FileChoice;
use crate::take::shelf::Shelf;

/// Most steps that can be undone.
const MOST: usize = 100;

/// What undo brings back.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(super) shelf: Shelf,
    pub(super) model: FileChoice,
    pub(super) seed: FileChoice,
}

/// What was done, and how everything was on the other side of it.
#[derive(Debug)]
struct Step {
    deed: Deed,
    document: Document,
}

/// The steps that can be undone and done again.
#[derive(Debug, Default)]
pub(super) struct History {
    done: Vec<Step>,
    undone: Vec<Step>,
}

impl History {
    /// What would be undone next, and what would be done again.
    pub(super) fn next(&self) -> (Option<Deed>, Option<Deed>) {
        let last = |steps: &[Step]| steps.last().map(|step| step.deed);
        (last(&self.done), last(&self.undone))
    }

    /// Notes down how everything is before `deed`. A walk through the takes is one step.
    pub(super) fn note(&mut self, deed: Deed, before: Document) {
        let walks = deed == Deed::ChooseTake && self.next().0 == Some(deed) && self.undone.is_empty();
        if !walks {
            self.done.push(Step { deed, document: before });
            let extra = self.done.len().saturating_sub(MOST);
            self.done.drain(..extra);
        }
        self.undone.clear();
    }

    /// Takes the newest step (`back`), or the one that was undone last; `now` is how everything is.
    pub(super) fn step(&mut self, back: bool, now: Document) -> Option<Document> {
        let (from, to) = if back { (&mut self.done, &mut self.undone) } else { (&mut self.undone, &mut self.done) };
        let Step { deed, document } = from.pop()?;
        to.push(Step { deed, document: now });
        Some(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> Document {
        Document { shelf: Shelf::default(), model: FileChoice::chosen(name.into()), seed: FileChoice::factory_seed() }
    }

    fn name(document: Option<Document>) -> Option<String> {
        document.map(|document| document.model.name)
    }

    #[test]
    fn steps_go_back_and_forth_and_a_new_one_forgets_what_was_undone() {
        let mut history = History::default();
        assert!(history.step(true, document("now")).is_none());
        history.note(Deed::Star, document("a"));
        history.note(Deed::Render, document("b"));
        assert_eq!(history.next(), (Some(Deed::Render), None));
        assert_eq!(name(history.step(true, document("c"))).as_deref(), Some("b"));
        assert_eq!(history.next(), (Some(Deed::Star), Some(Deed::Render)));
        assert_eq!(name(history.step(true, document("b"))).as_deref(), Some("a"));
        assert_eq!(name(history.step(false, document("a"))).as_deref(), Some("b"));
        assert_eq!(name(history.step(false, document("b"))).as_deref(), Some("c"));
        assert!(history.step(false, document("c")).is_none());
        history.step(true, document("c"));
        history.note(Deed::DeleteTake, document("b"));
        assert_eq!(history.next(), (Some(Deed::DeleteTake), None));
    }

    #[test]
    fn a_walk_through_the_takes_is_one_step_and_the_oldest_steps_are_forgotten() {
        let mut history = History::default();
        for index in 0..MOST {
            history.note(Deed::ChooseTake, document(&index.to_string()));
        }
        assert_eq!(history.done.len(), 1);
        for index in 0..2 * MOST {
            history.note(Deed::Star, document(&index.to_string()));
        }
        assert_eq!(history.done.len(), MOST);
        assert_eq!(name(history.step(true, document("now"))).as_deref(), Some("199"));
    }
}
