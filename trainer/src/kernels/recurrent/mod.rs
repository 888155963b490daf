//! Recurrent layers over whole sequences: the inputs' part of all steps is one product, then each step is a product with the
//! state before and the gates' functions.
//!
//! Everything is step-major, `[steps, batch, …]`, and inside, each gate's units are padded to whole vectors.

pub mod gates;
pub mod gru;
pub mod lstm;
pub mod sequence;
