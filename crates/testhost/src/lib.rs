//! A headless CLAP host over clack-host: loads a plugin file as a producer's host does, and knows nothing else of it.
//!
//! [`Plugin`] is the main thread's side: parameters, text, state, activation. [`Deck`] is the audio thread's side: a
//! transport in 4/4, event queues and one block after the other.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use continuo_testhost::{Plugin, Setup};
//! let mut plugin = Plugin::load("Continuo.clap".as_ref())?;
//! let heard = plugin.play(Setup { sample_rate_hz: 48_000, block: 512 }, |_| {}, |deck| {
//!     deck.playing = true;
//!     Ok(deck.run(512)?[0].to_vec())
//! })?;
//! assert_eq!(heard.len(), 512);
//! # Ok(())
//! # }
//! ```

mod callbacks;
mod deck;
mod parameter;
mod plugin;
mod window;

pub use clack_host::entry::EntryDescriptor;
pub use clack_host::events::event_types::NoteExpressionType;
pub use clack_host::utils::ClapId;
pub use deck::{Deck, Setup};
pub use parameter::{Parameter, number_of};
pub use plugin::Plugin;
