//! A patch as a file: read with bounds and by hand, so that what is wrong can be named; written so that it can be read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::error::PatchError;

/// What files of patches end in.
pub const EXTENSION: &str = "continuo-patch";

/// The key that tells a patch from other JSON; its value is the version.
const MARK: &str = "continuo_patch";
/// The newest version that is read, and the one that is written.
const VERSION: u64 = 1;

/// Most bytes of a file.
pub(super) const MOST_BYTES: u64 = 256 << 10;
/// Most letters of a name, an author, a category, a feature, a parameter's id or a choice.
pub(super) const MOST_LETTERS: usize = 128;
/// Most letters of a description, or of a path.
const MOST_TEXT: usize = 4096;
/// Most features.
const MOST_FEATURES: usize = 16;
/// Most parameters.
const MOST_PARAMETERS: usize = 512;

/// A model, a seed clip and the values of the controls, under a name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// What it is called.
    pub name: String,
    /// Who made it; empty where nobody says.
    pub author: String,
    /// What it is for, in a word or two.
    pub category: String,
    /// What hosts sort it by, in CLAP's words where it has some: "piano", "keyboard", …
    pub features: Vec<String>,
    /// What it does, in a sentence or two.
    pub description: String,
    /// The model that it plays; none leaves the one that is chosen.
    pub model: Option<ModelRef>,
    /// The seed clip that it carries on from; none leaves the one that is chosen.
    pub clip: Option<ClipRef>,
    /// The values of the controls by their ids. One that is not there goes to its default.
    pub parameters: BTreeMap<String, Value>,
}

/// A model by its content, and by where to look for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelRef {
    /// The file's name.
    pub file: String,
    /// SHA-256 of the package, hexadecimal.
    pub sha256: String,
    /// Where it lay, if not among the shipped ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A seed clip by its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClipRef {
    /// The file's name.
    pub file: String,
    /// Where it lay, if not among the shipped ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The part of it that is used, from and to in seconds; none for all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_seconds: Option<[f64; 2]>,
}

/// The value of a control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A switch.
    Switch(bool),
    /// A number in the control's own unit.
    Number(f64),
    /// A choice by its id.
    Choice(String),
}

/// The patch that these bytes begin with, if they do. A host may give what stands behind it in its file, too. Saved states are
/// compressed, or have other keys.
pub fn patch_in(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.len() as u64 > MOST_BYTES || !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Json>();
    let first = values.next()?.ok()?;
    first.get(MARK).and(bytes.get(..values.byte_offset()))
}

impl Patch {
    /// Reads the patch in a file.
    ///
    /// # Errors
    /// [`PatchError`]: what cannot be read, or is no patch.
    pub fn read(path: &Path) -> Result<Self, PatchError> {
        Self::parse(&read_bytes(path)?, path)
    }

    /// Reads a patch; `path` is what to call it in an error.
    ///
    /// # Errors
    /// As [`Patch::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, PatchError> {
        Fields { map: parse_map(bytes, path)?, path, within: "" }.patch()
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let mut map = Map::new();
        let mut set = |key: &str, value: Json| map.insert(key.to_owned(), value);
        set(MARK, VERSION.into());
        for (key, text) in [
            ("name", &self.name),
            ("author", &self.author),
            ("category", &self.category),
            ("description", &self.description),
        ] {
            if !text.is_empty() {
                set(key, text.as_str().into());
            }
        }
        set("features", self.features.clone().into());
        // Names, numbers and texts can always be written.
        let written = |value: Result<Json, serde_json::Error>| value.unwrap_or_default();
        if let Some(model) = &self.model {
            set("model", written(serde_json::to_value(model)));
        }
        if let Some(clip) = &self.clip {
            set("clip", written(serde_json::to_value(clip)));
        }
        set("parameters", written(serde_json::to_value(&self.parameters)));
        text_of(&map)
    }
}

/// The bytes of a file that may be a patch, however long the file is.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, PatchError> {
    let failed = |source| PatchError::Unreadable { path: path.to_path_buf(), source };
    // A pipe would never end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(PatchError::NotAPatch { path: path.to_path_buf(), reason: "it is no file".to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(PatchError::TooLong { path: path.to_path_buf(), most_bytes: MOST_BYTES });
    }
    Ok(bytes)
}

/// The keys of a patch, if its version is known.
pub(super) fn parse_map(bytes: &[u8], path: &Path) -> Result<Map<String, Json>, PatchError> {
    let none = |reason: String| PatchError::NotAPatch { path: path.to_path_buf(), reason };
    let json: Json = serde_json::from_slice(bytes).map_err(|error| none(error.to_string()))?;
    let Json::Object(map) = json else { return Err(none("it is no JSON object".to_owned())) };
    let version = map.get(MARK).ok_or_else(|| none(format!("it has no `{MARK}`")))?;
    match version.as_u64() {
        Some(VERSION) => Ok(map),
        Some(version) if version > VERSION => {
            Err(PatchError::Newer { path: path.to_path_buf(), version, known: VERSION })
        }
        _ => Err(none(format!("its `{MARK}` is {version}"))),
    }
}

/// A patch's text, for people too.
pub(super) fn text_of(map: &Map<String, Json>) -> String {
    serde_json::to_string_pretty(map).unwrap_or_default() + "\n"
}

/// The keys of an object in a patch.
struct Fields<'a> {
    map: Map<String, Json>,
    path: &'a Path,
    /// What stands before a key in an error.
    within: &'a str,
}

impl Fields<'_> {
    fn wrong(&self, key: &str, reason: impl Into<String>) -> PatchError {
        PatchError::Field {
            path: self.path.to_path_buf(),
            field: format!("{}{key}", self.within),
            reason: reason.into(),
        }
    }

    fn patch(mut self) -> Result<Patch, PatchError> {
        let name = self.text("name", MOST_LETTERS)?.unwrap_or_default();
        if name.trim().is_empty() {
            return Err(self.wrong("name", "is missing"));
        }
        let author = self.text("author", MOST_LETTERS)?.unwrap_or_default();
        let category = self.text("category", MOST_LETTERS)?.unwrap_or_default();
        let description = self.text("description", MOST_TEXT)?.unwrap_or_default();
        let features = self.features()?;
        let path = self.path;
        let model = self.object("model")?.map(|map| Fields { map, path, within: "model." }.model()).transpose()?;
        let clip = self.object("clip")?.map(|map| Fields { map, path, within: "clip." }.clip()).transpose()?;
        let parameters = self.object("parameters")?.unwrap_or_default();
        let parameters = Fields { map: parameters, path, within: "parameters." }.values()?;
        Ok(Patch { name, author, category, features, description, model, clip, parameters })
    }

    fn model(mut self) -> Result<ModelRef, PatchError> {
        let file = self.file_name()?;
        let sha256 = self.text("sha256", MOST_LETTERS)?.unwrap_or_default().to_ascii_lowercase();
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.wrong("sha256", "is no SHA-256 of 64 hexadecimal digits"));
        }
        Ok(ModelRef { file, sha256, path: self.text("path", MOST_TEXT)? })
    }

    fn clip(mut self) -> Result<ClipRef, PatchError> {
        let file = self.file_name()?;
        let path = self.text("path", MOST_TEXT)?;
        let part_seconds = match self.map.remove("part_seconds") {
            None | Some(Json::Null) => None,
            Some(part) => match serde_json::from_value::<[f64; 2]>(part) {
                Ok([from, to]) if from >= 0.0 && to > from && to.is_finite() => Some([from, to]),
                _ => return Err(self.wrong("part_seconds", "is no part of a clip, from and to in seconds")),
            },
        };
        Ok(ClipRef { file, path, part_seconds })
    }

    fn file_name(&mut self) -> Result<String, PatchError> {
        let file = self.text("file", MOST_LETTERS)?.unwrap_or_default();
        // It is looked for in our folders, so it must not lead out of them.
        if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\\', ':']) {
            return Err(self.wrong("file", "is no file's name"));
        }
        Ok(file)
    }

    fn features(&mut self) -> Result<Vec<String>, PatchError> {
        let list = match self.map.remove("features") {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::Array(list)) if list.len() <= MOST_FEATURES => list,
            Some(Json::Array(_)) => return Err(self.wrong("features", format!("are more than {MOST_FEATURES}"))),
            Some(_) => return Err(self.wrong("features", "is no list")),
        };
        let word = |json: Json| match json {
            Json::String(word) if fits(&word, MOST_LETTERS) => Ok(word),
            _ => Err(self.wrong("features", "holds what is no word")),
        };
        list.into_iter().map(word).collect()
    }

    fn values(self) -> Result<BTreeMap<String, Value>, PatchError> {
        if self.map.len() > MOST_PARAMETERS {
            return Err(self.wrong("", format!("are more than {MOST_PARAMETERS}")));
        }
        let mut values = BTreeMap::new();
        for (id, json) in &self.map {
            let value = match json {
                Json::Bool(on) => Value::Switch(*on),
                Json::Number(number) => number
                    .as_f64()
                    .filter(|number| number.is_finite())
                    .map(Value::Number)
                    .ok_or_else(|| self.wrong(id, "is no number"))?,
                Json::String(choice) if fits(choice, MOST_LETTERS) => Value::Choice(choice.clone()),
                _ => return Err(self.wrong(id, "is neither a number nor true, false or a name")),
            };
            values.insert(id.clone(), value);
        }
        Ok(values)
    }

    fn text(&mut self, key: &str, most: usize) -> Result<Option<String>, PatchError> {
        match self.map.remove(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) if fits(&text, most) => Ok(Some(text)),
            Some(Json::String(_)) => {
                Err(self.wrong(key, format!("is longer than {most} letters, or holds control characters")))
            }
            Some(_) => Err(self.wrong(key, "is no text")),
        }
    }

    fn object(&mut self, key: &str) -> Result<Option<Map<String, Json>>, PatchError> {
        match self.map.remove(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(map)) => Ok(Some(map)),
            Some(_) => Err(self.wrong(key, "is no object")),
        }
    }
}

/// Whether a text may be shown and handed to hosts.
pub(super) fn fits(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Patch, String> {
        Patch::parse(text.as_bytes(), Path::new("/p/a.continuo-patch")).map_err(|error| error.to_string())
    }

    fn whole() -> Patch {
        let model = ModelRef { file: "m.continuo".into(), sha256: "ab".repeat(32), path: Some("/m/m.continuo".into()) };
        let clip = ClipRef { file: "c.wav".into(), path: None, part_seconds: Some([0.5, 2.25]) };
        let parameters = [
            ("length".to_owned(), Value::Number(8.0)),
            ("mode".to_owned(), Value::Choice("continue".into())),
            ("mono".to_owned(), Value::Switch(true)),
        ];
        Patch {
            name: "Élan".into(),
            author: "Somebody".into(),
            category: "Keys".into(),
            features: vec!["piano".into()],
            description: "It goes on.".into(),
            model: Some(model),
            clip: Some(clip),
            parameters: parameters.into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let patch = whole();
        assert_eq!(read(&patch.to_text()), Ok(patch.clone()));
        let text = patch.to_text();
        let with_more = format!("{text}List\u{0}\u{1}");
        for bytes in [text.as_bytes(), with_more.as_bytes()] {
            assert_eq!(Patch::parse(patch_in(bytes).unwrap(), Path::new("/p")).unwrap(), patch);
        }
        let bare = Patch { name: "a".into(), ..Patch::default() };
        assert_eq!(read(&bare.to_text()), Ok(bare));
        assert_eq!(read(r#"{"continuo_patch":1,"name":"a","new":[1]}"#).map(|patch| patch.name), Ok("a".into()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file_and_its_field() {
        let named = |field: &str, text: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains("/p/a.continuo-patch") && error.contains(field), "{text}: {error}");
            assert!(error.contains(';'), "{error} does not say what to do");
        };
        named("JSON", "[]");
        named("EOF", "{");
        named("expected", "\u{0}\u{1}");
        named("continuo_patch", "{}");
        named("newer", r#"{"continuo_patch":2}"#);
        named("continuo_patch", r#"{"continuo_patch":-1}"#);
        named("`name`", r#"{"continuo_patch":1}"#);
        named("`name`", r#"{"continuo_patch":1,"name":7}"#);
        named("`name`", &format!(r#"{{"continuo_patch":1,"name":"{}"}}"#, "x".repeat(129)));
        named("`name`", r#"{"continuo_patch":1,"name":"a\u0007"}"#);
        named("`features`", r#"{"continuo_patch":1,"name":"a","features":[1]}"#);
        named("`model`", r#"{"continuo_patch":1,"name":"a","model":"m"}"#);
        named("`model.file`", r#"{"continuo_patch":1,"name":"a","model":{"file":"../m"}}"#);
        named("`model.sha256`", r#"{"continuo_patch":1,"name":"a","model":{"file":"m","sha256":"00"}}"#);
        named("`clip.file`", r#"{"continuo_patch":1,"name":"a","clip":{"file":"C:x"}}"#);
        named("`clip.part_seconds`", r#"{"continuo_patch":1,"name":"a","clip":{"file":"x","part_seconds":[2,1]}}"#);
        named("`parameters.gain`", r#"{"continuo_patch":1,"name":"a","parameters":{"gain":[1]}}"#);
        named("number", r#"{"continuo_patch":1,"name":"a","parameters":{"gain":1e999}}"#);
        named("recursion", &format!(r#"{{"continuo_patch":1,"x":{}"#, "[".repeat(10_000)));
    }

    #[test]
    fn neither_a_long_file_nor_one_without_an_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.continuo-patch");
        std::fs::write(&path, vec![b' '; MOST_BYTES as usize + 1]).unwrap();
        assert!(matches!(Patch::read(&path), Err(PatchError::TooLong { .. })));
        assert!(matches!(Patch::read(folder.path()), Err(PatchError::NotAPatch { .. })));
        let error = Patch::read(&folder.path().join("none")).unwrap_err();
        assert!(matches!(error, PatchError::Unreadable { .. }) && error.os_error() != 0);
        for bytes in [b"".as_slice(), b"{}", b"{\"state_version\":2}", b"{\"continuo_patch\":"] {
            assert_eq!(patch_in(bytes), None);
        }
    }
}
