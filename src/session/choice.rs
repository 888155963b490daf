//! Choosing a model or a seed clip: the choice holds at once, and goes back to the one before if its file will not do.
//!
//! So whoever chooses and renders right away renders with what was chosen, and no file is opened on a thread that others
//! wait for.

use super::file_choice::FileChoice;
use super::snapshot::Snapshot;

/// What is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The model.
    Model,
    /// The seed clip.
    Seed,
}

/// A choice whose file nobody has looked at yet.
#[derive(Debug)]
struct Pending {
    choice: FileChoice,
    /// The last one that was not pending.
    before: FileChoice,
}

/// The pending choices of model and seed clip.
#[derive(Debug, Default)]
pub(super) struct PendingChoices([Option<Pending>; 2]);

impl Chosen {
    fn of(self, snapshot: &mut Snapshot) -> &mut FileChoice {
        match self {
            Self::Model => &mut snapshot.model,
            Self::Seed => &mut snapshot.seed,
        }
    }
}

impl PendingChoices {
    /// Takes `choice` until [`PendingChoices::accept`] or [`PendingChoices::refuse`] comes for it.
    pub(super) fn choose(&mut self, what: Chosen, choice: FileChoice, snapshot: &mut Snapshot) {
        let now = what.of(snapshot);
        let slot = &mut self.0[what as usize];
        let before = match slot.take() {
            Some(pending) if pending.choice == *now => pending.before,
            _ => now.clone(),
        };
        *slot = Some(Pending { choice: choice.clone(), before });
        *now = choice;
    }

    /// The file of this choice will do.
    pub(super) fn accept(&mut self, what: Chosen, choice: &FileChoice) {
        self.0[what as usize].take_if(|pending| pending.choice == *choice);
    }

    /// The file of this choice will not do: the choice before it comes back, unless there is another one by now.
    pub(super) fn refuse(&mut self, what: Chosen, choice: &FileChoice, snapshot: &mut Snapshot) {
        let Some(pending) = self.0[what as usize].take_if(|pending| pending.choice == *choice) else { return };
        let now = what.of(snapshot);
        if *now == pending.choice {
            *now = pending.before;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::session::Session;

    fn model(session: &Session) -> String {
        session.snapshot().model.name
    }

    #[test]
    fn a_refused_choice_gives_way_to_the_last_one_that_was_not() {
        let session = Session::new();
        let choose = |name: &str| session.choose(Chosen::Model, PathBuf::from(name));
        let good = choose("good");
        session.accept(Chosen::Model, &good);
        let bad = choose("bad");
        assert_eq!(model(&session), "bad", "it holds at once");
        let worse = choose("worse");
        session.refuse(Chosen::Model, &bad);
        assert_eq!(model(&session), "worse", "nobody has looked at that one yet");
        session.refuse(Chosen::Model, &worse);
        assert_eq!(model(&session), "good");
        // What another session has brought meanwhile stays.
        let bad = choose("bad");
        session.post(|snapshot| snapshot.model = FileChoice::factory_model());
        session.refuse(Chosen::Model, &bad);
        assert_eq!(session.snapshot().model, FileChoice::factory_model());
        let bad = choose("bad");
        session.refuse(Chosen::Model, &bad);
        assert_eq!(session.snapshot().model, FileChoice::factory_model());
        assert_eq!(session.snapshot().seed, FileChoice::factory_seed());
    }
}
