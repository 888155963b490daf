//! The takes beside the chosen one, as they are saved: `{"label", "chosen", "at", "others": [{"label", "take"}, …]}`.

use std::sync::Arc;

use crate::json::Object;
use crate::take::pack::PackedTake;
use crate::take::shelf::Label;

/// The takes of a saved session beside the chosen one, and what is known of that one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SavedShelf {
    /// Number, name and stars of the chosen take.
    pub label: Label,
    /// How many of the others are older.
    pub at: usize,
    /// The others, the oldest first.
    pub others: Vec<(Label, Arc<PackedTake>)>,
}

impl SavedShelf {
    /// Reads the saved form beside the chosen take. What is not understood of the others comes along as it was.
    pub(super) fn read(mut saved: Object, chosen: Option<&PackedTake>) -> (Self, Vec<Object>) {
        // A version that knows of one take alone may have put another one in the chosen one's place.
        let same = saved.get::<String>("chosen").as_deref() == chosen.and_then(name);
        let label = saved.take("label").filter(|_| same).unwrap_or_default();
        let (mut others, mut unread) = (Vec::new(), Vec::new());
        for mut other in saved.take::<Vec<Object>>("others").unwrap_or_default() {
            match other.take::<PackedTake>("take") {
                Some(take) => others.push((other.take("label").unwrap_or_default(), Arc::new(take))),
                None => unread.push(other),
            }
        }
        let at = if same { saved.take("at").unwrap_or(usize::MAX) } else { usize::MAX };
        (Self { label, at: at.min(others.len()), others }, unread)
    }

    /// The saved form; none where there is nothing in it.
    pub(super) fn write(
        &self,
        chosen: Option<&PackedTake>,
        unread: &[Object],
    ) -> Result<Option<Object>, serde_json::Error> {
        if chosen.is_none() && self.others.is_empty() && unread.is_empty() {
            return Ok(None);
        }
        let mut others = Vec::new();
        for (label, take) in &self.others {
            let mut other = Object::default();
            other.set("label", label)?;
            other.set("take", &**take)?;
            others.push(other);
        }
        others.extend_from_slice(unread);
        let mut saved = Object::default();
        saved.set("label", &self.label)?;
        saved.set("chosen", &chosen.and_then(name))?;
        saved.set("at", &self.at)?;
        saved.set("others", &others)?;
        Ok(Some(saved))
    }
}

/// What tells a take from others in a file: its first sound.
pub(super) fn name(take: &PackedTake) -> Option<&str> {
    take.variations.first().map(|sound| sound.sha256.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::pack;
    use crate::take::pack::tests::{stereo_take, take};

    fn packed(take: &crate::take::Take) -> Arc<PackedTake> {
        Arc::new(pack(take, u64::MAX, None).0)
    }

    #[test]
    fn takes_and_what_is_known_of_them_are_saved_and_read() {
        let label = |number| Label { number, name: Some(format!("no. {number}")), stars: number };
        let chosen = packed(&take());
        let shelf = SavedShelf {
            label: label(2),
            at: 1,
            others: vec![(label(1), packed(&stereo_take())), (label(3), packed(&take()))],
        };
        let written = shelf.write(Some(&chosen), &[]).unwrap().unwrap();
        let again: Object = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(SavedShelf::read(again.clone(), Some(&chosen)), (shelf, Vec::new()));
        // Another version has rendered meanwhile: its take is the newest one, and nobody has named it.
        let (shelf, _) = SavedShelf::read(again, Some(&packed(&stereo_take())));
        assert_eq!((shelf.label, shelf.at, shelf.others.len()), (Label::default(), 2, 2));
        assert!(SavedShelf::default().write(None, &[]).unwrap().is_none());
    }

    #[test]
    fn a_take_that_is_not_understood_survives() {
        let text = r#"{"at":0,"others":[{"label":{"number":1},"take":{"form":"new"}}]}"#;
        let (shelf, unread) = SavedShelf::read(serde_json::from_str(text).unwrap(), None);
        assert!(shelf.others.is_empty());
        let written = serde_json::to_string(&shelf.write(None, &unread).unwrap().unwrap()).unwrap();
        assert!(written.contains(r#"{"label":{"number":1},"take":{"form":"new"}}"#), "{written}");
    }
}
