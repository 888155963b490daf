//! Continuo, the plugin: an instrument that carries on playing from where a clip stops.
//!
//! This is the only code that knows a host ([`plugin`]), a window ([`editor`]) or a note. A [`session`] per instance joins
//! the audio thread, the editor and the process's one [`renderer`]; [`take`] keeps what was rendered.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp))]

pub mod editor;
mod files;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc;
pub mod json;
pub mod params;
pub mod patch;
pub mod plugin;
pub mod renderer;
pub mod resources;
pub mod session;
pub mod settings;
pub mod take;
pub mod threads;
mod wildness;

pub use plugin::Continuo;
