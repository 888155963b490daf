//! The arrangement as it is saved: `{"placements": [{"take", "number", "variation", "begin", "bars", "repeat", "gain_db"}, …]}`.
//!
//! A take is named by its first sound's SHA-256, and by its number where there are several of that sound.

use crate::json::Object;
use crate::take::arrangement::{Arrangement, MAX_PLACEMENTS, Placement, Repeat};
use crate::take::shelf::{Kept, Shelf};

use super::saved_shelf::name;

/// A placement as it is saved.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedPlacement {
    /// SHA-256 of the take's first sound, hexadecimal.
    pub take: String,
    /// The take's number on the shelf.
    pub number: u32,
    /// As of [`Placement`], and so are the others.
    pub variation: usize,
    /// In quarter notes.
    pub begin: f64,
    /// In bars.
    pub bars: Option<u32>,
    /// How often.
    pub repeat: Repeat,
    /// In dB.
    pub gain_db: f32,
    /// What was not understood of it.
    pub other: Object,
}

impl SavedPlacement {
    /// Reads the saved form; `None` where it is not one of this version.
    fn read(mut saved: Object) -> Option<Self> {
        let take = saved.take("take")?;
        let begin = saved.take::<f64>("begin")?;
        let number = saved.take("number").unwrap_or(0);
        let variation = saved.take("variation").unwrap_or(0);
        let bars = saved.take::<Option<u32>>("bars").flatten();
        let repeat = saved.take("repeat").unwrap_or_default();
        let gain_db = saved.take("gain_db").unwrap_or(0.0);
        Some(Self { take, number, variation, begin, bars, repeat, gain_db, other: saved })
    }

    /// The saved form.
    fn write(&self) -> Result<Object, serde_json::Error> {
        let mut saved = Object::default();
        saved.set("take", &self.take)?;
        saved.set("number", &self.number)?;
        saved.set("variation", &self.variation)?;
        saved.set("begin", &self.begin)?;
        if let Some(bars) = &self.bars {
            saved.set("bars", bars)?;
        }
        saved.set("repeat", &self.repeat)?;
        saved.set("gain_db", &self.gain_db)?;
        let mut whole = self.other.clone();
        whole.complete(saved);
        Ok(whole)
    }

    /// As the shelf that holds its take has it.
    pub(super) fn of(placement: &Placement, shelf: &Shelf) -> Option<Self> {
        let kept = shelf.get(placement.take)?;
        Some(Self {
            take: name(&kept.packed)?.to_owned(),
            number: kept.label.number,
            variation: placement.variation,
            begin: placement.begin,
            bars: placement.bars,
            repeat: placement.repeat,
            gain_db: placement.gain_db,
            other: placement.other.clone(),
        })
    }

    fn place(&self, shelf: &Shelf) -> Option<Placement> {
        let same =
            |kept: &&Kept| name(&kept.packed) == Some(&self.take) && self.variation < kept.packed.variations.len();
        let numbered = |kept: &&Kept| same(kept) && kept.label.number == self.number;
        let kept = shelf.takes().iter().find(numbered).or_else(|| shelf.takes().iter().find(same))?;
        let placement = Placement {
            repeat: self.repeat,
            gain_db: self.gain_db,
            other: self.other.clone(),
            ..Placement::new(kept.id, self.variation, self.begin, self.bars)
        };
        Some(placement.checked())
    }
}

/// Reads the saved form. What is not understood comes along as it was.
pub(super) fn read(mut saved: Object) -> (Vec<SavedPlacement>, Vec<Object>) {
    let (mut placements, mut unread) = (Vec::new(), Vec::new());
    for placement in saved.take::<Vec<Object>>("placements").unwrap_or_default() {
        match SavedPlacement::read(placement.clone()) {
            Some(placement) => placements.push(placement),
            None => unread.push(placement),
        }
    }
    (placements, unread)
}

/// The saved form; none where there is nothing in it.
pub(super) fn write(placements: &[SavedPlacement], unread: &[Object]) -> Result<Option<Object>, serde_json::Error> {
    if placements.is_empty() && unread.is_empty() {
        return Ok(None);
    }
    let mut all = placements.iter().map(SavedPlacement::write).collect::<Result<Vec<_>, _>>()?;
    all.extend_from_slice(unread);
    let mut saved = Object::default();
    saved.set("placements", &all)?;
    Ok(Some(saved))
}

/// The arrangement of a saved session with these takes. Placements whose take is not there, or for which there is no room, come
/// back as they are to be saved again.
pub(super) fn arrangement_of(saved: &[SavedPlacement], shelf: &Shelf) -> (Arrangement, Vec<Object>) {
    let (mut strip, mut lost) = (Arrangement::default(), Vec::new());
    for placement in saved {
        let placed = placement.place(shelf).filter(|_| strip.placements().len() < MAX_PLACEMENTS);
        match placed {
            Some(placed) => {
                strip.put(placed);
            }
            // A number that JSON has no words for was not read either.
            None => lost.extend(placement.write().ok()),
        }
    }
    (strip, lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::shelf::tests::kept;

    #[test]
    fn placements_find_their_takes_again() {
        let shelf = Shelf::of(vec![kept(1), kept(2)], 1);
        let [one, two] = [0, 1].map(|at| shelf.takes()[at].id);
        let mut strip = Arrangement::default();
        for (take, begin, repeat) in
            [(two, 0.0, Repeat::Once), (one, 8.5, Repeat::Times(3)), (two, 32.0, Repeat::UntilNext)]
        {
            strip.put(Placement { repeat, gain_db: -3.5, ..Placement::new(take, 1, begin, Some(4)) });
        }
        let saved: Vec<_> = strip.placements().iter().filter_map(|one| SavedPlacement::of(one, &shelf)).collect();
        let text = serde_json::to_string(&write(&saved, &[]).unwrap().unwrap()).unwrap();
        let (again, unread) = read(serde_json::from_str(&text).unwrap());
        assert_eq!((&again, unread.len()), (&saved, 0));
        let (opened, lost) = arrangement_of(&again, &shelf);
        assert_eq!(lost, []);
        let plain = |strip: &Arrangement| {
            let all = strip.placements().iter();
            all.map(|one| (one.take, one.variation, one.begin.to_bits(), one.bars, one.repeat)).collect::<Vec<_>>()
        };
        assert_eq!(plain(&opened), plain(&strip));
        assert!(write(&[], &[]).unwrap().is_none());
    }

    #[test]
    fn what_is_not_understood_or_not_there_is_saved_again_as_it_was() {
        let shelf = Shelf::of(vec![kept(1)], 0);
        let sound = name(&shelf.takes()[0].packed).unwrap().to_owned();
        let text = format!(
            r#"{{"placements":[{{"take":"{sound}","begin":4.0,"number":1,"repeat":"backwards","pan":[0.5]}},{{"take":"gone","begin":0.0,"number":7,"variation":0,"gain_db":0.0,"repeat":"once","x":1}},{{"begin":"late"}}]}}"#
        );
        let (saved, unread) = read(serde_json::from_str(&text).unwrap());
        assert_eq!((saved.len(), unread.len()), (2, 1));
        let (strip, lost) = arrangement_of(&saved, &shelf);
        assert_eq!(strip.placements()[0].repeat, Repeat::Once);
        let saved: Vec<_> = strip.placements().iter().filter_map(|one| SavedPlacement::of(one, &shelf)).collect();
        let all: Vec<Object> = lost.into_iter().chain(unread).collect();
        let written = serde_json::to_string(&write(&saved, &all).unwrap().unwrap()).unwrap();
        for part in [r#""repeat":"backwards""#, r#""pan":[0.5]"#, r#""take":"gone""#, r#""x":1"#, r#"{"begin":"late"}"#]
        {
            assert!(written.contains(part), "{part} in {written}");
        }
    }
}
