//! Undo and redo: of what is saved beside the parameters (the takes, the model, the seed clip), and of the controls that the user
//! has turned.
//!
//! A step of the first kind is the whole of it as it was: takes that nobody looks at are shared and packed, so a copy is a list
//! of pointers. Parameters are the host's: a step of the second kind says what to ask of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deed::Deed;
use super::file_choice::FileChoice;
use super::trim::Trimmed;
use crate::settings::Turned;
use crate::take::shelf::Shelf;

/// Most steps that can be undone.
const MOST: usize = 100;

/// What undo brings back.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(super) shelf: Shelf,
    pub(super) model: FileChoice,
    pub(super) seed: FileChoice,
    pub(super) trimmed: Trimmed,
}

/// What a patch changes beside the controls.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Files {
    pub(super) model: FileChoice,
    pub(super) seed: FileChoice,
    pub(super) trimmed: Trimmed,
}

/// Parameters by their ids, with the normalised values that the host is to set.
pub(super) type Wishes = Vec<(Arc<str>, f32)>;

/// What was done, and what is needed to go to the other side of it.
#[derive(Debug)]
enum Step {
    /// How everything is there.
    Whole { deed: Deed, document: Document },
    /// A parameter, with its normalised values before and after.
    Turn { id: Arc<str>, before: f32, after: f32, at: Instant },
    /// A patch was loaded: the files there, and the parameters that it turned.
    Patch { files: Files, turns: Arc<[Turned]> },
}

/// Turns of one control within so long are one: the wheel turns step by step.
const ONE_TURN: Duration = Duration::from_secs(1);

/// The steps that can be undone and done again.
#[derive(Debug, Default)]
pub(super) struct History {
    done: Vec<Step>,
    undone: Vec<Step>,
}

impl History {
    /// What would be undone next, and what would be done again.
    pub(super) fn next(&self) -> (Option<Deed>, Option<Deed>) {
        let last = |steps: &[Step]| {
            steps.last().map(|step| match step {
                Step::Whole { deed, .. } => *deed,
                Step::Turn { .. } => Deed::Turn,
                Step::Patch { .. } => Deed::LoadPatch,
            })
        };
        (last(&self.done), last(&self.undone))
    }

    /// Notes down how everything is before `deed`. A walk through the takes is one step, and so is a search for the right cut.
    pub(super) fn note(&mut self, deed: Deed, before: Document) {
        let walks =
            matches!(deed, Deed::ChooseTake | Deed::TrimSeed) && self.next().0 == Some(deed) && self.undone.is_empty();
        if !walks {
            self.push(Step::Whole { deed, document: before });
        }
        self.undone.clear();
    }

    /// Notes down that a parameter was turned.
    pub(super) fn note_turn(&mut self, turned: &str, from: f32, to: f32) {
        let now = Instant::now();
        self.undone.clear();
        if let Some(Step::Turn { id, after, at, .. }) = self.done.last_mut()
            && **id == *turned
            && now.duration_since(*at) < ONE_TURN
        {
            (*after, *at) = (to, now);
            return;
        }
        self.push(Step::Turn { id: turned.into(), before: from, after: to, at: now });
    }

    /// Notes down the files before a patch was loaded, and what it turned.
    pub(super) fn note_patch(&mut self, files: Files, turns: Vec<Turned>) {
        self.push(Step::Patch { files, turns: turns.into() });
        self.undone.clear();
    }

    /// Takes the newest step (`back`), or the one that was undone last, if a patch was loaded there; `now` is which files are in
    /// use. Gives those of the other side, and what the host is to set.
    pub(super) fn patch(&mut self, back: bool, now: Files) -> Option<(Files, Wishes)> {
        let (from, to) = if back { (&mut self.done, &mut self.undone) } else { (&mut self.undone, &mut self.done) };
        let Step::Patch { files, turns } = from.pop_if(|step| matches!(step, Step::Patch { .. }))? else { return None };
        let wish = |turn: &Turned| (Arc::clone(&turn.id), if back { turn.before } else { turn.after });
        let wishes = turns.iter().map(wish).collect();
        to.push(Step::Patch { files: now, turns });
        Some((files, wishes))
    }

    fn push(&mut self, step: Step) {
        self.done.push(step);
        let extra = self.done.len().saturating_sub(MOST);
        self.done.drain(..extra);
    }

    /// Takes the newest step (`back`), or the one that was undone last, if it is a turn of a parameter: gives its id and the
    /// value that it had there.
    pub(super) fn turn(&mut self, back: bool) -> Option<(Arc<str>, f32)> {
        let (from, to) = if back { (&mut self.done, &mut self.undone) } else { (&mut self.undone, &mut self.done) };
        let step = from.pop_if(|step| matches!(step, Step::Turn { .. }))?;
        let turned = match &step {
            Step::Turn { id, before, after, .. } => Some((Arc::clone(id), if back { *before } else { *after })),
            Step::Whole { .. } | Step::Patch { .. } => None,
        };
        to.push(step);
        turned
    }

    /// Takes the newest step (`back`), or the one that was undone last, unless it is a turn of a parameter; `now` is how
    /// everything is.
    pub(super) fn step(&mut self, back: bool, now: Document) -> Option<Document> {
        let (from, to) = if back { (&mut self.done, &mut self.undone) } else { (&mut self.undone, &mut self.done) };
        match from.pop_if(|step| matches!(step, Step::Whole { .. }))? {
            Step::Whole { deed, document } => {
                to.push(Step::Whole { deed, document: now });
                Some(document)
            }
            Step::Turn { .. } | Step::Patch { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str) -> Document {
        let (model, seed) = (FileChoice::chosen(name.into()), FileChoice::factory_seed());
        Document { shelf: Shelf::default(), model, seed, trimmed: Trimmed::default() }
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
    fn turns_of_one_control_are_one_step_and_steps_keep_their_order() {
        let mut history = History::default();
        history.note_turn("gain", 0.5, 0.6);
        history.note_turn("gain", 0.6, 0.7);
        history.note(Deed::Star, document("a"));
        history.note_turn("gain", 0.7, 0.8);
        history.note_turn("length", 0.1, 0.2);
        assert!(history.step(true, document("now")).is_none(), "a turn is the newest step");
        let value = |turned: Option<(Arc<str>, f32)>| turned.map(|(id, value)| (id.to_string(), value));
        assert_eq!(value(history.turn(true)), Some(("length".to_owned(), 0.1)));
        assert_eq!(value(history.turn(true)), Some(("gain".to_owned(), 0.7)));
        assert_eq!(history.next(), (Some(Deed::Star), Some(Deed::Turn)));
        assert_eq!(value(history.turn(true)), None);
        assert_eq!(name(history.step(true, document("b"))).as_deref(), Some("a"));
        assert_eq!(value(history.turn(true)), Some(("gain".to_owned(), 0.5)));
        assert_eq!(value(history.turn(false)), Some(("gain".to_owned(), 0.7)));
        assert_eq!(name(history.step(false, document("a"))).as_deref(), Some("b"));
        assert_eq!(value(history.turn(false)), Some(("gain".to_owned(), 0.8)));
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
