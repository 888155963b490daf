//! What the host saves beside the parameters.
//!
//! A saved session is read field by field. What is not understood stays as the text that it was and is saved again in its
//! place, until something that is understood takes that place.

use std::path::PathBuf;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::look_kept::Look;
use super::saved_arrangement;
pub use super::saved_arrangement::SavedPlacement;
use super::saved_path::SavedPath;
pub use super::saved_shelf::SavedShelf;
use super::trim::SeedTrim;
use crate::json::Object;
use crate::take::pack::PackedTake;

/// Takes up to this many packed bytes stay inside the host's session unless the user says otherwise.
pub const DEFAULT_INLINE_LIMIT: u64 = 16 << 20;

/// The keys that this version reads.
const KEYS: [&str; 9] =
    ["model", "seed", "seed_trim", "inline_limit", "take", "takes", "model_sha256", "editor", "arrangement"];

/// What a project holds that this version cannot open, in sentences for the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnreadError {
    /// The whole state.
    #[error("{why}; it is kept and saved again as it was")]
    State {
        /// What is wrong and what to do, in the words of whoever tried to read it.
        why: String,
    },
    /// Parts of it.
    #[error(
        "parts of this project's saved state are not understood ({}); they are kept and saved again as they are, and everything else is open — a newer Continuo may understand them",
        .names.join(", ")
    )]
    Parts {
        /// Their keys.
        names: Vec<String>,
    },
    /// Placements without a take.
    #[error(
        "the arrangement of this project names takes that it does not hold ({count} of its places); they are silent, and are saved again as they are — open the project in the Continuo that saved it, or place other takes there"
    )]
    Gone {
        /// How many.
        count: usize,
    },
}

/// The saved form of a session. Every field may be absent, so that states of other versions open.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedSession {
    /// The chosen model package; `None` for the factory model.
    pub model: Option<PathBuf>,
    /// The SHA-256 of that package as it was when it was last there, hexadecimal.
    pub model_sha256: Option<String>,
    /// The chosen seed clip; `None` for the factory one.
    pub seed: Option<PathBuf>,
    /// The part of the seed clip that is used; `None` for all of it.
    pub seed_trim: Option<SeedTrim>,
    /// Limit for takes inside the host's session, in packed bytes.
    pub inline_limit: u64,
    /// How the editor's window looks.
    pub look: Look,
    /// The chosen take. It has a key of its own, so that versions that know of one take alone open it.
    pub take: Option<Arc<PackedTake>>,
    /// The takes beside it.
    pub shelf: SavedShelf,
    /// Where takes are placed in the song.
    pub arrangement: Vec<SavedPlacement>,
    /// What was not understood.
    pub unread: Unread,
}

/// What of a saved state was not understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unread {
    /// In the session: keys of a newer version, and values that are none here.
    pub session: Object,
    /// Takes beside the chosen one.
    pub takes: Vec<Object>,
    /// Placements of the arrangement, and those whose takes are not there.
    pub placements: Vec<Object>,
    /// Around it.
    pub kept: Kept,
}

/// What of a state was not understood outside the session itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Keys beside the parameters and the fields.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub document: Object,
    /// Parameters that are unknown or have an unknown value.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub params: Object,
    /// Fields beside the session.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub fields: Object,
    /// A whole state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<KeptState>,
}

/// A state that is not understood at all, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptState {
    /// Its bytes.
    #[serde(with = "base64_bytes")]
    pub bytes: Arc<[u8]>,
    /// Whether they stood in a CLAP stream without a length before them that would fit.
    #[serde(default)]
    pub bare: bool,
    /// Why it is not understood, in a sentence.
    pub why: String,
    /// What would be saved if nothing had been kept, as of when this was kept: as long as that is still so, nobody has
    /// changed anything, and the bytes are saved alone.
    #[serde(skip)]
    pub unchanged: Option<String>,
}

impl Default for SavedSession {
    fn default() -> Self {
        Self {
            model: None,
            model_sha256: None,
            seed: None,
            seed_trim: None,
            inline_limit: DEFAULT_INLINE_LIMIT,
            look: Look::default(),
            take: None,
            shelf: SavedShelf::default(),
            arrangement: Vec::new(),
            unread: Unread::default(),
        }
    }
}

impl SavedSession {
    /// Whether there is nothing in it that somebody chose or made.
    pub fn is_blank(&self) -> bool {
        let unread =
            self.unread.session.is_empty() && self.unread.takes.is_empty() && self.unread.placements.is_empty();
        let chosen = self.model.is_some() || self.seed.is_some() || self.seed_trim.is_some();
        !chosen && self.take.is_none() && self.shelf.others.is_empty() && unread
    }

    fn read(mut saved: Object) -> Self {
        let path = |saved: &mut Object, key| saved.take::<Option<SavedPath>>(key).flatten().map(|path| path.0);
        let take = saved.take::<Option<PackedTake>>("take").flatten().map(Arc::new);
        let (shelf, takes) =
            saved.take("takes").map(|takes| SavedShelf::read(takes, take.as_deref())).unwrap_or_default();
        let (arrangement, placements) = saved.take("arrangement").map(saved_arrangement::read).unwrap_or_default();
        Self {
            model: path(&mut saved, "model"),
            model_sha256: saved.take::<Option<String>>("model_sha256").flatten(),
            seed: path(&mut saved, "seed"),
            seed_trim: saved.take::<Option<SeedTrim>>("seed_trim").flatten(),
            inline_limit: saved.take("inline_limit").unwrap_or(DEFAULT_INLINE_LIMIT),
            look: saved.take("editor").unwrap_or_default(),
            take,
            shelf,
            arrangement,
            unread: Unread { kept: saved.take("kept").unwrap_or_default(), takes, placements, session: saved },
        }
    }

    fn write(&self) -> Result<Object, serde_json::Error> {
        let mut saved = Object::default();
        let path = |path: &Option<PathBuf>| path.clone().map(SavedPath);
        saved.set("model", &path(&self.model))?;
        if let Some(sha256) = &self.model_sha256 {
            saved.set("model_sha256", sha256)?;
        }
        saved.set("seed", &path(&self.seed))?;
        if let Some(trim) = &self.seed_trim {
            saved.set("seed_trim", trim)?;
        }
        saved.set("inline_limit", &self.inline_limit)?;
        if self.look != Look::default() {
            saved.set("editor", &self.look)?;
        }
        saved.set("take", &self.take)?;
        let takes = self.shelf.write(self.take.as_deref(), &self.unread.takes)?;
        if let Some(takes) = &takes {
            saved.set("takes", takes)?;
        }
        let arrangement = saved_arrangement::write(&self.arrangement, &self.unread.placements)?;
        if let Some(arrangement) = &arrangement {
            saved.set("arrangement", arrangement)?;
        }
        if self.unread.kept != Kept::default() {
            saved.set("kept", &self.unread.kept)?;
        }
        let mut whole = self.unread.session.clone();
        let chosen = [
            self.model.is_some(),
            self.seed.is_some(),
            self.seed_trim.is_some(),
            self.inline_limit != DEFAULT_INLINE_LIMIT,
            self.take.is_some(),
            takes.is_some(),
            self.model_sha256.is_some(),
            self.look != Look::default(),
            arrangement.is_some(),
        ];
        for (key, _) in KEYS.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            whole.remove(key);
        }
        whole.complete(saved);
        Ok(whole)
    }
}

impl Unread {
    /// What to tell the user. Keys of a newer version alone are no news: they change nothing here.
    /// `gone` placements name takes that are not there.
    pub(super) fn problems(&self, gone: usize) -> Vec<UnreadError> {
        let state = self.kept.state.as_ref().map(|state| UnreadError::State { why: state.why.clone() });
        let names: Vec<String> =
            KEYS.iter().filter(|key| self.session.contains(key)).map(ToString::to_string).collect();
        let takes = match self.takes.len() {
            0 => None,
            1 => Some("a take".to_owned()),
            count => Some(format!("{count} takes")),
        };
        let placements = match self.placements.len().saturating_sub(gone) {
            0 => None,
            1 => Some("a place in the arrangement".to_owned()),
            count => Some(format!("{count} places in the arrangement")),
        };
        let names: Vec<String> = names.into_iter().chain(takes).chain(placements).collect();
        let parts = (!names.is_empty()).then_some(UnreadError::Parts { names });
        let gone = (gone > 0).then_some(UnreadError::Gone { count: gone });
        state.into_iter().chain(parts).chain(gone).collect()
    }
}

impl<'de> Deserialize<'de> for SavedSession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Object::deserialize(deserializer).map(Self::read)
    }
}

impl Serialize for SavedSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write().map_err(S::Error::custom)?.serialize(serializer)
    }
}

mod base64_bytes {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Into::into).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_survives_and_is_told_and_the_rest_is_open() {
        let text = r#"{"inline_limit":-1,"model":"/m.continuo","mood":{"a":1.50},"seed":7,"take":{"recipe":3}}"#;
        let saved: SavedSession = serde_json::from_str(text).unwrap();
        assert_eq!(saved.model, Some(PathBuf::from("/m.continuo")));
        assert_eq!((saved.inline_limit, saved.seed.as_ref(), saved.take.as_ref()), (DEFAULT_INLINE_LIMIT, None, None));
        assert_eq!(serde_json::to_string(&saved).unwrap(), text);
        let [problem] = saved.unread.problems(0).try_into().unwrap();
        assert!(problem.to_string().contains("seed, inline_limit, take"), "{problem}");
        // What is chosen from now on takes the place of what was not understood.
        let chosen = SavedSession { seed: Some("/s.wav".into()), ..saved };
        let written = serde_json::to_string(&chosen).unwrap();
        assert!(written.contains(r#""seed":"/s.wav""#) && written.contains(r#""inline_limit":-1"#), "{written}");
    }

    #[test]
    fn keys_of_a_newer_version_alone_are_no_news() {
        let saved: SavedSession = serde_json::from_str(r#"{"mood":"blue"}"#).unwrap();
        assert_eq!(saved.unread.problems(0), []);
        assert!(!saved.is_blank());
    }
}
