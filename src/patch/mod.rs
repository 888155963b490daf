//! Patches: a model, a seed clip and the values of the controls, under a name, each in a file of its own.
//!
//! A patch holds no take and no place in a song: loading one changes what the next render does and how a take plays, and nothing
//! of what was rendered. Its file is JSON ([`file`]), of which nothing is believed before it was looked at:
//!
//! ```json
//! { "continuo_patch": 1, "name": "…", "author": "…", "category": "…", "features": ["piano"], "description": "…",
//!   "model": { "file": "piano-16k.continuo", "sha256": "…" }, "clip": { "file": "01-….wav" },
//!   "parameters": { "mode": "continue", "length": 8, "play_seed": true } }
//! ```

mod error;
mod file;
mod library;
mod resolve;

pub use error::PatchError;
pub use file::{ClipRef, EXTENSION, ModelRef, Patch, Value, patch_in};
pub use library::{Listed, delete, factory_folder, list, rename, save, user_folder};
pub use resolve::{Clip, Resolved, clip_ref, model_ref, resolve};
