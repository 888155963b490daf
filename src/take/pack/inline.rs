//! The packed bytes of a sound inside a session.

use std::sync::{Arc, OnceLock};

use super::blocks::Blocks;

/// Packed bytes in base64, and what a saved state makes of them, which is made once. Clones share both.
#[derive(Debug, Clone)]
pub struct Inline(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    text: String,
    blocks: OnceLock<Option<Arc<Blocks>>>,
}

impl Inline {
    /// Of a text that is base64, or that was read where base64 should be.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Parts { text, blocks: OnceLock::new() }))
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text as parts of a saved state; `None` if it is no base64.
    pub fn blocks(&self) -> Option<&Arc<Blocks>> {
        self.0.blocks.get_or_init(|| Blocks::of_base64(&self.0.text).map(Arc::new)).as_ref()
    }
}

impl PartialEq for Inline {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.text() == other.text()
    }
}
