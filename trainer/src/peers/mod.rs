//! Several processes that train one run together, on one machine or on several: workers.
//!
//! Each worker holds the whole model and takes its rows of every batch. Gradients are averaged, added up in the order of
//! the workers, so all of them move the same weights by the same bits, and a run of n workers depends on n alone. Worker 0
//! leads: it alone has the run's folder, measures, and says when to stop. What a task and the training loop know of it is
//! [`Peers`].
//!
//! Workers are connected in a star around worker 0, over TCP ([`meeting`], [`link`], [`frame`]). What they send is neither
//! encrypted nor signed: it belongs on one machine or on a network of its own. Before the first step all prove that they
//! stand at the same place ([`standing`]); whoever does not is told what differs.

pub mod error;
pub mod frame;
pub mod handle;
pub mod join;
pub mod key;
pub mod link;
pub mod meeting;
pub mod standing;
pub mod star;

pub use error::PeersError;
pub use handle::Peers;
pub use standing::Standing;
