//! One frame after another through a WaveNet (van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016,
//! sections 2.1–2.4), with the past of each layer kept in a ring ("fast WaveNet", Le Paine et al., *Fast Wavenet
//! Generation Algorithm*, 2016).
//!
//! A pass (`pass.rs`) takes one or more frames of a batch of variations as columns through the network layer by layer, so
//! that each weight is read once per pass. What a variation remembers between passes is its [`WaveNetState`].

mod activate;
mod layer;
mod network;
mod pass;
mod scratch;
mod split;
mod state;
#[cfg(test)]
mod suite;
mod told;

pub use network::PackedWaveNet;
pub use scratch::Scratch;
pub use state::WaveNetState;
