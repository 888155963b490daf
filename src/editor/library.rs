//! The shipped models and seed clips, listed by a thread of its own: a folder on a slow disk must not hold up the host's
//! windows.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nice_plug_egui::RepaintNotifier;

use super::words::capitalised;
use crate::patch::{self, Listed};
use crate::resources;
use crate::session::ModelFacts;
use crate::threads;

/// A shipped file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What to show.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchEntry {
    /// What it is called; of one that cannot be read, its file.
    pub name: String,
    /// What it is for.
    pub category: String,
    /// What it does.
    pub description: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it is one of the user's own.
    pub own: bool,
    /// What is wrong with it, in a sentence.
    pub trouble: Option<String>,
}

impl PatchEntry {
    fn new(Listed { path, patch }: Listed, own: bool) -> Self {
        match patch {
            Ok(patch) => Self {
                name: patch.name,
                category: patch.category,
                description: patch.description,
                path,
                own,
                trouble: None,
            },
            Err(error) => Self {
                name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                category: String::new(),
                description: String::new(),
                trouble: Some(capitalised(&error.to_string())),
                path,
                own,
            },
        }
    }

    /// Whether all these words, in small letters, are in what it says of itself.
    pub fn matches(&self, wanted: &str) -> bool {
        let text = format!("{} {} {}", self.name, self.category, self.description).to_lowercase();
        wanted.split_whitespace().all(|word| text.contains(word))
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Model packages in the order of names.
    pub models: Vec<Entry>,
    /// Those in the user's own folder.
    pub own_models: Vec<Entry>,
    /// What each model says of itself, or what is wrong with it.
    pub facts: Vec<(PathBuf, Result<ModelFacts, String>)>,
    /// Patches: the shipped ones, then the user's own.
    pub patches: Vec<PatchEntry>,
    /// Seed clips in the order of names; the first is the factory default.
    pub seeds: Vec<Entry>,
    /// Why nothing was found, in a sentence.
    pub trouble: Option<String>,
}

impl Listing {
    /// What a model says of itself, or what is wrong with it; nothing until somebody has looked.
    pub fn facts_of(&self, path: &Path) -> Option<&Result<ModelFacts, String>> {
        self.facts.iter().find(|(known, _)| known == path).map(|(_, facts)| facts)
    }
}

/// The listing, empty until the thread has answered.
#[derive(Debug, Clone, Default)]
pub struct Library {
    listing: Arc<Mutex<Arc<Listing>>>,
}

impl Library {
    /// What is known now.
    pub fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.listing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes this for what was found.
    #[cfg(test)]
    pub fn put(&self, listing: Listing) {
        *self.listing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
    }

    /// Looks again; `repaint` is rung when done.
    pub fn refresh(&self, repaint: &RepaintNotifier) {
        let (listing, repaint) = (Arc::clone(&self.listing), repaint.clone());
        let looked = threads::start("continuo-library", move || {
            let found = Arc::new(list());
            *listing.lock().unwrap_or_else(PoisonError::into_inner) = found;
            repaint.request_repaint();
        });
        if let Err(error) = looked {
            tracing::warn!("the shipped files cannot be listed: {error}");
        }
    }
}

fn list() -> Listing {
    let mut listing = match resources::folder() {
        Err(error) => Listing { trouble: Some(error.to_string()), ..Listing::default() },
        Ok(folder) => {
            let presets = folder.join("presets");
            Listing {
                models: entries(&presets.join("models"), "continuo"),
                seeds: entries(&presets.join("seeds"), "wav"),
                ..Listing::default()
            }
        }
    };
    let own = resources::user_data_dir().map(|folder| folder.join("models"));
    listing.own_models = own.map(|folder| entries(&folder, "continuo")).unwrap_or_default();
    let models = listing.models.iter().chain(&listing.own_models);
    listing.facts = models.map(|entry| (entry.path.clone(), ModelFacts::read(&entry.path))).collect();
    for (folder, own) in [(patch::factory_folder().ok(), false), (patch::user_folder(), true)] {
        let listed = folder.map(|folder| patch::list(&folder)).unwrap_or_default();
        listing.patches.extend(listed.into_iter().map(|listed| PatchEntry::new(listed, own)));
    }
    listing
}

fn entries(folder: &Path, extension: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension)))
        .map(|path| Entry { name: display_name(&path.to_string_lossy()), path })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

/// A shipped file's name for people: `presets/seeds/01-gounod-o-ma-belle.wav` is `Gounod o ma belle`.
pub fn display_name(path: &str) -> String {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem });
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let unnumbered = match stem.as_bytes().get(digits) {
        Some(b'-' | b'_') if digits > 0 => &stem[digits + 1..],
        _ => stem,
    };
    let words = unnumbered.replace(['-', '_'], " ");
    capitalised(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_readable() {
        assert_eq!(display_name("/x/seeds/01-gounod-o-ma-belle.wav"), "Gounod o ma belle");
        assert_eq!(display_name("piano-16k.continuo"), "Piano 16k");
        assert_eq!(display_name("808.wav"), "808");
        assert_eq!(display_name(".hidden"), ".hidden");
        assert_eq!(display_name(""), "");
        assert_eq!(display_name("élan_vital.wav"), "Élan vital");
    }

    #[test]
    fn only_files_of_the_kind_are_listed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["02-b.wav", "01-a.WAV", "notes.txt", "x.continuo"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let names: Vec<String> = entries(folder.path(), "wav").into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["A", "B"]);
        assert!(entries(&folder.path().join("missing"), "wav").is_empty());
    }
}
