//! A take: the recipe that made it and its sound.
//!
//! Both are saved with the host's project, so that it opens and bounces identically on another machine, without the
//! model and without the seed file. The sound is kept at the model's rate, exactly as it was generated; what plays at the
//! host's rate is computed from it again ([`play`]).

pub mod arrangement;
pub mod bench;
pub mod crop;
pub mod id;
pub mod level;
pub mod pack;
pub mod placed;
pub mod play;
pub mod recipe;
pub mod shelf;
pub mod store;

use std::sync::Arc;

use continuo_engine::audio::Clip;

pub use recipe::Recipe;

/// Longest seed clip in seconds: far beyond what any model hears, and still small in a project.
pub const MAX_SEED_SECONDS: f64 = 60.0;
/// Most variations of a take.
pub const MAX_VARIATIONS: usize = 16;
/// Most values (frames × channels, over the seed clip and all variations together) that a take may hold: 1 GiB of `f32`.
pub const MAX_VALUES: u64 = 1 << 28;

/// A finished take.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// How it was made.
    pub recipe: Recipe,
    /// The seed clip; `None` for an unconditional take.
    pub seed: Option<Arc<Clip>>,
    /// The continuation in every variation, `[C][T]` at the model's rate; all of one size.
    pub variations: Vec<Arc<Clip>>,
}
