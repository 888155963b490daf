//! Autoregressive discrete autoencoders (Dieleman, van den Oord & Simonyan 2018, *The challenge of realistic music
//! generation: modelling raw audio at scale*) as a thing to be trained.
//!
//! A run trains one level ([`task`]): encoder, quantiser, modulator and local model together, on audio, or on the codes of the level
//! below. `continuo-trainer codes` then makes a dataset of its codes, on which a prior ([`prior`]) or the second level is
//! trained; `export` puts the runs together into one package.
//!
//! Where the paper gives a number it is in the configurations. Where it is silent, or says it in a figure alone, what was
//! chosen is said beside it: residual blocks are those of [`continuo_package::family::ada::Convolutions`], the codebook begins
//! at queries and has a Polyak average of its own ([`codebook`]), penalties are means ([`quantiser`]).

pub mod codebook;
pub mod compute;
pub mod config;
pub mod export;
pub mod initial;
pub mod model;
pub mod network;
pub mod prior;
pub mod prior_config;
pub mod quantiser;
pub mod recordings;
pub mod task;

use crate::config::{ConfigFault, Configuration, Family};

/// What the registry of families holds.
pub const FAMILY: Family = Family { name: config::NAME, parse };

fn parse(text: &str) -> Result<Box<dyn Configuration>, ConfigFault> {
    /// Read before the rest, which depends on it.
    #[derive(serde::Deserialize)]
    struct Tag {
        #[serde(default)]
        stage: config::Stage,
    }
    let tag: Tag = toml::from_str(text).map_err(|error| ConfigFault::Syntax(error.to_string()))?;
    Ok(match tag.stage {
        config::Stage::Autoencoder => Box::new(config::Config::parse(text)?),
        config::Stage::Prior => Box::new(prior_config::Config::parse(text)?),
    })
}
