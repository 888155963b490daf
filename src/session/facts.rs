//! What a model's package says of itself, for whoever chooses between models. Nothing is loaded.

use std::path::Path;

use continuo_engine::{Model, Setting};

/// What a package says of its model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelFacts {
    /// The model's name.
    pub name: String,
    /// Who trained it.
    pub author: String,
    /// The licence of its weights.
    pub licence: String,
    /// The recordings that it has learnt from: what they are, by whom, under which licence.
    pub corpus: String,
    /// Hours of them.
    pub corpus_hours: f64,
    /// Steps of training.
    pub steps: u64,
    /// Number of weights.
    pub weights: u64,
    /// What it can do, each in a few words that go on after "can".
    pub abilities: Vec<String>,
    /// Frames per second that it makes.
    pub rate_hz: u32,
    /// Audio channels.
    pub channels: u16,
    /// How much of the past decides what comes next, in seconds; infinite where all of it does.
    pub reach_seconds: f64,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl ModelFacts {
    /// Reads what the package at `path` says.
    ///
    /// # Errors
    /// In a sentence: what is wrong with the package, or that no family is known that could play it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default();
        let (manifest, abilities) = Model::abilities_of(path).map_err(|error| error.to_string())?;
        let mut can = Vec::new();
        if abilities.can_continue {
            can.push("carry on from a clip".to_owned());
        }
        if abilities.can_begin {
            can.push("begin from silence".to_owned());
        }
        if abilities.why_not(Setting::Variations).is_none() {
            can.push("make variations".to_owned());
        }
        if abilities.why_not(Setting::Temperature).is_none() {
            can.push("be tame or wild".to_owned());
        }
        if abilities.classes.len() > 1 {
            can.push(format!("play like {}", abilities.classes.join(", ")));
        }
        if let Some(frames) = abilities.fixed_frames {
            let seconds = frames as f64 / f64::from(manifest.sample_rate_hz.max(1));
            can.push(format!("make phrases of {seconds:.1} s only"));
        }
        let heard = manifest.reach.heard(u64::MAX);
        let seconds = heard as f64 / f64::from(manifest.sample_rate_hz.max(1));
        Ok(Self {
            name: manifest.name,
            author: manifest.author,
            licence: manifest.licence,
            corpus: manifest.training.corpus,
            corpus_hours: manifest.training.corpus_hours,
            steps: manifest.training.steps,
            weights: manifest.training.parameters,
            abilities: can,
            rate_hz: manifest.sample_rate_hz,
            channels: manifest.channels,
            reach_seconds: if heard == u64::MAX { f64::INFINITY } else { seconds },
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_says_what_it_is_and_a_damaged_one_what_is_wrong() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/presets/models/grand-16k.continuo"));
        let facts = ModelFacts::read(path).unwrap();
        assert!(facts.corpus.contains("Salamander") && facts.licence == "CC-BY-3.0", "{facts:?}");
        assert!((facts.reach_seconds - 3071.0 / 16_000.0).abs() < 1e-9);
        assert!(facts.abilities.iter().any(|ability| ability == "carry on from a clip"));
        assert_eq!(facts.bytes, std::fs::metadata(path).unwrap().len());
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join("bad.continuo");
        std::fs::write(&bad, "no package").unwrap();
        assert!(ModelFacts::read(&bad).unwrap_err().contains("bad.continuo"));
    }
}
