//! A saved text without the sounds in it, which are long and have not changed since it was last written.
//!
//! Sounds lie deep in what is saved: a session's text is a string in the state's text, and each layer would write them out
//! once more. While an outline is drawn, a sound is written as a mark instead; then the text is cut at the marks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use super::blocks::Blocks;
use super::inline::Inline;

/// A shorter sound is not worth a mark.
const SHORT: usize = 16 << 10;

/// A piece of a saved text.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// As it is.
    Text(String),
    /// The base64 of a sound, which reads the same at any depth of strings in strings.
    Sound(Arc<Blocks>),
}

/// Sounds that were met while an outline is drawn on this thread.
struct Sheet {
    /// What marks begin with, unlike anything in the text: nobody can know it before.
    stem: String,
    sounds: Vec<Arc<Blocks>>,
}

thread_local! {
    static SHEET: RefCell<Option<Sheet>> = const { RefCell::new(None) };
}

/// Takes the sheet away again, whatever happens.
struct Drawing;

impl Drop for Drawing {
    fn drop(&mut self) {
        SHEET.set(None);
    }
}

/// What to write for a sound: its text, or a mark while an outline is drawn.
pub(super) fn written(inline: &Inline) -> Cow<'_, str> {
    let mark = SHEET.with_borrow_mut(|sheet| {
        let sheet = sheet.as_mut().filter(|_| inline.text().len() >= SHORT)?;
        sheet.sounds.push(Arc::clone(inline.blocks()?));
        Some(format!("{}{:08x}", sheet.stem, sheet.sounds.len() - 1))
    });
    mark.map_or_else(|| inline.text().into(), Cow::Owned)
}

/// Has a text written and gives it in sections, the first and the last of which are text.
///
/// `write` writes the same whenever it is called.
///
/// # Errors
/// What `write` says.
pub fn draw<E>(write: impl Fn() -> Result<String, E>) -> Result<Vec<Section>, E> {
    let (text, sheet) = {
        let _drawing = Drawing;
        let random = || RandomState::new().build_hasher().finish();
        let stem = format!("sound:{:016x}{:016x}:", random(), random());
        SHEET.set(Some(Sheet { stem, sounds: Vec::new() }));
        (write()?, SHEET.take())
    };
    match sheet.and_then(|sheet| cut(&text, sheet)) {
        Some(sections) => Ok(sections),
        // Somebody has written a sound and then left it out, or written something twice.
        None => Ok(vec![Section::Text(write()?)]),
    }
}

/// Cuts a text at the marks, if each is there, once, in their order.
fn cut(text: &str, sheet: Sheet) -> Option<Vec<Section>> {
    let mut sections = Vec::with_capacity(2 * sheet.sounds.len() + 1);
    let mut rest = text;
    for (index, sound) in sheet.sounds.into_iter().enumerate() {
        let (before, after) = rest.split_once(&sheet.stem)?;
        rest = after.strip_prefix(&format!("{index:08x}"))?;
        sections.push(Section::Text(before.to_owned()));
        sections.push(Section::Sound(sound));
    }
    if rest.contains(&sheet.stem) {
        return None;
    }
    sections.push(Section::Text(rest.to_owned()));
    Some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(character: &str) -> Inline {
        Inline::new(character.repeat(SHORT))
    }

    #[test]
    fn a_text_is_cut_where_its_sounds_are_and_written_in_full_otherwise() {
        let (one, two, short) = (long("a"), long("b"), Inline::new("c".to_owned()));
        let write = || -> Result<String, serde_json::Error> {
            let inner = serde_json::to_string(&[written(&one), written(&short), written(&two), written(&one)])?;
            serde_json::to_string(&inner)
        };
        let sections = draw(write).unwrap();
        let [Section::Text(before), Section::Sound(a), Section::Text(_), Section::Sound(b), _, Section::Sound(c), _] =
            sections.as_slice()
        else {
            panic!("{sections:?}");
        };
        assert_eq!(before, r#""[\""#);
        assert!(Arc::ptr_eq(a, one.blocks().unwrap()) && Arc::ptr_eq(b, two.blocks().unwrap()) && Arc::ptr_eq(a, c));
        // Without anybody who draws, there are no marks.
        assert!(write().unwrap().contains(one.text()));
    }

    #[test]
    fn marks_out_of_place_and_texts_without_base64_are_written_in_full() {
        let (one, two) = (long("a"), long("b"));
        let odd = Inline::new("\"".repeat(SHORT));
        for write in [
            &(|| {
                let first = written(&two).into_owned();
                written(&one).into_owned() + &first
            }) as &dyn Fn() -> String,
            &|| written(&one).repeat(2),
            &|| written(&one)[..0].to_owned(),
            &|| written(&odd).into_owned(),
        ] {
            let sections = draw(|| Ok::<_, ()>(write())).unwrap();
            assert_eq!(sections, [Section::Text(write())]);
        }
    }

    #[test]
    fn a_failure_leaves_no_sheet_behind() {
        let one = long("a");
        assert_eq!(draw(|| Err::<String, _>(7)), Err(7));
        assert_eq!(written(&one), one.text());
    }
}
