//! Networks as every family has them: named tensors in one flat vector, an optimiser, a learning rate's course and an
//! average of the weights; and the operations that networks are written in ([`ops`]).

pub mod network;
pub mod ops;
pub mod optimiser;
pub mod schedule;
pub mod tensors;

pub use network::{Diverged, Network};
pub use optimiser::{Adam, AdamSettings, Optimiser, RmsProp, RmsPropSettings, Sgd};
pub use schedule::{Decay, Schedule};
pub use tensors::{NamedTensor, TensorLayout, Tensors};
